"""The thread in which a server ticks: it sleeps until something is due, and sees what others change."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.firing import CLAIMED, STARTED, WAITING
from mlwidgets.schedules.starting import Starter
from mlwidgets.schedules.table import Table
from mlwidgets.schedules.telling import tell_pending
from mlwidgets.schedules.tick import tick

_LOOK = 1.0
"""Seconds between two looks at whether others changed the table: two calls of stat(2)."""
_ENDING = 2.0
"""Seconds between two looks at what runs."""
_EVENTS = 5.0
"""Seconds between two looks at what schedules without times wait for."""
_AT_LEAST = 55.0
"""Seconds after which it ticks though nothing is due: others see that somebody is there."""
_AFTER_ERROR = 30.0
_TELL_AGAIN = 60.0

_log = logging.getLogger("mlwidgets.schedules")


class Ticker:
    """Ticks for one store for as long as its process lives, or until it is stopped.

    Parameters
    ----------
    store
        Path of the store, which need not be there yet.
    clock
        Says what time it is, in Unix seconds.
    starter
        Who starts what is due; runs of the store if None.
    """

    def __init__(self, store: Path, clock: Callable[[], float] = time.time, starter: Starter | None = None) -> None:
        self._path = store
        self._clock = clock
        self._starter = starter
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._telling: threading.Thread | None = None
        self._tell_at = 0.0
        self._complaint = ""

    def start(self) -> None:
        """Begin, unless it has begun."""
        if self._thread is None or not self._thread.is_alive():
            self._stopped.clear()
            self._thread = threading.Thread(target=self._run, name="mlwidgets-schedules", daemon=True)
            self._thread.start()

    def stop(self, patience: float = 10.0) -> None:
        """End; what was started goes on. Wait as many seconds for a tick that is at it."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(patience)

    def wake(self) -> None:
        """Look at once."""
        self._wake.set()

    def _run(self) -> None:
        signature: tuple[int, ...] = ()
        next_ = 0.0
        table = Table(self._path)
        while not self._stopped.is_set():
            self._wake.clear()
            now = self._clock()
            found = table.signature()
            # A clock that went back must not make it wait for the time that it showed before.
            if found and (found != signature or not next_ - _AT_LEAST - _LOOK <= now < next_):
                next_, signature = self._look(table)
            wait = _LOOK if not found else max(0.0, min(_LOOK, next_ - self._clock()))
            self._wake.wait(wait)
            if self._wake.is_set():
                signature = ()

    def _look(self, table: Table) -> tuple[float, tuple[int, ...]]:
        """Tick; return when to do so again, and what the table looked like then."""
        try:
            self._tick(table)
            # What the tick itself wrote is no news; what others write from now on `_next` sees, or the next look.
            signature = table.signature()
            next_ = self._next(table)
        except Exception as error:  # it must be there when the disk has room again
            self._complain(error)
            return self._clock() + _AFTER_ERROR, table.signature()
        self._complaint = ""
        return next_, signature

    def _tick(self, table: Table) -> None:
        """Tick once, and see that whoever is to be told is."""
        store = RunStore(self._path)
        tick(store, self._clock(), starter=self._starter)
        self._tell(store, table)

    def _complain(self, error: Exception) -> None:
        """Say once what is wrong."""
        known = isinstance(error, MlwidgetsError)
        said = str(error) if known else f"{type(error).__name__}: {error}"
        if said != self._complaint:
            _log.warning("schedules are not looked after: %s", said, exc_info=None if known else error)
            self._complaint = said

    def _next(self, table: Table) -> float:
        """Return when to tick again."""
        now = self._clock()
        with table.open() as connection:
            going = connection.execute(
                "SELECT 1 FROM firings WHERE state IN (?, ?) LIMIT 1", (CLAIMED, STARTED)
            ).fetchone()
            (due,) = connection.execute("SELECT min(next) FROM schedules WHERE enabled").fetchone()
            (again,) = connection.execute("SELECT min(retry_at) FROM firings WHERE state = ?", (WAITING,)).fetchone()
            (events,) = connection.execute(
                "SELECT count(*) FROM schedules WHERE enabled AND next IS NULL AND definition LIKE '%\"cron\": null%'"
            ).fetchone()
        times = [now + _AT_LEAST]
        if due is not None:
            times.append(due)
        if again is not None:
            times.append(max(again, now + _ENDING))
        if going is not None:
            times.append(now + _ENDING)
        if events:
            times.append(now + _EVENTS)
        return min(times)

    def _tell(self, store: RunStore, table: Table) -> None:
        """Tell in a thread of its own whoever is to be told."""
        if self._telling is not None and self._telling.is_alive():
            return
        with table.open() as connection:
            (untold,) = connection.execute("SELECT count(*) FROM firings WHERE NOT told").fetchone()
        if untold and time.monotonic() >= self._tell_at:
            self._telling = threading.Thread(
                target=self._tell_all, args=(store,), name="mlwidgets-telling", daemon=True
            )
            self._telling.start()

    def _tell_all(self, store: RunStore) -> None:
        try:
            left = tell_pending(store)
        except Exception as error:  # a server's answer must not end the telling of all others
            _log.warning("nobody was told of schedules: %s: %s", type(error).__name__, error)
            left = 1
        self._tell_at = time.monotonic() + (_TELL_AGAIN if left else 0.0)
