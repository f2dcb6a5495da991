"""What outputs in one kernel share: for each set of runs one widget, one thread that keeps it up to date, one ending.

Whoever listens to a feed is told ``live`` with the widget's model once there is one, ``saved`` now and then with what a
notebook should keep if all goes down now, ``plain`` with what it should show now, and ``ended`` with what it keeps for
good.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.folder import RunFolder
from mlwidgets.views.kernel import belong_to_no_cell
from mlwidgets.views.static import bundle

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run
    from mlwidgets.views.widget import RunView

QUICK = 0.15
"""A run that ends within this many seconds needs no live view."""
SNAPSHOT_PATIENCE = 2.0
"""Seconds after the end of a run in which its notebook is waited for that is being kept: it takes some tenths."""
PLAIN_INTERVAL = 2.0
"""Seconds between looks at the run where there is no widget."""
SAVE_INTERVAL = 10.0
"""Seconds between two states that a notebook may keep."""
SHARE = 8
"""A thread waits this many times as long as its last update took, so that it never keeps a core busy."""
LINGERING = 8
"""Feeds of ended runs that stay for pages that still show them, as they can still be asked for lines and files."""

Listener = Callable[[str, Any], None]

logger = logging.getLogger("mlwidgets.views")
_feeds: dict[tuple[str, ...], Feed] = {}
_ended: list[Feed] = []
_lock = threading.Lock()


def feed_of(*runs: Run) -> Feed:
    """Return the feed that follows these runs, started now if there is none."""
    key = tuple(run.id for run in runs)
    with _lock:
        feed = _feeds.get(key)
        if feed is None:
            feed = _feeds[key] = Feed(*runs)
            feed.start()
        return feed


class Feed:
    """Follows runs until they have ended.

    Attributes
    ----------
    model : str or None
        The id of the widget's model as soon as there is one.
    final : dict or None
        What a notebook keeps, once the runs have ended.
    done
        Set when `final` was computed, or cannot be.
    """

    def __init__(self, *runs: Run) -> None:
        self.runs = runs
        self.model: str | None = None
        self.final: dict[str, Any] | None = None
        self.done = threading.Event()
        self._widget: RunView | None = None
        self._listeners: list[Listener] = []
        self._keeps: set[Listener] = set()

    @property
    def ended(self) -> bool:
        """Whether all runs have."""
        return all(run.ended for run in self.runs)

    @property
    def seen(self) -> bool:
        """Whether a browser has drawn the widget."""
        return self._widget is not None and self._widget.seen

    def start(self) -> None:
        """Follow in threads of their own."""
        name = f"mlwidgets view of {self.runs[0].id}"
        threading.Thread(target=self._live, name=name, daemon=True).start()

    def listen(self, listener: Listener, *, keeps: bool = False) -> None:
        """Tell `listener` from now on; `keeps`: it also wants what a notebook should keep in mid-run."""
        with _lock:
            self._listeners.append(listener)
            first = keeps and not self._keeps
            if keeps:
                self._keeps.add(listener)
        if self.final is not None:
            listener("ended", self.final)
        elif self.model is not None:
            listener("live", self.model)
        if first and not self.done.is_set():
            threading.Thread(target=self._save, name="mlwidgets saves", daemon=True).start()

    def leave(self, listener: Listener) -> None:
        """Tell it no more."""
        with _lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
            self._keeps.discard(listener)
        self._close_if_alone()

    def _live(self) -> None:
        try:
            belong_to_no_cell()
            # Of runs that ended before, somebody wants to know more than a notebook keeps.
            if self.ended or not self._ends_quickly():
                self._follow()
            self._wait_for_snapshots()
            final = bundle(*self.runs, patience=0)
            if "image/png" not in final:
                # Drawing the picture takes a second, in which the page may be saved or closed.
                self._tell("plain", final)
                final = bundle(*self.runs)
            self.final = final
        except Exception:
            logger.debug("the live view of run %r ended early", self.runs[0].id, exc_info=True)
        finally:
            with _lock:
                _feeds.pop(tuple(run.id for run in self.runs), None)
                _ended.append(self)
                oldest = _ended.pop(0) if len(_ended) > LINGERING else None
            self.done.set()
            if self.final is not None:
                self._tell("ended", self.final)
            self._close_if_alone()
            if oldest is not None:
                oldest._close()

    def _wait_for_snapshots(self) -> None:
        """Let what is kept of a run that was over at once say what changed in its notebook, too."""
        from mlwidgets.history.pending import wait_for_snapshot

        for run in self.runs:
            wait_for_snapshot(RunFolder(run.path), SNAPSHOT_PATIENCE)
        if self._widget is not None:
            self._widget.refresh()

    def _ends_quickly(self) -> bool:
        deadline = time.monotonic() + QUICK
        while not self.ended:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _follow(self) -> None:
        try:
            from mlwidgets.views.widget import RunView

            self._widget = RunView(*self.runs)
        except Exception:
            logger.debug("no widget for run %r", self.runs[0].id, exc_info=True)
            self._follow_without_widget()
            return
        self.model = self._widget.model_id
        self._tell("live", self.model)
        self._widget.follow()

    def _follow_without_widget(self) -> None:
        while not self.ended:
            begin = time.monotonic()
            self._tell("plain", bundle(*self.runs))
            time.sleep(max(PLAIN_INTERVAL, SHARE * (time.monotonic() - begin)))

    def _save(self) -> None:
        """Compute from time to time what a notebook should keep; the body of a thread."""
        belong_to_no_cell()
        pause = 0.5
        # How runs ended is told by the thread that follows them, and by that one alone.
        while self._keeps and not self.ended and not self.done.is_set():
            begin = time.monotonic()
            try:
                now = bundle(*self.runs)
                if not self.ended:
                    self._tell("saved", now)
            except Exception:
                logger.debug("the state of run %r could not be saved", self.runs[0].id, exc_info=True)
            self.done.wait(max(pause, SHARE * (time.monotonic() - begin)))
            pause = min(2 * pause, SAVE_INTERVAL)

    def _tell(self, kind: str, what: Any) -> None:
        with _lock:
            listeners = [one for one in self._listeners if kind != "saved" or one in self._keeps]
        for listener in listeners:
            try:
                listener(kind, what)
            except Exception:
                logger.debug("a view of run %r could not be told", self.runs[0].id, exc_info=True)

    def _close_if_alone(self) -> None:
        if self.done.is_set() and not self._keeps:
            self._close()

    def _close(self) -> None:
        with _lock:
            if self in _ended:
                _ended.remove(self)
            widget, self._widget = self._widget, None
        if widget is not None:
            widget.close()
