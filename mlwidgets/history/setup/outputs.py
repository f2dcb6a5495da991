"""A notebook's file without what its cells printed."""

from __future__ import annotations

from typing import Any

from mlwidgets.history.merging.conflicts import forget_settled
from mlwidgets.history.merging.documents import read

_TIMES = ("execution", "ExecuteTime", "executionInfo")
KEEP = "keep_output"
"""A tag, or a name in the metadata, of cells that keep theirs, as with nbstripout."""


def without_outputs(data: bytes, where: str = "the notebook") -> bytes:
    """Return a notebook without outputs, execution counts, times of execution and states of widgets.

    Everything else stays as it is written; where there is nothing to take away, every byte.

    Raises
    ------
    NotebookError
        If it is no notebook of format 4.
    """
    document = read(data, where)
    changed = forget_settled(document.raw)
    metadata = document.raw.get("metadata")
    said = metadata if isinstance(metadata, dict) else {}
    if not _is_kept(said):
        changed |= said.pop("widgets", None) is not None
        for cell in document.raw["cells"]:
            changed |= _strip(cell)
    return document.written(document.raw) if changed else data


def _strip(cell: dict[str, Any]) -> bool:
    metadata = cell.get("metadata")
    said = metadata if isinstance(metadata, dict) else {}
    if cell.get("cell_type") != "code" or _is_kept(said):
        return False
    changed = bool(cell.get("outputs")) or cell.get("execution_count") is not None
    if changed:
        cell["outputs"], cell["execution_count"] = [], None
    for name in _TIMES:
        changed |= said.pop(name, None) is not None
    return changed


def _is_kept(metadata: dict[str, Any]) -> bool:
    tags = metadata.get("tags")
    return bool(metadata.get(KEEP)) or (isinstance(tags, list) and KEEP in tags)
