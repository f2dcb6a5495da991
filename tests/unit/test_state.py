from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.runs import state as states
from mlwidgets.runs.alive import Role, holder
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import RunIndex, RunSummary
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.machine import boot_id
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import LOST, START_GRACE, WAKE_GRACE, Outcome, read_outcome, settle, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.tracking.log import MetricLog

Make = Callable[..., RunFolder]

HOLD = """
import sys, os
from pathlib import Path
from mlwidgets.runs.alive import hold
for role in sys.argv[2:]:
    hold(Path(sys.argv[1]), role)
if os.fork() == 0:
    os.read(0, 1)  # a child that lives on holds nothing
    os._exit(0)
os.write(1, b"held")
os.read(0, 1)
"""


@contextmanager
def living(folder: RunFolder, *roles: Role) -> Iterator[int]:
    """A process that lives in these roles; afterwards it is dead, killed from outside."""
    command = [sys.executable, "-c", HOLD, str(folder.alive), *roles]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(4)
        try:
            yield process.pid
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_who_is_alive(new_run: Make) -> None:
    folder = new_run()
    with living(folder, "supervisor") as one, living(folder, "worker") as two:
        assert holder(folder.alive, "supervisor") == one
        assert holder(folder.alive, "worker") == two
    assert holder(folder.alive, "supervisor") is None
    assert holder(folder.alive, "worker") is None
    assert holder(folder.path / "no such file", "worker") is None


def test_just_made(new_run: Make) -> None:
    assert read_outcome(new_run()) == Outcome("submitted")


def test_launched_and_starting(new_run: Make) -> None:
    folder = new_run()
    write_event(folder.events, "submitted", supervisor=os.getpid())
    assert read_outcome(folder) == Outcome("submitted")


def test_launched_and_died_before_a_word(new_run: Make, dead_pid: int) -> None:
    folder = new_run()
    write_event(folder.events, "submitted", supervisor=dead_pid)
    outcome = read_outcome(folder)
    assert outcome.state == "killed"
    assert str(outcome.cause).startswith("its supervisor never started; see ")
    assert outcome.started_at is None


def test_launched_where_its_processes_cannot_be_seen(new_run: Make, dead_pid: int) -> None:
    for where, boot, later, state in (
        ("far", "another", 1, "submitted"),
        ("another container", boot_id(), 1, "submitted"),
        ("far", "another", START_GRACE + 1, "killed"),
        (os.uname().nodename, "another", 1, "killed"),
    ):
        folder = new_run()
        write_event(folder.events, "submitted", supervisor=dead_pid, host=where, boot=boot)
        outcome = read_outcome(folder, time.time() + later)
        assert outcome.state == state
        if where == os.uname().nodename:
            assert outcome.cause == "the machine was restarted"


def test_no_process_here_is_told_of_a_stop_elsewhere(new_run: Make) -> None:
    for where, status in (("far", 0), (os.uname().nodename, -signal.SIGUSR1)):
        folder = new_run()
        boot = boot_id() if where == os.uname().nodename else "another"
        write_event(folder.events, "supervising", pid=1, host=where, boot=boot)
        command = [sys.executable, "-c", HOLD, str(folder.alive), "supervisor"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.read(4)
            Run(folder.path).stop("me")
        assert process.returncode == status
        assert folder.stop_request.read_text() == "me"


def test_a_run_that_waits_elsewhere_and_is_not_heard_of_any_more(new_run: Make) -> None:
    folder = new_run()
    write_event(folder.events, "supervising", pid=1, host="far", boot="another")
    assert read_outcome(folder) == Outcome("submitted")
    silent = read_outcome(folder, time.time() + 360)
    assert (silent.state, str(silent.cause)[:29]) == ("submitted", "no sign of life from far for ")
    assert read_outcome(folder, time.time() + LOST + 60).state == "killed"


def test_launched_long_ago_and_never_heard_of(new_run: Make) -> None:
    folder = new_run()
    write_event(folder.events, "submitted", supervisor=1)
    assert read_outcome(folder, time.time() + START_GRACE + 1).state == "submitted", "a laptop may have slept"
    assert read_outcome(folder, time.time() + WAKE_GRACE + 1).state == "killed"


def test_submitter_that_never_launched_it(new_run: Make) -> None:
    outcome = read_outcome(new_run(), time.time() + START_GRACE + 1)
    assert outcome.state == "killed"
    assert str(outcome.cause).startswith("its supervisor never started; see ")


def test_submitter_died_before_the_launch(new_run: Make, dead_pid: int) -> None:
    folder = new_run()
    spec = json.loads(folder.spec.read_text())
    submitter = {"cwd": "/", "executable": "python", "python": "3", "host": os.uname().nodename, "user": "anna"}
    for pid, host, state in (
        (dead_pid, None, "killed"),
        (os.getpid(), None, "submitted"),
        (dead_pid, "far", "submitted"),
    ):
        provenance = {**submitter, "kernel_pid": pid, "host": host or submitter["host"]}
        folder.spec.write_text(json.dumps({**spec, "provenance": provenance}))
        assert read_outcome(folder).state == "submitted", "it may have been about to speak"
        outcome = read_outcome(folder, time.time() + 1)
        assert outcome.state == state
        if state == "killed":
            assert outcome.cause == "whoever submitted it ended before its supervisor could start"


def test_the_holder_of_a_lock_keeps_it_when_it_looks_by_another_name(new_run: Make, tmp_path: Path) -> None:
    folder = new_run()
    (tmp_path / "link").symlink_to(folder.path)
    program = f"""
import pathlib
from mlwidgets.runs.alive import hold, holder
hold(pathlib.Path({str(folder.alive)!r}), "worker")
link = pathlib.Path({str(tmp_path / "link" / "alive")!r})
print(holder(link, "worker") is not None, holder(link, "supervisor"), flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True None\n"
        assert holder(folder.alive, "worker") == process.pid
        process.communicate("\n")


def test_one_that_begins_while_it_is_looked_at_is_not_taken_for_dead(
    new_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_run()
    begun: list[Any] = []

    def looks_just_before(path: Path, role: Role) -> int | None:
        seen = holder(path, role)
        if role == "worker" and not begun:
            begun.append(living(folder, "supervisor"))
            begun[0].__enter__()
            write_event(folder.events, "supervising", pid=1)
        return seen

    monkeypatch.setattr(states, "holder", looks_just_before)
    try:
        assert read_outcome(folder) == Outcome("submitted")
    finally:
        begun[0].__exit__(None, None, None)


def test_supervised_not_started(new_run: Make) -> None:
    folder = new_run()
    with living(folder, "supervisor"):
        write_event(folder.events, "supervising", pid=1)
        assert read_outcome(folder) == Outcome("submitted")
    outcome = read_outcome(folder)
    assert (outcome.state, outcome.started_at) == ("killed", None)
    assert outcome.cause == "the supervisor was killed from outside, or the machine went down"


@pytest.mark.parametrize("roles", [("supervisor",), ("worker",), ("supervisor", "worker")])
def test_started(new_run: Make, roles: tuple[Role, ...]) -> None:
    folder = new_run()
    write_event(folder.events, "supervising", pid=1)
    write_event(folder.events, "started", pid=2)
    with living(folder, *roles):
        outcome = read_outcome(folder)
        assert outcome.state == "running"
        assert outcome.started_at is not None
        assert not outcome.ended
    folder.output.write_text("last words")
    os.utime(folder.output, (2e9, 2e9))
    outcome = read_outcome(folder)
    assert (outcome.state, outcome.ended_at) == ("killed", 2e9)
    assert outcome.cause == "supervisor and worker were killed from outside, or the machine went down"


def test_the_workers_last_word_counts(new_run: Make) -> None:
    folder = new_run()
    for kind in ("supervising", "started", "saving"):
        write_event(folder.events, kind, pid=1)
    error = {"ename": "E", "evalue": "", "traceback": [], "exception": None}
    write_event(folder.events, "end", state="failed", cause="E: x", error=error)
    with living(folder, "supervisor"):
        assert read_outcome(folder).state == "running"
    outcome = settle(folder)
    assert (outcome.state, outcome.cause, outcome.error) == ("failed", "E: x", error)
    assert read_outcome(folder) == outcome
    assert folder.outcome.exists()


def test_what_is_recorded_counts(new_run: Make) -> None:
    folder = new_run()
    recorded = Outcome("timeout", "too long", 1.5, 2.5, -9, None)
    assert write_outcome(folder, recorded)
    with living(folder, "supervisor", "worker"):
        assert read_outcome(folder) == recorded
    assert not write_outcome(folder, Outcome("finished"))
    assert settle(folder) == recorded


def test_reading_writes_nothing_and_settling_once(new_run: Make, dead_pid: int) -> None:
    folder = new_run()
    write_event(folder.events, "submitted", supervisor=dead_pid)
    read_outcome(folder)
    assert not folder.outcome.exists()
    first = settle(folder)
    written = folder.outcome.stat()
    assert settle(folder) == first
    assert folder.outcome.stat().st_mtime_ns == written.st_mtime_ns


def test_settling_where_nothing_can_be_written(new_run: Make, dead_pid: int) -> None:
    folder = new_run()
    write_event(folder.events, "submitted", supervisor=dead_pid)
    folder.outcome.mkdir()
    assert read_outcome(folder).state == "killed"


RACE = """
import sys
from pathlib import Path
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.state import Outcome, write_outcome
sys.stdin.read(1)
won = write_outcome(RunFolder(Path(sys.argv[1])), Outcome("finished", sys.argv[2]))
print(sys.argv[2] if won else "", end="")
"""


def test_the_outcome_is_written_exactly_once(new_run: Make) -> None:
    for _ in range(3):
        folder = new_run()
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", RACE, str(folder.path), f"racer {n}"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for n in range(4)
        ]  # fmt: skip
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("g")
            racer.stdin.flush()
        said = [racer.communicate()[0] for racer in racers]
        winners = [text for text in said if text]
        assert winners == [read_outcome(folder).cause]
        assert not [p for p in folder.path.iterdir() if p.name.startswith(".")]


@pytest.fixture
def listed(store: RunStore, new_run: Make, dead_pid: int) -> list[RunSummary]:
    """A store with runs in several states and what its list says."""
    done, failed, going = new_run("done", params={"lr": "0.1"}, tags={"k": "v"}), new_run("failed"), new_run("going")
    MetricLog(done.metrics, done.events)(loss=0.5, best=float("nan"))
    write_outcome(done, Outcome("finished", None, 1.0, 2.0, 0))
    write_event(failed.events, "submitted", supervisor=dead_pid)
    write_event(going.events, "submitted", supervisor=os.getpid())
    return RunIndex(store).summaries()


def same(one: list[RunSummary], other: list[RunSummary]) -> bool:
    return repr(one) == repr(other)  # NaN is not equal to itself


def test_list(listed: list[RunSummary]) -> None:
    assert [(s.name, s.state) for s in listed] == [("going", "submitted"), ("failed", "killed"), ("done", "finished")]
    assert listed[-1].params == {"lr": "0.1"}
    assert listed[-1].tags == {"k": "v"}
    assert listed[-1].metrics["loss"] == 0.5


def test_list_from_the_index(store: RunStore, listed: list[RunSummary]) -> None:
    with sqlite3.connect(store.path / "index.sqlite") as connection:
        assert {row[0] for row in connection.execute("SELECT id FROM summaries_5")} == {s.id for s in listed[1:]}
    assert same(RunIndex(store).summaries(), listed)


@pytest.mark.parametrize("content", [None, b"", b"no database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_index_that_is_gone_or_damaged(store: RunStore, listed: list[RunSummary], content: bytes | None) -> None:
    (store.path / "index.sqlite").unlink()
    if content is not None:
        (store.path / "index.sqlite").write_bytes(content)
    assert same(RunIndex(store).summaries(), listed)
    assert same(RunIndex(store).summaries(), listed)
    with sqlite3.connect(store.path / "index.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM summaries_5").fetchone() == (2,)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE summaries_5 SET summary = '{'",
        "UPDATE summaries_5 SET summary = '{\"id\": 3}'",
        "UPDATE summaries_5 SET summary = '[]'",
        "UPDATE summaries_5 SET summary = x'ff'",
        "DROP TABLE summaries_5; CREATE TABLE summaries_2 (other)",
    ],
)
def test_index_of_another_version(store: RunStore, listed: list[RunSummary], damage: str) -> None:
    with sqlite3.connect(store.path / "index.sqlite") as connection:
        connection.executescript(damage)
    assert same(RunIndex(store).summaries(), listed)
    assert same(RunIndex(store).summaries(), listed)


def test_index_that_is_locked(store: RunStore, listed: list[RunSummary]) -> None:
    with sqlite3.connect(store.path / "index.sqlite", isolation_level=None) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert same(RunIndex(store).summaries(), listed)
        connection.execute("ROLLBACK")


def test_runs_that_are_deleted_leave_the_list(store: RunStore, listed: list[RunSummary]) -> None:
    import shutil

    shutil.rmtree(store.find("done").path)
    assert [s.name for s in RunIndex(store).summaries()] == ["going", "failed"]


@pytest.mark.parametrize("damage", ["spec", "code", "json", "fields"])
def test_damaged_runs_are_left_out(store: RunStore, new_run: Make, damage: str) -> None:
    new_run("good")
    folder = new_run("bad")
    {
        "spec": folder.spec.unlink,
        "code": folder.code.unlink,
        "json": lambda: folder.spec.write_text("{"),
        "fields": lambda: folder.spec.write_text(json.dumps({"id": "x"})),
    }[damage]()
    assert [s.name for s in RunIndex(store).summaries()] == ["good"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"state": "finished", "later": 1}'])
def test_outcome_that_is_damaged_or_of_a_newer_version(new_run: Make, content: bytes) -> None:
    folder = new_run()
    folder.outcome.write_bytes(content)
    run = Run(folder.path)
    assert run.state in {"submitted", "finished"}
    assert repr(run).startswith("<Run 'lenet', ")


def test_run_whose_folder_is_gone(tmp_path: Path) -> None:
    from mlwidgets.errors import UnknownRun

    run = Run(tmp_path / "runs" / "20261120-123000-lenet-abcd")
    with pytest.raises(UnknownRun, match="is gone or damaged"):
        _ = run.name
