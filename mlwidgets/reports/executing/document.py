"""The notebook while it is executed: as JSON of format 4, and as a file that is whole whenever somebody looks."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlwidgets.history.notebooks.notebook import KINDS, joined
from mlwidgets.runs.folder import write_whole

SKIP = "skip-execution"
TOLERANT = "raises-exception"
PAUSE = 1.0
"""Seconds between two writes while cells go on; ten times what the last one took, if that is more."""
_FENCE = re.compile(r" {0,3}(```|~~~)")
_HEADING = re.compile(r" {0,3}(#{1,6}\s+\S.*?)[\s#]*$")
_LONGEST = 60


def prepared(document: dict[str, Any], *, clear: bool) -> dict[str, Any]:
    """Return a notebook's JSON with all that format 4 asks for, sources joined.

    Parameters
    ----------
    clear
        Forget what an earlier execution has left: outputs, times, widgets. Cells that are not to be executed keep
        theirs.
    """
    kept = document.get("metadata")
    metadata = dict(kept) if isinstance(kept, dict) else {}
    if clear:
        metadata.pop("widgets", None)
    minor = document.get("nbformat_minor")
    minor = minor if isinstance(minor, int) and not isinstance(minor, bool) and minor >= 0 else 4
    taken: set[str] = set()
    cells = [_cell(raw, minor, taken, clear=clear) for raw in document["cells"]]
    return {**document, "cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}


def _cell(raw: dict[str, Any], minor: int, taken: set[str], *, clear: bool) -> dict[str, Any]:
    kind = raw.get("cell_type") if raw.get("cell_type") in KINDS else "raw"
    kept = raw.get("metadata")
    metadata = dict(kept) if isinstance(kept, dict) else {}
    if not isinstance(metadata.get("tags", []), list):
        del metadata["tags"]
    cell = {**raw, "cell_type": kind, "metadata": metadata, "source": joined(raw.get("source"))}
    if minor >= 5:
        given = cell.get("id")
        if not isinstance(given, str) or not given or given in taken:
            cell["id"] = uuid.uuid4().hex[:8]
        taken.add(cell["id"])
    if kind == "code":
        outputs = raw.get("outputs")
        cell["outputs"] = outputs if isinstance(outputs, list) else []
        cell.setdefault("execution_count", None)
        if clear and is_to_execute(cell):
            cell |= {"outputs": [], "execution_count": None}
            metadata.pop("execution", None)
    return cell


def tags_of(cell: dict[str, Any]) -> list[Any]:
    """Return a cell's tags."""
    tags = cell["metadata"].get("tags")
    return tags if isinstance(tags, list) else []


def is_to_execute(cell: dict[str, Any]) -> bool:
    """Whether a cell holds code that is to be executed."""
    return cell["cell_type"] == "code" and bool(cell["source"].strip()) and SKIP not in tags_of(cell)


def heading_above(cells: list[Any], place: int) -> str | None:
    """Return the last heading in the text above a cell, as it is written: ``## Sales by region``."""
    for cell in reversed(cells[:place]):
        if cell["cell_type"] == "markdown" and (found := _headings(cell["source"])):
            line = " ".join(found[-1].split())
            return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
    return None


def _headings(source: str) -> list[str]:
    found, fenced = [], False
    for line in source.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and len(line) < 1000 and (match := _HEADING.match(line)):
            found.append(match[1])
    return found


def as_it_ends(text: str) -> str:
    """Return what was printed without what a carriage return has gone back over, such as states of progress bars."""
    if "\r" not in text:
        return text
    # One at the end of a line goes back over nothing.
    return "\n".join(line[line.rfind("\r", 0, max(0, len(line) - 1)) + 1 :] for line in text.split("\n"))


class NotebookFile:
    """The file that the notebook is written to, again and again, at a bounded cost.

    Parameters
    ----------
    content
        Gives the notebook's JSON as it is now.
    """

    def __init__(self, path: Path, content: Callable[[], dict[str, Any]]) -> None:
        self._path = path
        self._content = content
        self._due = 0.0

    def write_soon(self) -> None:
        """Write it, unless that was done a moment ago.

        Raises
        ------
        OSError
            If it cannot be written; what was there is still there then.
        """
        if time.monotonic() >= self._due:
            self.write(flush=False)

    def write(self, *, flush: bool = True) -> None:
        """Write it now.

        Raises
        ------
        OSError
            As `write_soon`.
        """
        begin = time.monotonic()
        try:
            text = json.dumps(self._content(), indent=1, ensure_ascii=False)
            write_whole(self._path, text.encode("utf-8", "backslashreplace") + b"\n", flush=flush)
        finally:
            now = time.monotonic()
            self._due = now + max(PAUSE, 10 * (now - begin))
