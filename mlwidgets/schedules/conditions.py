"""What a schedule comes after: a newer edition or finished run, and files whose content has changed."""

from __future__ import annotations

import glob
import hashlib
import itertools
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlwidgets.errors import ParameterError
from mlwidgets.runs.folder import read_json
from mlwidgets.runs.spec import check_name
from mlwidgets.runs.state import FINISHED
from mlwidgets.runs.store import RunStore, age
from mlwidgets.schedules.firing import AFTER, CHANGED
from mlwidgets.schedules.schedule import Schedule

MOST_FILES = 10_000
SETTLED = 2.0
"""Seconds since a file was written last after which it is taken for whole."""
LARGE = 32 << 20
"""Bytes of a file beyond which its time, its size and both its ends stand for its content."""
AT_ONCE = 128 << 20
"""Bytes that one look reads at most; of what is left only the same is read as of large files."""
_CHUNK = 1 << 20
_SIGNS = frozenset("*?[")


@dataclass(frozen=True)
class Look:
    """What the conditions of a schedule are.

    Attributes
    ----------
    seen : str or None
        To be kept for the next look.
    news : str or None
        ``after`` or ``changed``; None where there are none.
    lacking : str
        What there is nothing new of, in words.
    """

    seen: str | None
    news: str | None
    lacking: str = ""


def look(store: RunStore, schedule: Schedule, seen: str | None, now: float, *, settled: bool = False) -> Look:
    """Look at what a schedule waits for, beside its times.

    With `Schedule.cron` there is news where all of it is new, else where any is.

    Parameters
    ----------
    seen
        What the last look returned.
    settled
        Do not see a change yet of what is being written.
    """
    if not (schedule.after or schedule.when_changed):
        return Look(None, None)
    before = _read(seen)
    found: dict[str, Any] = {}
    news, lacking = [], []
    if schedule.after:
        was, newest = before.get("after"), newest_success(store, schedule.after)
        is_new = newest is not None and (not isinstance(was, str) or age(newest) > age(was))
        found["after"] = newest if is_new else was
        if is_new:
            news.append(AFTER)
        else:
            lacking.append(f"{schedule.after} has succeeded no further time")
    if schedule.when_changed:
        known = before.get("files")
        files, recent = _digests(schedule.when_changed, known if isinstance(known, dict) else {}, now)
        is_new = _contents(files) != _contents(known) and not (settled and recent)
        found["files"] = files if is_new or not (settled and recent) else known
        if is_new:
            news.append(CHANGED)
        else:
            lacking.append(f"{', '.join(schedule.when_changed)} did not change")
    wanted = bool(schedule.after) + bool(schedule.when_changed) if schedule.cron else 1
    return Look(json.dumps(found), news[0] if len(news) >= wanted else None, " and ".join(lacking))


def _read(seen: str | None) -> dict[str, Any]:
    try:
        found = json.loads(seen or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def newest_success(store: RunStore, name: str) -> str | None:
    """Return the id of the newest published edition of a report, or else of the newest finished run of that name."""
    try:
        report = store.path / "reports" / check_name(name)
    except ParameterError:
        return None
    if (report / "definition.json").exists():
        edition = (read_json(report / "latest.json") or {}).get("edition")
        return edition if isinstance(edition, str) else None
    for folder in store.called(name):
        if (read_json(folder.outcome) or {}).get("state") == FINISHED:
            return folder.id
    return None


def is_known(store: RunStore, name: str) -> bool:
    """Whether there is a report or a run of that name."""
    try:
        if (store.path / "reports" / check_name(name) / "definition.json").exists():
            return True
    except ParameterError:
        return False
    return any(True for _ in store.called(name))


def files_of(paths: tuple[str, ...]) -> Iterator[str]:
    """Yield the files that paths name: themselves, all below a folder but what is hidden, all that a pattern finds."""
    for path in paths:
        found = sorted(glob.iglob(path, recursive=True)) if _SIGNS & set(path) else [path]
        for one in found:
            if not os.path.isdir(one):
                yield one
                continue
            for folder, folders, names in os.walk(one):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                yield from (os.path.join(folder, name) for name in sorted(names) if not name.startswith("."))


def _digests(paths: tuple[str, ...], known: dict[str, Any], now: float) -> tuple[dict[str, list[Any]], bool]:
    """Return size, time and digest of each file, and whether one was written just now; what looks the same is."""
    files: dict[str, list[Any]] = {}
    recent = False
    budget = AT_ONCE
    for path in itertools.islice(files_of(paths), MOST_FILES):
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                # Whoever opens a pipe waits for its other end.
                continue
            mark = [status.st_size, status.st_mtime_ns, status.st_ino]
            was = known.get(path)
            if isinstance(was, list) and was[:3] == mark:
                files[path] = was
                continue
            recent = recent or abs(now - status.st_mtime) < SETTLED
            whole = status.st_size <= min(LARGE, budget)
            budget -= status.st_size if whole else 0
            files[path] = [*mark, _digest(Path(path)) if whole else _digest_of_ends(Path(path), mark)]
        except OSError:
            # Nobody can read it, so nobody can say that it changed.
            if path in known and os.path.lexists(path):
                files[path] = known[path]
    return files, recent


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _digest_of_ends(path: Path, mark: list[int]) -> str:
    digest = hashlib.blake2b(repr(mark[:2]).encode(), digest_size=16)
    with open(path, "rb") as file:
        digest.update(file.read(_CHUNK))
        file.seek(max(0, mark[0] - _CHUNK))
        digest.update(file.read(_CHUNK))
    return digest.hexdigest()


def _contents(files: Any) -> dict[str, str] | None:
    return {path: entry[-1] for path, entry in files.items()} if isinstance(files, dict) else None
