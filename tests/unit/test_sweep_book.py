"""What the controller remembers, and what it makes of clocks that are set."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.trials import Trial
from mlwidgets.sweeps.control.book import Book
from mlwidgets.sweeps.control.live import Live
from mlwidgets.sweeps.definition import Objective, SweepDefinition


def test_the_order_of_ends_is_that_of_the_events(new_run: Callable[..., RunFolder]) -> None:
    folder = new_run("hunt", sweep={"space": {}})

    def end(number: int, at: float) -> None:
        write_event(folder.events, "trial", number=number, run=f"r{number}", params={}, attempt=1, by="sampler")
        said: dict[str, Any] = {"run": f"r{number}", "state": "failed", "values": None, "cause": None, "why": None}
        write_event(folder.events, "trial_ended", number=number, **said, time=at)

    end(0, 5000.0)
    write_event(folder.events, "resumed", by="user")
    # The clock was set back in between.
    end(2, 90.0)
    end(1, 100.0)
    book = Book(folder)
    assert [trial.number for trial in book.ended] == [0, 2, 1]
    assert [trial.number for trial in book.ended[book.resumed :]] == [2, 1]


def test_a_clock_that_is_set_makes_no_trial_run_longer(
    new_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_run("hunt-0", trial_of="hunt", trial=0)
    definition = SweepDefinition({"x": "uniform(0, 1)"}, (Objective("score"),))
    live = Live(Trial(0, folder.id, {}, "sampler", 0.0), folder, definition, curious=False)
    live.advance()
    assert live.running_time == 0.0
    write_event(folder.events, "started", pid=1, time=time.time() - 100)
    live.advance()
    assert 100 <= live.running_time < 160
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86400)
    live.advance()
    assert 100 <= live.running_time < 160
    monkeypatch.setattr(time, "time", lambda: now - 86400)
    live.advance()
    assert 100 <= live.running_time < 160
    write_event(folder.events, "attempt", number=2, of=2)
    live.advance()
    assert live.running_time == 0.0, "it waits in the queue again"
    live.close()
