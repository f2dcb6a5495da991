"""Frozen inputs and results by content: each file's name is the digest of its bytes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import mmap
import os
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

PIECE = 16 << 20
_READ = 1 << 20
MAPPED = 1 << 20
"""Objects of at least this many bytes are mapped."""
_DIGEST = re.compile("[0-9a-f]{64}")
ASIDE = ".gone-"
"""What the name of an object begins with that a collector has taken aside, and is about to remove or to put back."""


def _pieces(data: memoryview) -> Iterator[memoryview]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


def content_digest(data: memoryview) -> str:
    """Return the SHA-256 of the SHA-256 digests of the 16 MiB pieces, in hexadecimal.

    A tree of one level (as in RFC 6962, without its prefixes), so that the pieces are hashed on all cores: one
    core hashes about 1.5 GB/s, and naming a big tensor by its content must not hold up the notebook.
    """
    if len(data) <= PIECE:
        leaves = [hashlib.sha256(data).digest()]
    else:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            leaves = list(pool.map(lambda piece: hashlib.sha256(piece).digest(), _pieces(data)))
    return hashlib.sha256(b"".join(leaves)).hexdigest()


def file_digest(path: Path) -> str:
    """Return what `content_digest` says of a file's bytes, of which a few MB are in memory at a time.

    Raises
    ------
    OSError
        If it cannot be read. A file that is mapped would end the process where the disk fails.
    """
    with open(path, "rb") as file:

        def leaf(start: int) -> bytes:
            found, at, end = hashlib.sha256(), start, start + PIECE
            # A file system may return less than what is there.
            while piece := os.pread(file.fileno(), min(_READ, end - at), at):
                found.update(piece)
                at += len(piece)
            return found.digest()

        size = os.fstat(file.fileno()).st_size
        leaves: list[bytes] = []
        # Where the interpreter is about to end no thread can begin.
        with contextlib.suppress(RuntimeError):
            if size > PIECE:
                with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
                    leaves = list(pool.map(leaf, range(0, size, PIECE)))
        leaves = leaves or [leaf(start) for start in range(0, max(1, size), PIECE)]
    return hashlib.sha256(b"".join(leaves)).hexdigest()


def _checked(digest: str) -> str:
    """Return a digest. What an archive calls one may be any path.

    Raises
    ------
    FileNotFoundError
        If it is none: no object is called so.
    """
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise FileNotFoundError(errno.ENOENT, "no object can be called so", f"{digest!s:.80}")
    return digest


class ObjectStore:
    """A directory of immutable files named by content."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, data: bytes | memoryview) -> str:
        """Store `data` unless it is there already; return its digest.

        Raises
        ------
        OSError
            If it cannot be written; nothing is left of it then.
        """
        view = memoryview(data).cast("B")
        digest = content_digest(view)
        target = self.path / digest
        with contextlib.suppress(OSError):
            # A collector that takes it aside at this very moment sees that it is new again, and puts it back.
            if target.stat().st_size == len(view) and self.claim(digest):
                return digest
        temporary = self.path / f".{digest[:16]}.{secrets.token_hex(4)}"
        try:
            fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
            try:
                written = 0
                while written < len(view):
                    written += os.write(fd, view[written : written + PIECE])
            finally:
                os.close(fd)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        return digest

    def claim(self, digest: str) -> bool:
        """Make an object as new as one that is put now; return whether it is there.

        What is new is not collected: whoever makes a run of objects that are there already claims each of them first.
        """
        try:
            os.utime(self.path / _checked(digest))
        except FileNotFoundError:
            return False
        return True

    def _open(self, digest: str) -> BinaryIO:
        for name in (_checked(digest), f"{ASIDE}{digest}"):
            with contextlib.suppress(FileNotFoundError):
                return open(self.path / name, "rb")
        return open(self.path / digest, "rb")

    def read(self, digest: str) -> bytes:
        """Return an object's bytes."""
        with self._open(digest) as file:
            return file.read()

    def map(self, digest: str) -> mmap.mmap | bytearray:
        """Return an object as writable memory: pages are shared until written to, the file never changes.

        A mapping keeps a descriptor for as long as it lives, so what is small is read instead, and so is
        everything once descriptors run out.
        """
        with self._open(digest) as file:
            if os.fstat(file.fileno()).st_size >= MAPPED:
                with contextlib.suppress(OSError):
                    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            return bytearray(file.read())

    def __contains__(self, digest: str) -> bool:
        return (self.path / digest).exists()
