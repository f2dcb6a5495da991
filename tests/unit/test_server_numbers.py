"""Numbers of a list: the same as those of a view, in less time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.server import numbers, sparklines
from mlwidgets.server.numbers import Numbers
from mlwidgets.server.sparklines import Sparklines
from mlwidgets.tracking.log import MetricLog
from mlwidgets.views.tracks import Tracks

Make = Callable[..., RunFolder]
FIELDS = ("n", "last", "last_step", "highest_step", "first_time", "last_time", "low")


@pytest.mark.parametrize("few", [0, 7, 10**6])
def test_the_same_as_what_views_are_told(new_run: Make, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(numbers, "_FEW", few)
    random = np.random.default_rng(few)
    folder = new_run()
    log = MetricLog(folder.metrics, folder.events)
    ours, theirs = Numbers(folder), Tracks(folder.metrics, folder.events, "metric")
    assert not ours.advance()
    epoch = 0
    for _ in range(30):
        for _ in range(int(random.integers(0, 20))):
            epoch += int(random.random() < 0.2)
            value = float(random.choice([math.nan, math.inf, -1.5, 0.0, random.random()]))
            log({f"m{random.integers(0, 4)}": value, "epoch": epoch}, step=int(random.integers(0, 99)))
        assert ours.advance() == bool(theirs.advance())
        assert set(ours.by_name) == set(theirs.by_name)
        for name, count in ours.by_name.items():
            for field in FIELDS:
                found, expected = getattr(count, field), getattr(theirs.by_name[name], field)
                assert found == expected or (found != found and expected != expected), (name, field)
        if "epoch" in ours.by_name:
            assert ours.by_name["epoch"].since == theirs.by_name["epoch"].since


def test_a_torn_record_waits_for_its_rest(new_run: Make) -> None:
    folder = new_run()
    MetricLog(folder.metrics, folder.events)(loss=1.0)
    whole = folder.metrics.read_bytes()
    ours = Numbers(folder)
    assert ours.advance()
    with open(folder.metrics, "ab") as file:
        file.write(whole[:20])
    assert not ours.advance()
    with open(folder.metrics, "ab") as file:
        file.write(whole[20:])
    assert ours.advance()
    assert ours.by_name["loss"].n == 2
    folder.metrics.unlink()
    assert not ours.advance()
    assert ours.last() == {"loss": 1.0}


def test_sparklines_that_are_looked_at_stay(new_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparklines, "_KEPT", 2)
    folders = [new_run() for _ in range(3)]
    for folder in folders:
        MetricLog(folder.metrics, folder.events)(loss=1.0)
    lines = Sparklines()
    first = lines.read(folders[0].path, "loss")
    lines.read(folders[1].path, "loss")
    assert lines.read(folders[0].path, "loss") is first
    lines.read(folders[2].path, "loss")
    assert lines.read(folders[0].path, "loss") is first
