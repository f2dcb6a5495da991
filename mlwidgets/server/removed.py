"""Schedules that were removed just now, with their history: kept for those who want them back."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace

from mlwidgets.errors import ScheduleError, UnknownSchedule
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.claiming import upcoming
from mlwidgets.schedules.firing import Firing
from mlwidgets.schedules.schedule import Schedule
from mlwidgets.schedules.table import Row, Table, find, firings, insert, record, rows, writing
from mlwidgets.schedules.timetable import Schedules

KEPT, HOUR = 100, 3600.0
"""How many, and for how long."""


@dataclass(frozen=True)
class _Kept:
    row: Row
    firings: list[Firing]
    until: float


class Removed:
    """One for each server, in its memory: it goes with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    def remove(self, store: RunStore, name: str) -> tuple[Schedule, float]:
        """Remove a schedule; return it and until when `restore` can bring it back.

        Raises
        ------
        UnknownSchedule
            If there is none.
        """
        schedule = Schedules(store).find(name)
        with Table(store.path).open() as connection:
            row = find(connection, schedule.id)
            known = firings(connection, "schedule = ?", (schedule.id,))[::-1]
        schedule = Schedules(store).remove(schedule.id)
        until = time.time() + HOUR
        with self._lock:
            self._kept[str(store.path), schedule.id] = _Kept(row, known, until)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return schedule, until

    def restore(self, store: RunStore, key: str) -> Schedule:
        """Bring a schedule back; what would have been due meanwhile is not.

        Raises
        ------
        UnknownSchedule
            If it was not removed here, or too long ago.
        ScheduleError
            If another one has its name by now.
        """
        now = time.time()
        place = (str(store.path), key)
        with self._lock:
            kept = self._kept.get(place)
        if kept is None or now > kept.until:
            raise UnknownSchedule(f"no schedule {key!r:.60} was removed here within the last hour")
        schedule = kept.row.schedule
        with Table(store.path).open() as connection, writing(connection):
            if rows(connection, "name = ?", (schedule.name,)):
                raise ScheduleError(f"there is a schedule {schedule.name!r} by now: give that one another name first")
            for firing in kept.firings:
                record(connection, firing)
            due, next_ = upcoming(connection, schedule, now, kept.row.floor)
            schedule = replace(schedule, next=next_)
            insert(connection, replace(kept.row, schedule=schedule, due=due))
        with self._lock:
            self._kept.pop(place, None)
        return schedule
