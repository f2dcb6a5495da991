"""Which objects of a store anything refers to: runs, deleted ones too, reports and schedules."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from mlwidgets.errors import StoreError
from mlwidgets.runs.footprint import Footprint, digests_in, footprint
from mlwidgets.runs.store import RunStore

_WHOLE = ("spec.json", "result/manifest.json")
"""Files of a run folder that say which objects it needs: half of one would hide some."""


class References:
    """What runs refer to, each read once.

    Attributes
    ----------
    footprints
        By run id, of all runs and deleted runs that were there when it was last looked.
    unsure
        By run id, why nobody knows all that it refers to.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self.footprints: dict[str, Footprint] = {}
        self.unsure: dict[str, str] = {}
        self._others: set[str] = set()

    def look(self) -> None:
        """Read what has come since; a run that is moved into or out of the trash meanwhile is read where it is."""
        while True:
            there = set(_run_ids(self._store))
            self.footprints = {key: value for key, value in self.footprints.items() if key in there}
            self.unsure = {key: why for key, why in self.unsure.items() if key in there}
            unread = there - self.footprints.keys() - self.unsure.keys()
            if not unread:
                break
            for run_id in unread:
                found = self._read(run_id)
                if found is not None:
                    self.footprints[run_id] = found
        self._others = set(_of_reports(self._store)) | set(_of_schedules(self._store))

    def _read(self, run_id: str) -> Footprint | None:
        for path in (self._store.runs / run_id, self._store.path / "trash" / run_id, self._store.runs / run_id):
            try:
                found = footprint(path)
                # One that is about to appear may be half written; it is read again when it has.
                for name in () if run_id.startswith(".") else _WHOLE:
                    with contextlib.suppress(FileNotFoundError):
                        json.loads((path / name).read_bytes())
                if path.is_dir():
                    return found
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self.unsure[run_id] = f"the run {path} cannot be read: {error.strerror or error}"
            except (ValueError, RecursionError):
                self.unsure[run_id] = (
                    f"the run {path} is damaged, so nobody knows which inputs it needs; see mlwidgets fsck"
                )
                return found
        return None

    def digests(self, without: frozenset[str] = frozenset()) -> set[str]:
        """Return all digests that are referred to, but by the runs `without`.

        Raises
        ------
        StoreError
            If nobody knows all that another run refers to.
        """
        for run_id, why in self.unsure.items():
            if run_id not in without:
                raise StoreError(why)
        found = set(self._others)
        for run_id, one in self.footprints.items():
            if run_id not in without:
                found |= one.digests
        return found


def _run_ids(store: RunStore) -> Iterator[str]:
    """Yield the names of all run folders, also of those that are about to appear, and of the deleted ones."""
    # One that moves between the two is seen in one of them at least, whichever way it moves.
    for folder in (store.runs, store.path / "trash", store.runs):
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".old-"):
                    yield entry.name


def _of_reports(store: RunStore) -> Iterator[str]:
    for where, _, names in os.walk(store.path / "reports"):
        for name in names:
            if name.endswith(".json"):
                with contextlib.suppress(FileNotFoundError):
                    yield from digests_in((Path(where) / name).read_bytes())


def _of_schedules(store: RunStore) -> Iterator[str]:
    path = store.path / "schedules.sqlite"
    if not path.exists():
        return
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
        try:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - a name out of the table itself
                    yield from digests_in(" ".join(str(value) for value in row).encode("utf-8", "surrogatepass"))
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"the schedules in {path} cannot be read: {error}; see mlwidgets fsck") from error
