"""Last values, read from the end."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
import pytest

from mlwidgets.runs import latest
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.latest import read_last
from mlwidgets.runs.run import Run
from mlwidgets.tracking.log import MetricLog

Make = Callable[..., RunFolder]


@pytest.mark.parametrize("first", [1, 2, 3, 1024])
def test_the_same_as_reading_all(new_run: Make, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    monkeypatch.setattr(latest, "_FIRST", first)
    random = np.random.default_rng(first)
    for _ in range(20):
        folder = new_run()
        log = MetricLog(folder.metrics, folder.events)
        for step in range(int(random.integers(0, 60))):
            names = random.choice(["a", "b", "c", "d"], int(random.integers(1, 4)), replace=False)
            log(dict.fromkeys(map(str, names), float(step)))
        expected = {name: float(column.values[-1]) for name, column in Run(folder.path).columns().items()}
        found = read_last(folder.metrics, folder.events)
        assert found == expected
        assert list(found) == list(expected)


def test_what_is_damaged_is_passed_over(new_run: Make) -> None:
    folder = new_run()
    MetricLog(folder.metrics, folder.events)({"a": 1.0, "b": math.nan})
    with open(folder.metrics, "ab") as file:
        file.write(os.urandom(32) + b"torn")
    found = read_last(folder.metrics, folder.events)
    assert found["a"] == 1
    assert math.isnan(found["b"])
    folder.metrics.unlink()
    assert read_last(folder.metrics, folder.events) == {}
