"""Further attempts at a run, runs that wait for others, and runs that go first."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

import mlwidgets
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.run import Run
from mlwidgets.views.data import read_header
from tests.integration.test_stopping import machine, number_waiting, started
from tests.laws import Deeds, Work, soon
from tests.machine import Machine, kill

__all__ = ["machine"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these tests look for processes in /proc")

FAILS_ONCE = Work("fails", steps=3, pause=0.01, retries=2, failures=1)


def events(run: Run, kind: str) -> Iterator[dict[str, object]]:
    return (event for event in read_lines(run.path / "events.jsonl") if event["event"] == kind)


@pytest.mark.parametrize("cold", [True, False])
def test_the_second_attempt_succeeds(machine: Machine, cold: bool) -> None:
    work = replace(FAILS_ONCE, cold=cold)
    run = machine.submit(work)
    machine.check(run, work, "finished", Deeds())
    assert run.result["answer"] == [2, 3]
    assert run.columns()["x"].values.tolist() == [1_000_000.0 + i for i in range(3)] + [
        2_000_000.0 + i for i in range(3)
    ]
    (attempt,) = events(run, "attempt")
    assert (attempt["number"], attempt["of"], attempt["state"]) == (2, 3, "failed")
    assert attempt["cause"] == "ValueError: as planned"
    assert read_header(run)["attempt"] == "attempt 2 of 3"
    assert "mlwidgets: attempt 2 of 3; the one before failed: ValueError: as planned" in run.output
    assert len(list(events(run, "slots"))) == 2, "the slots are given back between"
    assert len(list(events(run, "started"))) == 2


def test_all_attempts_fail(machine: Machine) -> None:
    work = replace(FAILS_ONCE, failures=9)
    run = machine.submit(work)
    machine.check(run, work, "failed", Deeds())
    assert run.cause == "ValueError: as planned"
    assert "as planned" in str(run.error)
    assert [event["number"] for event in events(run, "attempt")] == [2, 3]


def test_a_killed_attempt_is_followed_by_another(machine: Machine) -> None:
    work = Work("is-killed", steps=40, pause=0.01, retries=1, daemons=("forked", "session"))
    run = machine.start(work)
    kill(run, "worker")
    machine.check(run, work, "finished", Deeds(killed={"worker"}))
    (attempt,) = events(run, "attempt")
    assert attempt["state"] == "killed"
    assert "SIGKILL" in str(attempt["cause"])


def test_a_run_of_a_higher_priority_goes_between_two_attempts(machine: Machine) -> None:
    work = Work("fails", steps=40, pause=0.02, retries=1, failures=1)
    first = machine.start(work)
    behind, before = (Work(name, steps=1, pause=0.0, priority=p) for name, p in (("behind", 0), ("before", 1)))
    waits, goes = machine.submit(behind), machine.submit(before)
    assert soon(lambda: number_waiting() == 2)
    machine.check(first, work, "finished", Deeds())
    for run, asked in ((waits, behind), (goes, before)):
        machine.check(run, asked, "finished", Deeds())
    second_attempt = [float(str(event["time"])) for event in events(first, "started")][1]
    assert started(goes) < second_attempt < started(waits), "it keeps its place among those of its own priority"


def test_the_state_while_it_waits_for_its_second_attempt(machine: Machine) -> None:
    work = Work("fails", steps=40, pause=0.02, retries=1, failures=1)
    run = machine.start(work)
    long = Work("long", steps=10**6, pause=0.01, priority=1)
    other = machine.submit(long)
    assert soon(lambda: other.state == "running")
    assert run.state == "submitted"
    assert read_header(run)["attempt"] == "attempt 2 of 2"
    assert read_header(run)["waiting"] is not None
    run.stop()
    machine.check(run, work, "stopped")
    other.stop()
    machine.check(other, long, "stopped")


def test_stopped_in_its_second_attempt(machine: Machine) -> None:
    work = Work("fails", steps=10**6, pause=0.01, retries=3, daemons=("deaf", "session"))
    run = machine.start(work)
    kill(run, "worker")
    assert soon(lambda: len(machine.books(work).lines("attempts")) == 2)
    assert soon(lambda: int(machine.books(work).lines("logged")[-1]) > 2_000_005)
    run.stop()
    machine.check(run, work, "stopped", Deeds(killed={"worker"}, stopped=True))
    assert run.cause == "stopped by user"
    assert len(machine.books(work).lines("attempts")) == 2
    assert machine.books(work).has("cleaned")


def test_a_run_that_was_stopped_or_ran_out_of_time_is_not_tried_again(machine: Machine) -> None:
    endless = Work("endless", steps=10**6, pause=0.01, retries=3)
    run = machine.start(endless)
    run.stop()
    machine.check(run, endless, "stopped")
    timed = replace(endless, name="timed", timeout=0.3)
    run = machine.submit(timed)
    machine.check(run, timed, "timeout", Deeds())
    assert list(events(run, "attempt")) == []


def test_time_that_is_over_when_the_code_has_failed_already(machine: Machine) -> None:
    """An exit handler that takes long keeps the process, and does not make a time-out of a failure."""
    code = "import atexit, time\natexit.register(time.sleep, 1.6)\nraise ValueError('as planned')"
    run = mlwidgets.train(code, name="slow-to-leave", namespace={}, timeout=0.8, retries=1).wait(60)
    assert (run.state, run.cause) == ("failed", "ValueError: as planned")
    assert [event["number"] for event in events(run, "attempt")] == [2]


def test_the_supervisor_is_killed_in_the_second_attempt(machine: Machine) -> None:
    work = Work("fails", steps=10**6, pause=0.01, retries=3)
    run = machine.start(work)
    kill(run, "worker")
    assert soon(lambda: len(machine.books(work).lines("attempts")) == 2)
    kill(run, "supervisor")
    assert run.state == "running"
    kill(run, "worker")
    machine.check(run, work, "killed", Deeds(killed={"worker", "supervisor"}))
    assert len(machine.books(work).lines("attempts")) == 2, "nobody is left who could try again"


@pytest.mark.parametrize("end", ["finished", "failed", "stopped", "killed", "timeout", "both killed"])
def test_after_another_run(machine: Machine, end: str) -> None:
    first = Work(
        "first",
        steps=10**6 if end not in {"finished", "failed"} else 30,
        pause=0.01,
        failures=int(end == "failed"),
        timeout=1.0 if end == "timeout" else None,
    )
    run = machine.start(first)
    second = Work("second", steps=2, pause=0.0, after="first")
    after = machine.submit(second)
    third = Work("third", steps=2, pause=0.0)
    behind = machine.submit(third)
    if end == "stopped":
        run.stop()
    elif end in {"killed", "both killed"}:
        if end == "both killed":
            kill(run, "supervisor")
        kill(run, "worker")
    if end == "finished":
        machine.check(after, second, "finished", Deeds())
        assert started(after) >= (run.ended_at or 0)
    else:
        machine.check(after, second, "stopped", Deeds())
        said = {"timeout": "ran out of time", "failed": "failed"}.get(end, f"was {end.split()[-1]}")
        assert after.cause == f"not started: it was to run after {run.name!r}, which {said}"
        assert after.started_at is None
    machine.check(behind, third, "finished", Deeds())


def test_after_a_run_that_has_ended_already(machine: Machine) -> None:
    for failures, state in ((0, "finished"), (1, "stopped")):
        first = Work(f"first-{failures}", steps=1, pause=0.0, failures=failures)
        machine.submit(first).wait(60)
        second = Work(f"second-{failures}", steps=1, pause=0.0, after=first.name)
        machine.check(machine.submit(second), second, state, Deeds())


def test_those_of_a_higher_priority_go_first(machine: Machine) -> None:
    first = Work("first", steps=10**6, pause=0.01)
    blocking = machine.start(first)
    works = [
        Work(f"p{priority}-{n}", steps=1, pause=0.0, priority=priority) for n, priority in enumerate((0, 2, 1, 2, -1))
    ]
    runs = [machine.submit(work) for work in works]
    assert soon(lambda: number_waiting() == 5)
    blocking.stop()
    for run, work in zip(runs, works, strict=True):
        machine.check(run, work, "finished", Deeds())
    assert [run.name for run in sorted(runs, key=started)] == ["p2-1", "p2-3", "p1-2", "p0-0", "p-1-4"]


def test_many_short_ones_take_turns(machine: Machine) -> None:
    works = [Work(f"w{n}", steps=2, pause=0.005, retries=1, failures=n % 2) for n in range(8)]
    runs = [machine.submit(work) for work in works]
    for run, work in zip(runs, works, strict=True):
        machine.check(run, work, "finished", Deeds())
