"""Claims what is due: whoever moves a schedule on writes down, in the same breath, what is to be started."""

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import dataclass, replace

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runs.store import RunStore, name_of
from mlwidgets.schedules.conditions import look
from mlwidgets.schedules.firing import CLAIMED, FAILED, GRACE, MISSED, SKIPPED, TIME, WAITING, Firing, place_of, run_id
from mlwidgets.schedules.schedule import ONCE, Schedule
from mlwidgets.schedules.table import Row, firings, forget_old, move, open_firings, record, rows, update, writing
from mlwidgets.schedules.times import count_due, following, jitter_of, last_due

BATCH = 10
"""Schedules that one process claims at once: others, if there are any, take the next."""
MOST_COUNTED = 100
_JITTERED = 4


@dataclass(frozen=True)
class Decision:
    """What is to become of a schedule whose time has come.

    Attributes
    ----------
    fires : float or None
        The due time that it starts for.
    skipped : str or None
        Why it does not.
    count, first, last : int, float or None, float or None
        The due times that nobody was there for.
    due, next, seen
        What the table is to say of it from now on.
    """

    row: Row
    fires: float | None = None
    skipped: str | None = None
    count: int = 0
    first: float | None = None
    last: float | None = None
    due: float | None = None
    next: float | None = None
    seen: str | None = None


def upcoming(
    connection: sqlite3.Connection, schedule: Schedule, after: float, floor: float = 0.0
) -> tuple[float | None, float | None]:
    """Return the first due time after a moment that nothing was started for yet, and the same with its jitter.

    Parameters
    ----------
    floor
        Nothing up to this due time counts.
    """
    if schedule.cron is None or not schedule.enabled:
        return None, None
    start = max(after, floor)
    question = "SELECT due FROM firings WHERE schedule = ? AND due > ? AND element >= 0 AND trigger = ?"
    taken = {due for (due,) in connection.execute(question, (schedule.id, start, TIME))}
    for due in following(schedule.cron, schedule.timezone, start):
        if schedule.until is not None and due > schedule.until:
            break
        if due not in taken:
            return due, due + jitter_of(schedule.id, due, schedule.jitter)
    return None, None


def claim_due(connection: sqlite3.Connection, store: RunStore, now: float, ids: list[str] | None) -> list[Firing]:
    """Claim what is due and return what was written down of it, until nothing is."""
    written: list[Firing] = []
    while due := _due(connection, now, ids):
        decisions = [_decide(connection, store, row, now) for row in due]
        with writing(connection):
            for decision in decisions:
                written += _claim(connection, store, decision, now)
    return written


def _due(connection: sqlite3.Connection, now: float, ids: list[str] | None) -> list[Row]:
    if ids is None:
        return rows(connection, "enabled AND next <= ?", (now,), BATCH)
    return rows(connection, f"enabled AND next <= ? AND id IN ({', '.join('?' * len(ids))})", (now, *ids), BATCH)


def _decide(connection: sqlite3.Connection, store: RunStore, row: Row, now: float) -> Decision:
    schedule, due = row.schedule, row.due
    assert schedule.cron is not None
    assert due is not None
    try:
        fires = _last_of(schedule, due, now)
        count = count_due(schedule.cron, schedule.timezone, due, fires, MOST_COUNTED)
        after, next_ = upcoming(connection, schedule, max(fires, now - schedule.jitter), row.floor)
        seen = look(store, schedule, row.seen, now)
    except (MlwidgetsError, ValueError, KeyError, TypeError) as error:
        # A time zone that is not there any more, or the like: it does not come up again and again.
        return Decision(row, skipped=f"it cannot be told when it is due again: {error}", last=due, seen=row.seen)
    first = due if count else None
    decided = Decision(row, fires, None, count, first, fires, after, next_, row.seen)
    if schedule.missed != ONCE and now - fires - jitter_of(schedule.id, fires, schedule.jitter) > GRACE:
        return replace(decided, fires=None, count=count + 1, first=due)
    if seen.seen is not None and seen.news is None:
        return replace(decided, fires=None, skipped=seen.lacking)
    return replace(decided, seen=seen.seen)


def _last_of(schedule: Schedule, due: float, now: float) -> float:
    """Return the last due time that has come, its jitter included; `due` is one."""
    assert schedule.cron is not None
    last = now if schedule.until is None else min(now, max(due, schedule.until))
    for _ in range(_JITTERED if schedule.jitter else 1):
        last = last_due(schedule.cron, schedule.timezone, last, due)
        if last <= due or last + jitter_of(schedule.id, last, schedule.jitter) <= now:
            return last
        last -= 1
    return due if schedule.jitter else last


def _claim(connection: sqlite3.Connection, store: RunStore, decision: Decision, now: float) -> list[Firing]:
    row, key = decision.row, decision.row.schedule.id
    if not move(connection, row, due=decision.due, next_=decision.next, seen=decision.seen):
        return []
    written: list[Firing | None]
    last = decision.last or now
    if decision.skipped is not None:
        _forget_the_same(connection, key, decision.skipped)
        told = Firing(0, key, last, -1, SKIPPED, claimed=now, ended=now, reason=decision.skipped)
        written = [record(connection, told)]
    elif decision.fires is None:
        reason = "nobody was there when it was due"
        gone = Firing(0, key, last, -1, MISSED, claimed=now, ended=now, reason=reason, told=not row.schedule.notify)
        written = [record(connection, replace(gone, missed=decision.count, first=decision.first))]
    else:
        written = list(claim_elements(connection, store, row.schedule, decision.fires, now, TIME))
        if decision.count and written and written[0] is not None:
            written[0] = replace(written[0], missed=decision.count, first=decision.first)
            connection.execute(
                "UPDATE firings SET missed = ?, first = ? WHERE id = ?",
                (decision.count, decision.first, written[0].id),
            )
    forget_old(connection, key)
    return [one for one in written if one is not None]


def _forget_the_same(connection: sqlite3.Connection, schedule: str, reason: str) -> None:
    """Forget the newest firing where it says the same: a look in each minute would hide all else."""
    for last in firings(connection, "schedule = ?", (schedule,), 1):
        if last.state == SKIPPED and last.element < 0 and last.reason == reason:
            connection.execute("DELETE FROM firings WHERE id = ?", (last.id,))


def claim_elements(
    connection: sqlite3.Connection, store: RunStore, schedule: Schedule, due: float, now: float, trigger: str
) -> list[Firing | None]:
    """Write down, as part of a transaction, that each element is to be started, or why it is not."""
    going = open_firings(connection, schedule.id)
    written = []
    for number, params in enumerate(schedule.elements):
        firing = Firing(0, schedule.id, due, number, CLAIMED, trigger, params, claimed=now)
        before = None if schedule.overlap else next((one for one in going if one.params == params), None)
        if before is not None and before.state == WAITING:
            gave_up = f"{before.reason}; it was not tried again, as its next time came"
            update(connection, before, state=FAILED, ended=now, retry_at=None, reason=gave_up, told=not schedule.notify)
            before = None
        if before is not None:
            reason = f"the one before still runs ({before.run})"
            known = firings(connection, "schedule = ? AND element = ? AND reason = ?", (schedule.id, number, reason), 1)
            # Of what hangs for ever somebody hears, and once.
            told = bool(known) or not schedule.notify
            firing = replace(firing, state=SKIPPED, ended=now, reason=reason, told=told)
        else:
            firing = replace(firing, run=new_run(connection, store, schedule, firing, now))
        written.append(record(connection, firing))
    return written


def new_run(connection: sqlite3.Connection, store: RunStore, schedule: Schedule, firing: Firing, now: float) -> str:
    """Return an id for the run of a firing's attempt that no run has, and no firing either."""
    name = schedule.name_of(place_of(schedule, firing) or 0)
    if schedule.kind != "report":
        name = name_of(str(schedule.target["run"])) or schedule.name
    for salt in itertools.count():
        found = run_id(name, f"{schedule.id}|{firing.due!r}|{firing.element}|{firing.attempt}|{salt}", now)
        taken = connection.execute("SELECT 1 FROM firings WHERE run = ?", (found,)).fetchone()
        if taken is None and not (store.runs / found).exists():
            break
    return found
