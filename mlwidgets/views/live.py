"""`show`: what a cell that starts a run displays, from its first moment to what it leaves behind.

One output goes through three stages, all under one display id: a placeholder at once, then the widget as soon as a
thread has imported it, and when the run has ended the still picture, which needs no kernel any more.

The thread's messages belong to no cell. A browser finds their output by its display id; a headless client (nbclient)
ignores them, so that a notebook executed headless never holds a widget that nothing could draw later. It listens only
while it executes a cell, to messages about that cell: `flush_finished` publishes the still picture once more at
the end of the next cell, as part of it.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mlwidgets.views.data import Output, Snapshot, read_header, snapshot
from mlwidgets.views.page import page
from mlwidgets.views.picture import PATIENCE
from mlwidgets.views.static import bundle
from mlwidgets.views.summary import summary

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run
    from mlwidgets.views.widget import RunView

INTERVAL = 0.25
"""Seconds between two updates of a live view at least."""
SHARE = 8
"""A view waits this many times as long as its last update took, so that it never keeps a core busy."""
BYTES_PER_SECOND = 1_500_000
"""What a view sends at most, on average: browsers may be far away."""
PLAIN_INTERVAL = 2.0
"""Seconds between updates where there is no widget and the whole page is sent."""
QUICK = 0.15
"""A run that ends within this many seconds needs no live view."""


logger = logging.getLogger("mlwidgets.views")
_open: list[LiveView] = []


def show(run: Run) -> LiveView:
    """Display a run: live in a notebook while it goes on, as a still picture otherwise, as text in a terminal.

    Returns within milliseconds for a run that goes on; nothing heavy is imported by the calling thread.
    """
    view = LiveView(run)
    try:
        view.open()
    except Exception:
        logger.warning("the view of run %r could not be shown; print(%s.output) works", run.id, run.id, exc_info=True)
    return view


def flush_finished() -> None:
    """Leave the still picture of every shown run that has ended; called after each cell, in the main thread."""
    deadline = time.monotonic() + PATIENCE
    for view in tuple(_open):
        try:
            view.finalize(max(0.0, deadline - time.monotonic()))
        except Exception:
            logger.debug("the final picture of run %r could not be published", view.run.id, exc_info=True)


class LiveView:
    """One output that shows one run. It reads the run folder and holds nothing that is not in it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._display_id = uuid4().hex
        self._widget: RunView | None = None
        self._final: dict[str, Any] | None = None
        self._drawn = threading.Event()

    def open(self) -> None:
        """Show the first stage and go on in a thread."""
        if _kernel() is None:
            print(summary(snapshot(self.run), time.time()))
            return
        if self.run.ended:
            self._publish(bundle(self.run), update=False)
            return
        self._publish(self._placeholder(), update=False)
        _open.append(self)
        name = f"mlwidgets view of {self.run.id}"
        threading.Thread(target=self._live, name=name, daemon=True).start()

    def finalize(self, patience: float = PATIENCE) -> None:
        """If the run has ended, publish its still picture as part of the cell that is executing, once.

        Where no browser has shown the widget this waits for the picture: a headless client may leave at any moment.
        Elsewhere it comes with a later cell, or from the thread.
        """
        if self not in _open or not self.run.ended:
            return
        watched = self._widget is not None and self._widget.seen
        if not self._drawn.wait(0.0 if watched else patience):
            return
        _open.remove(self)
        if self._final is not None:
            self._publish(self._final, update=True)

    def _live(self) -> None:
        """Run the second and the third stage; the body of the thread."""
        try:
            _belong_to_no_cell()
            if not self._ends_quickly():
                self._follow()
            self._final = bundle(self.run)
            self._publish(self._final, update=True)
            if self._widget is not None:
                self._widget.close()
        except Exception:
            logger.debug("the live view of run %r ended early", self.run.id, exc_info=True)
        finally:
            self._drawn.set()

    def _ends_quickly(self) -> bool:
        deadline = time.monotonic() + QUICK
        while not self.run.ended:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _follow(self) -> None:
        try:
            from mlwidgets.views.widget import RunView

            self._widget = RunView(self.run)
        except Exception:
            logger.debug("no widget for run %r", self.run.id, exc_info=True)
            self._follow_as_page()
            return
        reference = {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}
        widget_view = {"application/vnd.jupyter.widget-view+json": reference}
        self._publish({**self._placeholder(), **widget_view}, update=True)
        goes_on = True
        while goes_on:
            begin = time.monotonic()
            goes_on = self._widget.refresh()
            spent = SHARE * (time.monotonic() - begin)
            time.sleep(max(INTERVAL, spent, self._widget.sent / BYTES_PER_SECOND) if goes_on else 0)

    def _follow_as_page(self) -> None:
        shown = ""
        while not self.run.ended:
            begin = time.monotonic()
            shot, now = snapshot(self.run, buckets=200), time.time()
            html = page(shot, now)
            if html != shown:
                self._publish({"text/html": html, "text/plain": summary(shot, now)}, update=True)
                shown = html
            time.sleep(max(PLAIN_INTERVAL, SHARE * (time.monotonic() - begin)))

    def _placeholder(self) -> dict[str, Any]:
        """Return what is known without reading anything long."""
        shot, now = Snapshot(read_header(self.run), [], Output([], cut=False), []), time.time()
        return {"text/html": page(shot, now), "text/plain": summary(shot, now)}

    def _publish(self, data: dict[str, Any], *, update: bool) -> None:
        from IPython.display import publish_display_data

        publish_display_data(data, transient={"display_id": self._display_id}, update=update)


def _kernel() -> Any:
    """Return the kernel in which this runs, or None in a terminal and outside IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None)


def _belong_to_no_cell() -> None:
    """Cut this thread's messages loose from the cell that happens to be executing.

    With ipykernel 7 this also keeps the Stop button alive while a cell runs: the kernel routes what a browser sends
    to a widget into the shell whose cell the widget last spoke for.
    """
    kernel = _kernel()
    set_display_parent = getattr(kernel.shell.display_pub, "set_thread_parent", None)
    if set_display_parent is not None:
        set_display_parent({})
    shell_parent: Any = getattr(kernel, "_shell_parent", None)
    if hasattr(shell_parent, "set"):
        shell_parent.set({})
