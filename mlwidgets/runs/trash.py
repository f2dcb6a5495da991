"""Runs that were deleted, from where they can be restored for a while."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

from mlwidgets.errors import StoreError, UnknownRun
from mlwidgets.runs.alive import holder
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.state import settle
from mlwidgets.runs.store import RunStore, age, name_of

KEPT = 7 * 86400.0
"""Seconds for which a deleted run can be restored; what is older goes with the next deletion."""
_PATIENCE = 3.0
"""Seconds that the processes of a run that has ended may take for their last words."""


def delete(store: RunStore, folder: RunFolder) -> float:
    """Move an ended run into the trash; return until when (Unix seconds) it can be restored at least.

    Raises
    ------
    StoreError
        If the run goes on, or the store cannot be written.
    UnknownRun
        If its folder is gone.
    """
    outcome = settle(folder)
    name = name_of(folder.id) or folder.id
    if not outcome.ended:
        raise StoreError(f"run {name!r} is {outcome.state}; stop it first")
    deadline = time.monotonic() + _PATIENCE
    while any(holder(folder.alive, role) is not None for role in ("supervisor", "worker")):
        if time.monotonic() > deadline:
            raise StoreError(f"run {name!r} is about to end; try again in a moment")
        time.sleep(0.05)
    now = time.time()
    trash = _trash(store)
    try:
        trash.mkdir(mode=0o700, exist_ok=True)
        # The folder's own time tells when: renaming leaves it as it is.
        os.utime(folder.path, (now, now))
        os.rename(folder.path, trash / folder.id)
    except FileNotFoundError as error:
        raise UnknownRun(f"run {name!r} is gone: its folder {folder.path} was deleted") from error
    except OSError as error:
        raise StoreError(f"run {name!r} could not be deleted: {error.strerror or error}") from error
    _empty(trash, now - KEPT)
    return now + KEPT


def restore(store: RunStore, run_id: str) -> RunFolder:
    """Bring a deleted run back.

    Raises
    ------
    UnknownRun
        If the trash has no such run.
    StoreError
        If there is a run of that id, or the store cannot be written.
    """
    if run_id not in _names(store):
        raise UnknownRun(f"no deleted run {run_id!r} in the store {store.path}")
    target = store.runs / run_id
    if target.exists():
        raise StoreError(f"there is a run {run_id!r} already")
    try:
        os.rename(_trash(store) / run_id, target)
    except OSError as error:
        raise StoreError(f"run {run_id!r} could not be restored: {error.strerror or error}") from error
    return RunFolder(target)


def find_deleted(store: RunStore, name: str) -> str:
    """Return the id of the deleted run of that name, id or beginning of an id; of several the newest.

    Raises
    ------
    UnknownRun
        If there is none.
    """
    names = _names(store)
    for run_id in names:
        if run_id == name or name_of(run_id) == name or (len(name) >= 8 and run_id.startswith(name)):
            return run_id
    known = list(dict.fromkeys(map(name_of, names)))
    have = f"it has: {', '.join(known[:8])}" if known else "it is empty"
    raise UnknownRun(f"no run {name!r} in the trash of the store {store.path}; {have}")


def _trash(store: RunStore) -> Path:
    return store.path / "trash"


def _names(store: RunStore) -> list[str]:
    try:
        with os.scandir(_trash(store)) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(names, key=age, reverse=True)


def _empty(trash: Path, before: float) -> None:
    with contextlib.suppress(OSError), os.scandir(trash) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < before:
                shutil.rmtree(entry.path, ignore_errors=True)
