"""Changes of a run cut to the room that there is for them: what changed before what did not, the sent cell first."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mlwidgets.views.nbdiffwords import CONTEXT

LONGEST_PIECE = 300
"""Characters of a piece of a line, where lines are cut at all."""
MOST_FACTS = 40
"""Entries of the environment, where any are left out."""
FACT_SHARE = 150
"""One such entry for so many bytes."""
FEWEST_METRICS = 4
METRIC_SHARE = 300
"""One metric for so many bytes, where any are left out."""

Row = list[Any]


def fitted(changes: dict[str, Any], most: int) -> dict[str, Any]:
    """Return changes that take at most about `most` bytes as JSON; ``left_out`` counts the lines that are not there."""
    if size(changes) <= most:
        return changes
    near = _mapped(changes, _near)
    if size(near) <= most:
        return near
    facts = min(MOST_FACTS, most // FACT_SHARE)
    left_out = max(0, len(near["environment"]) - facts)
    # A reader looks first at metrics of which it is known what is better.
    metrics = sorted(near["metrics"], key=lambda one: not one[1])[: max(FEWEST_METRICS, most // METRIC_SHARE)]
    short = {**_mapped(near, _cut_long), "environment": near["environment"][:facts], "metrics": metrics}
    room = most - size({**short, "cell": None, "modules": [], "notebook": None}) - 100
    cell, room, left = _first(short["cell"], room)
    left_out += left
    modules = []
    for name, rows in short["modules"]:
        kept, room, left = _first(rows, room - len(name) - 10)
        left_out += left
        modules += [[name, kept]] if kept else []
    notebook, left = _notebook(short["notebook"], room)
    return {**short, "cell": cell, "modules": modules, "notebook": notebook, "left_out": left_out + left}


def size(value: Any) -> int:
    """Return how many bytes a value takes as JSON."""
    return len(json.dumps(value))


def _mapped(changes: dict[str, Any], change: Any) -> dict[str, Any]:
    """Return changes with other rows."""
    notebook = changes["notebook"]
    if notebook is not None:
        cells = [{**cell, "rows": change(cell["rows"])} if "rows" in cell else cell for cell in notebook["cells"]]
        notebook = {**notebook, "cells": cells}
    return {
        **changes,
        "cell": change(changes["cell"]) if changes["cell"] else changes["cell"],
        "modules": [[name, change(rows)] for name, rows in changes["modules"]],
        "notebook": notebook,
    }


def _near(rows: list[Row]) -> list[Row]:
    """Return the rows that changed and those around them."""
    changed = [at for at, row in enumerate(rows) if row[0] != "="]
    near = {at + by for at in changed for by in range(-CONTEXT, CONTEXT + 1)}
    return [row for at, row in enumerate(rows) if at in near]


def _cut_long(rows: list[Row]) -> list[Row]:
    return [[_cut(part) for part in row] for row in rows]


def _cut(part: Any) -> Any:
    if isinstance(part, list):
        return [[changed, _cut(text)] for changed, text in part]
    return f"{part[:LONGEST_PIECE]}…" if isinstance(part, str) and len(part) > LONGEST_PIECE else part


def _first(rows: list[Row] | None, room: int) -> tuple[list[Row] | None, int, int]:
    """Return the first rows that there is room for, the room that is left, and how many lines there was none for."""
    if rows is None:
        return None, room, 0
    kept: list[Row] = []
    for row in rows:
        room -= size(row) + 2
        if room < 0:
            break
        kept.append(row)
    left = sum(1 for row in rows[len(kept) :] if row[0] != "=")
    return kept, room, left


def _notebook(notebook: dict[str, Any] | None, room: int) -> tuple[dict[str, Any] | None, int]:
    """Return the first cells that there is room for whole, and how many lines of others changed."""
    if notebook is None:
        return None, 0
    room -= size({**notebook, "cells": []})
    kept: list[dict[str, Any]] = []
    left = 0
    for cell in notebook["cells"]:
        needed = size(cell) + 2
        if needed <= room:
            kept.append(cell)
            room -= needed
        else:
            left += _lines(cell)
    return ({**notebook, "cells": kept} if room >= 0 else None), left


def _lines(cell: dict[str, Any]) -> int:
    rows: Iterable[Row] = cell.get("rows", ())
    return sum(1 for row in rows if row[0] != "=") or cell.get("source", "").count("\n") + 1
