"""Which runs are a sweep's trials, and what is looked for beside a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlwidgets.runner.sweeping import ItsSweep
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.stopping import stop_trials, trials_of


def test_events_that_name_any_run_make_it_no_trial(new_run: Callable[..., RunFolder]) -> None:
    hunt = new_run("hunt", sweep={"space": {}})
    mine = new_run("hunt-0", trial_of=hunt.id, trial=0)
    others = [new_run("lenet"), new_run("other-0", trial_of="20261120-123010-other-abcd", trial=0), hunt]
    for number, run in enumerate([mine, *others, mine]):
        write_event(hunt.events, "trial", number=number, run=run.id, params={}, attempt=1, by="sampler")
    write_event(hunt.events, "trial", number=9, run="../" + mine.id, params={}, attempt=1, by="sampler")
    assert [one.id for one in trials_of(hunt)] == [mine.id]
    assert stop_trials(hunt, "test") == 1
    assert mine.stop_request.exists()
    assert not any(one.stop_request.exists() for one in others)


@pytest.mark.parametrize("name", ["../hunt", "/tmp", "..", "."])
def test_a_sweep_is_looked_for_nowhere_else(new_run: Callable[..., RunFolder], name: str) -> None:
    trial = new_run("hunt-0", trial_of=name, trial=0)
    assert ItsSweep(trial, trial.read_spec()).patience == float("inf")
