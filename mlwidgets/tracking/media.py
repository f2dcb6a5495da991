"""The journal of what is richer than a number: a line each in ``media.jsonl``, what is big as a file in ``media/``."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from mlwidgets.runs.journal import LineWriter
from mlwidgets.tracking.active import active_folder, tell_once
from mlwidgets.tracking.log import as_step, next_of

Write = Callable[[BinaryIO], object]


class MediaLog:
    """Appends histograms, images, confusion matrices and tables to one run folder.

    A file is in its place, whole, before the line that names it is written: a reader that follows the lines never
    finds half a file, whenever the process dies.
    """

    def __init__(self, folder: Path) -> None:
        self._lines = LineWriter(folder / "media.jsonl")
        self._folder = folder / "media"
        self._steps: dict[tuple[str, str], count[int]] = {}
        self.lost = 0

    def append(
        self, kind: str, name: str, step: int | None, fields: dict[str, Any], files: Mapping[str, Write] | None = None
    ) -> None:
        """Put the files into their places, then write the line. A full disk is told once and raises nothing."""
        key = (kind, name)
        if step is not None:
            self._steps[key] = count(step)
        step = next(self._steps.setdefault(key, count()))
        try:
            for file, write in (files or {}).items():
                self._keep(self._folder / file, write)
            self._lines.write(kind, name=name, step=step, **fields)
        except OSError as error:
            if not self.lost:
                _tell_lost(error)
            self.lost += 1

    def next_steps(self) -> list[tuple[str, str, int]]:
        """Return the step that each kind and name has next where none is given."""
        return [(kind, name, next_of(steps)) for (kind, name), steps in self._steps.items()]

    def go_on(self, steps: Iterable[tuple[str, str, int]]) -> None:
        """Let each kind and name go on with this step where none is given."""
        self._steps |= {(kind, name): count(step) for kind, name, step in steps}

    def _keep(self, path: Path, write: Write) -> None:
        if path.exists():
            return
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with open(temporary, "wb") as file:
                write(file)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


_active: MediaLog | None = None
_unopened = 0


def open_media(caller: str, name: str, step: Any) -> tuple[MediaLog | None, int | None]:
    """Return the journal of the run in which this process executes, None outside a run, and the step as an int.

    Raises
    ------
    TypeError
        If name or step are of no use; only within a run.
    """
    global _unopened
    folder = active_folder()
    if folder is None:
        tell_once(f"{caller}() does nothing here, outside a tracked run. Put %%train on top of the cell.")
        return None, None
    if not isinstance(name, str) or not name:
        raise TypeError(f"{caller}: the name comes first and must be a non-empty str, not {name!r:.60}")
    step = None if step is None else as_step(step, caller)
    try:
        return active_media(folder), step
    except OSError as error:
        _unopened += 1
        _tell_lost(error)
        return None, step


def active_media(folder: Path) -> MediaLog:
    """Return what appends to the media of the run in which this process executes.

    Raises
    ------
    OSError
        If that cannot be opened.
    """
    global _active
    if _active is None:
        _active = MediaLog(folder)
    return _active


def media_steps() -> list[tuple[str, str, int]]:
    """Return the step that each kind and name has next in this process where none is given."""
    return _active.next_steps() if _active else []


def lost_media() -> int:
    """Return how many images, histograms and so on could not be written in this process."""
    return _unopened + (_active.lost if _active else 0)


def content_name(data: bytes, suffix: str) -> str:
    """Return the name under which a file of this content is kept: the same content is kept once."""
    return f"{blake2b(data, digest_size=16).hexdigest()}.{suffix}"


def new_name(suffix: str) -> str:
    """Return a name for a file that is written while its content is made."""
    return f"{secrets.token_hex(16)}.{suffix}"


def _tell_lost(error: OSError) -> None:
    tell_once(f"images, histograms and tables are not being recorded: {error.strerror or error}. The code goes on.")
