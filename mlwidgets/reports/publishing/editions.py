"""Reports and their editions, read from the store: only what is asked for, however many there are."""

from __future__ import annotations

import calendar
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from mlwidgets.reports.page.about import Check
from mlwidgets.reports.publishing.definition import Definition, UnknownReport, read_definition, report_names
from mlwidgets.runs.folder import read_json
from mlwidgets.runs.state import START_GRACE
from mlwidgets.runs.store import RunStore, age

PUBLISHED, FAILED, WITHHELD, STOPPED = "published", "failed", "withheld", "stopped"
PAGE, NOTEBOOK, PDF = "index.html", "notebook.ipynb", "report.pdf"
_ID = re.compile(r"\d{8}-\d{6}-[A-Za-z0-9][A-Za-z0-9_.-]*-[0-9a-z]{4}")
LAST = 32_503_680_000.0
"""Unix seconds of the year 3000: a damaged file may say anything, and calendars end."""
_TRIES = 5
"""Looks at a report while it is written: the latest edition may be replaced, and pruned, between two of them."""


@dataclass(frozen=True)
class Edition:
    """One execution of a report, as it was kept.

    Times are in Unix seconds, ``duration`` in seconds, ``bytes`` those of the page. ``failed_cell`` counts from 1.
    ``problems`` are what went wrong after it was made, by what was tried: ``pdf``, ``site``.
    """

    id: str
    state: str
    path: Path = field(compare=False)
    cause: str | None = None
    title: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    duration: float | None = None
    published: float | None = None
    commit: Mapping[str, Any] | None = None
    checks: tuple[Check, ...] = ()
    failed_cell: int | None = None
    bytes: int = 0

    @property
    def time(self) -> float:
        """When it was executed; where it never was, when it was asked for."""
        return self.started if self.started is not None else time_of(self.id)

    @property
    def when(self) -> datetime:
        """The same, with the time zone of this machine."""
        return datetime.fromtimestamp(self.time).astimezone()

    @property
    def page(self) -> Path:
        """Its page, without what is put in when it is shown."""
        return self.path / PAGE

    @property
    def notebook(self) -> Path | None:
        """The notebook as it was executed."""
        return _there(self.path / NOTEBOOK)

    @property
    def pdf(self) -> Path | None:
        """The page as PDF."""
        return _there(self.path / PDF)

    @property
    def problems(self) -> dict[str, str]:
        """What went wrong after it was made."""
        told = (read_json(self.path / "after.json") or {}).get("problems")
        return {str(key): str(text) for key, text in told.items()} if isinstance(told, dict) else {}

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            **{key: getattr(self, key) for key in _PLAIN},
            "params": dict(self.params),
            "commit": dict(self.commit) if self.commit else None,
            "checks": [vars(one) for one in self.checks],
        }


_PLAIN = ("id", "state", "cause", "title", "started", "ended", "duration", "published", "failed_cell", "bytes")
_NUMBERS = ("started", "ended", "duration", "published")


def _there(path: Path) -> Path | None:
    return path if path.is_file() and not path.is_symlink() else None


def time_of(edition_id: str) -> float:
    """Return when an edition was asked for, as its id says: whole Unix seconds."""
    try:
        return float(calendar.timegm(time.strptime(edition_id[:15], "%Y%m%d-%H%M%S")))
    except ValueError:
        return 0.0


def read_edition(path: Path) -> Edition | None:
    """Return the edition in a folder, None where there is none; what is damaged of it is left out."""
    data = read_json(path / "edition.json")
    if data is None:
        return None
    numbers = {
        key: float(data[key])
        for key in _NUMBERS
        if isinstance(data.get(key), int | float) and not isinstance(data[key], bool) and 0 <= data[key] < LAST
    }
    checks = data.get("checks")
    params, commit, cell = data.get("params"), data.get("commit"), data.get("failed_cell")
    return Edition(
        id=path.name,
        state=data["state"] if data.get("state") in (PUBLISHED, WITHHELD, STOPPED) else FAILED,
        path=path,
        cause=data["cause"] if isinstance(data.get("cause"), str) else None,
        title=str(data.get("title") or ""),
        params={str(k): str(v) for k, v in params.items()} if isinstance(params, dict) else {},
        commit=commit if isinstance(commit, dict) else None,
        checks=tuple(map(_check, checks)) if isinstance(checks, list) else (),
        failed_cell=cell if isinstance(cell, int) else None,
        bytes=data["bytes"] if isinstance(data.get("bytes"), int) else 0,
        **numbers,
    )


def _check(data: Any) -> Check:
    told = data if isinstance(data, dict) else {}
    return Check(str(told.get("text", "")), told.get("passed") is True, str(told.get("detail", "")))


class Report:
    """One report of a store; read whenever it is asked.

    Raises
    ------
    UnknownReport
        If there is none of that name, by whatever reads it.
    """

    def __init__(self, store: RunStore, name: str) -> None:
        self.store, self.name = store, name

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.store.path / "reports" / self.definition.name

    @cached_property
    def definition(self) -> Definition:
        """As it was asked for last."""
        return read_definition(self.store, self.name)

    @property
    def title(self) -> str:
        """What it is called: as it was asked for, else as its newest page says, else its name."""
        newest = None if self.definition.title else self.latest() or self.newest()
        return self.definition.title or (newest.title if newest else "") or self.name

    def ids(self) -> list[str]:
        """Return the ids of all editions, the newest first."""
        try:
            names = os.listdir(self.path / "editions")
        except OSError:
            return []
        return sorted(filter(_ID.fullmatch, names), key=age, reverse=True)

    def find(self, edition_id: str) -> Edition | None:
        """Return the edition with that id, None where there is none. What a link leads to was not published here."""
        path = self.path / "editions" / edition_id
        return read_edition(path) if _ID.fullmatch(edition_id) and self._is_here and not path.is_symlink() else None

    @cached_property
    def _is_here(self) -> bool:
        return not self.path.is_symlink() and not (self.path / "editions").is_symlink()

    def edition(self, edition_id: str) -> Edition:
        """Return the edition with that id; ``latest`` and ``newest`` are ids, too.

        Raises
        ------
        UnknownReport
            If there is none.
        """
        special = {"latest": self.latest, "newest": self.newest}.get(edition_id)
        found = self.find(edition_id) if special is None else special()
        if found is None:
            raise UnknownReport(f"report {self.name!r} has no edition {edition_id!r:.120}")
        return found

    def editions(self, limit: int | None = 50, before: str | None = None) -> list[Edition]:
        """Return editions, the newest first: at most `limit`, older than the one with the id `before`."""
        return list(self._read(self.ids(), limit, before))

    def _read(self, ids: list[str], limit: int | None, before: str | None) -> Iterator[Edition]:
        left = len(ids) if limit is None else limit
        for one in ids:
            if left <= 0:
                return
            if before is not None and age(one) >= age(before):
                continue
            edition = self.find(one)
            if edition is not None:
                left -= 1
                yield edition

    def page_of_editions(self, page: int, size: int) -> tuple[list[Edition], int]:
        """Return the editions on a page of a list, the newest on page 1, and how many there are in all."""
        ids = self.ids()
        part = ids[(page - 1) * size : page * size]
        return list(self._read(part, None, None)), len(ids)

    def newest(self) -> Edition | None:
        """Return the edition that was asked for last, however it went."""
        return next(self._read(self.ids(), 1, None), None)

    def latest(self) -> Edition | None:
        """Return the edition at the report's address: the last that was published."""
        for _ in range(_TRIES):
            told = (read_json(self.path / "latest.json") or {}).get("edition")
            found = self.find(told) if isinstance(told, str) else None
            if found is not None and found.state == PUBLISHED:
                return found
        return next((one for one in self._read(self.ids(), None, None) if one.state == PUBLISHED), None)

    def previous(self, edition: Edition) -> Edition | None:
        """Return the last edition that was published before another."""
        older = [one for one in self.ids() if age(one) < age(edition.id)]
        return next((one for one in self._read(older, None, None) if one.state == PUBLISHED), None)

    def since(self, latest: Edition | None) -> list[str]:
        """Return the ids of the editions that were asked for after `latest`, the newest first."""
        ids = self.ids()
        return ids if latest is None else [one for one in ids if age(one) > age(latest.id)]

    def pending(self) -> list[str]:
        """Return the ids of runs that will be editions or are about to be done with, the newest first."""
        try:
            names = os.listdir(self.path / "pending")
        except OSError:
            return []
        return sorted(filter(_ID.fullmatch, names), key=age, reverse=True)

    def making(self) -> list[str]:
        """Return the ids of runs that will be editions, the newest first."""
        return [one for one in self.pending() if not (self.path / "editions" / one).exists() and self._is_made(one)]

    def _is_made(self, run_id: str) -> bool:
        """Whether there is that run, or is about to be; who sent it may have been killed, and runs are deleted."""
        try:
            is_new = time.time() - (self.path / "pending" / run_id).stat().st_mtime < START_GRACE
        except OSError:
            return False
        return is_new or (self.store.runs / run_id).exists()


def reports(store: RunStore) -> list[Report]:
    """Return all reports of a store, in the order of the alphabet."""
    return [Report(store, name) for name in report_names(store)]
