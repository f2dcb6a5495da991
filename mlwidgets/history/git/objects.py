"""Git's objects as bytes: blobs, trees, commits, and the pack that carries them into a repository."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_TYPES = {"commit": 1, "tree": 2, "blob": 3}
_WHO = "mlwidgets <mlwidgets@localhost>"
"""Author and committer: the history needs no user name, and claims nobody's."""


@dataclass(frozen=True)
class Object:
    """One object that is to be written: its kind, content and name in a repository of some algorithm."""

    kind: str
    data: bytes
    id: str


def make(kind: str, data: bytes, algorithm: str) -> Object:
    """Return the object with that content; `algorithm` is the repository's: ``sha1`` or ``sha256``."""
    digest = hashlib.new(algorithm, b"%s %d\0" % (kind.encode(), len(data)), usedforsecurity=False)
    digest.update(data)
    return Object(kind, data, digest.hexdigest())


def make_tree(files: Mapping[str, str], algorithm: str) -> Object:
    """Return the tree of plain files, given by name and blob."""
    rows = [b"100644 %s\0%s" % (name.encode(), bytes.fromhex(files[name])) for name in sorted(files)]
    return make("tree", b"".join(rows), algorithm)


def read_tree(data: bytes, algorithm: str) -> dict[str, str]:
    """Return the names in a tree with their objects."""
    size = hashlib.new(algorithm, usedforsecurity=False).digest_size
    files, at = {}, 0
    while at < len(data):
        end = data.index(b"\0", at)
        name = data[at:end].partition(b" ")[2]
        files[name.decode("utf-8", "surrogateescape")] = data[end + 1 : end + 1 + size].hex()
        at = end + 1 + size
    return files


def make_commit(tree: str, parents: Sequence[str], time: float, message: str, algorithm: str) -> Object:
    """Return a commit of our own at a time in Unix seconds."""
    stamp = f"{_WHO} {max(0, int(time))} +0000"
    lines = [f"tree {tree}", *(f"parent {p}" for p in parents), f"author {stamp}", f"committer {stamp}", "", message]
    return make("commit", "\n".join(lines).encode("utf-8", "replace"), algorithm)


def pack(objects: Sequence[Object], algorithm: str) -> bytes:
    """Return the objects as a pack of version 2, as in git's ``gitformat-pack``."""
    parts = [b"PACK", struct.pack(">II", 2, len(objects))]
    for one in objects:
        size = len(one.data)
        byte, size = _TYPES[one.kind] << 4 | size & 15, size >> 4
        head = bytearray()
        while size:
            head.append(byte | 0x80)
            byte, size = size & 0x7F, size >> 7
        head.append(byte)
        # Not compressed: it only goes through a pipe.
        parts += [bytes(head), zlib.compress(one.data, 0)]
    content = b"".join(parts)
    return content + hashlib.new(algorithm, content, usedforsecurity=False).digest()
