"""`show`: what a cell that starts a run displays, from its first moment to what it leaves behind.

One output, under one display id, goes through three stages, and each can be read without a kernel: what is known at
once, then the same with the widget beside it, and when the run has ended all that a notebook keeps of it. JupyterLab
with this project's extension draws each of them as the run view.

A thread publishes the second and the third. Its messages belong to no cell: a browser finds their output by its display
id, but a headless client (nbclient) ignores them. That one listens only while it executes a cell, to messages about
that cell: `flush_finished` publishes for it at the end of each cell, as part of it.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mlwidgets.views import attach, console
from mlwidgets.views.feed import Feed, feed_of
from mlwidgets.views.kernel import kernel
from mlwidgets.views.picture import PATIENCE
from mlwidgets.views.static import bundle, first_bundle
from mlwidgets.views.summary import summary

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

logger = logging.getLogger("mlwidgets.views")
_open: list[LiveView] = []


def show(run: Run, *others: Run, background: bool = False) -> LiveView:
    """Display runs: live in a notebook while they go on, as they ended otherwise, as text in a terminal.

    Returns within milliseconds in a notebook; nothing heavy is imported by the calling thread. A terminal follows
    runs that go on until they have ended or Ctrl-C is pressed.

    Parameters
    ----------
    background
        Whether a terminal says in a line that the run goes on, and in another one when it has ended.
    """
    view = LiveView(run, *others, background=background)
    try:
        view.open()
    except Exception:
        logger.warning("the view of run %r could not be shown; print(%s.output) works", run.id, run.id, exc_info=True)
    return view


def flush_finished() -> None:
    """Leave the present state of shown runs in their outputs; called after each cell, in the main thread.

    In a terminal it says in a line which runs have ended.
    """
    try:
        console.tell_ended()
    except Exception:
        logger.debug("how runs ended could not be said", exc_info=True)
    deadline = time.monotonic() + PATIENCE
    for view in tuple(_open):
        try:
            view.finalize(max(0.0, deadline - time.monotonic()))
        except Exception:
            logger.debug("the final picture of run %r could not be published", view.runs[0].id, exc_info=True)


class LiveView:
    """One output that shows runs. It reads the run folders and holds nothing that is not in them."""

    def __init__(self, run: Run, *others: Run, background: bool = False) -> None:
        self.runs = (run, *others)
        self._background = background
        self._display_id = uuid4().hex
        self._feed: Feed | None = None
        self._first: dict[str, Any] = {}

    def open(self) -> None:
        """Show the first stage; the others follow from a thread."""
        if kernel() is None:
            self._open_in_terminal()
            return
        attach.listen(*self.runs)
        if all(run.ended for run in self.runs):
            self._publish(bundle(*self.runs), update=False)
            return
        self._first = first_bundle(*self.runs)
        self._publish(self._first, update=False)
        _open.append(self)
        self._feed = feed_of(*self.runs)
        self._feed.listen(self._told)

    def _open_in_terminal(self) -> None:
        going_on = [run for run in self.runs if not run.ended]
        if self._background and going_on:
            for run in going_on:
                console.announce(run)
            return
        watched = {run.id for run in console.leave(self.runs)}
        if going_on and console.can_follow():
            goes_on = "the run goes on" if len(going_on) == 1 else "the runs go on"
            console.follow(*self.runs, hint=f"Ctrl-C leaves; {goes_on}")
        for run in self.runs:
            shot, now = _now(run)
            print(summary(shot, now))
            if run.id in watched and not shot.header["ended"]:
                console.watch(run)

    def finalize(self, patience: float = PATIENCE) -> None:
        """If the runs have ended, publish what is left of them as part of the cell that is executing, once.

        Where no browser has shown the widget this waits for the picture: a headless client may leave at any moment.
        Elsewhere it comes with a later cell, or from the thread.
        """
        feed = self._feed
        if feed is None or self not in _open:
            return
        if not feed.ended:
            self._show_headless()
            return
        if not feed.done.wait(0.0 if feed.seen else patience):
            return
        _open.remove(self)
        if feed.final is not None:
            self._publish(feed.final, update=True)

    def _show_headless(self) -> None:
        """Leave how far the runs are: this cell may be the last one that a headless client listens to."""
        if _headless():
            self._publish(bundle(*self.runs), update=True)

    def _told(self, kind: str, what: Any) -> None:
        if kind == "live" and not _headless():
            reference = {"version_major": 2, "version_minor": 0, "model_id": what}
            self._publish({**self._first, WIDGET_VIEW: reference}, update=True)
        elif kind in {"plain", "ended"}:
            self._publish(what, update=True)

    def _publish(self, data: dict[str, Any], *, update: bool) -> None:
        from IPython.display import publish_display_data

        publish_display_data(data, transient={"display_id": self._display_id}, update=update)


def _now(run: Run) -> tuple[Any, float]:
    from mlwidgets.views.data import snapshot

    return snapshot(run), time.time()


def _headless() -> bool:
    """Whether the cell that runs now, or ran last, was sent by a program: those say that nobody can be asked."""
    return not getattr(kernel(), "_allow_stdin", True)
