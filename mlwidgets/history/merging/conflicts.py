"""Cells in conflict: how they are marked, and which of them are still to be settled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from mlwidgets.history.notebooks.notebook import joined

EDITED, DELETED, ATTACHMENT = "edited", "deleted", "attachment"
_MARKER = re.compile(r"^<{7,} ", re.MULTILINE)


class Conflict(NamedTuple):
    """A cell that is not settled.

    Parameters
    ----------
    number
        Of the cell, from 1.
    id
        Of the cell, None where it has none.
    kind
        ``edited`` (on both sides), ``deleted`` (on one side, edited on the other), or ``attachment``.
    note
        What is to be done, in a few words.
    """

    number: int
    id: str | None
    kind: str
    note: str


def mark(cell: dict[str, Any], kind: str, note: str) -> None:
    """Mark a cell as one in conflict: ``mlwidgets.conflict`` in its metadata."""
    metadata = cell.setdefault("metadata", {})
    ours = metadata.get("mlwidgets")
    said = ours if isinstance(ours, dict) else {}
    metadata["mlwidgets"] = {**said, "conflict": {"kind": kind, "note": note}}


def conflicts_in(document: dict[str, Any]) -> list[Conflict]:
    """Return the cells that are marked and still hold a marker line; who removes the markers has settled it."""
    found = []
    for number, cell, said in _marked(document):
        if _holds_marker(cell):
            given = cell.get("id")
            kind, note = (str(said.get(key, "")) for key in ("kind", "note"))
            found.append(Conflict(number, given if isinstance(given, str) else None, kind, note))
    return found


def forget_settled(document: dict[str, Any]) -> bool:
    """Take the mark off cells that hold no marker any more; return whether there were any."""
    found = [cell for _, cell, _ in _marked(document) if not _holds_marker(cell)]
    for cell in found:
        del cell["metadata"]["mlwidgets"]["conflict"]
        if not cell["metadata"]["mlwidgets"]:
            del cell["metadata"]["mlwidgets"]
    return bool(found)


def _marked(document: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    for number, cell in enumerate(document["cells"], 1):
        metadata = cell.get("metadata")
        ours = metadata.get("mlwidgets") if isinstance(metadata, dict) else None
        said = ours.get("conflict") if isinstance(ours, dict) else None
        if isinstance(said, dict):
            yield number, cell, said


def _holds_marker(cell: dict[str, Any]) -> bool:
    return _MARKER.search(joined(cell.get("source"))) is not None
