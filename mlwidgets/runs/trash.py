"""Runs that were deleted, from where they can be restored for a while."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from mlwidgets.errors import StoreError, UnknownRun
from mlwidgets.runs.alive import holder
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.state import settle
from mlwidgets.runs.stopping import trials_of
from mlwidgets.runs.store import RunStore, age, name_now, name_of

KEPT = 7 * 86400.0
"""Seconds for which a deleted run can be restored; what is older goes with the next deletion."""
_GOING = ".old-"
_PATIENCE = 3.0
"""Seconds that the processes of a run that has ended may take for their last words."""


def delete(store: RunStore, folder: RunFolder, *, empty: bool = True) -> float:
    """Move an ended run into the trash; return until when (Unix seconds) it can be restored at least.

    A sweep takes its trials along. They go first: whoever is killed over it has a sweep that can be deleted again.

    Parameters
    ----------
    empty
        Remove what is older than a week for good; whoever deletes thousands does so once, at the end.

    Raises
    ------
    StoreError
        If the run goes on, or a trial of it does, or the store cannot be written.
    UnknownRun
        If its folder is gone.
    """
    now = time.time()
    _make_sure_that_it_has_ended(folder)
    trials = [trial for trial in trials_of(folder) if trial.path.exists()]
    for trial in trials:
        _make_sure_that_it_has_ended(trial)
    for one in (*trials, folder):
        _throw_away(_trash(store), one, now)
    if empty:
        empty_trash(store, now - KEPT)
    return now + KEPT


def _make_sure_that_it_has_ended(folder: RunFolder) -> None:
    outcome = settle(folder)
    name = name_now(folder) or folder.id
    if not outcome.ended:
        raise StoreError(f"run {name!r} is {outcome.state}; stop it first")
    deadline = time.monotonic() + _PATIENCE
    while any(holder(folder.alive, role) is not None for role in ("supervisor", "worker")):
        if time.monotonic() > deadline:
            raise StoreError(f"run {name!r} is about to end; try again in a moment")
        time.sleep(0.05)


def _throw_away(trash: Path, folder: RunFolder, now: float) -> None:
    name = name_now(folder) or folder.id
    try:
        trash.mkdir(mode=0o700, exist_ok=True)
        # The folder's own time tells when: renaming leaves it as it is.
        os.utime(folder.path, (now, now))
        os.rename(folder.path, trash / folder.id)
    except FileNotFoundError as error:
        raise UnknownRun(f"run {name!r} is gone: its folder {folder.path} was deleted") from error
    except OSError as error:
        raise StoreError(f"run {name!r} could not be deleted: {error.strerror or error}") from error


def restore(store: RunStore, run_id: str) -> RunFolder:
    """Bring a deleted run back; a sweep with all its trials, which come first.

    Raises
    ------
    UnknownRun
        If the trash has no such run.
    StoreError
        If there is a run of that id, or the store cannot be written.
    """
    if run_id not in _names(store):
        raise UnknownRun(f"no deleted run {run_id!r} in the store {store.path}")
    if (store.runs / run_id).exists():
        raise StoreError(f"there is a run {run_id!r} already")
    trash = _trash(store)
    trials = [trial.id for trial in trials_of(RunFolder(trash / run_id))]
    for one in (*trials, run_id):
        if one != run_id and not (trash / one).exists():
            continue
        try:
            os.rename(trash / one, store.runs / one)
        except OSError as error:
            raise StoreError(f"run {one!r} could not be restored: {error.strerror or error}") from error
    return RunFolder(store.runs / run_id)


def find_deleted(store: RunStore, name: str) -> str:
    """Return the id of the deleted run of that name, id or beginning of an id; of several the newest.

    Raises
    ------
    UnknownRun
        If there is none.
    """
    called = {run_id: name_now(RunFolder(_trash(store) / run_id)) for run_id in _names(store)}
    for run_id, now in called.items():
        if name in {run_id, now} or (len(name) >= 8 and run_id.startswith(name)):
            return run_id
    for run_id in called:
        if name_of(run_id) == name:
            return run_id
    known = list(dict.fromkeys(called.values()))
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


def empty_trash(store: RunStore, before: float) -> None:
    """Remove for good what was deleted before a time (Unix seconds), and what others were killed over removing."""
    with contextlib.suppress(OSError), os.scandir(_trash(store)) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and (
                entry.name.startswith(_GOING) or entry.stat(follow_symlinks=False).st_mtime < before
            ):
                _remove(Path(entry.path))


def remove(store: RunStore, run_ids: Iterable[str]) -> None:
    """Remove deleted runs for good."""
    for run_id in run_ids:
        _remove(_trash(store) / run_id)


def _remove(path: Path) -> None:
    """Remove a folder so that nobody restores half of it."""
    going = path if path.name.startswith(_GOING) else path.with_name(f"{_GOING}{path.name}-{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):
        os.rename(path, going)
        shutil.rmtree(going, ignore_errors=True)
