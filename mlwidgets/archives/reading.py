"""An archive that anybody may have made: looked through before anything of it is written."""

from __future__ import annotations

import hashlib
import json
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlwidgets.archives.layout import (
    DIGEST,
    FORMAT,
    LARGEST_MANIFEST,
    MANIFEST,
    MOST_MEMBERS,
    OBJECTS,
    RUN_ID,
    RUNS,
    ArchiveError,
    collision,
    problem_with,
    shown,
)
from mlwidgets.runs.objects import PIECE

LARGEST = 100 << 30
"""Bytes that an archive may hold unless the user allows more."""
HARMLESS = 256 << 20
"""Bytes up to which it does not matter how small they were packed."""
MOST_PACKED = 100.0
"""How many bytes may come out of each byte of the archive beyond that."""
_ENCRYPTED = 0x1
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_READ = 1 << 20


@dataclass(frozen=True)
class Member:
    """A file in the archive, and what it has to be."""

    entry: zipfile.ZipInfo
    sha256: str
    size: int


@dataclass(frozen=True)
class Archive:
    """An archive of which every name and every size is such that it can be written; its content is not read yet."""

    file: zipfile.ZipFile
    path: Path
    runs: tuple[str, ...]
    folders: tuple[str, ...]
    members: dict[str, Member]
    made: dict[str, Any]

    @property
    def nbytes(self) -> int:
        """Bytes of all that is in it."""
        return sum(member.size for member in self.members.values())

    def extract(self, name: str, target: Path) -> None:
        """Write a member where it is to be, which is new, and check what it is.

        Raises
        ------
        ArchiveError
            If it is not what the manifest says.
        """
        member = self.members[name]
        whole, content, size = hashlib.sha256(), _Content(), 0
        try:
            with open(target, "xb") as file, self.file.open(member.entry) as source:
                # One byte more than it may have tells one that goes on.
                while data := source.read(min(_READ, member.size + 1 - size)):
                    size += len(data)
                    if size > member.size:
                        break
                    whole.update(data)
                    content.update(data)
                    file.write(data)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise ArchiveError(f"{self.path}: {shown(name)} is damaged: {error}; nothing was imported") from error
        if size != member.size:
            raise ArchiveError(
                f"{self.path}: {shown(name)} has another size than its manifest says; nothing was imported"
            )
        if whole.hexdigest() != member.sha256:
            raise ArchiveError(
                f"{self.path}: {shown(name)} is not what its manifest says: its SHA-256 differs; nothing was imported"
            )
        if name.startswith(f"{OBJECTS}/") and content.digest() != name.split("/")[1]:
            # Whoever refers to this digest, any run of the store, would read it.
            raise ArchiveError(f"{self.path}: {shown(name)} is not the object of that digest; nothing was imported")


class _Content:
    """`mlwidgets.runs.objects.content_digest` of what comes piece by piece."""

    def __init__(self) -> None:
        self._done: list[bytes] = []
        self._leaf, self._left = hashlib.sha256(), PIECE

    def update(self, data: bytes) -> None:
        while data:
            part, data = data[: self._left], data[self._left :]
            self._leaf.update(part)
            self._left -= len(part)
            if not self._left:
                self._done.append(self._leaf.digest())
                self._leaf, self._left = hashlib.sha256(), PIECE

    def digest(self) -> str:
        last = [self._leaf.digest()] if self._left < PIECE or not self._done else []
        return hashlib.sha256(b"".join([*self._done, *last])).hexdigest()


@contextmanager
def opened(path: Path, *, largest: int = LARGEST, most_packed: float = MOST_PACKED) -> Iterator[Archive]:
    """Open an archive and look through it.

    Parameters
    ----------
    largest
        Bytes that it may hold, unpacked.
    most_packed
        Bytes that may come out of each byte of it, where they are many.

    Raises
    ------
    ArchiveError
        If it is none, or anything about it is not as an archive of ours is.
    """
    try:
        file = zipfile.ZipFile(path)
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, struct.error) as error:
        raise ArchiveError(f"{path} is no zip file, or not all of one: {error}") from error
    with file:
        yield _looked_through(file, path, largest, most_packed)


def _looked_through(file: zipfile.ZipFile, path: Path, largest: int, most_packed: float) -> Archive:
    entries = file.infolist()
    if len(entries) > MOST_MEMBERS:
        raise ArchiveError(f"{path} has {len(entries):,} members; at most {MOST_MEMBERS:,} are taken in")
    names: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        # zipfile cuts a name off at a NUL: what was written is what counts.
        name = entry.orig_filename
        problem = problem_with(name) or _problem_with_kind(entry)
        if problem is None and name in names:
            problem = "is there twice"
        if problem:
            raise ArchiveError(f"{path} is refused: {shown(name)} {problem}; nothing was imported")
        names[name] = entry
    twins = collision(names)
    if twins:
        raise ArchiveError(
            f"{path} is refused: {shown(twins[0])} and {shown(twins[1])} are one file on some disks; "
            "nothing was imported"
        )
    total = sum(entry.file_size for entry in entries)
    if total > largest:
        raise ArchiveError(
            f"{path} is refused: it holds {total:,} bytes, and at most {largest:,} are taken in; --max-size allows more"
        )
    if total > HARMLESS and total > most_packed * path.stat().st_size:
        raise ArchiveError(
            f"{path} is refused: {total:,} bytes would come out of {path.stat().st_size:,}; "
            "--max-ratio allows more if you know whoever made it"
        )
    told = _manifest(file, path, names.pop(MANIFEST, None))
    members = _members(path, names, told.get("members"))
    runs, folders = _runs(path, members, told.get("runs")), _folders(path, told)
    made = told.get("made")
    return Archive(file, path, runs, folders, members, made if isinstance(made, dict) else {})


def _problem_with_kind(entry: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is a symbolic link" if kind == stat.S_IFLNK else "is neither a file nor anything that a run has"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    return None if entry.compress_type in _METHODS else "is packed in a way that is not ours"


def _manifest(file: zipfile.ZipFile, path: Path, entry: zipfile.ZipInfo | None) -> dict[str, Any]:
    if entry is None:
        raise ArchiveError(f"{path} is no archive of runs: it has no {MANIFEST}; `mlwidgets export` writes one")
    if entry.file_size > LARGEST_MANIFEST:
        raise ArchiveError(f"{path} is refused: its {MANIFEST} is too large")
    try:
        with file.open(entry) as member:
            told = json.loads(member.read(entry.file_size + 1))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ArchiveError(f"{path}: its {MANIFEST} is damaged: {error}; nothing was imported") from error
    version = told.get("format") if isinstance(told, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ArchiveError(f"{path} is no archive of runs: its {MANIFEST} names no format")
    if version > FORMAT:
        raise ArchiveError(
            f"{path} was written by a newer mlwidgets (format {version}, this one reads up to {FORMAT}); "
            "upgrade mlwidgets"
        )
    found: dict[str, Any] = told
    return found


def _members(path: Path, names: dict[str, zipfile.ZipInfo], told: Any) -> dict[str, Member]:
    if not isinstance(told, dict):
        raise ArchiveError(f"{path}: its {MANIFEST} names no members; nothing was imported")
    for name in (*names, *told):
        if name not in names or name not in told:
            where = "in the archive" if name not in names else f"in its {MANIFEST}"
            raise ArchiveError(f"{path} is refused: {shown(name)} is not {where}; nothing was imported")
    members = {}
    for name, entry in names.items():
        said = told[name]
        sha256, size = (said.get("sha256"), said.get("size")) if isinstance(said, dict) else (None, None)
        if not isinstance(sha256, str) or not DIGEST.fullmatch(sha256) or size != entry.file_size:
            raise ArchiveError(
                f"{path} is refused: {shown(name)} has another size or digest than its manifest says; "
                "nothing was imported"
            )
        members[name] = Member(entry, sha256, entry.file_size)
    return members


def _runs(path: Path, members: dict[str, Member], told: Any) -> tuple[str, ...]:
    if (
        not isinstance(told, list)
        or not told
        or not all(isinstance(one, str) and RUN_ID.fullmatch(one) for one in told)
    ):
        raise ArchiveError(f"{path}: its {MANIFEST} names no runs by their ids; nothing was imported")
    there = {name.split("/")[1] for name in members if name.startswith(f"{RUNS}/")}
    if len(set(told)) != len(told) or set(told) != there:
        raise ArchiveError(f"{path} is refused: it does not hold the runs that its {MANIFEST} names")
    return tuple(sorted(told))


def _folders(path: Path, told: dict[str, Any]) -> tuple[str, ...]:
    """Return the empty folders that runs have."""
    folders, runs = told.get("folders", []), set(told["runs"])
    if not isinstance(folders, list) or len(folders) > MOST_MEMBERS or not all(isinstance(one, str) for one in folders):
        raise ArchiveError(f"{path}: its {MANIFEST} names folders that are none; nothing was imported")
    members = told["members"]
    for one in folders:
        problem = problem_with(one)
        if problem is None and (not one.startswith(f"{RUNS}/") or one.split("/")[1] not in runs):
            problem = "belongs to no run"
        if problem is None and one in members:
            problem = "is a file and a folder"
        if problem:
            raise ArchiveError(f"{path} is refused: {shown(one)} {problem}; nothing was imported")
    twins = collision((*members, *folders))
    if twins:
        raise ArchiveError(f"{path} is refused: {shown(twins[0])} and {shown(twins[1])} are one place on some disks")
    return tuple(folders)
