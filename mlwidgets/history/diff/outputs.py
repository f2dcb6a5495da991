"""What changed between the outputs of two cells: text by lines, tables by cells, pictures side by side."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from mlwidgets.history.diff.lines import Row, diff_lines
from mlwidgets.history.diff.sequences import Budget, Pair, common, runs
from mlwidgets.history.diff.tables import diff_tables, read_table

MOST_TEXT = 200_000
"""Characters of an output that are compared line by line; what is longer is cut there."""
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
TEXTS = ("text/markdown", "text/latex", "text/plain")

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_ADDRESS = re.compile(r"(?<= at )0x[0-9a-fA-F]{6,16}(?=[>,)\s])")
"""Where an object lies in memory, as Python writes it: another place each time, and nobody's doing."""


@dataclass(frozen=True)
class Shown:
    """An output as it is compared.

    Parameters
    ----------
    kind
        ``text``, ``image``, ``table``, ``error`` or ``other``.
    text
        What it says, without colours; of a picture nothing.
    image
        ``mime`` and ``data``, base64, of a picture.
    table
        Rows of cells.
    """

    kind: str
    text: str = ""
    image: tuple[str, str] | None = None
    table: tuple[tuple[str, ...], ...] | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for outputs that show the same, but for addresses in memory."""
        return self.kind, _ADDRESS.sub("0x…", self.text), self.image, self.table

    def picture(self) -> dict[str, str] | None:
        """Return the picture, fit for JSON."""
        return {"mime": self.image[0], "data": self.image[1]} if self.image else None


def diff_outputs(
    old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]], budget: Budget | None = None
) -> list[dict[str, Any]]:
    """Return what became of each output, fit for JSON; nothing where they show the same.

    Addresses in memory are not compared: the same object has another one in each kernel.
    """
    budget = budget or Budget()
    before, after = shown(old), shown(new)
    keys = [one.key for one in before], [one.key for one in after]
    if keys[0] == keys[1]:
        return []
    found: list[dict[str, Any]] = []
    for (i, i_end, j, j_end), length in runs(common(*keys), len(before), len(after)):
        for one, other in _paired(before[i:i_end], after[j:j_end]):
            found.append(_change(one, other, budget))
        found += [_change(one, one, budget) for one in before[i_end : i_end + length]]
    return found


def one_sided(outputs: Sequence[dict[str, Any]], change: str) -> list[dict[str, Any]]:
    """Return the outputs of a cell that was ``added`` or ``removed`` as `diff_outputs` would."""
    came = change == "added"
    return [_change(None if came else one, one if came else None, Budget()) for one in shown(outputs)]


def _paired(old: Sequence[Shown], new: Sequence[Shown]) -> Iterable[tuple[Shown | None, Shown | None]]:
    """Yield outputs with those that have taken their place: of the same kind, in the same order."""
    pairs: list[Pair] = common([one.kind for one in old], [one.kind for one in new])
    for (i, i_end, j, j_end), length in runs(pairs, len(old), len(new)):
        yield from ((one, None) for one in old[i:i_end])
        yield from ((None, one) for one in new[j:j_end])
        yield from zip(old[i_end : i_end + length], new[j_end : j_end + length], strict=True)


def _change(old: Shown | None, new: Shown | None, budget: Budget) -> dict[str, Any]:
    change = "added" if old is None else "removed" if new is None else "edited"
    if old is not None and new is not None and old.key == new.key:
        change = "same"
    one = old or new
    return {
        "change": change,
        "type": one.kind if one else "other",
        "rows": [] if change == "same" else _rows(old, new, budget),
        "old": old.picture() if old and change != "same" else None,
        "new": new.picture() if new and change != "same" else None,
    }


def _rows(old: Shown | None, new: Shown | None, budget: Budget) -> list[Row]:
    tables = (old.table if old else (), new.table if new else ())
    if tables[0] is not None and tables[1] is not None and (tables[0] or tables[1]):
        return diff_tables(tables[0], tables[1], budget)
    return diff_lines(old.text if old else "", new.text if new else "", budget)


def shown(outputs: Sequence[dict[str, Any]]) -> list[Shown]:
    """Return what outputs show; pieces of one stream are one output."""
    found: list[Shown] = []
    for (kind, _), run in groupby(outputs, lambda one: (one.get("output_type"), str(one.get("name")))):
        if kind == "stream":
            # Colours and a progress bar that was drawn over itself may come in pieces.
            found.append(Shown("text", _overwritten(_plain(_beginning(one.get("text") for one in run)))))
        else:
            found += map(_shown, run)
    return found


def _beginning(pieces: Iterable[Any], between: str = "") -> str:
    """Return what pieces of text begin with when joined, as far as it is compared."""
    taken: list[str] = []
    length = 0
    for piece in pieces:
        taken.append(_text(piece))
        length += len(taken[-1]) + len(between)
        if length > MOST_TEXT:
            break
    return between.join(taken)


def _shown(output: dict[str, Any]) -> Shown:
    if output.get("output_type") == "error":
        traceback = output.get("traceback")
        said = _plain(_beginning(traceback, "\n")) if isinstance(traceback, list) else ""
        return Shown("error", said or f"{output.get('ename')}: {output.get('evalue')}")
    data = output.get("data")
    return _bundle(data if isinstance(data, dict) else {})


def _bundle(data: dict[str, Any]) -> Shown:
    for mime in IMAGES:
        if isinstance(data.get(mime), str):
            return Shown("image", "", (mime, _encoded(mime, data[mime])))
    html = data.get("text/html")
    if isinstance(html, str) and (table := read_table(html[:MOST_TEXT])):
        return Shown("table", "", None, table)
    for mime in TEXTS:
        if isinstance(data.get(mime), str):
            return Shown("text", _overwritten(_plain(data[mime])))
    if isinstance(html, str):
        return Shown("other", _plain(html))
    return Shown("other", _plain("\n".join(f"{mime}: {_dumped(value)}" for mime, value in sorted(data.items()))))


def _encoded(mime: str, data: str) -> str:
    if mime == "image/svg+xml":
        return base64.b64encode(data.encode("utf-8", "replace")).decode()
    return "".join(data.split())


def _dumped(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _plain(text: str) -> str:
    """Return text without colours."""
    return _ESCAPE.sub("", text[:MOST_TEXT]).replace("\r\n", "\n")


def _overwritten(text: str) -> str:
    """Return text as it stands where a line was begun anew: the last of what was drawn over each other."""
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return text.removesuffix("\n")
