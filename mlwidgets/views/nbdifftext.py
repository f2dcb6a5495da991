"""What changed in a notebook, as a terminal shows it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from mlwidgets.views import format as fmt
from mlwidgets.views import nbdiffwords as words

CODES = {
    "-": "31",
    "+": "32",
    "head": "1",
    "dim": "2",
    "added": "1;32",
    "removed": "1;31",
    "moved": "1;35",
    "edited": "1;34",
}
WORD = "7"
"""Changed words are inverse, so that changed spaces are seen."""
MOST_WORDS = 6
"""Changed pieces of a line that are told in one line where there are no colours."""
BESIDE = 2
"""Lines that are shown of a cell that was moved."""


def text(document: dict[str, Any], colour: bool, width: int, now: float | None = None) -> str:
    """Return what changed, cell by cell.

    Parameters
    ----------
    document
        Both states by name and time, and what `mlwidgets.history.diff.cells.compare` found, as JSON.
    colour
        Whether the terminal shows colours: changed words are marked by them, else as ``git diff --word-diff`` does.
    width
        Columns.
    now
        Unix seconds; the present by default.
    """
    ink = _Ink(colour, max(40, width))
    said = words.summary(document, time.time() if now is None else now)
    lines = [ink.paint(said[:1].upper() + said[1:], "head")]
    diff = document["diff"]
    if not words.what_words(diff):
        return lines[0]
    facts = [words.fact_words(fact) for fact in diff.get("metadata", ())]
    if facts:
        lines += ["", ink.rule("notebook", "metadata", "edited"), *(f"  {fact}" for fact in map(ink.cut, facts))]
    for folded, cells in words.folded_cells(diff["cells"]):
        if folded:
            lines += ["", ink.paint(f"  ⋯ {words.many(len(cells), 'unchanged cell')}", "dim")]
        for cell in () if folded else cells:
            lines += ["", *_cell(cell, ink)]
    return "\n".join(lines)


def rows_text(rows: Sequence[list[Any]], colour: bool, width: int) -> list[str]:
    """Return rows side by side as lines one below the other, those far from a change folded."""
    return list(_rows(rows, _Ink(colour, max(40, width))))


def _cell(cell: dict[str, Any], ink: _Ink) -> Iterable[str]:
    yield ink.rule(words.number_words(cell), words.change_words(cell), cell["change"])
    if cell["change"] == "moved":
        rows = words.rows_of(cell)
        beside = BESIDE if len(rows) > BESIDE + 1 else len(rows)
        yield from (ink.line(" ", row[3]) for row in rows[:beside])
        if len(rows) > beside:
            yield ink.paint(f"  ⋯ {words.many(len(rows) - beside, 'unchanged line')}", "dim")
    elif not words.is_quiet(cell) or cell["change"] in {"added", "removed"}:
        yield from _rows(words.rows_of(cell), ink)
    for fact in cell.get("metadata", ()):
        yield ink.paint("  " + ink.cut(words.fact_words(fact)), "edited")
    for number, output in enumerate(cell.get("outputs", ()), 1):
        if output["change"] != "same":
            yield ink.paint(f"  output {number}, {output['type']}: {output['change']}{_picture(output)}", "head")
            yield from _rows(output["rows"], ink)


def _picture(output: dict[str, Any]) -> str:
    sides = [output["old"], output["new"]]
    if not any(sides):
        return ""
    said = [f"{side['mime']} of {fmt.size(len(side['data']) * 3 // 4)}" for side in sides if side]
    return f", {' → '.join(said)}"


def _rows(rows: Sequence[list[Any]], ink: _Ink) -> Iterable[str]:
    for folded, part in words.folded_rows(rows):
        if folded:
            yield ink.paint(f"  ⋯ {words.many(len(part), 'unchanged line')}", "dim")
            continue
        for row in part:
            if row[0] == "~":
                yield from ink.edited(row[3], row[4])
            else:
                yield ink.line(" " if row[0] == "=" else row[0], row[-1])


class _Ink:
    """Paints for one terminal."""

    def __init__(self, colour: bool, width: int) -> None:
        self.colour = colour
        self.width = width

    def paint(self, said: str, how: str) -> str:
        return f"\x1b[{CODES[how]}m{said}\x1b[0m" if self.colour and said else said

    def rule(self, which: str, what: str, change: str) -> str:
        head = f"── {which}: {what} "
        return self.paint(head + "─" * max(3, self.width - len(head)), change if change in CODES else "head")

    def cut(self, said: str) -> str:
        return said if len(said) <= words.LONGEST_LINE else f"{said[: words.LONGEST_LINE]}…"

    def line(self, sign: str, said: str) -> str:
        shown = f"{sign} {self.cut(words.visible(said))}".rstrip()
        return self.paint(shown, sign) if sign in CODES else shown

    def edited(self, old: Sequence[Any], new: Sequence[Any]) -> Iterable[str]:
        """Yield both lines one below the other; without colours a line in which little changed is told once."""
        if self.colour:
            yield self._side("-", old)
            yield self._side("+", new)
            return
        merged = _merged(words.short(old), words.short(new))
        said = "".join(piece for _, piece in merged)
        # Of a line that is cut, what changed might be hard to find.
        fits = len(said) + 2 <= 2 * self.width or sum(len(piece) for _, piece in old) > words.LONGEST_LINE
        if fits and 0 < sum(1 for sign, _ in merged if sign) <= MOST_WORDS:
            yield f"~ {said}"
            return
        yield self.line("-", _marked(words.short(old), "[-{}-]"))
        yield self.line("+", _marked(words.short(new), "{{+{}+}}"))

    def _side(self, sign: str, segments: Sequence[Any]) -> str:
        code = CODES[sign]
        pieces = [f"\x1b[{code}m{sign} "]
        for changed, piece in words.short(segments):
            shown = self.cut(words.visible(piece))
            pieces.append(f"\x1b[{WORD}m{shown}\x1b[27m" if changed else shown)
        return "".join(pieces) + "\x1b[0m"


def _marked(segments: Sequence[Any], mark: str) -> str:
    """Return a line with what changed marked, where that is less than half of it."""
    changed = sum(len(piece) for is_changed, piece in segments if is_changed)
    few = 2 * changed < sum(len(piece) for _, piece in segments)
    return "".join(mark.format(piece) if is_changed and few else piece for is_changed, piece in segments)


def _merged(old: Sequence[Any], new: Sequence[Any]) -> list[tuple[str, str]]:
    """Return both lines as one: what stays, ``[-what went-]``, ``{+what came+}``; nothing where they do not fit."""
    merged: list[tuple[str, str]] = []
    left, right = list(old), list(new)
    if sum(1 for changed, _ in left if not changed) != sum(1 for changed, _ in right if not changed):
        # In a row of a table what changed may be an empty cell.
        return []
    while left or right:
        if left and left[0][0]:
            merged.append(("-", f"[-{words.visible(left.pop(0)[1])}-]"))
        elif right and right[0][0]:
            merged.append(("+", f"{{+{words.visible(right.pop(0)[1])}+}}"))
        else:
            left.pop(0)
            merged.append(("", words.visible(right.pop(0)[1])))
    return merged
