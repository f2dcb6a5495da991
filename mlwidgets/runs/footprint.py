"""What a run takes on the disk: the bytes of its folder, and the objects of the store that it refers to."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_OF_THE_CODE = frozenset({"outputs", "media", "checkpoints"})
"""Folders that hold what the code wrote: bytes, whatever they look like."""
_WRITTEN_BY_THE_CODE = frozenset({"displays.jsonl", "media.jsonl"})
_TOLD = (".json", ".jsonl", ".damaged")


@dataclass(frozen=True)
class Footprint:
    """Bytes of a run's folder, and the digests that are mentioned in it, among them those of its objects."""

    nbytes: int
    digests: frozenset[str]


def digests_in(data: bytes) -> set[str]:
    """Return what looks like an object's digest in a text."""
    return {found.decode() for found in _DIGEST.findall(data)}


def footprint(path: Path) -> Footprint:
    """Read what a run takes.

    Every file that the package writes is searched for anything that looks like a digest: one more that is kept
    costs its bytes, and one that is missed costs a run.

    Raises
    ------
    OSError
        If the folder or a file in it cannot be read, or is gone.
    """
    digests: set[str] = set()
    return Footprint(_walk(os.fspath(path), digests, searched=True), frozenset(digests))


def _walk(path: str, digests: set[str], *, searched: bool, top: bool = True) -> int:
    nbytes = 0
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                inside = searched and not (top and entry.name in _OF_THE_CODE)
                nbytes += _walk(entry.path, digests, searched=inside, top=False)
                continue
            size = entry.stat(follow_symlinks=False).st_size
            nbytes += size
            name = entry.name
            told = name.endswith(_TOLD) or name == "study.log"
            if searched and told and size and name not in _WRITTEN_BY_THE_CODE and entry.is_file(follow_symlinks=False):
                with open(entry.path, "rb") as file:
                    digests |= digests_in(file.read())
    return nbytes
