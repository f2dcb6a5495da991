"""One tick: what has ended is recorded, what is due is claimed, what is claimed is started. It waits for nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.claiming import claim_due, claim_elements, new_run, upcoming
from mlwidgets.schedules.conditions import look
from mlwidgets.schedules.firing import CLAIMED, FAILED, MISSED, SKIPPED, STARTED, WAITING, Firing, place_of
from mlwidgets.schedules.schedule import Schedule
from mlwidgets.schedules.starting import RunStarter, Starter
from mlwidgets.schedules.table import Row, Table, find, firings, move, open_firings, rows, unknown, update, writing

LOCKS = "schedules"
_BACK = 5.0
"""Seconds that the clock may seem to go back: processes look at it and then wait for each other."""
_REMEMBER = 60.0
"""Seconds after which it is written down anew that somebody ticks."""
_TICKED = "ticked"
_MOST_UNTRIED = 3


@dataclass(frozen=True)
class Ticked:
    """What one tick did."""

    started: tuple[Firing, ...] = ()
    ended: tuple[Firing, ...] = ()
    skipped: tuple[Firing, ...] = ()
    missed: tuple[Firing, ...] = ()


def tick(
    store: RunStore, now: float | None = None, *, names: Sequence[str] | None = None, starter: Starter | None = None
) -> Ticked:
    """Do all that is to be done at this moment. Any number of processes may do so at once, and each may be killed.

    Parameters
    ----------
    now
        Unix seconds; of the clock if None.
    names
        Of the schedules that are meant; all if None.
    starter
        Who starts what is claimed.

    Raises
    ------
    ScheduleError
        If there is no schedule of one of the names.
    StoreError
        If the table cannot be used.
    """
    table = Table(store.path)
    starter = starter or RunStarter()
    moment = _clock(now)
    if not table.exists:
        if names:
            raise unknown(names[0], [])
        return Ticked()
    with table.open() as connection:
        ids = None if names is None else [find(connection, name).schedule.id for name in names]
        at = time.time() if now is None else now
        _mind_clock(connection, at)
        ended = settle(connection, store, ids, starter, at)
        _try_again(connection, store, ids, at)
        claimed = claim_due(connection, store, at, ids)
        claimed += _claim_events(connection, store, ids, at)
        started, failed = start_claimed(connection, store, ids, starter, moment)
    return Ticked(
        tuple(started),
        (*ended, *failed),
        tuple(one for one in claimed if one.state == SKIPPED),
        tuple(one for one in claimed if one.state == MISSED),
    )


def _clock(now: float | None) -> Callable[[], float]:
    """Return a clock that goes on from `now`."""
    if now is None:
        return time.time
    began = time.monotonic()
    return lambda: now + time.monotonic() - began


def _mind_clock(connection: sqlite3.Connection, now: float) -> None:
    """Have everything be due again as it is by a clock that was set back; what was started for is not."""
    last = last_tick(connection)
    if last is not None and -_BACK <= now - last < _REMEMBER:
        return
    with writing(connection):
        if last is not None and now < last - _BACK:
            for row in rows(connection, "enabled AND next IS NOT NULL"):
                _set_back(connection, row, now)
            connection.execute(
                "UPDATE firings SET retry_at = ? WHERE state = ? AND retry_at > ?", (now, WAITING, last + _BACK)
            )
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_TICKED, now))


def _set_back(connection: sqlite3.Connection, row: Row, now: float) -> None:
    if row.schedule.next is not None and row.schedule.next <= now:
        return
    with contextlib.suppress(MlwidgetsError):
        due, next_ = upcoming(connection, row.schedule, now, row.floor)
        if due is not None and row.due is not None and due < row.due:
            move(connection, row, due=due, next_=next_, seen=row.seen)


def last_tick(connection: sqlite3.Connection) -> float | None:
    """Return when somebody ticked last, to the minute; None where nobody ever did."""
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (_TICKED,)).fetchone()
    return None if found is None else float(found[0])


def _open(connection: sqlite3.Connection, state: str, ids: list[str] | None) -> list[Firing]:
    """Return the firings in a state, the oldest first."""
    found = firings(connection, "state = ?", (state,))[::-1]
    return [one for one in found if ids is None or one.schedule in ids]


def _schedule_of(connection: sqlite3.Connection, firing: Firing) -> Schedule | None:
    found = rows(connection, "id = ?", (firing.schedule,))
    return found[0].schedule if found else None


def settle(
    connection: sqlite3.Connection, store: RunStore, ids: list[str] | None, starter: Starter, now: float
) -> list[Firing]:
    """Write down what has ended; return it."""
    return [done for one in _open(connection, STARTED, ids) if (done := _end(connection, store, one, now, starter))]


def _end(
    connection: sqlite3.Connection, store: RunStore, firing: Firing, now: float, starter: Starter
) -> Firing | None:
    """Write down how a firing ended, if it did; return it where it is over."""
    schedule = _schedule_of(connection, firing)
    if schedule is None:
        return None
    try:
        done = starter.look(store, schedule, firing)
    except Exception as error:  # whatever a report's libraries say, the others are looked after
        return fail(connection, schedule, firing, now, f"it cannot be told how it ended: {error}", again=False)
    if done is None:
        return None
    if done.untried and firing.untried < _MOST_UNTRIED:
        with writing(connection):
            run = new_run(connection, store, schedule, replace(firing, attempt=firing.attempt + 1), now)
            untried = firing.untried + 1
            update(connection, firing, state=CLAIMED, attempt=firing.attempt + 1, run=run, untried=untried)
        return None
    if done.state == FAILED:
        return fail(connection, schedule, firing, now, done.reason or "it failed", again=not done.final)
    with writing(connection):
        # A run ended when it did, not when somebody came by.
        ended = now if done.at is None else min(now, max(done.at, firing.started or 0.0))
        return _over(connection, schedule, firing, done.state, ended, done.reason)


def _over(
    connection: sqlite3.Connection, schedule: Schedule, firing: Firing, state: str, now: float, reason: str | None
) -> Firing | None:
    """Write down the end, as part of a transaction; return None where somebody else has."""
    told = not schedule.notify
    if not update(connection, firing, state=state, ended=now, reason=reason, retry_at=None, told=told):
        return None
    return replace(firing, state=state, ended=now, reason=reason, retry_at=None, told=told)


def fail(
    connection: sqlite3.Connection, schedule: Schedule, firing: Firing, now: float, reason: str, *, again: bool = True
) -> Firing | None:
    """Write down that an attempt failed, and when there is another one; return the firing if there is none."""
    tries = again and firing.tries <= schedule.retries
    with writing(connection):
        if tries:
            update(connection, firing, state=WAITING, retry_at=now + schedule.retry_wait, reason=reason)
            return None
        return _over(connection, schedule, firing, FAILED, now, reason)


def _try_again(connection: sqlite3.Connection, store: RunStore, ids: list[str] | None, now: float) -> None:
    """Claim further attempts whose time has come."""
    for firing in _open(connection, WAITING, ids):
        schedule = _schedule_of(connection, firing)
        if schedule is None or not schedule.enabled or (firing.retry_at or 0) > now:
            continue
        if place_of(schedule, firing) is None:
            reason = f"{firing.reason}; it was not tried again, as its parameters are no longer scheduled"
            with writing(connection):
                _over(connection, schedule, firing, FAILED, now, reason)
            continue
        with writing(connection):
            run = new_run(connection, store, schedule, replace(firing, attempt=firing.attempt + 1), now)
            update(connection, firing, state=CLAIMED, attempt=firing.attempt + 1, run=run, retry_at=None)


def _claim_events(connection: sqlite3.Connection, store: RunStore, ids: list[str] | None, now: float) -> list[Firing]:
    """Claim the schedules without times whose conditions have news; one that still runs looks again afterwards."""
    written: list[Firing] = []
    for row in rows(connection, "enabled AND next IS NULL"):
        schedule = row.schedule
        if schedule.cron is not None or not (ids is None or schedule.id in ids):
            continue
        if (schedule.until is not None and now > schedule.until) or (
            not schedule.overlap and open_firings(connection, schedule.id)
        ):
            continue
        found = look(store, schedule, row.seen, now, settled=True)
        if found.seen == row.seen:
            continue
        with writing(connection):
            if move(connection, row, due=row.due, next_=None, seen=found.seen) and found.news:
                (last,) = connection.execute(
                    "SELECT coalesce(max(due), 0) FROM firings WHERE schedule = ?", (schedule.id,)
                ).fetchone()
                # The clock may have gone back, or stood still.
                due = now if now > last else last + 0.001
                written += filter(None, claim_elements(connection, store, schedule, due, now, found.news))
    return written


def start_claimed(
    connection: sqlite3.Connection,
    store: RunStore,
    ids: list[str] | None,
    starter: Starter,
    moment: Callable[[], float],
) -> tuple[list[Firing], list[Firing]]:
    """Start what is claimed, by whomever: one whose lock is free has nobody who does. Return these, and what failed."""
    started, failed = [], []
    for claimed in _open(connection, CLAIMED, ids):
        with _locked(store.path / LOCKS, str(claimed.id)) as mine:
            firing = next(iter(firings(connection, "id = ?", (claimed.id,))), None)
            if not mine or firing is None or firing.state != CLAIMED:
                continue
            schedule = _schedule_of(connection, firing)
            if schedule is None:
                continue
            if place_of(schedule, firing) is None:
                with writing(connection):
                    update(connection, firing, state=SKIPPED, ended=moment(), reason="its parameters were taken out")
                continue
            try:
                starter.start(store, schedule, firing)
            except Exception as error:  # whatever it is, the next one is started
                reason = str(error) if isinstance(error, MlwidgetsError) else f"{type(error).__name__}: {error}"
                if (over := fail(connection, schedule, firing, moment(), reason)) is not None:
                    failed.append(over)
                continue
            at = moment()
            with writing(connection):
                if update(connection, firing, state=STARTED, started=at):
                    started.append(replace(firing, state=STARTED, started=at))
    return started, failed


@contextlib.contextmanager
def _locked(folder: Path, name: str) -> Iterator[bool]:
    """Hold the lock of that name, which goes with its process; give whether nobody else does."""
    path = folder / f"{name}.lock"
    fd = None
    mine = True
    try:
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                mine = False
            # Where there are no such locks, the run's folder can still be made but once.
        if fd is not None and mine and not _is(path, fd):
            # Whoever had it has removed it since.
            mine = False
        yield mine
    finally:
        if fd is not None:
            if mine:
                with contextlib.suppress(OSError):
                    path.unlink()
            os.close(fd)


def _is(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except OSError:
        return False
