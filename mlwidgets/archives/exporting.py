"""Runs written as one archive: beside its place first, then there by one rename."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import secrets
import stat
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlwidgets.archives.layout import FORMAT, MANIFEST, OBJECTS, OURS, RUN_ID, RUNS, ArchiveError, collision, shown
from mlwidgets.archives.layout import problem_with as problem_with_name
from mlwidgets.runs.checkpoints import BEGUN
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.footprint import footprint
from mlwidgets.runs.foreign import user
from mlwidgets.runs.machine import host
from mlwidgets.runs.state import settle
from mlwidgets.runs.stopping import trials_of
from mlwidgets.runs.store import RunStore, name_now

_PIECE = 1 << 20
_PACKED = 1 << 20
"""Objects of fewer bytes are compressed: what is larger is numbers, which do not get smaller."""
_NUMBERS = ("outputs", "media", "checkpoints")
_AS_IT_IS = ("metrics.bin", "system.bin")
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass
class Exported:
    """What was written: ids of runs, how many objects, bytes of the archive, and what was left out and why."""

    path: Path
    runs: list[str] = field(default_factory=list)
    objects: int = 0
    nbytes: int = 0
    left_out: list[str] = field(default_factory=list)


def export(store: RunStore, names: Sequence[str], target: Path) -> Exported:
    """Write runs with all that they refer to into an archive; a sweep brings its trials along.

    Raises
    ------
    UnknownRun
        If there is no such run.
    ArchiveError
        If one of them goes on, has files that an archive cannot hold, or the archive cannot be written.
    """
    folders: dict[str, RunFolder] = {}
    for name in names:
        found = store.find(name)
        for folder in (found, *(trial for trial in trials_of(found) if trial.path.exists())):
            folders[folder.id] = folder
    for folder in folders.values():
        _check(folder)
    done = Exported(target, sorted(folders))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        _remove_parts_of_the_dead(target)
        with open(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
                _write(archive, store, [folders[run_id] for run_id in done.runs], done)
            file.flush()
            os.fsync(file.fileno())
            done.nbytes = os.fstat(file.fileno()).st_size
        os.replace(temporary, target)
    except OSError as error:
        where = error.filename or target
        raise ArchiveError(f"{target} could not be written: {error.strerror or error}: {where}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return done


def _remove_parts_of_the_dead(target: Path) -> None:
    """Remove what exports to the same place have left that were killed: nobody has a lock on it."""
    for part in target.parent.glob(f".{glob.escape(target.name)}.????????.part"):
        with contextlib.suppress(OSError), open(part, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def _check(folder: RunFolder) -> None:
    outcome, name = settle(folder), name_now(folder) or folder.id
    if not outcome.ended:
        raise ArchiveError(f"run {name!r} is {outcome.state}: wait for its end or stop it, then export it")
    if not RUN_ID.fullmatch(folder.id):
        raise ArchiveError(f"the run folder {folder.path} cannot be exported: {shown(folder.id)} is no run's id")
    try:
        folder.read_spec()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArchiveError(f"run {name!r} is damaged and cannot be exported: {error}; see mlwidgets fsck") from error


def _write(archive: zipfile.ZipFile, store: RunStore, folders: Iterable[RunFolder], done: Exported) -> None:
    members: dict[str, tuple[Path, int]] = {}
    empty: list[str] = []
    digests: set[str] = set()
    for folder in folders:
        digests |= footprint(folder.path).digests
        top = f"{RUNS}/{folder.id}"
        for name, path in _files(folder.path, top, empty, done.left_out):
            numbers = name.startswith(tuple(f"{top}/{part}/" for part in _NUMBERS)) or path.name in _AS_IT_IS
            members[name] = path, zipfile.ZIP_STORED if numbers else zipfile.ZIP_DEFLATED
    for digest in digests:
        path = store.objects.path / digest
        if path.exists():
            small = path.stat().st_size < _PACKED
            members[f"{OBJECTS}/{digest}"] = path, zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
            done.objects += 1
    for name in (*members, *empty):
        problem = problem_with_name(name)
        if problem:
            raise ArchiveError(f"{shown(name)} {problem}: no archive can hold it; rename the file or remove it")
    twins = collision(members)
    if twins:
        raise ArchiveError(
            f"{shown(twins[0])} and {shown(twins[1])} are one file on some disks, and no archive can hold both; "
            "rename one of them"
        )
    # What is told comes last: by then it is known what was written, whatever becomes of the files meanwhile.
    told = {name: _copy(archive, name, *members[name]) for name in sorted(members)}
    manifest = {
        "format": FORMAT,
        "made": {"host": host(), "user": user(), "at": time.time()},
        "runs": done.runs,
        "folders": sorted(empty),
        "members": told,
    }
    with archive.open(_entry(MANIFEST, zipfile.ZIP_DEFLATED), "w", force_zip64=True) as member:
        member.write(json.dumps(manifest, indent=1).encode())


def _entry(name: str, compression: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = compression
    entry.external_attr = (stat.S_IFREG | 0o600) << 16
    return entry


def _copy(archive: zipfile.ZipFile, name: str, path: Path, compression: int) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file, archive.open(_entry(name, compression), "w", force_zip64=True) as member:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
            member.write(piece)
    return {"sha256": digest.hexdigest(), "size": size}


def _files(folder: Path, name: str, empty: list[str], left_out: list[str]) -> Iterator[tuple[str, Path]]:
    """Yield the regular files below a folder with their names in the archive, and note folders that have none."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    if not found:
        empty.append(name)
    for entry in found:
        inside = f"{name}/{entry.name}"
        if entry.name.startswith(BEGUN) and name.count("/") == 2 and name.endswith("/checkpoints"):
            left_out.append(f"{inside} is a checkpoint that was only begun")
        elif entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), inside, empty, left_out)
        elif not entry.is_file(follow_symlinks=False):
            left_out.append(f"{inside} is no file but a link or a device")
        elif not (entry.name in OURS and inside.count("/") == 2):
            yield inside, Path(entry.path)
