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


def test_what_lies_far_back_is_read_in_parts(new_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = new_run()
    log = MetricLog(folder.metrics, folder.events)
    log({"rare": 7.0})
    for step in range(3000):
        log({"loss": float(step)})
    asked: list[int] = []
    pread = os.pread

    def short(fd: int, length: int, start: int) -> bytes:
        # As of more than 2 GiB: fewer bytes come than were asked for.
        asked.append(length)
        return pread(fd, min(length, 1000), start)

    monkeypatch.setattr(latest, "_FIRST", 10)
    monkeypatch.setattr(latest, "_MOST", 100)
    monkeypatch.setattr(latest.os, "pread", short)
    assert read_last(folder.metrics, folder.events) == {"rare": 7, "loss": 2999}
    assert max(asked) <= 100 * latest.RECORD_SIZE


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
