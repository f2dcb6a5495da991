"""Tells whom a schedule names how it went. It may wait for servers: it is not for the thread that ticks."""

from __future__ import annotations

import functools
import queue
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.state import STOPPED
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.firing import FAILED, FINISHED, MISSED, SKIPPED, Firing
from mlwidgets.schedules.schedule import REPORT, Schedule
from mlwidgets.schedules.table import Table, firings, rows, writing
from mlwidgets.schedules.words import lasted, moment

ROUND = 60.0
"""Seconds after which a call begins to tell of nothing more: what is new must not wait for a server that is dead."""
_MOST = 200
_THREADS = 8
_ENDED = (FINISHED, FAILED, MISSED)


@dataclass(frozen=True)
class Event:
    """What is to be told of.

    Attributes
    ----------
    before : str or None
        The state of the firing before.
    since : float or None
        Since when it had failed before: the first due time of those that failed one after the other.
    """

    schedule: Schedule
    firing: Firing
    before: str | None
    since: float | None


def tell_pending(store: RunStore) -> int:
    """Tell of what has ended or was missed and nobody was told of yet; return of how much there is more to tell.

    Who cannot be reached is tried again by a later call. Several processes may do so at once, and each may be killed.
    It takes two minutes at most.

    Raises
    ------
    StoreError
        If the table cannot be used.
    """
    table = Table(store.path)
    if not table.exists:
        return 0
    with table.open() as connection:
        pending = firings(connection, "NOT told AND state IN (?, ?, ?, ?)", (*_ENDED, SKIPPED), _MOST)[::-1]
        schedules = {row.schedule.id: row.schedule for row in (rows(connection) if pending else ())}
        # What a removed schedule did goes with it.
        events = [_event(connection, schedules[one.schedule], one) for one in pending if one.schedule in schedules]
    told = _tell_all(store, events)
    told |= {one.id for one in pending if one.schedule not in schedules}
    if told:
        with table.open() as connection, writing(connection):
            connection.executemany("UPDATE firings SET told = 1 WHERE id = ?", [(key,) for key in told])
    return len(pending) - len(told)


def _event(connection: sqlite3.Connection, schedule: Schedule, firing: Firing) -> Event:
    where = "schedule = ? AND id < ? AND state IN (?, ?, ?) AND (element = ? OR state = ?)"
    values = (firing.schedule, firing.id, *_ENDED, firing.element, MISSED)
    before: str | None = None
    since: float | None = None
    for one in firings(connection, where, values):
        before = before or one.state
        if one.state == FINISHED:
            break
        since = one.due if one.first is None else one.first
    return Event(schedule, firing, before, since)


def _tell_all(store: RunStore, events: Sequence[Event]) -> set[int]:
    """Return of which firings nobody is left to be told. Each schedule's are told of in order, several at a time."""
    groups: dict[str, list[Event]] = {}
    for event in events:
        groups.setdefault(event.schedule.id, []).append(event)
    waiting: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
    for group in groups.values():
        waiting.put(group)
    told: set[int] = set()
    end = time.monotonic() + ROUND

    def work() -> None:
        while time.monotonic() < end:
            try:
                group = waiting.get_nowait()
            except queue.Empty:
                return
            for event in group:
                if time.monotonic() < end and _tell(store, event):
                    told.add(event.firing.id)

    # Not a pool: the end of a server that is stopped would wait for its threads.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_THREADS, len(groups)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def _tell(store: RunStore, event: Event) -> bool:
    """Return whether nobody is left to be told."""
    schedule, firing = event.schedule, event.firing
    if not schedule.notify:
        return True
    from mlwidgets.notifying.message import Message
    from mlwidgets.notifying.showing import picture_of
    from mlwidgets.notifying.tell import settled, tell

    folder = None if firing.run is None else RunFolder(store.runs / firing.run)
    stopped = folder is not None and (read_json(folder.outcome) or {}).get("state") == STOPPED
    state = STOPPED if stopped and firing.state == FAILED else firing.state
    # That it was left out as the one before still ran is told as what it is to who waits for it.
    state = MISSED if state == SKIPPED else state
    since = event.since
    if state == MISSED and since is None:
        since = firing.due if firing.first is None else firing.first
    message = Message(
        subject=_subject(event, state),
        text=_text(event, state),
        state=state,
        name=schedule.name,
        cause=firing.reason,
        address=_address(store, event, folder),
        since=None if firing.state == FINISHED else since,
        details={"schedule": schedule.name, "due": firing.due, "run": firing.run, "params": firing.params},
    )
    key = f"schedule/{schedule.id}/{firing.due!r}/{firing.element}/{firing.state}"
    draw = None if folder is None else functools.cache(functools.partial(picture_of, folder))
    return settled(tell(schedule.notify, message, store=store.path, key=key, before=event.before, draw=draw))


def _address(store: RunStore, event: Event, folder: RunFolder | None) -> str | None:
    """Return where people see what it is about: the edition, else the report, else the list of runs."""
    from mlwidgets.notifying.showing import address_of

    schedule, project = event.schedule, store.path.parent
    if schedule.kind != REPORT:
        return address_of(project)
    report = None if schedule.matrix else schedule.name_of(0)
    if folder is None:
        return address_of(project, report)
    report = ((read_json(folder.spec) or {}).get("report") or {}).get("publish") or report
    there = report is not None and (store.path / "reports" / report / "editions" / folder.id).is_dir()
    return address_of(project, report, folder.id if there else None)


def _subject(event: Event, state: str) -> str:
    what = " ".join(f"{event.schedule.name}{_given(event.firing)}".split())
    if state == MISSED:
        return f"{what} was not run"
    if state == FINISHED:
        return f"{what} succeeded{' again' if event.since is not None else ''}"
    return f"{what} {'was stopped' if state == STOPPED else 'failed'}"


def _given(firing: Firing) -> str:
    return f" ({', '.join(f'{name}={text}' for name, text in firing.params.items())})" if firing.params else ""


def _text(event: Event, state: str) -> str:
    schedule, firing = event.schedule, event.firing
    kind = "report" if schedule.kind == REPORT else schedule.kind
    due = moment(firing.due, schedule.timezone)
    failing = None if event.since is None else moment(event.since, schedule.timezone)
    if state == MISSED:
        times = f"at {due}"
        if firing.missed > 1 and firing.first is not None:
            times = f"{firing.missed} times from {moment(firing.first, schedule.timezone)} to {due}"
        lines = [f"The {kind} {schedule.name} was not run {times}: {firing.reason}."]
    else:
        lines = [f"The {kind} {schedule.name}{_given(firing)}, due {due}, {state}."]
        if firing.reason:
            lines.append(firing.reason)
    if failing is not None and event.since is not None:
        if state == FINISHED:
            lines.append(f"It had failed since {failing}, for {lasted((firing.ended or firing.due) - event.since)}.")
        else:
            lines.append(f"It has failed since {failing}.")
    if firing.tries > 1:
        lines.append(f"It was attempt {firing.tries} of {max(firing.tries, schedule.retries + 1)}.")
    if firing.missed and state != MISSED:
        lines.append(f"{firing.missed} earlier times were missed; this ran once for all of them.")
    if firing.run:
        lines.append(f"Run: {firing.run}")
    return "\n".join(lines)
