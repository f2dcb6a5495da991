"""What a run with ``--deterministic`` told of operations that do not give the same bits each time."""

from __future__ import annotations

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines

EVENT = "nondeterministic"
"""Has ``operation``, torch's name of it, and ``where``, the line that called it; both are texts."""


def nondeterministic(folder: RunFolder) -> list[str]:
    """Return a sentence for each operation without a deterministic form that the run has used, in their order.

    Only runs with ``--deterministic`` tell.
    """
    found: dict[str, str] = {}
    for event in read_lines(folder.events, EVENT):
        if isinstance(event.get("operation"), str):
            found.setdefault(event["operation"], str(event.get("where") or ""))
    return [sentence(operation, where) for operation, where in found.items()]


def sentence(operation: str, where: str) -> str:
    """Return what is said of one operation."""
    return f"{operation} has no deterministic form here{f' ({where})' if where else ''}"
