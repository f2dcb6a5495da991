"""Three notebooks become one: different cells never conflict, outputs never do."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from mlwidgets.history.merging.cells import Merging, State
from mlwidgets.history.merging.conflicts import Conflict, conflicts_in, forget_settled
from mlwidgets.history.merging.documents import Document
from mlwidgets.history.merging.lines import SIZE, Labels
from mlwidgets.history.merging.order import ordered
from mlwidgets.history.merging.values import MISSING, merge_values
from mlwidgets.history.notebooks.noise import NOTEBOOK
from mlwidgets.history.notebooks.notebook import joined

_APART = frozenset({"cells", "metadata", "nbformat", "nbformat_minor"})
WITH_IDS = 5
"""From this minor version of format 4 on each cell has an id."""


@dataclass(frozen=True)
class Merged:
    """A merged notebook.

    Parameters
    ----------
    data
        The file's bytes.
    conflicts
        Cells that are to be settled.
    clashes
        Metadata that both sides changed differently, by path: those of ours were taken.
    """

    data: bytes
    conflicts: list[Conflict]
    clashes: list[str]


def merge(base: Document, ours: Document, theirs: Document, labels: Labels | None = None, size: int = SIZE) -> Merged:
    """Return the notebook with what both sides changed.

    Parameters
    ----------
    base
        From which both come; `mlwidgets.history.merging.documents.nothing` where they come from none.
    labels
        What the sides are called in conflict markers.
    size
        Of the markers.
    """
    for whole, other in ((ours, theirs), (theirs, base)):
        if whole.data == other.data:
            return Merged(ours.data, conflicts_in(ours.raw), [])
    for one in (base, ours, theirs):
        forget_settled(one.raw)
    if ours.data == base.data:
        return Merged(theirs.data, conflicts_in(theirs.raw), [])
    work = Merging(labels or Labels(), size)
    found = []
    for node in ordered(base.cells, ours.cells, theirs.cells):
        sides = (_state(base, node.base), _state(ours, node.ours), _state(theirs, node.theirs))
        cell = work.merged(*sides)
        if cell is not None:
            found.append((node.base is not None, cell))
    raw = _around(base.raw, ours.raw, theirs.raw, work.clashes)
    raw["cells"] = [cell for _, cell in found]
    _give_ids(raw, [cell for known in (True, False) for was, cell in found if was is known])
    return Merged(ours.written(raw), conflicts_in(raw), work.clashes)


def _state(document: Document, index: int | None) -> State | None:
    return None if index is None else State(document.raw["cells"][index], document.cells[index])


def _around(base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any], told: list[str]) -> dict[str, Any]:
    """Return all of a notebook but its cells, which are empty."""
    raw: dict[str, Any] = {}
    clashes: list[str] = []
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        if key in _APART:
            raw[key] = ours.get(key)
            continue
        value = merge_values([one.get(key, MISSING) for one in (base, ours, theirs)], key, clashes)
        if value is not MISSING:
            raw[key] = value
    said = [one.get("metadata") for one in (base, ours, theirs)]
    raw["metadata"] = merge_values([one if isinstance(one, dict) else {} for one in said], "", clashes)
    told += [path for path in clashes if path.partition(".")[0] not in NOTEBOOK]
    raw["nbformat"] = 4
    raw["nbformat_minor"] = max(_minor(ours), _minor(theirs))
    return raw


def _minor(raw: dict[str, Any]) -> int:
    said = raw.get("nbformat_minor")
    return said if isinstance(said, int) else 0


def _give_ids(raw: dict[str, Any], first: list[dict[str, Any]]) -> None:
    """Give each cell an id of its own, where the format has ids; of several the cell that was there before keeps it.

    The same merge gives the same ids, whoever does it.

    Parameters
    ----------
    first
        All cells, in the order in which they may keep theirs.
    """
    told = [cell.get("id") for cell in first if isinstance(cell.get("id"), str) and cell["id"]]
    if raw["nbformat_minor"] < WITH_IDS and len(told) == len(set(told)):
        return
    taken, seen = set(told), set()
    renamed: dict[int, str] = {}
    for cell in first:
        given = cell.get("id")
        if isinstance(given, str) and given and given not in seen:
            seen.add(given)
            continue
        if given is None and raw["nbformat_minor"] < WITH_IDS:
            continue
        said = f"{given}\0{cell.get('cell_type')}\0{joined(cell.get('source'))}"
        start = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        new = next(i for n in range(len(first) + 1) if (i := f"{start}-{n}" if n else start) not in taken)
        taken.add(new)
        renamed[id(cell)] = new
    raw["cells"] = [_with_id(cell, renamed.get(id(cell))) for cell in raw["cells"]]


def _with_id(cell: dict[str, Any], given: str | None) -> dict[str, Any]:
    if given is None:
        return cell
    rest = {key: value for key, value in cell.items() if key not in {"cell_type", "id"}}
    return {"cell_type": cell.get("cell_type"), "id": given, **rest}
