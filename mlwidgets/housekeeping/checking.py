"""A whole store looked through: runs, objects, index, reports, schedules, the trash, and what the dead left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from mlwidgets.archives.staging import finish_leftovers, leftovers
from mlwidgets.errors import MlwidgetsError
from mlwidgets.housekeeping import worktrees
from mlwidgets.housekeeping.collecting import aside, put_back
from mlwidgets.housekeeping.finding import Finding
from mlwidgets.housekeeping.folders import check_run
from mlwidgets.reports.publishing import retention
from mlwidgets.reports.publishing.definition import writing
from mlwidgets.reports.publishing.editions import PUBLISHED, Report, read_edition, reports
from mlwidgets.runs.folder import RunFolder, read_json, write_whole
from mlwidgets.runs.index import RunIndex
from mlwidgets.runs.leftovers import lives
from mlwidgets.runs.machine import host
from mlwidgets.runs.objects import content_digest
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.trash import KEPT
from mlwidgets.schedules.schedule import Schedule
from mlwidgets.schedules.table import Table

_NEW = ".new-"
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.[0-9a-f]{8}")
_BEING_MADE = 86400.0
"""Seconds after which a thing that somebody has begun is one of the dead, where nothing tells who that was."""


def check(store: RunStore, *, repair: bool = False, deep: bool = False) -> Iterator[Finding]:
    """Yield what is wrong with a store.

    Parameters
    ----------
    repair
        Put right what can be. No data of a run are deleted: what is taken out of a file lies beside it.
    deep
        Read every object that a run refers to and the states of all checkpoints, and check that they are what was
        written.
    """
    # First: what is found here makes other things right.
    yield from _check_imports(store, repair=repair)
    yield from _check_collected(store, repair=repair)
    objects = _Objects(store, deep=deep, repair=repair)
    for folder in store.folders():
        try:
            if folder.path.is_dir():
                yield from check_run(folder, objects.look, repair=repair, deep=deep)
            else:
                yield Finding(f"runs/{folder.id}", "is no run folder")
        except OSError as error:
            if folder.path.exists():
                yield Finding(f"runs/{folder.id}", f"cannot be read: {error.strerror or error}")
        except MlwidgetsError:
            # It was deleted meanwhile.
            continue
    yield from objects.found
    yield from _check_begun(store, repair=repair)
    yield from _check_index(store, repair=repair)
    yield from _check_reports(store, repair=repair)
    yield from _check_schedules(store)
    yield from _check_trash(store, repair=repair)
    yield from worktrees.check(store, repair=repair)


class _Objects:
    """Looks at each object once, however many runs refer to it."""

    def __init__(self, store: RunStore, *, deep: bool, repair: bool) -> None:
        self._store, self._deep, self._repair = store, deep, repair
        self._known: dict[str, str | None] = {}
        self.found: list[Finding] = []

    def look(self, digest: str) -> str | None:
        """Return what is wrong with an object."""
        if digest not in self._known:
            self._known[digest] = self._look(digest)
        return self._known[digest]

    def _look(self, digest: str) -> str | None:
        path = self._store.objects.path / os.path.basename(digest)
        if not path.is_file():
            return "is missing"
        if not self._deep:
            return None
        try:
            whole = content_digest(memoryview(self._store.objects.map(digest))) == digest
        except OSError as error:
            return f"cannot be read ({error.strerror or error})"
        if whole:
            return None
        done = None
        if self._repair:
            # Whoever submits the same content again stores it anew then.
            with contextlib.suppress(OSError):
                os.replace(path, path.with_name(f"{digest}.damaged"))
                done = f"moved to {digest}.damaged"
        self.found.append(Finding(f"objects/{digest}", "is not what its name says", done))
        return "is damaged"


def _check_imports(store: RunStore, *, repair: bool) -> Iterator[Finding]:
    for path in leftovers(store):
        yield Finding(path.name, "an import was killed", "finished or removed" if repair else None)
    if repair:
        finish_leftovers(store)


def _check_collected(store: RunStore, *, repair: bool) -> Iterator[Finding]:
    for name in aside(store):
        done = "put back" if repair else None
        yield Finding(f"objects/{name}", "was taken aside by a collector that was killed", done)
    if repair:
        put_back(store)


def _check_begun(store: RunStore, *, repair: bool) -> Iterator[Finding]:
    """Look for run folders and objects that killed processes had begun."""
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(store.runs)):
            path = store.runs / name
            if name.startswith(_NEW) and path.is_dir() and _is_of_the_dead(path):
                done = _removed(path) if repair else None
                yield Finding(f"runs/{name}", "was begun by a submit that was killed; no run of it was started", done)
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(store.objects.path)):
            path = store.objects.path / name
            if _TEMPORARY.fullmatch(name) and _is_old(path):
                done = _removed(path) if repair else None
                yield Finding(f"objects/{name}", "was begun by a process that was killed", done)


def _is_of_the_dead(path: Path) -> bool:
    provenance = (read_json(RunFolder(path).spec) or {}).get("provenance")
    if (
        isinstance(provenance, dict)
        and provenance.get("host") == host()
        and isinstance(provenance.get("kernel_pid"), int)
    ):
        return not lives(provenance["kernel_pid"])
    return _is_old(path)


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _BEING_MADE
    except OSError:
        return False


def _removed(path: Path) -> str | None:
    with contextlib.suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        return "removed"
    return None


def _check_index(store: RunStore, *, repair: bool) -> Iterator[Finding]:
    path = store.path / "index.sqlite"
    if not path.exists():
        return
    what = _damage_of(path)
    stale: list[str] = []
    if what is None:
        stale = sorted(set(RunIndex(store).kept()) - {folder.id for folder in store.folders()})
        what = f"knows {len(stale):,} runs that are gone" if stale else None
    if what is None:
        return
    done = None
    if repair:
        with contextlib.suppress(OSError):
            if stale:
                RunIndex(store).forget(stale)
            else:
                for name in (path.name, f"{path.name}-journal", f"{path.name}-wal", f"{path.name}-shm"):
                    path.with_name(name).unlink(missing_ok=True)
            done = f"made anew of {len(RunIndex(store).summaries()):,} runs"
    yield Finding("index.sqlite", what, done)


def _damage_of(path: Path) -> str | None:
    """Return what SQLite finds wrong with a file."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
        try:
            (told,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        return None if "locked" in str(error) else f"cannot be read: {error}"
    except sqlite3.Error as error:
        return f"is damaged: {error}"
    return None if told == "ok" else f"is damaged: {' '.join(str(told).split())}"[:200]


def _check_reports(store: RunStore, *, repair: bool) -> Iterator[Finding]:
    for report in reports(store):
        top = f"reports/{report.name}"
        try:
            if read_json(report.path / "definition.json") is None:
                yield Finding(f"{top}/definition.json", "cannot be read; publish the report again to write it anew")
            yield from _check_editions(report, top, repair=repair)
        except (MlwidgetsError, OSError) as error:
            yield Finding(top, f"cannot be read: {error}")


def _check_editions(report: Report, top: str, *, repair: bool) -> Iterator[Finding]:
    for one in report.ids():
        edition = read_edition(report.path / "editions" / one)
        if edition is None:
            yield Finding(f"{top}/editions/{one}/edition.json", "cannot be read; no list shows this edition")
        elif edition.state == PUBLISHED and not edition.page.is_file():
            yield Finding(f"{top}/editions/{one}", "was published, and its page is missing")
    with writing(report.store, report.name, wait=False) as alone:
        # Whoever publishes is about to write both.
        if not alone:
            return
        begun = [name for name in sorted(os.listdir(report.path / "editions")) if name.startswith((".new-", ".old-"))]
        for name in begun:
            done = "removed" if repair else None
            yield Finding(
                f"{top}/editions/{name}", "was left half made or half removed by a process that was killed", done
            )
        if repair and begun:
            retention.sweep(report)
        path = report.path / "latest.json"
        told = (read_json(path) or {}).get("edition") if path.exists() else None
        shown = report.find(told) if isinstance(told, str) else None
        newest = report.latest()
        if newest is None or (shown is not None and shown.state == PUBLISHED):
            return
        what = "is missing" if not path.exists() else "names no edition that was published"
        done = None
        if repair:
            with contextlib.suppress(OSError):
                write_whole(path, json.dumps({"edition": newest.id}).encode())
                done = f"names {newest.id}"
        yield Finding(f"{top}/latest.json", what, done)


def _check_schedules(store: RunStore) -> Iterator[Finding]:
    table = Table(store.path)
    if not table.exists:
        return
    name, what = table.path.name, _damage_of(table.path)
    if what is not None:
        yield Finding(name, f"{what}; move that file away, and schedule anew")
        return
    try:
        with table.open() as connection:
            for key, called, definition in connection.execute("SELECT id, name, definition FROM schedules").fetchall():
                try:
                    Schedule.from_json({**json.loads(definition), "id": key, "name": called})
                except (ValueError, KeyError, TypeError, AttributeError, MlwidgetsError) as error:
                    yield Finding(name, f"the schedule {called!r} cannot be read: {error}"[:200])
    except (MlwidgetsError, sqlite3.Error) as error:
        yield Finding(name, str(error))


def _check_trash(store: RunStore, *, repair: bool) -> Iterator[Finding]:
    trash = store.path / "trash"
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(trash)):
            path = trash / name
            if name.startswith(".old-"):
                done = _removed(path) if repair else None
                yield Finding(f"trash/{name}", "was left half removed by a process that was killed", done)
            elif not path.is_dir() or path.is_symlink():
                yield Finding(f"trash/{name}", "is no deleted run")
            elif time.time() - path.stat().st_mtime < KEPT:
                try:
                    RunFolder(path).read_spec()
                except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
                    yield Finding(f"trash/{name}", "is damaged, and can be restored only as it is")
