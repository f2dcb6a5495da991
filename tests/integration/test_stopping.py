"""Stop really stops: from every surface, gently first, then by force, and with everything that the code started."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import mlwidgets
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.run import Run
from mlwidgets.views.data import read_header
from tests.laws import Deeds, Work, soon
from tests.machine import Machine, end_all_runs, kill, read_board

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these tests look for processes in /proc")

ENDLESS = Work("endless", steps=10**6, pause=0.01, daemons=("forked", "session", "deaf", "clean"))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(tmp_path / "queue"))
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path / ".mlwidgets"))
    yield Machine(tmp_path, cpus=1)
    end_all_runs()


def by_widget(run: Run) -> None:
    """The message that the widget's button sends."""
    pytest.importorskip("anywidget")
    from mlwidgets.views.widget import RunView

    RunView(run)._handle_custom_msg({"type": "stop", "run": run.id}, [])


def by_magic(run: Run) -> None:
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "mlwidgets")
    shell.run_line_magic("runs", f"stop {run.name}")


def by_command(run: Run) -> None:
    command = [sys.executable, "-m", "mlwidgets.cli", "stop", run.name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{run.name}: stopped (stopped by command line)\n"


SURFACES: dict[str, Callable[[Run], None]] = {
    "widget": by_widget,
    "magic": by_magic,
    "python": Run.stop,
    "command line": by_command,
}


@pytest.mark.parametrize("surface", SURFACES)
def test_stop_from_everywhere(machine: Machine, surface: str) -> None:
    run = machine.start(ENDLESS)
    SURFACES[surface](run)
    machine.check(run, ENDLESS, "stopped")
    assert run.cause == f"stopped by {'command line' if surface == 'command line' else 'user'}"
    books = machine.books(ENDLESS)
    assert (books.has("interrupted"), books.has("cleaned")) == (True, True), "its finally block ran"


@pytest.mark.parametrize("surface", SURFACES)
def test_stop_from_everywhere_while_it_waits(machine: Machine, surface: str) -> None:
    first = machine.start(ENDLESS)
    waiting = [Work(f"waiting-{n}", steps=3, pause=0.01) for n in range(3)]
    runs = [machine.submit(work) for work in waiting]
    assert soon(lambda: number_waiting() == 3)
    SURFACES[surface](runs[1])
    machine.check(runs[1], waiting[1], "stopped")
    assert runs[1].started_at is None
    assert not machine.books(waiting[1]).has("attempts")
    assert [run.state for run in (first, runs[0], runs[2])] == ["running", "submitted", "submitted"]
    assert read_header(runs[2])["waiting"] is not None
    first.stop()
    for n in (0, 2):
        machine.check(runs[n], waiting[n], "finished", Deeds())
    assert started(runs[0]) < started(runs[2])


def number_waiting() -> int:
    return len(read_board().waiting)


def started(run: Run) -> float:
    assert run.started_at is not None
    return run.started_at


def test_one_that_waits_is_killed(machine: Machine) -> None:
    first = machine.start(ENDLESS)
    waiting = [Work(f"waiting-{n}", steps=3, pause=0.01) for n in range(3)]
    runs = [machine.submit(work) for work in waiting]
    assert soon(lambda: number_waiting() == 3)
    kill(runs[0], "supervisor")
    machine.check(runs[0], waiting[0], "killed", Deeds(killed={"supervisor"}))
    assert number_waiting() == 2
    first.stop()
    for n in (1, 2):
        machine.check(runs[n], waiting[n], "finished", Deeds())
    assert started(runs[1]) < started(runs[2])


class Deaf:
    """A machine of its own with a run that does not end when it is asked to, and one behind it."""

    def __init__(self, folder: Path, timeout: float | None = None) -> None:
        folder.mkdir()
        self._environment = {"MLWIDGETS_QUEUE": str(folder / "queue"), "MLWIDGETS_STORE": str(folder / ".mlwidgets")}
        self.work = replace(ENDLESS, name="hears-nothing", deaf=True, timeout=timeout)
        self.behind = Work("behind", steps=1, pause=0.0)
        with self.there():
            self.machine = Machine(folder, cpus=1)
            self.run = self.machine.submit(self.work) if timeout else self.machine.start(self.work)
            self.next_run = self.machine.submit(self.behind)

    @contextmanager
    def there(self) -> Iterator[None]:
        """What is done within is done on that machine."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._environment.items():
                patch.setenv(name, value)
            yield

    def check(self, state: str, deeds: Deeds | None = None) -> str:
        """Make sure that all came to the right end; return the cause of the run's."""
        with self.there():
            self.machine.check(self.run, self.work, state, deeds)
            self.machine.check(self.next_run, self.behind, "finished", Deeds())
        return str(self.run.cause)


def test_the_end_is_by_force_where_code_does_not_end(tmp_path: Path) -> None:
    """Three at a time: it takes the ten seconds that code is given to end by itself."""
    made: list[Deaf] = []
    try:
        made += [Deaf(tmp_path / "stopped"), Deaf(tmp_path / "orphaned"), Deaf(tmp_path / "timed", timeout=0.5)]
        stopped, orphaned, timed = made
        for one in (stopped, orphaned):
            with one.there():
                one.run.stop()
                assert soon(lambda one=one: one.machine.books(one.work).has("interrupted"))
                assert read_header(one.run)["stopping"]
                assert one.next_run.state == "submitted", "the place is taken until the code is gone"
        with orphaned.there():
            kill(orphaned.run, "supervisor")
        assert stopped.check("stopped").startswith("stopped by user; killed, as it had not ended 10 s after")
        # Nobody is left who could say that it was stopped.
        orphaned.check("killed", Deeds(killed={"supervisor"}, stopped=True))
        assert "killed, as it had not ended 10 s after" in timed.check("timeout", Deeds())
    finally:
        for one in made:
            with one.there():
                end_all_runs()


def test_stop_of_a_run_that_is_saving_waits_for_it(machine: Machine) -> None:
    code = """
import time

class Slow:
    def __reduce__(self):
        open(marker, "w").close()
        time.sleep(3)
        return (int, ("7",))

kept = Slow()
"""
    marker = machine.folder / "saves"
    run = mlwidgets.train(code, name="saves", namespace={}, params={"marker": str(marker)})
    assert soon(marker.exists)
    run.stop()
    assert run.wait(60).state == "finished", "the code had ended before it was asked to stop"
    assert run.result["kept"] == 7


def test_time_out(machine: Machine) -> None:
    first = machine.start(ENDLESS)
    timed = Work("timed", steps=10**6, pause=0.01, daemons=ENDLESS.daemons, timeout=1.0)
    run = machine.submit(timed)
    time.sleep(1.5)
    assert run.state == "submitted", "waiting does not count"
    first.stop()
    machine.check(run, timed, "timeout", Deeds())
    assert run.cause == "ran longer than its time-out of 1 s"
    assert run.elapsed >= 1
    assert machine.books(timed).has("cleaned")


def test_a_second_stop_changes_nothing(machine: Machine) -> None:
    run = machine.start(ENDLESS)
    for _ in range(5):
        run.stop()
    machine.check(run, ENDLESS, "stopped")
    outcome = (run.path / "outcome.json").read_bytes()
    run.stop("somebody else")
    assert (run.path / "outcome.json").read_bytes() == outcome
    assert [e["event"] for e in read_lines(run.path / "events.jsonl")].count("end") == 1


def test_what_was_trained_until_the_stop_is_kept(machine: Machine) -> None:
    code = """
import time
from mlwidgets import save
best = 0
try:
    while True:
        best += 1
        time.sleep(0.01)
finally:
    save("weights", "last.txt")
"""
    run = mlwidgets.train(code, name="trains", namespace={})
    assert soon(lambda: run.state == "running")
    time.sleep(0.3)
    run.stop()
    assert run.wait(60).state == "stopped"
    assert run.result["best"] > 0
    assert (run.outputs / "last.txt").read_text() == "weights"
