"""A tick that waits comes back when what it started has ended, was tried again, and was told of."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import mlwidgets
from mlwidgets.notifying.notices import read_notices
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.exporting import waiting
from mlwidgets.schedules.schedule import Schedule
from mlwidgets.schedules.tick import Ticked
from mlwidgets.schedules.timetable import Schedules

# It fails the first time that it is started by a schedule, and from then on it does not.
CODE = """
import pathlib
tries = pathlib.Path("tries")
count = len(tries.read_text()) if tries.exists() else 0
tries.write_text("x" * (count + 1))
if count == 1:
    raise ValueError("not yet")
"""


def test_it_waits_for_the_end_and_for_retries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = mlwidgets.train(CODE, name="retrain", namespace={}).wait(120)
    assert run.state == "finished", run.output
    store = RunStore(run.path.parent.parent)
    schedules = Schedules(store)
    before = time.time() - 86400
    daily = Schedule("daily", "run", {"run": run.id}, cron="0 0 * * *", retries=2, retry_wait=1.0, notify="browser")
    schedules.add(daily, now=before)
    said: list[Ticked] = []
    assert waiting.tick_and_wait(store, ["daily"], said.append)
    assert (tmp_path / "tries").read_text() == "xxx"
    (firing,) = schedules.firings("daily")
    assert (firing.state, firing.attempt) == ("finished", 2)
    assert [one["subject"] for one in read_notices(store.path)] == ["daily succeeded"]
    assert sum(len(one.started) for one in said) >= 1
    # Nothing is due any more: it comes back at once.
    assert waiting.tick_and_wait(store, [], said.append)
