"""How often, and after which pauses, a supervisor starts a sweep's controller again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlwidgets.runner import sweeping
from mlwidgets.runner.sweeping import Restarts
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import write_event

PAUSES = [0.0, 0.05, 0.15, 0.45, 1.35, 4.05, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]


@pytest.fixture
def folder(new_run: Callable[..., RunFolder]) -> RunFolder:
    return new_run("hunt")


def test_they_grow_to_seconds_and_end(folder: RunFolder) -> None:
    restarts = Restarts(folder)
    assert [restarts.pause() for _ in PAUSES] == pytest.approx(PAUSES)
    assert restarts.pause() is None


def test_one_that_got_something_done_was_not_started_in_vain(folder: RunFolder) -> None:
    restarts = Restarts(folder)
    assert [restarts.pause() for _ in range(5)] == pytest.approx(PAUSES[:5])
    write_event(folder.events, "restarted")
    assert restarts.pause() == pytest.approx(PAUSES[5]), "its supervisor did that"
    write_event(folder.events, "trial", number=0)
    assert restarts.pause() == 0.0


def test_one_that_lived_for_a_while_was_not_started_in_vain(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(sweeping.time, "monotonic", lambda: now)
    restarts = Restarts(folder)
    assert [restarts.pause() for _ in range(3)] == pytest.approx(PAUSES[:3])
    now += 0.15 + 9.9
    assert restarts.pause() == pytest.approx(PAUSES[3])
    now += 0.45 + 10.1
    assert restarts.pause() == 0.0
