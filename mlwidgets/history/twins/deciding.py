"""What changed on both sides, whose version stays, and the notebook that comes of it."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlwidgets.errors import TwinError
from mlwidgets.history.merging.documents import Document
from mlwidgets.history.merging.lines import Labels
from mlwidgets.history.merging.merge import merge
from mlwidgets.history.merging.order import Node, ordered
from mlwidgets.history.notebooks.noise import CELL
from mlwidgets.history.notebooks.notebook import Cell, read_notebook
from mlwidgets.history.twins.carrying import put_source
from mlwidgets.history.twins.conversion import stripped
from mlwidgets.history.twins.results import Choice, Conflict, Side

Decide = Callable[[Conflict], Choice | None]
_MARK = "mlwidgets-twin"
"""By this in its metadata a cell is known again after a merge."""


@dataclass(frozen=True)
class Clash:
    """A conflict, the cells that it is about, and what was decided."""

    conflict: Conflict
    node: Node
    choice: Choice | None


@dataclass(frozen=True)
class Decided:
    """The JSON that the notebook, the twin and the base have now; they differ in the cells of the conflicts left."""

    notebook: dict[str, Any]
    twin: dict[str, Any]
    base: dict[str, Any]
    conflicts: tuple[Conflict, ...]


def clashes(base: Document, ours: Document, theirs: Document, decide: Decide, *, known: bool) -> list[Clash]:
    """Return the cells that both sides changed.

    Parameters
    ----------
    base, ours, theirs
        What both said last, the notebook, and what the twin means.
    known
        False where the base is not known and is only what both have: whatever differs is in conflict then.
    """
    found: list[Clash] = []
    number = 0
    for node in ordered(base.cells, ours.cells, theirs.cells):
        number += node.ours is not None
        b, o, t = _at(base, node.base), _at(ours, node.ours), _at(theirs, node.theirs)
        if not _differ(b, o, t, known=known):
            continue
        gone: Side | None = "notebook" if o is None else "twin" if t is None else None
        here, there = (one.source if one is not None else "" for one in (o, t))
        name = next((one.id for one in (o, t, b) if one is not None and one.id), "")
        said = json.dumps([name, here, there, gone, sum(one.conflict.notebook == here for one in found)])
        conflict = Conflict(
            hashlib.sha256(said.encode()).hexdigest()[:16],
            number + (o is None),
            here,
            there,
            b.source if b is not None and known else None,
            gone,
        )
        found.append(Clash(conflict, node, decide(conflict)))
    return found


def _at(document: Document, index: int | None) -> Cell | None:
    return None if index is None else document.cells[index]


def _differ(base: Cell | None, ours: Cell | None, theirs: Cell | None, *, known: bool) -> bool:
    b, o, t = (None if one is None else (one.kind, one.source, one.attachments) for one in (base, ours, theirs))
    if o == t:
        return False
    if o is not None and t is not None:
        return not known or b not in (o, t)
    return b is not None and b not in (o, t)


def decided(base: Document, ours: Document, theirs: Document, found: list[Clash]) -> Decided:
    """Return both sides merged, with what was decided; where nothing was, each side keeps its version.

    Raises
    ------
    TwinError
        If cells are so much alike that it cannot be said which is which.
    """
    b, o, t = (_Side(one) for one in (base, ours, theirs))
    for n, cell in enumerate(o.cells):
        _marked(cell)["ours"] = n
    for n, clash in enumerate(found):
        for side, index in ((o, clash.node.ours), (t, clash.node.theirs)):
            if index is not None:
                _marked(side.cells[index])["clash"] = n
        _settle(clash, b, o, t)
    merged = merge(b.document(), o.document(), t.document(), Labels("notebook", "twin"))
    if merged.conflicts:
        raise TwinError(
            f"cell {merged.conflicts[0].number} of {len(ours.cells)} cannot be told from others that both sides "
            "changed; take one side as a whole: mlwidgets sync --ours or --theirs"
        )
    return _three(json.loads(merged.data), ours, base, theirs, found)


class _Side:
    """A side's cells while conflicts are settled, without outputs."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._raw = copy.deepcopy(stripped(document.raw))
        self.cells: list[dict[str, Any]] = self._raw["cells"]
        self.gone: set[int] = set()

    def document(self) -> Document:
        raw = {**self._raw, "cells": [cell for n, cell in enumerate(self.cells) if n not in self.gone]}
        return replace(self._document, raw=raw, cells=read_notebook(raw, "a twin").cells)


def _marked(cell: dict[str, Any]) -> dict[str, Any]:
    metadata = cell["metadata"] = cell["metadata"] if isinstance(cell.get("metadata"), dict) else {}
    mark: dict[str, Any] = metadata.setdefault(_MARK, {})
    return mark


def _settle(clash: Clash, b: _Side, o: _Side, t: _Side) -> None:
    """Change the sides so that the cell is none that both changed, and will be found where it belongs."""
    node = clash.node
    if node.ours is not None and node.theirs is not None:
        here, there = o.cells[node.ours], t.cells[node.theirs]
        if node.base is not None:
            _say(here, b.cells[node.base])
        _say(there, here)
        return
    side, index = (t, node.theirs) if node.ours is None else (o, node.ours)
    assert index is not None
    assert node.base is not None
    if clash.choice == ("notebook" if node.ours is None else "twin"):
        _say(side.cells[index], b.cells[node.base])
    else:
        # Nobody had it before, so nobody deleted it.
        b.gone.add(node.base)


def _say(cell: dict[str, Any], other: dict[str, Any]) -> None:
    """Let a cell say what another one does."""
    for key in ("cell_type", "source", "attachments", "outputs", "execution_count"):
        cell.pop(key, None)
        if key in other:
            cell[key] = copy.deepcopy(other[key])


def _three(raw: dict[str, Any], ours: Document, base: Document, theirs: Document, found: Sequence[Clash]) -> Decided:
    """Return what notebook, twin and base are from now on, of the merged cells."""
    rows: tuple[list[dict[str, Any]], ...] = ([], [], [])
    taken = {cell.get("id") for cell in raw["cells"]}
    for cell in raw["cells"]:
        mark = cell["metadata"].pop(_MARK, {})
        of_ours = ours.raw["cells"][mark["ours"]] if "ours" in mark else None
        clash = found[mark["clash"]] if "clash" in mark else None
        if clash is not None and clash.choice is None:
            node = clash.node
            for row, document, index in zip(
                rows, (ours, theirs, base), (node.ours, node.theirs, node.base), strict=True
            ):
                if index is not None:
                    row.append(_made(cell, document.cells[index], of_ours))
            continue
        kept = [None] if clash is None else _kept(clash, ours, theirs)
        cells = [_made(cell, kept[0], of_ours), *(_beside(cell, other, taken) for other in kept[1:])]
        for row in rows:
            row.extend(cells)
    left = tuple(clash.conflict for clash in found if clash.choice is None)
    notebook, twin, before = ({**raw, "cells": cells} for cells in rows)
    return Decided(notebook, twin, before, left)


def _kept(clash: Clash, ours: Document, theirs: Document) -> list[Cell | None]:
    """Return the versions of a cell that stay."""
    here, there = _at(ours, clash.node.ours), _at(theirs, clash.node.theirs)
    chosen = {"notebook": [here], "twin": [there]}.get(clash.choice or "", [here, there])
    return [one for one in chosen if one is not None]


def _made(cell: dict[str, Any], said: Cell | None, ours: dict[str, Any] | None) -> dict[str, Any]:
    """Return a merged cell that says what it is to say, with its outputs."""
    made = copy.deepcopy(cell)
    if said is not None:
        _put(made, said)
    if ours is not None:
        _keep_outputs(made, ours)
    return made


def _beside(cell: dict[str, Any], said: Cell | None, taken: set[Any]) -> dict[str, Any]:
    """Return a cell of its own with the other version; where cells have ids it gets the same one whoever makes it."""
    assert said is not None
    made: dict[str, Any] = {"cell_type": "raw", "metadata": {}, "source": type(cell["source"])()}
    _put(made, said)
    if "id" in cell:
        start = hashlib.sha256(f"{cell['id']}\0{said.source}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
        made["id"] = next(i for n in range(len(taken) + 1) if (i := f"{start}-{n}" if n else start) not in taken)
        taken.add(made["id"])
    return made


def _put(cell: dict[str, Any], said: Cell) -> None:
    if cell["cell_type"] != said.kind:
        cell["cell_type"] = said.kind
        for key in ("outputs", "execution_count"):
            cell.pop(key, None)
        if said.kind == "code":
            cell |= {"outputs": [], "execution_count": None}
    put_source(cell, said.source)


def _keep_outputs(cell: dict[str, Any], ours: dict[str, Any]) -> None:
    """Let a cell keep what the notebook has of it beside its text, as if it had been edited there."""
    if cell["cell_type"] == "code" == ours.get("cell_type"):
        for key in ("execution_count", "outputs"):
            if key in ours:
                cell[key] = ours[key]
            else:
                cell.pop(key, None)
    said = ours.get("metadata")
    noise = {key: said[key] for key in said if key in CELL} if isinstance(said, dict) else {}
    cell["metadata"] = noise | cell["metadata"]
