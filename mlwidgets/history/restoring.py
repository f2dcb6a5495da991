"""Going back: the file as it shall be, and putting it in the place of the one that is there."""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlwidgets.errors import HistoryError
from mlwidgets.history.notebooks import noise
from mlwidgets.history.notebooks.notebook import Notebook, encode, joined, to_json

_OLD = 3600.0
"""Seconds after which nobody writes a file any more."""

State = tuple[int, int, int] | None
"""What tells whether a file was written since: inode, size and time; None where there is none."""


def state_of(path: Path) -> State:
    """Return which file is there now."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def restored(notebook: Notebook, present: dict[str, Any] | None) -> bytes:
    """Return the notebook as a file's content; cells that say the same as ones of `present` keep their outputs.

    Parameters
    ----------
    present
        The JSON that is in the file now, as format 4; None where there is no file.
    """
    document = to_json(notebook)
    if present is None:
        return encode(document)
    left = list(_cells(present))
    for cell in document["cells"]:
        same = _taken(left, cell)
        if same is None:
            continue
        told = same.get("metadata")
        told = told if isinstance(told, dict) else {}
        cell["metadata"] = {key: told[key] for key in told if key in noise.CELL} | cell["metadata"]
        if cell["cell_type"] == "code":
            outputs = same.get("outputs")
            cell["outputs"] = outputs if isinstance(outputs, list) else []
            cell["execution_count"] = same.get("execution_count")
    said = present.get("metadata")
    said = said if isinstance(said, dict) else {}
    metadata = {key: said[key] for key in said if key in noise.NOTEBOOK} | document["metadata"]
    known, named = said.get("language_info"), metadata.get("language_info")
    if isinstance(known, dict) and isinstance(named, dict) and known.get("name") == named.get("name"):
        metadata["language_info"] = known
    document["metadata"] = metadata
    return encode(document)


def _cells(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for cell in document["cells"]:
        with suppress(TypeError):
            yield {**cell, "source": joined(cell.get("source"))}


def _taken(left: list[dict[str, Any]], cell: dict[str, Any]) -> dict[str, Any] | None:
    """Return the cell that says the same, of several the one of the same id, and leave it out from now on."""
    source = joined(cell["source"])
    same = [one for one in left if one["source"] == source and one.get("cell_type") == cell["cell_type"]]
    if not same:
        return None
    given = cell.get("id")
    best = next((one for one in same if given is not None and one.get("id") == given), same[0])
    left.remove(best)
    return best


def put_in_place(path: Path, data: bytes, expected: State) -> bool:
    """Replace a file whole, with the mode that it had; return False where it is no longer the one that was read.

    Raises
    ------
    HistoryError
        If it cannot be written; it is as it was then.
    """
    if expected is not None and not os.access(path, os.W_OK):
        raise HistoryError(f"{path} is read-only; make it writable first: chmod u+w")
    _sweep(path)
    temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if expected is not None:
            status = path.stat()
            with suppress(OSError):
                os.chown(temporary, status.st_uid, status.st_gid)
            os.chmod(temporary, stat.S_IMODE(status.st_mode))
        if state_of(path) != expected:
            return False
        os.replace(temporary, path)
    except OSError as error:
        raise HistoryError(f"{path} cannot be written: {error.strerror or error}; it is as it was") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return True


def _sweep(path: Path) -> None:
    """Remove what processes left that were killed here some time ago."""
    beside = re.compile(rf"\.{re.escape(path.name[:80])}\.[0-9a-f]{{8}}")
    with suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if beside.fullmatch(entry.name) and time.time() - entry.stat(follow_symlinks=False).st_mtime > _OLD:
                os.unlink(entry.path)
