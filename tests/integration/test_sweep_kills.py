"""Whoever is killed, and whenever: every trial of a sweep ends exactly once, and none outlives its sweep."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlwidgets import api
from mlwidgets.runner import warm
from mlwidgets.runner.launch import launch
from mlwidgets.runner.tree import SUPERVISOR_MODULE
from mlwidgets.runs.alive import holder
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_records
from mlwidgets.runs.leftovers import leftovers
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import literal_text
from mlwidgets.runs.state import read_outcome
from mlwidgets.runs.trials import read_log
from mlwidgets.submit import Asked, capture
from mlwidgets.sweeps.asked import capture_sweep
from mlwidgets.sweeps.control.book import Book
from mlwidgets.sweeps.control.making import TrialMaker
from mlwidgets.sweeps.definition import Limits
from mlwidgets.sweeps.search.study import Search
from mlwidgets.sweeps.sweep import Sweep
from tests import sweep_torture
from tests.integration.test_sweeps import QUICK, STEPS, events, finish, going, pid, queue, states, sweep
from tests.laws import soon

__all__ = ["queue"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these tests look for processes in /proc")


def kill(found: Sweep | Any, *roles: str) -> None:
    for number in [pid(found, role) for role in roles]:
        os.kill(number, signal.SIGKILL)


def has_restarted(found: Sweep, times: int) -> bool:
    return found.restarts == times


def has_ended(run: Run) -> bool:
    """Whether it has, without settling anything."""
    return read_outcome(RunFolder(run.path)).ended


def has_left_nothing(run: Run) -> bool:
    return not list(leftovers(run.path))


def test_a_killed_controller_is_started_again_and_adopts_the_trials(tmp_path: Path) -> None:
    go = tmp_path / "go"
    found = sweep(STEPS, params={"go": str(go)}, trials=4, concurrent=2)
    assert soon(lambda: len(going(found)) == 2)
    workers = [pid(run, "worker") for run in found.runs]
    began = found.started_at
    for times in (1, 2, 3):
        kill(found, "worker")
        assert soon(partial(has_restarted, found, times))
        assert soon(lambda: holder(found.path / "alive", "worker"))
    assert [pid(run, "worker") for run in found.runs] == workers, "the same go on"
    go.touch()
    finish(found)
    assert found.started_at == began
    assert states(found) == ["finished"] * 4
    assert len(events(found, "trial")) == len(events(found, "trial_ended")) == 4
    assert found.metrics.index.tolist() == [1, 2, 3, 4]


IMPATIENT = """
from mlwidgets.runner import supervisor, sweeping
sweeping._LONGEST_PAUSE, sweeping._MOST_DEATHS = 0.1, 4
supervisor.main()
"""
"""A supervisor like any other, but one that gives up sooner: how often and after which pauses is for the unit tests."""


def test_a_controller_that_dies_at_once_each_time_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def command(module: str, *arguments: str) -> list[str]:
        assert module == SUPERVISOR_MODULE
        return [sys.executable, "-c", IMPATIENT, *arguments]

    monkeypatch.setenv(warm.VARIABLE, "off")
    monkeypatch.setattr("mlwidgets.runner.launch.python_command", command)
    found = sweep(STEPS, params={"go": str(tmp_path / "go")}, trials=4, cold=True)
    deadline = time.monotonic() + 120
    while not found.ended and time.monotonic() < deadline:
        number = holder(found.path / "alive", "worker")
        if number and number != os.getpid():
            os.kill(number, signal.SIGKILL)
        time.sleep(0.02)
    assert found.state == "killed"
    assert str(found.cause).endswith("again and again before it had done anything")
    assert found.runs == [] or all(run.wait(30).ended for run in found.runs)


def test_the_controller_goes_on_without_its_supervisor(tmp_path: Path) -> None:
    go = tmp_path / "go"
    found = sweep(STEPS, params={"go": str(go)}, trials=4, concurrent=2)
    assert soon(lambda: len(going(found)) == 2)
    kill(found, "supervisor")
    go.touch()
    finish(found)
    assert states(found) == ["finished"] * 4
    assert found.cause == "all trials have ended: 4"


def test_a_stop_reaches_a_controller_without_supervisor(tmp_path: Path) -> None:
    found = sweep(STEPS, params={"go": str(tmp_path / "go")}, trials=4, concurrent=2)
    assert soon(lambda: len(going(found)) == 2)
    kill(found, "supervisor")
    assert soon(lambda: holder(found.path / "alive", "supervisor") is None)
    found.stop("test")
    finish(found, "stopped")
    assert found.cause == "stopped by test"
    assert states(found) == ["stopped"] * 2


def test_a_controller_that_is_killed_after_a_stop_leaves_no_trial_open(tmp_path: Path) -> None:
    code = """
import os, signal, time
from mlwidgets import log
signal.signal(signal.SIGTERM, signal.SIG_IGN)
log(score=x)
while not os.path.exists(go):
    time.sleep(0.005)
"""
    go = tmp_path / "go"
    found = sweep(code, params={"go": str(go)}, trials=4, concurrent=2)
    assert soon(lambda: len(going(found)) == 2 and all(run.last_values() for run in found.runs))
    found.stop("test")
    assert soon(lambda: all((run.path / "requests" / "stop").exists() for run in found.runs))
    kill(found, "worker")
    go.touch()
    finish(found, "stopped")
    assert found.cause == "stopped by test"
    assert states(found) == ["stopped"] * 2
    assert len(events(found, "trial_ended")) == 2
    assert all(run.ended for run in found.runs)


def test_no_trial_outlives_a_sweep_that_was_killed(tmp_path: Path) -> None:
    found = sweep(STEPS, params={"go": str(tmp_path / "go")}, trials=4, concurrent=2)
    assert soon(lambda: len(going(found)) == 2)
    runs = found.runs
    kill(found, "supervisor", "worker")
    # Nobody asks the sweep itself.
    for run in runs:
        assert soon(partial(has_ended, run))
        assert "the end of its sweep" in str(run.cause)
        assert soon(partial(has_left_nothing, run))
    assert read_outcome(RunFolder(found.path)).state == "killed"
    assert list(found.trials["state"]) == ["stopped"] * 2


def test_no_worker_without_supervisor_outlives_its_sweep_once_somebody_looks(tmp_path: Path) -> None:
    found = sweep(STEPS, params={"go": str(tmp_path / "go")}, trials=2, concurrent=1)
    assert soon(lambda: len(going(found)) == 1)
    (run,) = found.runs
    kill(found, "supervisor", "worker")
    kill(run, "supervisor")
    assert soon(lambda: found.state == "killed")
    assert soon(lambda: run.state == "stopped")
    assert soon(lambda: not list(leftovers(run.path)))


def test_a_trial_that_waits_ends_with_its_sweep(tmp_path: Path) -> None:
    code = STEPS
    blocker = api.train("import time; time.sleep(600)", name="blocker", namespace={}, cpus=4)
    assert soon(lambda: blocker.state == "running")
    found = sweep(code, params={"go": str(tmp_path / "go")}, trials=2)
    assert soon(lambda: found.runs and holder(found.runs[0].path / "alive", "supervisor"))
    (run,) = found.runs
    kill(found, "supervisor", "worker")
    assert soon(lambda: read_outcome(RunFolder(run.path)).state == "stopped")
    blocker.stop()


def test_a_trial_whose_process_never_started_is_begun_anew(tmp_path: Path) -> None:
    blocker = api.train("import time; time.sleep(600)", name="blocker", namespace={}, cpus=4)
    assert soon(lambda: blocker.state == "running")
    go = tmp_path / "go"
    found = sweep(STEPS, params={"go": str(go)}, trials=2)
    assert soon(lambda: found.runs)
    (first,) = found.runs
    kill(first, "supervisor")
    assert soon(lambda: len(events(found, "trial")) == 2)
    blocker.stop()
    go.touch()
    finish(found)
    assert states(found) == ["finished"] * 2
    assert [(event["number"], event["attempt"]) for event in events(found, "trial")][:2] == [(0, 1), (0, 2)]
    assert first.state == "killed"
    assert found.runs[0].params == first.params


def test_a_killed_trial_has_ended_and_the_sweep_goes_on(tmp_path: Path) -> None:
    go = tmp_path / "go"
    found = sweep(STEPS, params={"go": str(go)}, trials=3, concurrent=2)
    assert soon(lambda: len(going(found)) == 2)
    kill(found.runs[0], "worker")
    kill(found.runs[1], "supervisor", "worker")
    go.touch()
    finish(found)
    assert states(found) == ["killed", "killed", "finished"]


@pytest.mark.parametrize("half", ["asked", "told", "made", "launched", "ended", "study", "given back"])
def test_what_a_kill_left_in_the_middle_is_done_once(half: str) -> None:
    """Each line at which the controller may have been killed, made by hand."""
    asked = Asked(QUICK, "hunt", namespace={}, seed=5)
    store, spec = capture_sweep(
        asked, space={"x": "uniform(0, 1)"}, maximize="score", limits=Limits(trials=2, concurrent=1), sampler="random"
    )
    folder = store.create_run(spec)
    found = api.open_run(folder.path)
    assert isinstance(found, Sweep)
    definition = found.definition
    search = Search(folder.study, definition, found.space)
    book, maker = Book(folder), TrialMaker(folder, spec, definition)
    answer = search.ask()
    assert answer is not None
    number, params = answer
    texts = {name: literal_text(value) for name, value in params.items()}
    run = maker.new_id(number)
    if half != "asked":
        book.tell("trial", number=number, run=run, params=texts, attempt=1, by="sampler")
    if half == "made":
        store.create_run(maker.spec(number, run, texts))
    if half in {"launched", "ended", "study", "given back"}:
        maker.start(number, run, texts)
    if half in {"ended", "study"}:
        assert soon(lambda: read_outcome(maker.folder(run)).ended)
    if half == "study":
        values = [api.open_run(maker.folder(run).path).last_values()["score"]]
        book.tell("trial_ended", number=0, run=run, state="finished", values=values, cause=None, why=None)
    if half == "given back":
        book.tell("given_back", number=0, run=run)
    search.close()
    launch(folder, spec)
    finish(found)
    assert states(found) == ["finished"] * 2
    ends = [event["number"] for event in events(found, "trial_ended")]
    assert ends == [0, 1]
    first = next(one for one in found.runs if one.spec.trial == 0)
    assert first.params == params
    if half not in {"asked", "given back"}:
        assert first.id == run
    for one in found.runs:
        assert len(read_records(one.path / "metrics.bin")) == 6, "executed once"
    search = Search(folder.study, definition, found.space)
    assert (search.running, search.ended) == ({}, {0, 1})
    search.close()


@pytest.mark.parametrize("asked_to_stop", [True, False])
def test_a_trial_that_gave_its_slots_back_as_the_controller_was_killed_begins_anew(
    tmp_path: Path, asked_to_stop: bool
) -> None:
    go = tmp_path / "go"
    found = sweep(STEPS, params={"go": str(go)}, trials=1)
    assert soon(lambda: len(going(found)) == 1)
    (run,) = found.runs
    os.kill(pid(found, "worker"), signal.SIGSTOP)
    Book(RunFolder(found.path)).tell("given_back", number=0, run=run.id)
    if asked_to_stop:
        run.stop("sweep hunt, which gave its slots back")
        assert soon(lambda: run.ended)
    kill(found, "worker")
    assert soon(lambda: len(events(found, "trial")) == 2)
    assert run.wait(60).state == "stopped"
    go.touch()
    finish(found)
    assert states(found) == ["finished"]
    assert found.runs[0].params == run.params


@pytest.mark.parametrize("cold", [True, False])
def test_a_run_that_is_launched_twice_is_executed_once(tmp_path: Path, cold: bool) -> None:
    code = "import os\nos.write(os.open(book, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), b'begun ')"
    book = tmp_path / "book"
    asked = Asked(code, "twice", {"book": str(book)}, namespace={}, cold=cold)
    store, spec = capture(asked)
    folder = store.create_run(spec)
    for _ in range(3):
        launch(folder, spec)
    run = api.open_run(folder.path).wait(60)
    launch(folder, spec)
    assert run.state == "finished"
    assert soon(lambda: holder(folder.alive, "supervisor") is None)
    time.sleep(0.5)
    assert book.read_bytes() == b"begun "
    assert folder.supervisor_log.read_text() == ""


def test_a_run_whose_supervisor_was_killed_is_not_executed_by_a_second_one(tmp_path: Path) -> None:
    blocker = api.train("import time; time.sleep(600)", name="blocker", namespace={}, cpus=4)
    assert soon(lambda: blocker.state == "running")
    store, spec = capture(Asked("1", "late", namespace={}))
    folder = store.create_run(spec)
    launch(folder, spec)
    run = api.open_run(folder.path)
    assert soon(lambda: events(run, "supervising"))
    kill(run, "supervisor")
    # Nobody looks at the run before the second one would have had its turn.
    assert soon(lambda: holder(folder.alive, "supervisor") is None)
    launch(folder, spec)
    assert len(events(run, "submitted")) == 2
    blocker.stop()
    blocker.wait(60)
    time.sleep(1.0)
    assert soon(lambda: run.ended)
    assert run.state == "killed"
    assert events(run, "started") == []


def record(found: Sweep) -> list[Any]:
    """Return what has to be the same in two searches: parameters, all metrics, ends."""
    log = read_log(found.path)
    told = [(n, log.trials[n].params, log.trials[n].state, log.trials[n].values) for n in sorted(log.trials)]
    logged = [
        [(record["step"], record["value"].tobytes()) for record in read_records(run.path / "metrics.bin")]
        for run in (*found.runs, found)
    ]
    return [told, logged]


def test_a_search_with_a_seed_is_repeatable_to_the_last_bit(tmp_path: Path) -> None:
    code = """
import random, time
import numpy as np
from mlwidgets import log
for i in range(4):
    log(score=np.random.rand() * x + random.random() - width * 0.001)
    time.sleep(0.01)
"""
    space = {"x": "loguniform(1e-3, 1)", "width": "choice(8, 16, 32)"}
    options: dict[str, Any] = {"space": space, "trials": 14, "concurrent": 1, "seed": 11, "sampler": "tpe"}
    one = finish(sweep(code, **options))
    other = sweep(code, **options)
    dice = random.Random(1)
    kills = 0
    while not other.ended:
        time.sleep(dice.uniform(0.1, 0.8))
        if kills < 4 and read_log(other.path).trials and (number := holder(other.path / "alive", "worker")):
            os.kill(number, signal.SIGKILL)
            kills += 1
    finish(other)
    assert kills > 0
    assert record(one) == record(other)
    another = finish(sweep(code, **{**options, "seed": 12}))
    assert record(one) != record(another)


def test_every_law_holds(tmp_path: Path) -> None:
    wrong, told = sweep_torture.torture(24, random.SystemRandom().randrange(10**8), tmp_path)
    assert wrong == [], told
    warm.end_warm_processes()
