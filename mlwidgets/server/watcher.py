"""Looks at stores while somebody watches them, in one thread, and tells what has changed."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlwidgets.errors import MlwidgetsError, UnknownRun
from mlwidgets.server.annotated import Annotated
from mlwidgets.server.going import Going
from mlwidgets.server.listing import Listing, Row
from mlwidgets.server.stores import Stores

INTERVAL = 0.1
"""Seconds between two looks."""
CALM = 0.2
"""Seconds between two messages with nothing but numbers."""
RECENT = 120.0
"""Seconds: whoever begins to watch is told of what ended this long ago, and may have asked for the list before."""
SHARE, LONGEST = 4, 0.5
"""The thread waits this many times as long as its last look took, at most these seconds: no core is kept busy."""
RETRY = 2.0
"""Seconds after which a store or a run that could not be read is tried again."""
_UNREAD = -1
"""In place of a directory's time: it is read at the next look."""

logger = logging.getLogger("mlwidgets.server")


@dataclass
class Batch:
    """What changed in one store: rows by id, and what is gone."""

    store: str
    changed: dict[str, Row] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def add(self, later: Batch) -> None:
        """Take in what changed later."""
        self.gone = (self.gone - later.changed.keys()) | later.gone
        self.changed = {k: v for k, v in {**self.changed, **later.changed}.items() if k not in later.gone}

    def to_json(self) -> str:
        """Return the message."""
        message = {"type": "runs", "store": self.store, "changed": list(self.changed.values()), "gone": list(self.gone)}
        return json.dumps(message)


Tell = Callable[[Hashable | None, Any], None]
"""Called with a listener and a batch that is for it alone, or with None and what is for all."""


class Watcher:
    """One for each server.

    Parameters
    ----------
    stores
        The server's stores.
    tell
        Called in the watcher's thread with a `Batch`, a ``dict`` that is a message, or an error's text.
    """

    def __init__(self, stores: Stores, tell: Tell) -> None:
        self._stores = stores
        self._tell = tell
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._listeners: dict[Hashable, frozenset[str]] = {}
        self._new: list[tuple[Hashable, str]] = []
        self._watched: dict[str, _Watched] = {}
        self._thread: threading.Thread | None = None
        self._slots: dict[str, Any] | None = None
        self._closed = False

    @property
    def is_idle(self) -> bool:
        """Whether nobody watches and no thread runs."""
        return self._thread is None

    def watch(self, listener: Hashable, keys: Iterable[str]) -> None:
        """Tell `listener` of these stores from now on, and of no others; at once of their runs that go on."""
        with self._lock:
            if self._closed:
                return
            self._listeners[listener] = frozenset(keys)
            self._new = [one for one in self._new if one[0] is not listener]
            self._new += [(listener, key) for key in sorted(self._listeners[listener])]
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mlwidgets watcher", daemon=True)
                self._thread.start()
        self._wake.set()

    def leave(self, listener: Hashable) -> None:
        """Tell `listener` no more."""
        with self._lock:
            self._listeners.pop(listener, None)
            self._new = [one for one in self._new if one[0] is not listener]

    def close(self) -> None:
        """Look no more."""
        with self._lock:
            self._closed = True
            self._listeners.clear()
        self._wake.set()

    def _run(self) -> None:
        failed = False
        while True:
            begin = time.monotonic()
            with self._lock:
                if not self._listeners:
                    self._thread = None
                    self._watched.clear()
                    self._slots = None
                    return
                keys = set().union(*self._listeners.values())
                new, self._new = self._new, []
            try:
                self._look(keys, new)
                failed = False
            except Exception:
                if not failed:
                    logger.warning("the runs could not be looked at; it is tried again", exc_info=True)
                failed = True
            spent = time.monotonic() - begin
            self._wake.wait(max(INTERVAL - spent, min(LONGEST, SHARE * spent)))
            self._wake.clear()

    def _look(self, keys: set[str], new: list[tuple[Hashable, str]]) -> None:
        for key in self._watched.keys() - keys:
            del self._watched[key]
        self._look_at_machine(new)
        for key in sorted(keys):
            watched = self._watched.setdefault(key, _Watched(key, self._stores))
            batch = watched.look()
            if batch is not None:
                self._tell(None, batch)
        for listener, key in new:
            watched = self._watched[key]
            self._tell(listener, watched.problem or watched.recent())

    def _look_at_machine(self, new: list[tuple[Hashable, str]]) -> None:
        slots = self._stores.slots()
        if slots is None:
            return
        if slots != self._slots:
            self._slots = slots
            self._tell(None, {"type": "slots", "slots": slots})
        else:
            for listener in {listener for listener, _ in new}:
                self._tell(listener, {"type": "slots", "slots": slots})


class _Watched:
    """One store."""

    def __init__(self, key: str, stores: Stores) -> None:
        self._key = key
        self._stores = stores
        self._listing: Listing | None = None
        self._runs: Path | None = None
        self._time: int | None = _UNREAD
        self._names: frozenset[str] | None = None
        self._annotated: Annotated | None = None
        self._unread: set[str] = set()
        self._reread = 0.0
        self._going: dict[str, _Seen] = {}
        self._ended: dict[str, float] = {}
        self._retry = self._told = 0.0
        self._held = Batch(key)
        self.problem: str | None = None

    def look(self) -> Batch | None:
        """Return what is new, None where that is nothing or can wait a moment."""
        now = time.monotonic()
        failed = self.problem is not None
        if self._listing is None and not self._open(now):
            return None
        if failed:
            # Whoever was told of the problem is told that it is over, even if there is nothing else to tell.
            self._look_at_list(Batch(self._key), now)
            return self.recent()
        batch = Batch(self._key)
        self._look_at_list(batch, now)
        turned = bool(batch.changed or batch.gone)
        turned |= self._look_at_runs(batch, now)
        self._held.add(batch)
        if not (self._held.changed or self._held.gone) or (not turned and now - self._told < CALM):
            return None
        self._told = now
        batch, self._held = self._held, Batch(self._key)
        return batch

    def recent(self) -> Batch:
        """Return the runs that go on, and those that ended a moment ago."""
        assert self._listing is not None
        rows = [self._listing.row_of(seen.going) for seen in self._going.values()]
        late = [run_id for run_id, at in self._ended.items() if time.time() - at < RECENT]
        return Batch(self._key, {row["id"]: row for row in [*self._listing.rows(late), *rows]})

    def _open(self, now: float) -> bool:
        if now < self._retry:
            return False
        self._retry = now + RETRY
        try:
            self._listing = self._stores.listing(self._key)
        except (MlwidgetsError, OSError) as error:
            self.problem = str(error)
            return False
        self.problem = None
        self._runs = self._listing.store.runs
        self._annotated = Annotated(self._listing.store)
        return True

    def _look_at_list(self, batch: Batch, now: float) -> None:
        assert self._listing is not None
        assert self._annotated is not None
        first = self._names is None
        back = self._look_at_names(batch)
        self._read_again(now)
        annotated = self._annotated.news(self._names or ())
        if not first and (back or annotated):
            again = [name for name in annotated if name not in self._going]
            batch.changed.update({row["id"]: row for row in self._listing.rows([*back, *again])})

    def _look_at_names(self, batch: Batch) -> list[str]:
        """Take in which runs there are; return those that have ended and were not there before."""
        assert self._listing is not None
        assert self._runs is not None
        try:
            changed: int | None = os.stat(self._runs).st_mtime_ns
        except FileNotFoundError:
            changed = None
        except OSError:
            # It is there, and cannot be read at this moment.
            return []
        if changed == self._time:
            return []
        names, holds = self._listing.look()
        before = self._names or frozenset()
        back: list[str] = []
        for name in names - before:
            ended = _time_of(self._runs / name / "outcome.json")
            if ended is None:
                self._unread.add(name)
                self._reread = 0.0
            else:
                back.append(name)
                self._ended[name] = ended / 1e9
        for name in before - names:
            batch.gone.add(name)
            self._unread.discard(name)
            self._going.pop(name, None)
            self._ended.pop(name, None)
            self._listing.let_go(name)
        self._names = names
        # Within the same tick of a coarse clock more may still come.
        self._time = changed if holds else _UNREAD
        return back

    def _read_again(self, now: float) -> None:
        """Follow the runs that go on, those too that could not be read before."""
        assert self._listing is not None
        if not self._unread or now < self._reread:
            return
        self._reread = now + RETRY
        for name in sorted(self._unread):
            going = None
            with contextlib.suppress(Exception):  # whatever is wrong with one run must not hide the others
                going = self._listing.going(name)
            if going is not None:
                self._unread.discard(name)
                self._going[name] = _Seen(going)

    def _look_at_runs(self, batch: Batch, now: float) -> bool:
        """Add the runs that have news; return whether that is more than numbers."""
        assert self._listing is not None
        turned = False
        for name, seen in list(self._going.items()):
            if now < seen.retry:
                continue
            try:
                seen.going.look(now)
            except UnknownRun:
                continue
            except Exception:  # whatever is wrong with one run must not hide the others
                if not seen.failed:
                    logger.warning("run %r could not be looked at; it is tried again", name, exc_info=True)
                seen.failed, seen.retry = True, now + RETRY
                continue
            waiting = self._stores.machine.waiting(name) if seen.going.summary.state == "submitted" else None
            if seen.going.version == seen.version and waiting == seen.waiting:
                continue
            turned |= seen.going.turns != seen.turns or waiting != seen.waiting
            seen.version, seen.turns, seen.waiting = seen.going.version, seen.going.turns, waiting
            batch.changed[name] = self._listing.row_of(seen.going)
            if seen.going.summary.ended:
                del self._going[name]
                self._ended[name] = time.time()
        return turned


@dataclass
class _Seen:
    """A run that goes on, as it was when it was told of last."""

    going: Going
    version: int = -1
    turns: int = -1
    waiting: str | None = None
    failed: bool = False
    retry: float = 0.0


def _time_of(path: str | Path) -> int | None:
    with contextlib.suppress(OSError):
        return os.stat(path).st_mtime_ns
    return None
