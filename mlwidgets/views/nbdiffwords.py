"""What changed in a notebook, in words: what the views of it have in common."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

CONTEXT = 3
"""Lines around a change that are shown."""
FEWEST = 4
"""It takes so many lines that are the same to fold them."""
LONGEST_LINE = 2000
"""Characters of a line that are shown where all of it would be too much."""
NEAR = 60
"""Characters of such a line before and after a changed word."""
SIGNS = {"added": "+", "removed": "−", "edited": "±", "moved": "→", "same": "="}
COLOURS = {"added": "#009e73", "removed": "#d5443a", "edited": "#0079c1", "moved": "#9457c9", "same": "#7d7d7d"}
"""The same as in labextension/views/changes/changes.css."""

_SNAPSHOT = re.compile(r"snapshot [\d-]+-\w+")
_UNSEEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\ud800-\udfff]")
"""What steers a terminal, or makes text look as if it were in another order, and halves of characters."""


def visible(text: str) -> str:
    """Return text whose characters can all be seen: ``␛`` for an escape, ``⟨202e⟩`` for one that turns text around."""
    return _UNSEEN.sub(_seen, text) if _UNSEEN.search(text) else text


def _seen(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else f"⟨{code:04x}⟩"


def ago(moment: float, now: float) -> str:
    """Return how long before `now` something was, both in Unix seconds; a date for what is older than a month."""
    seconds = max(0.0, now - moment)
    if seconds < 5:
        return "just now"
    for unit, size, end in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 86400), ("d", 86400, 31 * 86400)):
        if seconds < end:
            return f"{int(seconds // size)} {unit} ago"
    return time.strftime("on %Y-%m-%d", time.localtime(moment))


def side_words(side: dict[str, Any], now: float) -> str:
    """Return which state of the notebook it is: ``commit 1a2b3c4, 3 h ago``."""
    label, moment = visible(side["label"]), side["time"]
    if label.startswith("now"):
        return label
    called = f"the {label}" if label in {"last save", "save before"} else label
    if moment is None:
        return called
    # Its id says nothing that the time does not.
    if _SNAPSHOT.fullmatch(label):
        return f"the snapshot of {ago(moment, now).removeprefix('on ')}"
    return f"{called}, {ago(moment, now)}"


def many(count: int, what: str) -> str:
    """Return a number with its noun."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def count_words(counts: dict[str, int]) -> str:
    """Return ``2 cells edited, 1 added, 1 moved``; nothing where no cell was."""
    found = [(counts.get(change, 0), change) for change in ("edited", "added", "removed", "moved")]
    said = [f"{count} {change}" for count, change in found if count]
    if said:
        count, change = next((count, change) for count, change in found if count)
        said[0] = f"{many(count, 'cell')} {change}"
    return ", ".join(said)


def what_words(diff: dict[str, Any]) -> str:
    """Return what changed in all: ``2 cells edited, 1 cell with other outputs``; nothing where nothing did."""
    quiet = sum(1 for cell in diff["cells"] if cell["change"] == "same" and is_shown(cell))
    parts = [count_words(diff["counts"]), f"{many(quiet, 'cell')} with other outputs" if quiet else ""]
    return ", ".join(filter(None, parts)) or ("only the notebook's metadata changed" if diff.get("metadata") else "")


def summary(document: dict[str, Any], now: float) -> str:
    """Return what a view says first: ``2 cells edited, 1 added since commit 1a2b3c4, 3 h ago``."""
    old, new = document["old"], document["new"]
    what, since = what_words(document["diff"]), side_words(old, now)
    if new["label"].startswith("now"):
        return f"{what} since {since}" if what else f"nothing has changed since {since}"
    to = side_words(new, now)
    return f"{what} from {since} to {to}" if what else f"no difference between {since} and {to}"


def is_shown(cell: dict[str, Any]) -> bool:
    """Whether there is anything to see in a cell: outputs may have changed where the source has not."""
    return cell["change"] != "same" or any(one["change"] != "same" for one in cell.get("outputs", ()))


def is_quiet(cell: dict[str, Any]) -> bool:
    """Whether its source is what it was."""
    if cell["change"] == "same":
        return True
    return (
        cell["change"] == "edited" and cell["kind"] == cell["old_kind"] and all(row[0] == "=" for row in cell["rows"])
    )


def number_words(cell: dict[str, Any]) -> str:
    """Return which cell it is: ``markdown cell 5``, ``cell 7 [In 12]``; one that is gone by its number of then."""
    place = cell["new"] or cell["old"]
    kind = "" if cell["kind"] == "code" else f"{cell['kind']} "
    count = f" [In {place['count']}]" if place["count"] is not None else ""
    return f"{'' if cell['new'] else 'former '}{kind}cell {place['index'] + 1}{count}"


def change_words(cell: dict[str, Any]) -> str:
    """Return what became of it: ``edited, moved from 3``."""
    change = cell["change"]
    moved = [f"moved from {cell['old']['index'] + 1}"] if cell["moved"] and cell["old"] else []
    if change == "moved":
        return ", ".join(moved)
    said = [change]
    if is_quiet(cell):
        said = ["other metadata" if cell.get("metadata") else "other outputs"]
    if cell["kind"] != cell["old_kind"]:
        said = [f"{change} from {cell['old_kind']} to {cell['kind']}"]
    return ", ".join(said + moved)


def rows_of(cell: dict[str, Any]) -> list[list[Any]]:
    """Return the rows of a cell's source, also where it is on one side alone."""
    if "rows" in cell:
        return list(cell["rows"])
    lines = cell["source"].split("\n") if cell["source"] else []
    sign = {"added": "+", "removed": "-"}.get(cell["change"])
    return [[sign, n, text] if sign else ["=", n, n, text] for n, text in enumerate(lines, 1)]


def stretches(
    items: Sequence[T], changed: Callable[[T], bool], context: int, fewest: int
) -> list[tuple[bool, list[T]]]:
    """Part items into those that are shown and those that are folded.

    Parameters
    ----------
    context
        How many are shown before and after each that changed.
    fewest
        It takes so many to make a fold.
    """
    shown = bytearray(len(items))
    for at, item in enumerate(items):
        if changed(item):
            begin, end = max(0, at - context), min(len(items), at + context + 1)
            shown[begin:end] = b"\1" * (end - begin)
    found: list[tuple[bool, list[T]]] = []
    start = 0
    while start < len(items):
        end = start + 1
        while end < len(items) and shown[end] == shown[start]:
            end += 1
        folded = not shown[start] and end - start >= fewest
        part = list(items[start:end])
        if found and not found[-1][0] and not folded:
            found[-1][1].extend(part)
        else:
            found.append((folded, part))
        start = end
    return found


def folded_rows(rows: Sequence[list[Any]]) -> list[tuple[bool, list[list[Any]]]]:
    """Part rows into those near a change and those that are folded."""
    return stretches(rows, lambda row: row[0] != "=", CONTEXT, FEWEST)


def folded_cells(cells: Iterable[dict[str, Any]]) -> list[tuple[bool, list[dict[str, Any]]]]:
    """Part cells into those with something to see and those without."""
    return stretches(list(cells), is_shown, 0, 1)


def fact_words(fact: Sequence[str | None]) -> str:
    """Return a change of metadata: ``tags: ["a"] → none``."""
    key, old, new = (None if text is None else visible(text) for text in fact)
    return f"{key}: {'none' if old is None else old} → {'none' if new is None else new}"


def short(segments: Sequence[Any]) -> list[tuple[int, str]]:
    """Return the pieces of a line; of one that is very long only what stands near a change."""
    if sum(len(piece) for _, piece in segments) <= LONGEST_LINE:
        return [(changed, piece) for changed, piece in segments]
    return [(changed, _shortened(piece, LONGEST_LINE if changed else 2 * NEAR)) for changed, piece in segments]


def _shortened(piece: str, most: int) -> str:
    return piece if len(piece) <= most else f"{piece[: most // 2]}…{piece[-most // 2 :]}"
