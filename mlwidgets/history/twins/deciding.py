"""What changed on both sides, whose version stays, and the notebook that comes of it."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
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
    sides = [_Side(one) for one in (base, ours, theirs)]
    b, o, t = sides
    for n, cell in enumerate(o.cells):
        _marked(cell)["ours"] = n
    open_ones: dict[int, Clash] = {}
    for n, clash in enumerate(found):
        node = clash.node
        if clash.choice is None:
            open_ones[n] = clash
            for side, index in ((o, node.ours), (t, node.theirs)):
                if index is not None:
                    _marked(side.cells[index])["clash"] = n
        _settle(clash, b, o, t)
    merged = merge(b.document(), o.document(), t.document(), Labels("notebook", "twin"))
    if merged.conflicts:
        raise TwinError(
            f"cell {merged.conflicts[0].number} of {len(ours.cells)} cannot be told from others that both sides "
            "changed; take one side as a whole: mlwidgets sync --ours or --theirs"
        )
    return _three(json.loads(merged.data), ours, base, theirs, open_ones)


class _Side:
    """A side's cells while conflicts are settled, without outputs."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._raw = copy.deepcopy(stripped(document.raw))
        self.cells: list[dict[str, Any]] = self._raw["cells"]
        self.gone: set[int] = set()
        self.more: dict[int, dict[str, Any]] = {}

    def document(self) -> Document:
        cells = []
        for n, cell in enumerate(self.cells):
            cells += [] if n in self.gone else [cell]
            cells += [self.more[n]] if n in self.more else []
        raw = {**self._raw, "cells": cells}
        return replace(self._document, raw=raw, cells=read_notebook(raw, "a twin").cells)


def _marked(cell: dict[str, Any]) -> dict[str, Any]:
    metadata = cell["metadata"] = cell["metadata"] if isinstance(cell.get("metadata"), dict) else {}
    mark: dict[str, Any] = metadata.setdefault(_MARK, {})
    return mark


def _settle(clash: Clash, b: _Side, o: _Side, t: _Side) -> None:
    """Change the sides so that the cell is no longer one that both changed."""
    node, choice = clash.node, clash.choice or "both"
    if node.ours is not None and node.theirs is not None:
        here, there = o.cells[node.ours], t.cells[node.theirs]
        if choice == "twin":
            _say(here, there)
            return
        if clash.choice == "both":
            t.more[node.theirs] = {
                key: copy.deepcopy(value) for key, value in there.items() if key not in {"id", "metadata"}
            } | {"metadata": {}}
        _say(there, here)
        return
    side, index = (t, node.theirs) if node.ours is None else (o, node.ours)
    assert index is not None
    assert node.base is not None
    if choice == ("notebook" if node.ours is None else "twin"):
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


def _three(
    raw: dict[str, Any], ours: Document, base: Document, theirs: Document, found: Mapping[int, Clash]
) -> Decided:
    """Return what notebook, twin and base are from now on, of the merged cells."""
    notebook: list[dict[str, Any]] = []
    twin: list[dict[str, Any]] = []
    before: list[dict[str, Any]] = []
    for cell in raw["cells"]:
        mark = cell["metadata"].pop(_MARK, {})
        if "ours" in mark:
            _keep_outputs(cell, ours.raw["cells"][mark["ours"]])
        clash = found.get(mark["clash"]) if "clash" in mark else None
        if clash is None:
            for row in (notebook, twin, before):
                row.append(cell)
            continue
        node = clash.node
        for row, document, index in (
            (notebook, ours, node.ours),
            (twin, theirs, node.theirs),
            (before, base, node.base),
        ):
            if index is not None:
                row.append(copy.deepcopy(cell))
                _put(row[-1], document.cells[index])
    left = tuple(clash.conflict for clash in found.values())
    return Decided({**raw, "cells": notebook}, {**raw, "cells": twin}, {**raw, "cells": before}, left)


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
