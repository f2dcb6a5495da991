"""What the routes to text twins say, and what is said to them."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlwidgets.errors import ParameterError
from mlwidgets.history.restoring import state_of
from mlwidgets.history.twins.ahead import Ahead
from mlwidgets.history.twins.results import Choice
from mlwidgets.server.twinning import State


def told(state: State, name_of: Callable[[Path], str], hashed: str | None, *, shared: bool) -> dict[str, Any]:
    """Return a state as its page reads it.

    Parameters
    ----------
    name_of
        The path of requests of a file.
    hashed
        Of the notebook's file, as the contents manager tells it.
    shared
        Several people write in the notebook by way of the server.
    """
    look = state.ahead
    twin = state.twin if look is None else look.twin
    return {
        "twin": None if twin is None else name_of(twin),
        "format": None if look is None else look.format,
        "news": look is not None and look.notebook is not None,
        "conflicts": [] if look is None else conflicts_told(look),
        "problem": state.problem,
        "shared": shared,
        "hash": hashed,
        "text": None if twin is None else str(state_of(twin)),
    }


def conflicts_told(look: Ahead) -> list[dict[str, Any]]:
    """Return conflicts with their lines side by side: the notebook's, then the twin's."""
    from mlwidgets.history.diff.cells import lines

    kinds = dict(enumerate(look.kinds, 1))
    return [
        {
            "id": one.id,
            "cell": one.cell,
            "kind": kinds.get(one.cell, "code"),
            "notebook": one.notebook,
            "twin": one.twin,
            "deleted": one.deleted,
            "rows": lines(one.notebook, one.twin),
        }
        for one in look.conflicts
    ]


def choices_in(given: Any) -> dict[str, Choice]:
    """Return the decisions that a request holds.

    Raises
    ------
    ParameterError
        If it holds something else.
    """
    if not isinstance(given, dict) or any(one not in ("notebook", "twin", "both") for one in given.values()):
        raise ParameterError("choices are 'notebook', 'twin' or 'both', by the ids of conflicts")
    return given


def merged(look: Ahead, given: dict[str, Any]) -> dict[str, Any]:
    """Return what an open notebook becomes: its cells in order, and which metadata are others than those given."""
    if look.notebook is None or look.conflicts:
        return {"cells": None, "metadata": None, "conflicts": conflicts_told(look)}
    then = json.loads(look.notebook)
    known = {cell.get("id"): cell.get("metadata") for cell in given["cells"]}
    cells = []
    for cell in then["cells"]:
        source = cell.get("source") or ""
        metadata = cell.get("metadata") or {}
        cells.append(
            {
                "id": cell.get("id"),
                "type": cell.get("cell_type"),
                "source": source if isinstance(source, str) else "".join(source),
                "metadata": None if known.get(cell.get("id")) == metadata else metadata,
            }
        )
    metadata = then.get("metadata")
    return {"cells": cells, "metadata": None if metadata == given.get("metadata") else metadata, "conflicts": []}


def hash_of(file: Path, algorithm: str) -> str | None:
    """Return what a contents manager tells a file's content by."""
    with contextlib.suppress(OSError, ValueError):
        return hashlib.new(algorithm, file.read_bytes()).hexdigest()
    return None
