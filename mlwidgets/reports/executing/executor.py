"""The process that executes the notebook of a report, cell by cell, in a kernel that is its child.

It may be killed at any line: the notebook as far as it was executed is among the run's outputs, and its supervisor
ends the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlwidgets.errors import MlwidgetsError
from mlwidgets.notifying.masking import Masker, masked_notebook, masker_for
from mlwidgets.reports.executing.document import NotebookFile, prepared
from mlwidgets.reports.parameters.params import inject
from mlwidgets.runner.notify import notify
from mlwidgets.runner.output import OutputFile, write_through
from mlwidgets.runner.publishing import publish
from mlwidgets.runs.alive import hold, holder
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import LineWriter
from mlwidgets.runs.leftovers import put_mark, sweep
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import RunSpec, parse_literal
from mlwidgets.runs.state import FAILED, FINISHED, KILLED, STOPPED, Outcome, write_outcome
from mlwidgets.runs.stopping import cause_of
from mlwidgets.tracking.active import tell_once

_INSIST = 600.0
"""Seconds for which this process tries to say how it ended, where the disk is full."""


class Executor:
    """Executes one run's notebook, from its first cell to its last."""

    def __init__(self, folder: RunFolder, output: list[OutputFile]) -> None:
        self._folder = folder
        self._output = output
        self._signals: list[int] = []
        self._stop: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._interrupt)
        self._spec: RunSpec = folder.read_spec()
        self._report = self._spec.report or {}
        self._events = LineWriter(folder.events)
        self._started: float | None = None
        self.mask = Masker(())

    def _interrupt(self, number: int, _frame: Any) -> None:
        self._signals.append(number)
        if self._stop is not None:
            loop, event = self._stop
            with contextlib.suppress(RuntimeError):  # the last cell is over
                loop.call_soon_threadsafe(event.set)

    def run(self) -> bool:
        """Execute it and say how it ended; return whether that could be said."""
        self._started = time.time()
        self.tell("started", pid=os.getpid())
        error: dict[str, Any] | None = None
        try:
            # What it is set to hide is hidden here: whoever publishes later may not know these values.
            self.mask = masker_for(self._folder)
            document = self._document()
            self.file(lambda: document).write()
            if self._report.get("execute", True):
                from mlwidgets.reports.executing.cells import execute

                state, cause, error = asyncio.run(self._watched(execute(self, document)))
            else:
                state, cause = FINISHED, None
        except OSError as problem:
            state, cause = FAILED, f"the executed notebook could not be written: {problem.strerror or problem}"
        except Exception as problem:  # whatever it is has to reach the user
            state, cause = FAILED, str(problem)
            if not isinstance(problem, MlwidgetsError):
                traceback.print_exc()
                cause = f"the notebook could not be executed: {type(problem).__name__}: {problem}".splitlines()[0]
        if self._signals and state != FINISHED:
            state, cause = self._interrupted()
        if lost := sum(file.lost for file in self._output):
            cause = "; ".join(filter(None, [cause, f"{lost} bytes of output could not be written"]))
        return self._end(state, cause, error)

    async def _watched(self, work: Any) -> Any:
        self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._signals:
            self._stop[1].set()
        return await work

    @property
    def stop(self) -> asyncio.Event:
        """Set when somebody asks this process to end."""
        assert self._stop is not None
        return self._stop[1]

    @property
    def folder(self) -> RunFolder:
        """The run's."""
        return self._folder

    @property
    def path(self) -> Path:
        """The notebook's file, as the run was sent."""
        return Path(self._report["path"])

    @property
    def kernel(self) -> str:
        """Name of the kernel."""
        return str(self._report["kernel"])

    @property
    def cell_timeout(self) -> float | None:
        """Seconds that each cell has."""
        limit = self._report.get("cell_timeout")
        return float(limit) if limit else None

    def file(self, content: Callable[[], dict[str, Any]]) -> NotebookFile:
        """Return the file among the run's outputs that the notebook is written to."""
        return NotebookFile(self._folder.outputs / self.path.name, lambda: masked_notebook(content(), self.mask))

    def tell(self, kind: str, **fields: Any) -> None:
        """Write an event; on a full disk the notebook goes on without."""
        try:
            self._events.write(kind, **masked_notebook(fields, self.mask))
        except OSError as error:
            tell_once(f"events are not being recorded: {error.strerror}. The notebook goes on.")

    def _document(self) -> dict[str, Any]:
        """Return the notebook as it was sent, with the parameters that it was given."""
        document = json.loads(bytes(ObjectStore(self._folder.store / "objects").read(self._report["notebook"])))
        execute = bool(self._report.get("execute", True))
        if execute:
            document = inject(document, {name: parse_literal(text) for name, text in self._spec.params.items()})
        return prepared(document, clear=execute)

    def _interrupted(self) -> tuple[str, str]:
        """Return state and cause after an interrupt; a supervisor that sent it knows better."""
        if self._folder.stop_request.exists():
            return STOPPED, cause_of(self._folder)
        names = " and ".join(signal.Signals(number).name for number in dict.fromkeys(self._signals))
        return KILLED, f"interrupted from outside by {names}"

    def _end(self, state: str, cause: str | None, error: dict[str, Any] | None) -> bool:
        """Say how the notebook ended: to the supervisor, or to whoever reads the folder if it is dead."""
        cause, error = masked_notebook([cause, error], self.mask)
        deadline = time.monotonic() + _INSIST
        said = False
        while not said and time.monotonic() < deadline and self._folder.path.exists():
            with contextlib.suppress(OSError):
                self._events.write("end", state=state, cause=cause, error=error)
                said = True
            if not said:
                time.sleep(1.0)
        if holder(self._folder.alive, "supervisor") is None:
            sweep(self._folder.path)
            outcome = Outcome(state, cause, self._started, time.time(), None, error)
            write_outcome(self._folder, outcome)
            publish(self._folder)
            notify(self._folder, outcome)
        return said


def main() -> None:
    """Execute the notebook of the run whose folder is the first argument."""
    folder = RunFolder(Path(sys.argv[1]))
    put_mark(folder.path)
    hold(folder.alive, "worker")
    status = 1
    if not folder.outcome.exists():
        try:
            status = 0 if Executor(folder, write_through()).run() else 1
        except BaseException:
            traceback.print_exc()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    # What takes its libraries apart is of no use to anybody.
    os._exit(status)


if __name__ == "__main__":
    main()
