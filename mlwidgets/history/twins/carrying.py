"""From a twin that was edited to the notebook that it means; what the text does not say stays as it was."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from mlwidgets.errors import TwinError
from mlwidgets.history.diff.align import align
from mlwidgets.history.diff.sequences import Budget
from mlwidgets.history.merging.documents import Document
from mlwidgets.history.merging.lines import merge_lines
from mlwidgets.history.merging.values import merge_values
from mlwidgets.history.notebooks.notebook import Cell, joined, read_notebook

Span = tuple[range, range]
"""Cells of the text and those of the notebook that they are: mostly one and one."""


def carried(base: Document, before: Document, now: Document) -> tuple[Document, list[int]]:
    """Return the notebook that the twin means now, and which cells of the base are in it, by their index there.

    Parameters
    ----------
    base
        The notebook when both sides said the same.
    before, now
        What the twin said then and says now, as Jupytext reads it. A cell whose text was not touched stays exactly
        what it was, also where the text does not say all of it.

    Raises
    ------
    TwinError
        If the text was edited where several cells of the notebook are one for Jupytext: nobody can tell which.
    """
    spans = _spans(before.cells, base.cells)
    where = {k: n for n, (text, _) in enumerate(spans) for k in text}
    origin = _origins(before.cells, now.cells)
    place = {k: x for x, k in origin.items()}
    whole = {n: places[0] for n, (text, _) in enumerate(spans) if (places := _untouched(text, place, before, now))}
    for at, (said, rows) in enumerate(spans):
        if said and len(rows) > len(said) and at not in whole:
            raise TwinError(
                f"cells {rows[0] + 1} to {rows[-1] + 1} of the notebook are one in its text, for a string or block in "
                "them or before them has no end: edit these in the notebook; remove the text to have it written again"
            )
    cells: list[dict[str, Any]] = []
    kept: list[int] = []

    def put(rows: range, made: Sequence[dict[str, Any]] | None = None) -> None:
        cells.extend(copy.deepcopy([base.raw["cells"][i] for i in rows]) if made is None else made)
        kept.extend(rows)

    silent = {n: rows for n, (text, rows) in enumerate(spans) if not text}
    put(silent.pop(0, range(0)))
    for x, cell in enumerate(now.raw["cells"]):
        n = where.get(origin[x]) if x in origin else None
        if n is None:
            cells.append(_new(cell, base))
            continue
        text, rows = spans[n]
        if n in whole:
            if whole[n] == x:
                put(rows)
        elif len(text) == 1 and len(rows) == 1:
            put(rows, [_edited(base.raw["cells"][rows[0]], before.raw["cells"][text[0]], cell)])
        else:
            cells.append(_new(cell, base))
        if x == max((place[k] for k in text if k in place), default=x):
            # Of some cells the text says nothing: they stay behind the one that they were behind.
            put(silent.pop(n + 1, range(0)))
    for rows in silent.values():
        put(rows)
    raw = {**base.raw, "cells": cells, "metadata": _metadata(base, before, now)}
    return Document(b"twin", raw, read_notebook(raw, "the twin").cells), sorted(set(kept))


def _spans(text: Sequence[Cell], cells: Sequence[Cell]) -> list[Span]:
    """Return which cells of the text are which of the notebook, in order."""
    if [cell.kind for cell in text] == [cell.kind for cell in cells]:
        return [(range(n, n + 1), range(n, n + 1)) for n in range(len(cells))]
    spans: list[Span] = []
    k = i = 0
    anchors = [
        (one.old, one.new)
        for one in align(text, cells, Budget())
        if not one.moved and _bare(text[one.old]) == _bare(cells[one.new])
    ]
    for at, there in [*sorted(anchors), (len(text), len(cells))]:
        if at > k or there > i:
            spans.append((range(k, at), range(i, there)))
        if at < len(text):
            spans.append((range(at, at + 1), range(there, there + 1)))
        k, i = at + 1, there + 1
    return spans


def _bare(cell: Cell) -> tuple[str, str]:
    return cell.kind, cell.source.strip()


def _origins(before: Sequence[Cell], now: Sequence[Cell]) -> dict[int, int]:
    """Return of each cell which one it was before; between two that stayed, one for one is the same one rewritten."""
    matches = align(before, now, Budget())
    found = {one.new: one.old for one in matches}
    stay = sorted((one.old, one.new) for one in matches if not one.moved)
    gone = set(range(len(before))) - set(found.values())
    k = x = 0
    for at, there in [*stay, (len(before), len(now))]:
        old = [n for n in range(k, at) if n in gone]
        new = [n for n in range(x, there) if n not in found]
        if [before[n].kind for n in old] == [now[n].kind for n in new]:
            found |= {n: o for o, n in zip(old, new, strict=True) if before[o].source.strip() and now[n].source.strip()}
        k, x = at + 1, there + 1
    return found


def _untouched(text: range, place: dict[int, int], before: Document, now: Document) -> list[int]:
    """Return where the cells of a span are now, nothing if one of them was edited or they are no longer together."""
    places = [place.get(k, -1) for k in text]
    if not places or -1 in places or places != list(range(places[0], places[0] + len(places))):
        return []
    same = (_said(before.raw["cells"][k]) == _said(now.raw["cells"][x]) for k, x in zip(text, places, strict=True))
    return places if all(same) else []


def _said(cell: dict[str, Any]) -> tuple[Any, ...]:
    return cell["cell_type"], cell["source"], cell.get("metadata")


def _edited(base: dict[str, Any], before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    cell = copy.deepcopy(base)
    if now["cell_type"] != before["cell_type"]:
        cell["cell_type"] = now["cell_type"]
        if cell["cell_type"] == "code":
            cell.pop("attachments", None)
            cell |= {"outputs": [], "execution_count": None}
        else:
            cell.pop("outputs", None)
            cell.pop("execution_count", None)
    was = joined(base.get("source"))
    if now["source"] != before["source"]:
        # What the text cannot say of a source, blanks at its end say, is as it was.
        merged, clash = merge_lines(before["source"], was, now["source"])
        put_source(cell, now["source"] if clash else merged)
    sides = [_dict(one.get("metadata")) for one in (before, base, now)]
    cell["metadata"] = merge_values(sides, "", [])
    return cell


def put_source(cell: dict[str, Any], source: str) -> None:
    """Let a cell have another source, in the manner in which it has its own."""
    cell["source"] = source if isinstance(cell.get("source"), str) else source.splitlines(keepends=True)


def _new(cell: dict[str, Any], base: Document) -> dict[str, Any]:
    made = {"cell_type": cell["cell_type"], "metadata": copy.deepcopy(_dict(cell.get("metadata"))), "source": []}
    if any(isinstance(one.get("source"), str) for one in base.raw["cells"]):
        made["source"] = ""
    put_source(made, cell["source"])
    return made | ({"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {})


def _metadata(base: Document, before: Document, now: Document) -> dict[str, Any]:
    sides = [_dict(one.raw.get("metadata")) for one in (before, base, now)]
    if not sides[2]:
        # It has no header any more: it says nothing of them.
        return sides[1]
    found: dict[str, Any] = merge_values(sides, "", [])
    return found


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
