"""Runs of an archive brought into a store: all of them or none, and nothing of theirs is executed or unpickled."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from mlwidgets.archives.layout import OBJECTS, RUNS, ArchiveError, shown
from mlwidgets.archives.reading import LARGEST, MOST_PACKED, Archive, opened
from mlwidgets.archives.staging import finish_leftovers, put_in_place, staging
from mlwidgets.runs.folder import RunFolder, read_json, write_whole
from mlwidgets.runs.foreign import user
from mlwidgets.runs.machine import host
from mlwidgets.runs.spec import FORMAT
from mlwidgets.runs.state import END_STATES
from mlwidgets.runs.store import RunStore

_CHANGES = frozenset({"annotations.json", "imported.json", "alive"})
"""Files of a run folder that a run may have otherwise and is the same run."""
_LARGEST_TEXT = 256 << 20
"""Bytes of a file that is read whole wherever runs are listed."""


@dataclass(frozen=True)
class Imported:
    """What came in: ids of runs that are new, and of those that were there already."""

    new: tuple[str, ...]
    there: tuple[str, ...]


def import_runs(store: RunStore, path: Path, *, largest: int = LARGEST, most_packed: float = MOST_PACKED) -> Imported:
    """Bring the runs of an archive into the store.

    A run that is there already with the same content is left as it is.

    Parameters
    ----------
    largest, most_packed
        As `mlwidgets.archives.reading.opened`.

    Raises
    ------
    ArchiveError
        If the archive is refused, or a run of it is there with other content; nothing is imported then.
    StoreError
        If the store cannot be written.
    """
    store.prepare()
    with opened(path, largest=largest, most_packed=most_packed) as archive:
        try:
            finish_leftovers(store)
            there = tuple(one for one in archive.runs if _is_there(store, archive, one))
            new = tuple(one for one in archive.runs if one not in there)
            if new:
                _bring(store, archive, new)
        except OSError as error:
            raise ArchiveError(
                f"{path} could not be imported into {store.path}: {error.strerror or error}; nothing was imported"
            ) from error
    return Imported(new, there)


def _bring(store: RunStore, archive: Archive, new: tuple[str, ...]) -> None:
    room = shutil.disk_usage(store.path).free
    if archive.nbytes > room:
        raise ArchiveError(f"{archive.path} holds {archive.nbytes:,} bytes, and {store.path} has room for {room:,}")
    with staging(store) as place:
        for name in sorted(archive.members):
            parts = name.split("/")
            if parts[0] == OBJECTS or parts[1] in new:
                target = place / name
                target.parent.mkdir(parents=True, exist_ok=True)
                archive.extract(name, target)
                if parts[0] == OBJECTS:
                    target.chmod(0o400)
        for name in archive.folders:
            if name.split("/")[1] in new:
                (place / name).mkdir(parents=True, exist_ok=True)
        origin = {
            "archive": os.path.abspath(archive.path),
            "sha256": _digest(archive.path),
            "made": archive.made,
            "at": time.time(),
            "host": host(),
            "by": user(),
            "trusted": None,
        }
        for one in new:
            folder = RunFolder(place / RUNS / one)
            _check(archive, folder)
            for path in (folder.requests, folder.outputs, folder.result):
                path.mkdir(exist_ok=True)
            write_whole(folder.imported, json.dumps(origin).encode(), flush=False)
        # All of it is on the disk before anything of it is in its place.
        os.sync()
        put_in_place(store, place)


def _check(archive: Archive, folder: RunFolder) -> None:
    """Make sure that a folder is an ended run of that id, by what everybody reads of it."""
    for path in (folder.spec, folder.code, folder.outcome):
        if path.exists() and path.stat().st_size > _LARGEST_TEXT:
            raise ArchiveError(f"{archive.path} is refused: {path.name} of {shown(folder.id)} is too large")
    try:
        spec = folder.read_spec()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArchiveError(
            f"{archive.path} is refused: {shown(folder.id)} is no run: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(spec.format, int) or spec.format > FORMAT:
        raise ArchiveError(f"{archive.path} is refused: {shown(folder.id)} is a run of a newer mlwidgets; upgrade it")
    if spec.id != folder.id:
        raise ArchiveError(f"{archive.path} is refused: {shown(folder.id)} says that it is {shown(spec.id)}")
    state = (read_json(folder.outcome) or {}).get("state")
    if not isinstance(state, str) or state not in END_STATES:
        raise ArchiveError(f"{archive.path} is refused: {shown(folder.id)} does not say how it ended")


def _is_there(store: RunStore, archive: Archive, run_id: str) -> bool:
    """Whether the store has this very run.

    Raises
    ------
    ArchiveError
        If it has another one of that id.
    """
    folder, top = store.runs / run_id, f"{RUNS}/{run_id}/"
    if not os.path.lexists(folder):
        return False
    mine = {
        os.path.relpath(os.path.join(where, name), folder)
        for where, _, names in os.walk(folder)
        for name in names
        if os.path.isfile(os.path.join(where, name)) and not os.path.islink(os.path.join(where, name))
    }
    theirs = {name.removeprefix(top) for name in archive.members if name.startswith(top)}
    same = mine - _CHANGES == theirs - _CHANGES and all(
        (folder / name).stat().st_size == archive.members[top + name].size
        and _digest(folder / name) == archive.members[top + name].sha256
        for name in sorted(theirs - _CHANGES)
    )
    if not same:
        raise ArchiveError(
            f"{archive.path} is refused: the store {store.path} has another run {shown(run_id)}; "
            "delete it, or import into another store"
        )
    return True


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
