"""The schedules of a project: add, edit, pause, remove, and what became of them."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from mlwidgets.errors import ScheduleError
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.checking import check_notify, check_order, check_target
from mlwidgets.schedules.claiming import MOST_COUNTED, claim_elements, upcoming
from mlwidgets.schedules.conditions import look
from mlwidgets.schedules.firing import CLAIMED, GRACE, HAND, MISSED, SKIPPED, Firing, Missed
from mlwidgets.schedules.schedule import Schedule, checked
from mlwidgets.schedules.starting import RunStarter, Starter
from mlwidgets.schedules.table import Row, Table, change, find, firings, insert, open_firings, rows, unknown, writing
from mlwidgets.schedules.tick import last_tick, settle, start_claimed
from mlwidgets.schedules.times import count_due, last_due, next_times
from mlwidgets.schedules.words import words

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_END = 2**63 - 1
_WHEN = ("cron", "timezone", "jitter", "until", "enabled")
_CONDITIONS = ("after", "when_changed")
_GONE = "claimed >= ? AND trigger = 'time' AND element < 1 AND (state = ? OR missed > 0 OR claimed > due + ?)"
_KEPT = ("id", "created", "changed", "next", "enabled")


class Schedules:
    """Schedules of a store. What it does, others see at once, in whatever process they are.

    Parameters
    ----------
    store
        Nothing is made in it until there is a schedule.
    starter
        Who starts what is asked for at once.
    """

    def __init__(self, store: RunStore, starter: Starter | None = None) -> None:
        self._store = store
        self._table = Table(store.path)
        self._starter = starter or RunStarter()

    def list(self) -> Sequence[Schedule]:
        """Return all schedules; what is due first comes first, what is paused last."""
        if not self._table.exists:
            return []
        with self._table.open() as connection:
            return [row.schedule for row in rows(connection)]

    def find(self, name: str) -> Schedule:
        """Return the schedule of that name or id.

        Raises
        ------
        ScheduleError
            If there is none.
        """
        if not self._table.exists:
            raise unknown(name, [])
        with self._table.open() as connection:
            return find(connection, name).schedule

    def checked(self, schedule: Schedule) -> Schedule:
        """Return a schedule as it would be kept, absolute paths and ids in place of names.

        Raises
        ------
        MlwidgetsError
            If it cannot be kept.
        """
        schedule = check_target(self._store, checked(schedule))
        check_notify(schedule)
        check_order(self._store, schedule, self.list())
        return schedule

    def preview(self, schedule: Schedule, count: int = 5, now: float | None = None) -> tuple[str, Sequence[float]]:
        """Return in words when a schedule is due, and its next times without jitter.

        Raises
        ------
        ScheduleError
            If it is none.
        """
        now = time.time() if now is None else now
        schedule = checked(schedule)
        if schedule.cron is None:
            return when(schedule), []
        times = next_times(schedule.cron, schedule.timezone, count, now)
        return when(schedule), [at for at in times if schedule.until is None or at <= schedule.until]

    def add(self, schedule: Schedule, now: float | None = None) -> Schedule:
        """Keep a schedule; return it with its id and when it is due next.

        Raises
        ------
        MlwidgetsError
            If there is one of that name, or it cannot be kept: one line that says why.
        """
        now = time.time() if now is None else now
        schedule = replace(self.checked(schedule), id=_new_id(), created=now, changed=now)
        seen = look(self._store, schedule, None, now).seen
        self._store.prepare()
        with self._table.open() as connection, writing(connection):
            _check_free(connection, schedule)
            due, next_ = _first(connection, schedule, now)
            schedule = replace(schedule, next=next_)
            insert(connection, Row(schedule, 0, due, seen, 0.0))
        return schedule

    def edit(self, which: str, /, *, now: float | None = None, **given: Any) -> Schedule:
        """Change fields of a schedule; what it has started goes on.

        Raises
        ------
        MlwidgetsError
            If there is no such schedule or field, or it cannot be kept so; it stays as it was then.
        """
        now = time.time() if now is None else now
        unfit = set(given) - ({f.name for f in fields(Schedule)} - set(_KEPT) | {"enabled"})
        if unfit:
            raise ScheduleError(f"a schedule has no field {min(unfit)!r} that can be changed")
        old = self.find(which)
        new = replace(self.checked(replace(old, **given)), changed=now)
        seen = look(self._store, new, None, now).seen
        with self._table.open() as connection, writing(connection):
            row = find(connection, old.id)
            # Somebody else may have changed other fields meanwhile.
            schedule = checked(replace(row.schedule, **{field: getattr(new, field) for field in (*given, "changed")}))
            _check_free(connection, schedule)
            due, next_ = row.due, row.schedule.next
            if any(getattr(schedule, field) != getattr(row.schedule, field) for field in _WHEN):
                due, next_ = _first(connection, schedule, now, row.floor)
            if all(getattr(schedule, field) == getattr(row.schedule, field) for field in _CONDITIONS):
                seen = row.seen
            schedule = replace(schedule, next=next_)
            change(connection, replace(row, schedule=schedule, due=due, seen=seen))
        return schedule

    def pause(self, name: str, now: float | None = None) -> Schedule:
        """Let nothing be due until `resume`; what runs goes on."""
        return self._enable(name, now, enabled=False)

    def resume(self, name: str, now: float | None = None) -> Schedule:
        """Let a paused schedule be due again from now on: the times of the pause are not missed."""
        return self._enable(name, now, enabled=True)

    def _enable(self, name: str, now: float | None, *, enabled: bool) -> Schedule:
        # What it names need not be there for that.
        now = time.time() if now is None else now
        if not self._table.exists:
            raise unknown(name, [])
        with self._table.open() as connection, writing(connection):
            row = find(connection, name)
            if row.schedule.enabled == enabled:
                return row.schedule
            schedule = replace(row.schedule, enabled=enabled, changed=now)
            due, next_ = upcoming(connection, schedule, now, row.floor)
            schedule = replace(schedule, next=next_)
            change(connection, replace(row, schedule=schedule, due=due))
        return schedule

    def remove(self, name: str) -> Schedule:
        """Forget a schedule and its history; its runs and editions stay.

        Raises
        ------
        ScheduleError
            If there is none.
        """
        if not self._table.exists:
            raise unknown(name, [])
        with self._table.open() as connection, writing(connection):
            schedule = find(connection, name).schedule
            connection.execute("DELETE FROM firings WHERE schedule = ?", (schedule.id,))
            connection.execute("DELETE FROM schedules WHERE id = ?", (schedule.id,))
        return schedule

    def duplicate(self, name: str, new_name: str | None = None, now: float | None = None) -> Schedule:
        """Keep a schedule once more under another name, paused: to be edited first.

        Raises
        ------
        ScheduleError
            If there is no such schedule, or one of the new name.
        """
        now = time.time() if now is None else now
        old = self.find(name)
        taken = {one.name for one in self.list()}
        free = (f"{old.name[:70]}-{number}" for number in range(2, len(taken) + 3))
        new = replace(old, name=new_name or next(one for one in free if one not in taken), enabled=False)
        # A report of its own, or the two would publish into each other.
        target = {key: value for key, value in old.target.items() if key != "report"}
        return self.add(replace(new, target=target), now)

    def run_now(self, name: str, now: float | None = None) -> Sequence[Firing]:
        """Start what a schedule starts, at once; its times stay as they are.

        Raises
        ------
        ScheduleError
            If there is no such schedule, it still runs and must not overlap, or it cannot be started.
        """
        began = time.monotonic()
        now = time.time() if now is None else now
        if not self._table.exists:
            raise unknown(name, [])
        with self._table.open() as connection:
            settle(connection, self._store, [find(connection, name).schedule.id], self._starter, now)
            with writing(connection):
                schedule = find(connection, name).schedule
                going = [one for one in open_firings(connection, schedule.id) if one.state != "waiting"]
                if going and not schedule.overlap:
                    raise ScheduleError(f"{schedule.name} still runs ({going[0].run}): stop it first, or allow overlap")
                written = claim_elements(connection, self._store, schedule, now, now, HAND)
                keys = [one.id for one in written if one is not None and one.state == CLAIMED]
            start_claimed(connection, self._store, [schedule.id], self._starter, lambda: now + time.monotonic() - began)
            found = firings(connection, f"id IN ({', '.join('?' * len(keys))})", keys)[::-1]
        failed = next((one for one in found if one.state in {"failed", "waiting"}), None)
        if failed is not None:
            raise ScheduleError(f"{schedule.name} could not be started: {failed.reason}")
        return found

    def firings(self, name: str | None = None, limit: int = 100, before: int | None = None) -> Sequence[Firing]:
        """Return what schedules have started, the newest first.

        Parameters
        ----------
        name
            Of the schedule that is meant; of all if None.
        before
            Id of the firing before which to go on.

        Raises
        ------
        ScheduleError
            If there is no such schedule.
        """
        if not self._table.exists:
            if name is not None:
                raise unknown(name, [])
            return []
        with self._table.open() as connection:
            key = None if name is None else find(connection, name).schedule.id
            return firings(connection, "schedule = coalesce(?, schedule) AND id < ?", (key, before or _END), limit)

    def last_tick(self) -> float | None:
        """Return when somebody ticked last, to the minute; None where nobody ever did."""
        if not self._table.exists:
            return None
        with self._table.open() as connection:
            return last_tick(connection)

    def missed(self, since: float, now: float | None = None) -> Sequence[Missed]:
        """Return the due times that nobody was there for, found since a moment, and those that are overdue now.

        Parameters
        ----------
        since
            Unix seconds.
        """
        now = time.time() if now is None else now
        if not self._table.exists:
            return []
        with self._table.open() as connection:
            known = {row.schedule.id: row for row in rows(connection)}
            where = (
                "claimed >= ? AND trigger = 'time' AND element < 1 AND (state = ? OR missed > 0 OR claimed > due + ?)"
            )
            gone = firings(connection, where, (since, MISSED, GRACE))
        found = [_of_row(row, now) for row in known.values() if _is_overdue(row, now)]
        # A look that found nothing new is no start that was missed.
        starts = [one for one in gone if one.schedule in known and not (one.state == SKIPPED and one.element < 0)]
        return [*found, *(_of_firing(known[one.schedule].schedule, one) for one in starts)]


def when(schedule: Schedule) -> str:
    """Return in words when a schedule starts."""
    parts = [] if schedule.cron is None else [words(schedule.cron, schedule.timezone)]
    conditions = [f"{schedule.after} has succeeded"] if schedule.after else []
    if schedule.when_changed:
        conditions.append(
            f"{', '.join(schedule.when_changed)} {'has' if len(schedule.when_changed) == 1 else 'have'} changed"
        )
    if conditions and schedule.cron:
        parts.append(f"if {' and '.join(conditions)} since the last time")
    elif conditions:
        parts.append(f"each time that {' or '.join(conditions)}")
    return ", ".join(parts)


def _new_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))


def _check_free(connection: sqlite3.Connection, schedule: Schedule) -> None:
    if rows(connection, "name = ? AND id != ?", (schedule.name, schedule.id)):
        raise ScheduleError(f"there is a schedule {schedule.name!r} already: edit it, or give this one another name")


def _first(
    connection: sqlite3.Connection, schedule: Schedule, now: float, floor: float = 0.0
) -> tuple[float | None, float | None]:
    due, next_ = upcoming(connection, schedule, now, floor)
    ended = schedule.until is not None and schedule.until < now
    if schedule.enabled and (ended or (schedule.cron is not None and due is None)):
        raise ScheduleError(f"the schedule {schedule.name} is never due before its end; give a later one (--until)")
    return due, next_


def _is_overdue(row: Row, now: float) -> bool:
    next_ = row.schedule.next
    return row.schedule.enabled and next_ is not None and now - next_ > GRACE


def _of_row(row: Row, now: float) -> Missed:
    schedule, due = row.schedule, row.due
    assert schedule.cron is not None
    assert due is not None
    last = last_due(schedule.cron, schedule.timezone, now if schedule.until is None else min(now, schedule.until), due)
    count = 1 + count_due(schedule.cron, schedule.timezone, due, last, MOST_COUNTED - 1)
    return Missed(schedule.id, schedule.name, due, last, count, None)


def _of_firing(schedule: Schedule, firing: Firing) -> Missed:
    first = firing.due if firing.first is None else firing.first
    # What ran late was missed as well.
    count = firing.missed + (1 if firing.state != MISSED and firing.late else 0)
    last = firing.due
    return Missed(schedule.id, schedule.name, first, last, max(1, count), firing.claimed, firing.run)
