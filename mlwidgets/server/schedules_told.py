"""What is told of schedules: as JSON, with what a panel shows of them."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from mlwidgets.errors import MlwidgetsError, ParameterError
from mlwidgets.notifying.targets import shown
from mlwidgets.reports.publishing.definition import SETTINGS
from mlwidgets.runs.folder import read_json
from mlwidgets.runs.store import RunStore, name_of
from mlwidgets.schedules.firing import FAILED, FINISHED, Firing
from mlwidgets.schedules.schedule import REPORT, Schedule
from mlwidgets.schedules.table import Table, firings, open_firings, rows, writing
from mlwidgets.schedules.timetable import Schedules, when
from mlwidgets.schedules.words import moment
from mlwidgets.server.addresses import address_of
from mlwidgets.server.stores import Stores

NEXT, TREND = 5, 20
DAYS_BACK = 30 * 86400.0
_SEEN = "seen"
_PLAIN = (
    *("id", "name", "kind", "enabled", "next", "cron", "timezone", "params", "matrix", "missed", "overlap", "jitter"),
    *("until", "retries", "retry_wait", "after", "source", "created", "changed"),
)
_SETTINGS = [name for name in SETTINGS if name in ("title", "show_code", "on_failed_check")]
_NUMBERS = ("timeout", "cell_timeout")


class Teller:
    """Says what is known of the schedules of one store.

    Parameters
    ----------
    stores
        The server's.
    key
        The store's.
    masked
        Whether addresses that may be secret are shortened.
    """

    def __init__(self, stores: Stores, key: str, *, masked: bool) -> None:
        self.store = stores.open(key)
        self.schedules = Schedules(self.store)
        self._stores = stores
        self._key = key
        self._masked = masked
        self._table = Table(self.store.path)

    def rows(self, only: str | None = None) -> list[dict[str, Any]]:
        """Return all schedules, or the one of that id."""
        if not self._table.exists:
            return []
        with self._table.open() as connection:
            found = [row.schedule for row in rows(connection)]
            going = open_firings(connection)
            return [self._row(connection, one, going) for one in found if only in (None, one.id)]

    def row(self, schedule: Schedule) -> dict[str, Any]:
        """Return one schedule."""
        return next(iter(self.rows(schedule.id)), {})

    def _row(self, connection: sqlite3.Connection, schedule: Schedule, going: Sequence[Firing]) -> dict[str, Any]:
        target = schedule.target
        settings, options = target.get("settings") or {}, target.get("options") or {}
        last = _last(connection, schedule.id)
        ended = "schedule = ? AND state IN (?, ?) AND started IS NOT NULL AND ended IS NOT NULL"
        trend = firings(connection, ended, (schedule.id, FINISHED, FAILED), TREND)[::-1]
        is_report = schedule.kind == REPORT
        return {
            **{name: getattr(schedule, name) for name in _PLAIN},
            "notebook": self._stores.relative(target.get("notebook")) if is_report else None,
            "run": None if is_report else target.get("run"),
            **self._when(schedule),
            "last": last and self.firing(last, schedule),
            "running": [self.firing(one, schedule) for one in going if one.schedule == schedule.id][::-1],
            "durations": [
                {"id": one.id, "due": one.due, "state": one.state, "seconds": _seconds(one)} for one in trend
            ],
            "reports": self._reports(schedule) if is_report else [],
            "when_changed": [self._stores.relative(path) or path for path in schedule.when_changed],
            "notify": _masked(schedule.notify) if self._masked else schedule.notify,
            "report": target.get("report"),
            **{name: settings.get(name) for name in _SETTINGS},
            **{name: options.get(name) for name in _NUMBERS},
        }

    def _when(self, schedule: Schedule) -> dict[str, Any]:
        try:
            return {"words": when(schedule), "times": self.times(schedule, NEXT) if schedule.enabled else []}
        except MlwidgetsError as error:
            # One whose time zone is not there any more hides none of the others.
            return {"words": str(error), "times": []}

    def _reports(self, schedule: Schedule) -> list[dict[str, Any]]:
        told = []
        for number, params in enumerate(schedule.elements):
            name = schedule.name_of(number)
            latest = read_json(self.store.path / "reports" / name / "latest.json") or {}
            told.append(
                {
                    "name": name,
                    "params": params,
                    "address": address_of(self._key, name, ""),
                    "editions": address_of(self._key, name, "editions.html"),
                    "published": bool(latest.get("edition")),
                }
            )
        return told

    def times(self, schedule: Schedule, count: int) -> list[dict[str, Any]]:
        """Return when a schedule is due next, also in words."""
        _, times = self.schedules.preview(schedule, count)
        return [{"at": at, "text": moment(at, schedule.timezone)} for at in times]

    def firing(self, firing: Firing, schedule: Schedule) -> dict[str, Any]:
        """Return one start."""
        told = firing.to_json()
        del told["told"]
        address = None
        if schedule.kind == REPORT and firing.run is not None:
            name = name_of(firing.run)
            edition = self.store.path / "reports" / name / "editions" / firing.run / "edition.json"
            address = address_of(self._key, name, f"{firing.run}.html") if edition.exists() else None
        return {
            **told,
            "name": schedule.name,
            "text": moment(firing.due, schedule.timezone),
            "seconds": _seconds(firing),
            "address": address,
        }

    def history(self, name: str | None, limit: int, before: int | None) -> list[dict[str, Any]]:
        """Return what was started, the newest first."""
        known = {one.id: one for one in self.schedules.list()}
        found = self.schedules.firings(name, limit, before)
        return [self.firing(one, known[one.schedule]) for one in found if one.schedule in known]

    def missed(self, since: float | None) -> dict[str, Any]:
        """Return what nobody was there for since a moment, or since that was looked at last."""
        now = time.time()
        seen = self._seen()
        start = max(seen, now - DAYS_BACK) if since is None else since
        zones = {one.id: one.timezone for one in self.schedules.list()}
        found = [
            {
                "schedule": one.schedule,
                "name": one.name,
                "first": one.first,
                "last": one.last,
                "count": one.count,
                "since": moment(one.first, zones.get(one.schedule, "UTC")),
                "found": one.found,
                "run": one.run,
            }
            for one in self.schedules.missed(start, now)
            if (one.last if one.found is None else one.found) > start
        ]
        return {"store": self._key, "seen": seen, "now": now, "missed": found}

    def _seen(self) -> float:
        if not self._table.exists:
            return 0.0
        with self._table.open() as connection:
            found = connection.execute("SELECT value FROM meta WHERE key = ?", (_SEEN,)).fetchone()
        return float(found[0]) if found else 0.0

    def dismiss(self, upto: Any) -> None:
        """Keep that what was missed up to a moment was looked at.

        Raises
        ------
        ParameterError
            If it is no moment.
        """
        if isinstance(upto, bool) or not isinstance(upto, int | float) or not math.isfinite(upto) or upto < 0:
            raise ParameterError("seen is a time, in Unix seconds")
        if not self._table.exists:
            return
        later = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)"
        with self._table.open() as connection, writing(connection):
            connection.execute(later, (_SEEN, min(float(upto), time.time())))


def _last(connection: sqlite3.Connection, schedule: str) -> Firing | None:
    """Return the newest start; of a matrix one that still runs, else one that failed."""
    newest = "(SELECT due FROM firings WHERE schedule = ? ORDER BY id DESC LIMIT 1)"
    found = firings(connection, f"schedule = ? AND due = {newest}", (schedule, schedule))
    order = [one for one in found if one.open] + [one for one in found if one.state == FAILED] + found
    return order[0] if order else None


def mark_of(store: RunStore) -> str:
    """Return what is another after each change of a store's schedules."""
    # What is overdue and when it is due next change with time alone.
    return f"{time.time() // 60:.0f}-{'-'.join(f'{part:x}' for part in Table(store.path).signature())}"


def _seconds(firing: Firing) -> float | None:
    if firing.started is None or firing.ended is None:
        return None
    return round(max(0.0, firing.ended - firing.started), 3)


def _masked(targets: Any) -> Any:
    if isinstance(targets, str):
        return shown(targets)
    if isinstance(targets, dict):
        return {when_: _masked(some) for when_, some in targets.items()}
    return [_masked(one) for one in targets] if isinstance(targets, list | tuple) else targets
