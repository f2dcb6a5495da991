"""A notebook from its first cell to its last: what is told of each, and how it all ended."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlwidgets.errors import NotebookError
from mlwidgets.notifying.masking import Masker
from mlwidgets.reports.executing.document import NotebookFile, heading_above, is_to_execute
from mlwidgets.reports.executing.undertone import Undertone
from mlwidgets.runner.causes import OutOfMemory, describe_signal
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import LineWriter
from mlwidgets.runs.state import FAILED, FINISHED, STOPPED
from mlwidgets.tracking import log
from mlwidgets.tracking.active import tell_once

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

    from mlwidgets.reports.executing.client import Client

Ending = tuple[str, str | None, dict[str, Any] | None]
_LOOK = 2.0
"""Seconds between two looks at how the machine's memory does."""


class Task(Protocol):
    """What is to be executed, and by whom it is told and stopped."""

    mask: Masker

    @property
    def folder(self) -> RunFolder:
        """The run's."""

    @property
    def path(self) -> Path:
        """Where the notebook lies."""

    @property
    def kernel(self) -> str:
        """The name of its kernel."""

    @property
    def cell_timeout(self) -> float | None:
        """Seconds that each cell has."""

    @property
    def stop(self) -> asyncio.Event:
        """Set when it is to end."""

    def file(self, content: Callable[[], dict[str, Any]]) -> NotebookFile:
        """Return the file that the notebook is written to as far as it has come."""

    def tell(self, kind: str, **fields: Any) -> None:
        """Write an event of the run."""


async def execute(task: Task, document: dict[str, Any]) -> Ending:
    """Execute a notebook; return state, cause and what it raised.

    Raises
    ------
    NotebookError
        If its kernel cannot be started.
    OSError
        If the notebook cannot be written at the end.
    """
    manager, undertone = await _start_kernel(task)
    memory = OutOfMemory(_pid_of(manager) or os.getpid())
    watching = asyncio.ensure_future(_watch(memory))
    # While the kernel starts.
    from mlwidgets.reports.executing.client import Client, Ended, from_json
    from mlwidgets.reports.executing.screen import Screen

    client = Client(from_json(document), manager, Screen(LineWriter(task.folder.displays), task.mask))
    file = task.file(client.settled)
    ready = False
    try:
        starting = asyncio.ensure_future(client.connect())
        stopped = asyncio.ensure_future(task.stop.wait())
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
            return STOPPED, None, None
        try:
            starting.result()
        except (Ended, RuntimeError) as error:
            undertone.last_words()
            why = _death(client, memory) if isinstance(error, Ended) else error
            raise NotebookError(f"the kernel {task.kernel!r} could not be started: {why}") from error
        ready = True
        ending = await _Cells(task, client, file, memory, undertone).execute()
        if ending[0] == FINISHED:
            task.tell("saving")
        await client.finish()
        try:
            file.write()
        except OSError as error:
            if ending[0] == FINISHED:
                raise
            tell_once(f"the notebook as far as it was executed could not be written: {error.strerror}.")
        return ending
    finally:
        watching.cancel()
        # One that has executed nothing has nothing to write.
        await client.close(now=not ready)


async def _start_kernel(task: Task) -> tuple[AsyncKernelManager, Undertone]:
    # A grammar for addresses, which nobody needs here, takes longer to import than all the rest.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from jupyter_client.manager import AsyncKernelManager

    # Its keys lie in the run's folder, which nobody else can read.
    path = task.folder.path / "kernel.json"
    path.unlink(missing_ok=True)
    manager = AsyncKernelManager(kernel_name=task.kernel, connection_file=str(path))
    environment = {**os.environ, "JPY_SESSION_NAME": str(task.path)}
    # IPython's kernel tells of what its children print, but not where it finds this.
    environment.pop("PYTEST_CURRENT_TEST", None)
    # What the kernel says of its connection would stand in the run's output.
    arguments = ["--HistoryManager.hist_file=:memory:", "--log-level=ERROR"] if manager.ipykernel else []
    undertone: Undertone | None = None
    try:
        is_python = any("ipykernel" in word for word in getattr(manager.kernel_spec, "argv", ()))
        undertone = Undertone(task.mask, is_told=is_python)
        await manager.start_kernel(
            extra_arguments=arguments,
            cwd=str(task.path.parent),
            env=environment,
            stdout=undertone.fd,
            stderr=undertone.fd,
        )
    except Exception as error:
        if undertone is not None:
            undertone.close()
        raise NotebookError(f"the kernel {task.kernel!r} could not be started: {error}") from error
    undertone.begin()
    return manager, undertone


async def _watch(memory: OutOfMemory) -> None:
    while True:
        await asyncio.sleep(_LOOK)
        memory.look()


def _pid_of(manager: AsyncKernelManager) -> int | None:
    pid = getattr(manager.provisioner, "pid", None)
    return pid if isinstance(pid, int) else None


def _death(client: Client, memory: OutOfMemory) -> str:
    """Say what ended the kernel's process."""
    status = client.exit_status
    if status is None:
        return "it answers no more"
    return describe_signal(-status, memory.said()) if status < 0 else f"its process exited with status {status}"


class _Cells:
    """The cells that are executed, one after the other."""

    def __init__(
        self, task: Task, client: Client, file: NotebookFile, memory: OutOfMemory, undertone: Undertone
    ) -> None:
        self._task = task
        self._client = client
        self._file = file
        self._memory = memory
        self._undertone = undertone
        self._cells = client.nb.cells
        self._places = [place for place, cell in enumerate(self._cells) if is_to_execute(cell)]

    async def execute(self) -> Ending:
        """Execute them; return how that ended."""
        for count, place in enumerate(self._places, 1):
            heading = heading_above(self._cells, place)
            told = {"index": place + 1, "of": len(self._cells), "count": count, "heading": heading}
            self._task.tell("cell", state="started", **told)
            ending = await self._one(place, heading)
            if ending is not None and ending[0] == STOPPED:
                return ending
            self._task.tell("cell", state="finished" if ending is None else "failed", **told)
            if ending is not None:
                return ending
            log(progress=count / len(self._places))
            try:
                self._file.write_soon()
            except OSError as error:
                tell_once(f"the notebook as executed so far could not be written: {error.strerror}. It goes on.")
        return FINISHED, None, None

    async def _one(self, place: int, heading: str | None) -> Ending | None:
        """Execute a cell; return how the notebook has ended by that, None if it goes on."""
        from mlwidgets.reports.executing.client import Ended, Failure

        limit = self._task.cell_timeout
        which = f"cell {place + 1}"
        try:
            await self._client.run_cell(place, limit, self._task.stop)
            return None
        except Failure as error:
            line = f"{error.ename}: {error.evalue}".strip().split("\n")[0][:500].rstrip(": ")
            outputs = [one for one in self._cells[place].outputs if one["output_type"] == "error"]
            lines = list(outputs[-1]["traceback"]) if outputs else str(error).splitlines()
            told = {"ename": error.ename, "evalue": error.evalue, "traceback": lines, "exception": None}
            return FAILED, f"{which}: {line}", told
        except Ended as end:
            if str(end) == "stopped":
                return STOPPED, None, None
            if heading is not None:
                which = f"{which} ({heading})"
            if str(end) == "timed out":
                name, cause = "TimeoutError", f"{which} ran longer than {limit:g} s"
            else:
                self._undertone.last_words()
                name, cause = "DeadKernelError", f"{which}: the kernel died: {_death(self._client, self._memory)}"
            self._client.add_error(place, name, cause)
            return FAILED, cause, None
