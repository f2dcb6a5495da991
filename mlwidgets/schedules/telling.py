"""Tells whom a schedule names how it went. It may wait for servers: it is not for the thread that ticks."""

from __future__ import annotations

import sqlite3
import time

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.firing import FAILED, FINISHED, MISSED, Firing
from mlwidgets.schedules.schedule import REPORT, Schedule
from mlwidgets.schedules.table import Table, find, firings, writing
from mlwidgets.schedules.words import moment

_MOST = 200
_ENDED = (FINISHED, FAILED, MISSED)


def tell_pending(store: RunStore, now: float | None = None) -> int:
    """Tell of what has ended or was missed and nobody was told of yet; return of how much there is more to tell.

    Who cannot be reached is tried again by a later call. Several processes may do so at once, and each may be killed.

    Raises
    ------
    StoreError
        If the table cannot be used.
    """
    table = Table(store.path)
    if not table.exists:
        return 0
    now = time.time() if now is None else now
    with table.open() as connection:
        pending = firings(connection, "NOT told AND state IN (?, ?, ?)", _ENDED, _MOST)[::-1]
        told = []
        left = 0
        for firing in pending:
            try:
                schedule = find(connection, firing.schedule).schedule
            except MlwidgetsError:
                schedule = None
            before = None if schedule is None else _before(connection, firing)
            if schedule is None or _tell(store, schedule, firing, before):
                told.append((firing.id,))
            else:
                left += 1
        if told:
            with writing(connection):
                connection.executemany("UPDATE firings SET told = 1 WHERE id = ?", told)
    return left


def _before(connection: sqlite3.Connection, firing: Firing) -> str | None:
    """Return the state of the firing of the same element that ended before this one."""
    where = "schedule = ? AND id < ? AND state IN (?, ?, ?) AND (element = ? OR state = ?)"
    found = firings(connection, where, (firing.schedule, firing.id, *_ENDED, firing.element, MISSED), 1)
    return found[0].state if found else None


def _tell(store: RunStore, schedule: Schedule, firing: Firing, before: str | None) -> bool:
    """Return whether nobody is left to be told."""
    if not schedule.notify:
        return True
    from mlwidgets.notifying.message import Message
    from mlwidgets.notifying.tell import settled, tell

    message = Message(
        subject=_subject(schedule, firing),
        text=_text(schedule, firing),
        state=firing.state,
        name=schedule.name,
        cause=firing.reason,
        since=firing.due if firing.state == MISSED else None,
        details={"schedule": schedule.name, "due": firing.due, "run": firing.run, "params": firing.params},
    )
    key = f"schedule/{schedule.id}/{firing.due!r}/{firing.element}/{firing.state}"
    return bool(settled(tell(schedule.notify, message, store=store.path, key=key, before=before)))


def _subject(schedule: Schedule, firing: Firing) -> str:
    what = f"{schedule.name}{_given(firing)}"
    if firing.state == MISSED:
        return f"{what} was not run"
    return f"{what} {'succeeded' if firing.state == FINISHED else 'failed'}"


def _given(firing: Firing) -> str:
    return f" ({', '.join(f'{name}={text}' for name, text in firing.params.items())})" if firing.params else ""


def _text(schedule: Schedule, firing: Firing) -> str:
    kind = "report" if schedule.kind == REPORT else schedule.kind
    due = moment(firing.due, schedule.timezone)
    if firing.state == MISSED:
        if firing.missed > 1 and firing.first is not None:
            first = moment(firing.first, schedule.timezone)
            times = f"{firing.missed} times from {first} to {due}"
            return f"The {kind} {schedule.name} was not run {times}: {firing.reason}."
        return f"The {kind} {schedule.name} was not run at {due}: {firing.reason}."
    lines = [f"The {kind} {schedule.name}{_given(firing)}, due {due}, {firing.state}."]
    if firing.reason:
        lines.append(firing.reason)
    if firing.attempt > 1:
        lines.append(f"It was attempt {firing.attempt} of {max(firing.attempt, schedule.retries + 1)}.")
    if firing.missed:
        lines.append(f"{firing.missed} earlier times were missed; this ran once for all of them.")
    if firing.run:
        lines.append(f"Run: {firing.run}")
    return "\n".join(lines)
