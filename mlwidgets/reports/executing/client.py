"""Cells of a notebook in a kernel: nbclient, with ends that are told apart and outputs that reach their own cell."""

from __future__ import annotations

import asyncio
import contextlib
from queue import Empty
from typing import Any, cast

import zmq
from jupyter_client.manager import AsyncKernelManager
from nbclient.client import NotebookClient
from nbclient.exceptions import CellExecutionComplete, CellExecutionError, DeadKernelError
from nbclient.util import ensure_async
from nbformat import NotebookNode, from_dict

from mlwidgets.reports.executing.document import TOLERANT, as_it_ends, tags_of
from mlwidgets.reports.executing.screen import Screen
from mlwidgets.tracking.active import tell_once

PATIENCE = 5.0
"""Seconds that a cell has to end after it was interrupted."""
STARTUP = 180
"""Seconds that a kernel has to answer for the first time."""
MOST_TEXT = 20_000_000
"""Characters that one cell's prints may have in the notebook; all of them are in the run's output."""
_LATE = 0.05
_LATEST = 2.0
"""Seconds without a message after which nothing more is expected of a notebook, and the most that is waited."""


class Ended(Exception):
    """A cell did not end by itself: ``timed out``, ``stopped`` or ``died``."""


class Client(NotebookClient):
    """Executes cells one by one.

    Parameters
    ----------
    nb
        The notebook; its cells are given their outputs as these come, but for prints, which `settled` joins.
    km
        A kernel that was started.
    screen
        Where outputs go besides.
    """

    def __init__(self, nb: NotebookNode, km: AsyncKernelManager, screen: Screen) -> None:
        super().__init__(nb, km=km, timeout=None, startup_timeout=STARTUP, iopub_timeout=60, coalesce_streams=False)
        self._screen = screen
        self._cells: dict[str, int] = {}
        self._waiting_to_clear: dict[int, bool] = {}
        self._printed: dict[int, int] = {}
        self._unjoined: dict[int, tuple[NotebookNode, list[str]]] = {}
        self._closed = False

    async def connect(self) -> None:
        """Wait until the kernel answers.

        Raises
        ------
        Ended
            If its process ends before.
        RuntimeError
            If it never does.
        """
        # Messages that nobody has taken yet are kept, however many there are.
        assert isinstance(self.km, AsyncKernelManager)
        self.km.context.setsockopt(zmq.RCVHWM, 0)
        self.kc = self.km.client()
        self.kc.start_channels()
        try:
            await self.kc.wait_for_ready(timeout=STARTUP)
        except RuntimeError:
            if self.exit_status is not None:
                raise Ended("died") from None
            raise
        self.kc.allow_stdin = False
        answer = await self.async_wait_for_reply(await ensure_async(self.kc.kernel_info()))
        told = (answer or {}).get("content", {}).get("language_info")
        if isinstance(told, dict):
            self.nb.metadata["language_info"] = told

    async def run_cell(self, place: int, limit: float | None, stop: asyncio.Event) -> None:
        """Execute a cell to its end.

        Raises
        ------
        CellExecutionError
            If it raised something and is not tagged to.
        Ended
            If it was interrupted, killed, or its kernel died.
        """
        if stop.is_set():
            raise Ended("stopped")
        cell = self.nb.cells[place]
        work = asyncio.ensure_future(self.async_execute_cell(cell, place, self.code_cells_executed + 1))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({work, stopped}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                why = "stopped" if stop.is_set() else "timed out"
                await self._end(work)
                raise Ended(why)
            work.result()
        except DeadKernelError:
            raise Ended("died") from None
        finally:
            stopped.cancel()

    async def _end(self, work: asyncio.Future[Any]) -> None:
        """Interrupt a cell; if it does not end by that, kill its kernel."""
        assert self.km is not None
        with contextlib.suppress(Exception):  # it may be ending by itself at this moment
            await ensure_async(self.km.interrupt_kernel())
        await asyncio.wait({work}, timeout=PATIENCE)
        if not work.done():
            with contextlib.suppress(Exception):
                await ensure_async(self.km.shutdown_kernel(now=True))
            work.cancel()
            await asyncio.wait({work}, timeout=PATIENCE)
        if work.done() and not work.cancelled():
            work.exception()

    async def finish(self) -> None:
        """Take what the kernel still has to say, and let it end."""
        assert self.kc is not None
        begin = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - begin < _LATEST:
            try:
                self._take(await ensure_async(self.kc.iopub_channel.get_msg(timeout=_LATE)))
            except Empty:
                break

    async def close(self, *, now: bool) -> None:
        """End the kernel: gently, so that what it holds is written, and if that does not help by force.

        Parameters
        ----------
        now
            By force at once.
        """
        self.shutdown_kernel = "immediate" if now else "graceful"
        with contextlib.suppress(Exception):  # a kernel that is gone has nothing to be ended
            await self._async_cleanup_kernel()

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: NotebookNode, cell_index: int) -> None:
        """Take messages until the cell has ended; those of threads that earlier cells have started are theirs."""
        assert self.kc is not None
        self._cells[parent_msg_id] = cell_index
        while not self._take(await ensure_async(self.kc.iopub_channel.get_msg(timeout=None)), parent_msg_id):
            pass

    def _take(self, message: dict[str, Any], executing: str = "") -> bool:
        """Give a message to its cell; return whether it says that the cell which is being executed has ended."""
        parent = message["parent_header"].get("msg_id")
        place = self._cells.get(parent)
        if place is None:
            return False
        cell = self.nb.cells[place]
        kept, self.clear_before_next_output = self.clear_before_next_output, self._waiting_to_clear.get(place, False)
        try:
            tolerated = TOLERANT in tags_of(cell)
            self._screen.feed(message["msg_type"], message["content"], place, tolerated=tolerated)
            self.process_message(message, cell, place)
            if message["msg_type"] == "comm_close":
                # nbclient keeps what its code took away, such as progress bars.
                self._forget(message["content"].get("comm_id"))
        except CellExecutionComplete:
            return bool(parent == executing)
        except Exception as error:  # what a kernel says may be anything; the notebook goes on
            tell_once(f"an output of a cell could not be read: {type(error).__name__}: {error}")
        finally:
            self._waiting_to_clear[place] = self.clear_before_next_output
            self.clear_before_next_output = kept
        return False

    def _forget(self, comm: Any) -> None:
        for known in (self.widget_state, self.widget_buffers, self.comm_objects):
            known.pop(comm, None)
        self._closed = True

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Add an output to a cell; prints that follow each other are one."""
        content = msg["content"]
        if msg["msg_type"] == "stream" and not self.output_hook_stack[msg["parent_header"].get("msg_id")]:
            if self.clear_before_next_output:
                self._printed[cell_index] = 0
            printed = self._printed.get(cell_index, 0)
            if printed > MOST_TEXT:
                return None
            self._printed[cell_index] = printed + len(content["text"])
            if printed + len(content["text"]) > MOST_TEXT:
                content["text"] = content["text"][: MOST_TEXT - printed] + "\n… more is in the run's output\n"
            last = outs[-1] if outs and not self.clear_before_next_output else None
            if last is None or last["output_type"] != "stream" or last["name"] != content["name"]:
                last = super().output(outs, msg, display_id, cell_index)
                assert last is not None
                self._unjoined[id(last)] = last, []
            elif id(last) not in self._unjoined:
                self._unjoined[id(last)] = last, [last["text"]]
            # Many prints are joined once, when somebody needs them.
            self._unjoined[id(last)][1].append(content["text"])
            return None
        return super().output(outs, msg, display_id, cell_index)

    def settled(self) -> NotebookNode:
        """Return the notebook, whole: prints joined without what progress bars have overwritten, states of widgets."""
        for output, texts in self._unjoined.values():
            output["text"] = as_it_ends("".join(texts))
        self._unjoined.clear()
        self.nb.metadata.pop("widgets", None)
        self.set_widgets_metadata()
        if self._closed and not self.widget_state:
            # That all were taken away has to be said, too.
            state = {"state": {}, "version_major": 2, "version_minor": 0}
            self.nb.metadata["widgets"] = from_json({"application/vnd.jupyter.widget-state+json": state})
        return self.nb

    def add_error(self, place: int, name: str, text: str) -> None:
        """Let a cell show what ended it, where its kernel could not say so."""
        said = {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}
        self.nb.cells[place].outputs.append(from_json(said))

    @property
    def exit_status(self) -> int | None:
        """The exit status of the kernel's process; negative: the number of the signal; None where it is not known."""
        process = getattr(getattr(self.km, "provisioner", None), "process", None)
        return None if process is None else process.poll()


def from_json(document: dict[str, Any]) -> NotebookNode:
    """Return JSON as nbclient takes it."""
    return cast("NotebookNode", from_dict(document))  # type: ignore[no-untyped-call]


Failure = CellExecutionError
"""What a cell raised."""
