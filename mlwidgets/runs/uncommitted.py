"""The patch of what was not committed when a run was submitted: in the run folder, to go wherever that goes."""

from __future__ import annotations

import gzip
import zlib

from mlwidgets.runs.folder import RunFolder, read_json, write_whole

LARGEST = 20_000_000
"""Bytes of a patch."""
_PACKED = 100_000
"""Bytes from which on it is compressed."""


def write_patch(folder: RunFolder, patch: bytes) -> None:
    """Keep a patch.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if len(patch) < _PACKED:
        write_whole(folder.uncommitted, patch)
    else:
        write_whole(folder.uncommitted.with_suffix(".diff.gz"), gzip.compress(patch, 6, mtime=0))


def read_patch(folder: RunFolder) -> bytes | None:
    """Return the patch, as ``git apply`` takes it; None where there is none. A trial's is its sweep's."""
    found = _read(folder)
    if found is None:
        sweep = (read_json(folder.spec) or {}).get("trial_of")
        if isinstance(sweep, str) and "/" not in sweep:
            found = _read(RunFolder(folder.path.parent / sweep))
    return found


def _read(folder: RunFolder) -> bytes | None:
    try:
        with open(folder.uncommitted, "rb") as file:
            return file.read(LARGEST)
    except OSError:
        pass
    try:
        # However large it says it is: it may have come out of anybody's archive.
        with gzip.open(folder.uncommitted.with_suffix(".diff.gz"), "rb") as packed:
            return packed.read(LARGEST)
    except (OSError, EOFError, zlib.error):
        return None


def parts_of(patch: bytes) -> dict[str, bytes]:
    """Return what a patch does to each file, by the file's path, in order."""
    found: dict[str, list[bytes]] = {}
    for part in _split(patch):
        head = part.split(b"\n", 1)[0].removeprefix(b"diff --git ")
        # Both names are the same, for no file is told to have been renamed.
        half = head[: len(head) // 2]
        quoted = half.startswith(b'"')
        name = half[3:-1] if quoted else half[2:]
        # A file that became a link is told as one that went and one that came.
        found.setdefault(name.decode("utf-8", "replace"), []).append(part)
    return {path: b"\n".join(parts) for path, parts in found.items()}


def _split(patch: bytes) -> list[bytes]:
    mark = b"diff --git "
    # Lines of a file's content begin with a blank, a plus or a minus.
    parts = (b"\n" + patch).split(b"\n" + mark)
    return [mark + part for part in parts[1:]]
