"""What changed between two notebooks: which cells, which lines in them, which words in those, which outputs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mlwidgets.history.diff.align import Match, align
from mlwidgets.history.diff.lines import Row, diff_lines
from mlwidgets.history.diff.sequences import Budget
from mlwidgets.history.notebooks.notebook import Cell, Notebook

VERSION = 1
"""Of the JSON; raised when a reader of an older one could misread a newer one."""
SAME, ADDED, REMOVED, EDITED, MOVED = "same", "added", "removed", "edited", "moved"
CHANGES = (ADDED, REMOVED, EDITED, MOVED, SAME)
DEEPEST = 4
"""Levels of metadata that are named; what lies below is compared as a whole."""

Difference = list[str | None]
"""A key of metadata with its old and new value as JSON, None where it is not there."""


@dataclass(frozen=True)
class Place:
    """Where a cell is in its notebook: its index from 0, its id, and the number of its last execution."""

    index: int
    id: str | None
    count: int | None


@dataclass(frozen=True)
class CellDiff:
    """What became of one cell.

    Parameters
    ----------
    change
        ``same``, ``added``, ``removed``, ``edited``, or ``moved`` where it is the same at another place.
    moved
        Whether it is at another place; edited ones may be, too.
    old, new
        Where it was and where it is; None where it was or is not.
    source
        Of a cell that was not edited.
    rows
        Of one that was: both sources side by side, as `mlwidgets.history.diff.lines` says.
    outputs
        Where they were asked for and show something else: as `mlwidgets.history.diff.outputs.diff_outputs` says.
    """

    change: str
    kind: str
    old_kind: str
    old: Place | None
    new: Place | None
    moved: bool = False
    source: str = ""
    rows: list[Row] = field(default_factory=list)
    metadata: list[Difference] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it fit for JSON: ``rows`` of an edited cell, ``source`` of others, ``outputs`` where there are any."""
        found: dict[str, Any] = {
            "change": self.change,
            "moved": self.moved,
            "kind": self.kind,
            "old_kind": self.old_kind,
            "old": vars(self.old) if self.old else None,
            "new": vars(self.new) if self.new else None,
        }
        found |= {"rows": self.rows} if self.change == EDITED else {"source": self.source}
        found["metadata"] = self.metadata
        return found | ({"outputs": self.outputs} if self.outputs else {})


@dataclass(frozen=True)
class NotebookDiff:
    """What became of each cell, in the order of reading: that of the new notebook, removed ones where they were.

    ``outputs`` is whether outputs were compared, too.
    """

    cells: tuple[CellDiff, ...]
    language: str = "python"
    metadata: list[Difference] = field(default_factory=list)
    outputs: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """How many cells were added, removed, edited (moved or not), moved, or are the same."""
        counted = Counter(cell.change for cell in self.cells)
        return {change: counted[change] for change in CHANGES}

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.metadata) or any(cell.change != SAME or cell.outputs for cell in self.cells)

    def to_json(self) -> dict[str, Any]:
        """Return it fit for JSON."""
        return {
            "version": VERSION,
            "language": self.language,
            "counts": self.counts,
            "cells": [cell.to_json() for cell in self.cells],
            "metadata": self.metadata,
            "outputs": self.outputs,
        }


_FOLLOWS = frozenset({"kernelspec.display_name", "kernelspec.language", "language_info.name"})
"""What a server writes of the kernel that was chosen: who opens a notebook elsewhere has changed nothing."""


def compare(old: Notebook, new: Notebook, *, outputs: bool = False) -> NotebookDiff:
    """Return what changed from `old` to `new`.

    Every cell of both is in it exactly once. It takes milliseconds; of notebooks that are huge and alike everywhere
    what is found is coarser instead.

    Parameters
    ----------
    outputs
        Whether outputs are compared as well, where both have kept them. A cell whose outputs alone differ is still the
        same.
    """
    outputs = outputs and old.outputs_kept and new.outputs_kept
    matches = align(old.cells, new.cells, Budget())
    # One huge cell must not take the words from all others.
    small_first = sorted(matches, key=lambda one: len(old.cells[one.old].source) + len(new.cells[one.new].source))
    budgets = Budget(), Budget()
    both = {match.new: _both(old, new, match, budgets, outputs) for match in small_first}
    removed_after = _removed(old, matches)
    cells = [_one_sided(old, i, REMOVED, outputs) for i in removed_after.get(-1, ())]
    for j in range(len(new.cells)):
        cells.append(both[j] if j in both else _one_sided(new, j, ADDED, outputs))
        cells += [_one_sided(old, i, REMOVED, outputs) for i in removed_after.get(j, ())]
    metadata = [one for one in differences(old.metadata, new.metadata) if one[0] not in _FOLLOWS]
    return NotebookDiff(tuple(cells), new.language, metadata, outputs)


def _removed(old: Notebook, matches: Iterable[Match]) -> dict[int, list[int]]:
    """Return the cells that are gone by the new cell that they stood behind, -1 for the notebook's top."""
    partner = {match.old: match for match in matches}
    found: dict[int, list[int]] = {}
    behind = -1
    for i in range(len(old.cells)):
        match = partner.get(i)
        if match is None:
            found.setdefault(behind, []).append(i)
        elif not match.moved:
            behind = match.new
    return found


def _place(notebook: Notebook, index: int) -> Place:
    cell = notebook.cells[index]
    return Place(index, cell.id, cell.execution_count)


def _one_sided(notebook: Notebook, index: int, change: str, outputs: bool) -> CellDiff:
    cell, place = notebook.cells[index], _place(notebook, index)
    return CellDiff(
        change,
        cell.kind,
        cell.kind,
        place if change == REMOVED else None,
        place if change == ADDED else None,
        source=cell.source,
        outputs=_outputs_of(cell, change) if outputs and cell.outputs else [],
    )


def _both(old: Notebook, new: Notebook, match: Match, budgets: tuple[Budget, Budget], outputs: bool) -> CellDiff:
    one, other = old.cells[match.old], new.cells[match.new]
    metadata = differences(_about(one), _about(other)) if one != other else []
    edited = one.source != other.source or one.kind != other.kind or bool(metadata)
    return CellDiff(
        EDITED if edited else MOVED if match.moved else SAME,
        other.kind,
        one.kind,
        _place(old, match.old),
        _place(new, match.new),
        match.moved,
        other.source,
        diff_lines(one.source, other.source, budgets[0]) if edited else [],
        metadata,
        _outputs(one, other, budgets[1]) if outputs and one.outputs != other.outputs else [],
    )


def _outputs_of(cell: Cell, change: str) -> list[dict[str, Any]]:
    from mlwidgets.history.diff.outputs import one_sided

    return one_sided(cell.outputs, change)


def _outputs(old: Cell, new: Cell, budget: Budget) -> list[dict[str, Any]]:
    from mlwidgets.history.diff.outputs import diff_outputs

    return diff_outputs(old.outputs, new.outputs, budget)


def _about(cell: Cell) -> dict[str, Any]:
    """Return what a person gave a cell besides its source; of attachments how much there is of which kind."""
    attachments = {
        name: {mime: _size(data) for mime, data in (files.items() if isinstance(files, dict) else ())}
        for name, files in cell.attachments.items()
    }
    given = dict(cell.metadata)
    if isinstance(given.get("mlwidgets"), dict):
        # The mark of a merge stays in a cell that was settled; its source says whether it was.
        given["mlwidgets"] = {key: value for key, value in given["mlwidgets"].items() if key != "conflict"}
        if not given["mlwidgets"]:
            del given["mlwidgets"]
    return {**given, **({"attachments": attachments} if attachments else {})}


def _size(data: Any) -> str:
    from hashlib import sha256

    text = data if isinstance(data, str) else json.dumps(data, sort_keys=True)
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{len(text) * 3 // 4} bytes, {digest[:8]}"


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    """Return the keys, joined by points, whose values differ."""
    before, after = _flat(old), _flat(new)
    keys = dict.fromkeys((*before, *after))
    return [[key, before.get(key), after.get(key)] for key in keys if before.get(key) != after.get(key)]


def _flat(data: dict[str, Any], prefix: str = "", depth: int = 1) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in data.items():
        if isinstance(value, dict) and value and depth < DEEPEST:
            found.update(_flat(value, f"{prefix}{key}.", depth + 1))
        else:
            found[f"{prefix}{key}"] = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return found


def lines(old: str, new: str) -> list[Row]:
    """Return what changed between two texts, as rows side by side."""
    return diff_lines(old, new)
