"""What curves tell; ``labextension/views/insightline.test.ts`` goes through the same cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlwidgets.runs.insight import insight

CASES = json.loads((Path(__file__).resolve().parent.parent / "insight.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_same_in_both_languages(case: dict[str, Any]) -> None:
    lines = {
        name: (steps, np.array([np.nan if one is None else one for one in values]))
        for name, (steps, values) in case["series"].items()
    }
    assert insight(lines, case["judged"]).to_json() == {"best": case["best"], "overfitting": case["overfitting"]}


def test_in_words() -> None:
    (case,) = (case for case in CASES if case["name"] == "validation gets worse while training gets better")
    found = insight({name: (steps, values) for name, (steps, values) in case["series"].items()})
    assert found.lines() == [
        "best val_loss 1 at epoch 8",
        "validation has been getting worse since epoch 8 (val_loss 1 → 2) while training got better",
    ]
    assert insight({}).lines() == []


@pytest.mark.parametrize(("count", "unit"), [(1000, "epoch"), (1001, "step")])
def test_what_is_logged_thousands_of_times_counts_no_epochs(count: int, unit: str) -> None:
    found = insight({"loss": (np.arange(count), 1 / np.arange(1.0, count + 1))}).best
    assert found is not None
    assert (found.step, found.unit) == (count - 1, unit)
