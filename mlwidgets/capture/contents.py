"""Files and folders by the digests of their contents; what was hashed once is not hashed again while it is the same."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlwidgets.runs.objects import PIECE

CACHE = "digests.sqlite"
"""In the store; deleting it costs reading the data once more."""
_MOST_NAMED = 20
"""Unreadable files that are named."""
_SETTLED = 2.0
"""Seconds after which a file system with coarse times would tell that a file was written to again."""
_UNUSED = 180 * 86400.0
"""Seconds after which what nobody asked for is forgotten."""
_BATCH = 1000
"""Files that are written into the cache at once."""
_OF_TOOLS = frozenset({".mlwidgets", ".git", "__pycache__", ".ipynb_checkpoints"})
"""Folders that others write to while code runs, in which there are no data."""


@dataclass(frozen=True)
class Contents:
    """What a file or folder holds.

    Attributes
    ----------
    digest
        Of a file that of its bytes, as `mlwidgets.runs.objects.content_digest`; of a folder the SHA-256 of the sorted
        names of its files with their digests.
    nbytes, files
        How much that is.
    touched
        When any of it was changed last, as the file system says, in Unix seconds.
    moving
        Whether some of it changed while it was read.
    unreadable
        Files that could not be read, at most 20; the digest knows no more of them than their names.
    """

    digest: str
    nbytes: int
    files: int
    touched: float
    moving: bool = False
    unreadable: tuple[str, ...] = ()


class DigestCache:
    """Digests of files by path, size, times and inode, for all runs of a store.

    Where it cannot be used, nothing is remembered, and all else goes on.
    """

    def __init__(self, store: Path) -> None:
        self._new: list[tuple[bytes, str, str, float]] = []
        self._connection: sqlite3.Connection | None = None
        for _ in range(2):
            try:
                self._connection = sqlite3.connect(store / CACHE, timeout=5, isolation_level=None)
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS files_1 (path BLOB PRIMARY KEY, stamp TEXT, digest TEXT, used REAL)"
                )
                return
            except sqlite3.OperationalError:
                break
            except sqlite3.DatabaseError:
                # It is damaged, and only a cache.
                (store / CACHE).unlink(missing_ok=True)
        self._connection = None

    def find(self, path: str, stamp: str) -> str | None:
        """Return the digest of a file that is as it was when it was hashed."""
        if self._connection is None:
            return None
        with contextlib.suppress(sqlite3.Error):
            row = self._connection.execute(
                "SELECT digest, used FROM files_1 WHERE path = ? AND stamp = ?",
                (os.fsencode(path), stamp),
            ).fetchone()
            if row is not None:
                if time.time() - row[1] > _UNUSED / 10:
                    self.keep(path, stamp, row[0])
                return str(row[0])
        return None

    def keep(self, path: str, stamp: str, digest: str) -> None:
        """Remember a digest."""
        self._new.append((os.fsencode(path), stamp, digest, time.time()))
        if len(self._new) >= _BATCH:
            self.save()

    def save(self) -> None:
        """Write down what is new."""
        new, self._new = self._new, []
        if self._connection is None or not new:
            return
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR REPLACE INTO files_1 VALUES (?, ?, ?, ?)", new)
            self._connection.execute("DELETE FROM files_1 WHERE used < ?", (time.time() - _UNUSED,))
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Write down what is new, and let go of the file."""
        self.save()
        if self._connection is not None:
            self._connection.close()


@dataclass
class _Reading:
    cache: DigestCache
    nbytes: int = 0
    files: int = 0
    touched: float = 0.0
    moving: bool = False
    unreadable: list[str] = field(default_factory=list)

    def file(self, path: str) -> str:
        """Return the digest of a file.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        began = time.time()
        # What is no file, a named pipe say, would not open before somebody writes to it.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise OSError(f"no file: {path}")
            stamp = _stamp(before)
            digest = self.cache.find(path, stamp)
            if digest is None:
                digest = _digest(file.fileno())
                after = os.fstat(file.fileno())
                self.moving |= _stamp(after) != stamp
                if _stamp(after) == stamp and began - max(after.st_mtime, after.st_ctime) > _SETTLED:
                    self.cache.keep(path, stamp, digest)
        self.nbytes += before.st_size
        self.files += 1
        self.touched = max(self.touched, before.st_ctime)
        return digest

    def folder(self, top: str) -> str:
        """Return the digest of a folder."""
        rows = sorted(self._rows(top, "", ()))
        return hashlib.sha256(b"".join(rows)).hexdigest()

    def _rows(self, folder: str, inside: str, above: tuple[tuple[int, int], ...]) -> Iterator[bytes]:
        try:
            told = os.stat(folder)
            with os.scandir(folder) as listed:
                entries = sorted((one for one in listed if one.name not in _OF_TOOLS), key=lambda one: one.name)
        except OSError:
            yield self._row("unreadable", "", f"{inside}/")
            return
        self.touched = max(self.touched, told.st_ctime)
        here = told.st_dev, told.st_ino
        if here in above:
            yield self._row("loop", "", inside)
            return
        if not entries:
            yield self._row("empty", "", inside)
        for entry in entries:
            path, relative = entry.path, f"{inside}/{entry.name}" if inside else entry.name
            if entry.is_symlink():
                # A link that leads elsewhere now leads to files that nobody has touched.
                self.touched = max(self.touched, entry.stat(follow_symlinks=False).st_ctime)
            if os.path.isdir(path):
                yield from self._rows(path, relative, (*above, here))
            elif entry.is_symlink() and not os.path.exists(path):
                yield self._row("dangling", "", relative)
            else:
                try:
                    yield self._row("file", self.file(path), relative)
                except FileNotFoundError:
                    self.moving = True
                except OSError:
                    yield self._row("unreadable", "", relative)

    def _row(self, kind: str, digest: str, name: str) -> bytes:
        if kind == "unreadable":
            self.unreadable.append(name)
        return os.fsencode(f"{name}\0{kind} {digest}\n")


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_dev} {status.st_ino}"


def _digest(fd: int) -> str:
    """Return what `mlwidgets.runs.objects.content_digest` would of the bytes, without holding all of them."""
    leaves: list[bytes] = []
    while True:
        leaf, size = hashlib.sha256(), 0
        while size < PIECE and (data := os.read(fd, min(1 << 20, PIECE - size))):
            leaf.update(data)
            size += len(data)
        if size or not leaves:
            leaves.append(leaf.digest())
        if size < PIECE:
            return hashlib.sha256(b"".join(leaves)).hexdigest()


def read_contents(path: str, cache: DigestCache) -> Contents:
    """Return what a file or folder holds; links are followed, and a folder that leads back into itself ends there.

    Raises
    ------
    OSError
        If it is not there, or a file that cannot be read.
    """
    reading = _Reading(cache, touched=os.lstat(path).st_ctime)
    # A path that is there in two ways, by links, is one file.
    path = os.path.realpath(path)
    digest = reading.folder(path) if os.path.isdir(path) else reading.file(path)
    unreadable = tuple(reading.unreadable[:_MOST_NAMED])
    return Contents(digest, reading.nbytes, reading.files, reading.touched, reading.moving, unreadable)
