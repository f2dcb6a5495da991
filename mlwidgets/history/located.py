"""Where a kernel's notebook is now: a kernel is told its path once, when it starts, and never of a new name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_MOST_BYTES = 64 << 20
"""Of the notebooks that are looked through, those first that were saved last."""


def locate(notebook: Path, cells: Sequence[str]) -> Path | None:
    """Return the notebook that a kernel belongs to, None if it cannot be found.

    It is the file at the path that the kernel knows, unless another one in the same folder holds the kernel's cells
    and that one does not: then it was renamed.

    Parameters
    ----------
    notebook
        The path when the kernel started.
    cells
        Ids of cells that it has executed, the last one last.
    """
    there = notebook.is_file()
    marks = [f'"{one}"'.encode() for one in dict.fromkeys(reversed(cells))]
    if (there and not marks) or _holds(notebook, marks):
        return notebook
    others = _newest(notebook)
    # The cell that executes now may be new, and not saved yet; one that another notebook has is in that one.
    for wanted in (marks[:1], marks):
        for other in others:
            if _holds(other, wanted):
                return other
    return notebook if there else None


def _newest(notebook: Path) -> list[Path]:
    """Return the notebooks beside one, those first that were saved last."""
    found: list[tuple[int, str, int]] = []
    try:
        with os.scandir(notebook.parent) as entries:
            for entry in entries:
                if entry.name.endswith(".ipynb") and not entry.name.startswith(".") and entry.name != notebook.name:
                    status = entry.stat()
                    found.append((status.st_mtime_ns, entry.name, status.st_size))
    except OSError:
        return []
    left, chosen = _MOST_BYTES, []
    for _, name, size in sorted(found, reverse=True):
        if size <= left:
            left -= size
            chosen.append(notebook.parent / name)
    return chosen


def _holds(notebook: Path, marks: Sequence[bytes]) -> bool:
    try:
        data = notebook.read_bytes()
    except OSError:
        return False
    return any(mark in data for mark in marks)
