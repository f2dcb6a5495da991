"""What people ask of a sweep while it goes on: one JSON line each in its folder, appended by whoever asks."""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlwidgets.errors import StoreError
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_new_lines

Ask = Literal["pause", "resume", "concurrent", "add"]
ASKS = frozenset({"pause", "resume", "concurrent", "add"})


@dataclass(frozen=True)
class Wish:
    """One line: what is asked, by whom, and the rest of it."""

    id: str
    ask: str
    by: str
    about: dict[str, Any] = field(default_factory=dict)


def ask(folder: RunFolder, what: Ask, by: str = "user", **about: Any) -> str:
    """Leave a wish for the sweep's controller; return the id under which an event will tell what became of it.

    Raises
    ------
    StoreError
        If it cannot be written, or the run is no sweep.
    """
    wish = secrets.token_hex(6)
    line = json.dumps({"id": wish, "time": time.time(), "by": by, "ask": what, **about}).encode() + b"\n"
    try:
        # The file is there from the first moment on where the run is a sweep.
        fd = os.open(folder.wishes, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        raise StoreError(f"run {folder.id!r} is no sweep, or was deleted") from None
    except OSError as error:
        raise StoreError(f"sweep {folder.id!r} cannot be asked: {error.strerror or error}") from error
    try:
        # A line that a full disk or a kill has cut off must not spoil the next one.
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            line = b"\n" + line
        if os.write(fd, line) < len(line):
            os.write(fd, b"\n")
            raise StoreError(f"sweep {folder.id!r} cannot be asked: the disk is full")
    except OSError as error:
        raise StoreError(f"sweep {folder.id!r} cannot be asked: {error.strerror or error}") from error
    finally:
        os.close(fd)
    return wish


class Wishes:
    """Reads the wishes of one sweep in the order in which they came."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def advance(self) -> list[Wish]:
        """Return those that are new; what is no wish is passed over."""
        lines, self._read = read_new_lines(self._path, self._read)
        return [wish for line in lines if (wish := _parse(line))]


def _parse(line: bytes) -> Wish | None:
    try:
        data = json.loads(line) if line else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("id"), str) or data.get("ask") not in ASKS:
        return None
    by = data.get("by")
    about = {name: value for name, value in data.items() if name not in {"id", "time", "by", "ask"}}
    return Wish(data["id"], data["ask"], by if isinstance(by, str) and by else "user", about)
