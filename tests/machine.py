"""A machine for tests: a queue of a few CPU places, and runs that keep books of their own."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from mlwidgets import api
from mlwidgets.runner.board import Board, State
from mlwidgets.runs.alive import Role, holder
from mlwidgets.runs.run import Run
from tests.laws import Books, Deeds, Work, broken_laws, soon, start_of


class Machine:
    """The queue in ``folder/queue``, which `MLWIDGETS_QUEUE` has to name."""

    def __init__(self, folder: Path, cpus: int) -> None:
        self.folder = folder
        (folder / "queue").mkdir(mode=0o1777)
        (folder / "queue" / "machine.json").write_text(json.dumps({"cpus": cpus, "gpus": []}))
        (folder / "places").mkdir()
        for n in range(cpus):
            (folder / "places" / str(n)).touch()

    def books(self, work: Work) -> Books:
        """Return the books that the run of this work keeps."""
        return Books(self.folder / "books" / work.name)

    def submit(self, work: Work) -> Run:
        """Submit a run."""
        self.books(work).folder.mkdir(parents=True)
        return work.submit(self.books(work).folder, self.folder / "places")

    def start(self, work: Work) -> Run:
        """Submit a run and wait until its code does what it is to do."""
        run = self.submit(work)
        assert soon(lambda: len(self.books(work).lines("logged")) > 5), (run, run.output)
        assert soon(lambda: len(self.books(work).living()) == 1 + len(work.daemons))
        return run

    def check(self, run: Run, work: Work, state: str, deeds: Deeds | None = None) -> None:
        """Make sure that the run ended so and that nothing is left of it; without `deeds` it was stopped."""
        assert run.wait(60).state == state, run
        assert list(broken_laws(run, work, self.books(work), deeds or Deeds(stopped=True))) == []


def read_board() -> State:
    """Return who waits and who holds slots."""
    board = Board.open()
    with board.locked():
        return board.read()


def pid_of(run: Run, role: Role) -> int:
    """Return the pid of a run's supervisor or worker, which has to be alive."""
    pid = holder(run.path / "alive", role)
    assert pid is not None, f"no {role}"
    return pid


def kill(run: Run, *roles: Role) -> None:
    """SIGKILL processes of a run, one right after the other, and wait until they are dead."""
    pids = [pid_of(run, role) for role in roles]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    # A thread of a process that was killed may live for a moment longer than its first one.
    assert soon(lambda: not any(map(start_of, pids)) and not any(holder(run.path / "alive", role) for role in roles))


def end_all_runs() -> None:
    """Leave nothing running, also where a test has failed."""
    roles: tuple[Role, ...] = ("supervisor", "worker")
    for run in api.runs():
        for role in roles:
            if pid := holder(run.path / "alive", role):
                os.kill(pid, signal.SIGKILL)
        assert soon(lambda run=run: run.ended)
