"""What a run's code put on show: displays, updates and clears, replayed into what is on show now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Display:
    """One output of the code. ``data`` maps MIME types to JSON values; images are base64 text."""

    data: dict[str, Any]
    metadata: dict[str, Any]


@dataclass
class _Shown:
    display: Display
    display_id: str | None


def replay(entries: Iterable[dict[str, Any]], output_size: int) -> tuple[list[Display], int]:
    """Apply displays, updates and clears in order, as a notebook's output area does.

    Parameters
    ----------
    entries
        Lines of ``displays.jsonl``; each knows how many bytes of output came before it. Damaged ones, which lack
        what their kind needs, are passed over.
    output_size
        How many bytes of output there are by now.

    Returns
    -------
    displays
        What is on show now, in order.
    cleared_to
        Offset in the output from which on text is still on show: what was printed before the last
        ``clear_output`` is not.
    """
    shown: list[_Shown] = []
    cleared_to = 0
    waiting: int | None = None
    for entry in filter(_is_whole, entries):
        kind, offset = entry["event"], entry["offset"]
        if waiting is not None and (kind == "display" or offset > waiting):
            shown, cleared_to, waiting = [], waiting, None
        if kind == "clear":
            if entry["wait"]:
                waiting = offset
            else:
                shown, cleared_to, waiting = [], offset, None
        elif kind == "display":
            shown.append(_Shown(_display(entry), entry.get("display_id")))
        elif kind == "update":
            for item in shown:
                if item.display_id == entry["display_id"]:
                    item.display = _display(entry)
    if waiting is not None and output_size > waiting:
        shown, cleared_to = [], waiting
    return [item.display for item in shown], cleared_to


def _is_whole(entry: dict[str, Any]) -> bool:
    """Whether an entry has what its kind needs; of kinds that are not known nothing is needed but the offset."""
    if not isinstance(entry.get("offset"), int):
        return False
    if entry["event"] == "clear":
        return "wait" in entry
    if entry["event"] in {"display", "update"}:
        return isinstance(entry.get("data"), dict) and (entry["event"] == "display" or "display_id" in entry)
    return True


def _display(entry: dict[str, Any]) -> Display:
    metadata = entry.get("metadata")
    return Display(entry["data"], metadata if isinstance(metadata, dict) else {})
