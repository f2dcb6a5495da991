"""Tables in outputs, as pandas and others write them in HTML, compared by rows and cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from typing import Any
from unicodedata import east_asian_width

from mlwidgets.history.diff.lines import ALIKE, Row
from mlwidgets.history.diff.sequences import Budget, candidates, common, heaviest, runs

MOST_CELLS = 20_000
MOST_LOOKS = 2500
"""Pairs of rows of one change that are all compared."""
WIDEST = 60
"""Characters to which the columns are made as wide as each other."""
BETWEEN = " │ "

TableRow = tuple[str, ...]
Layout = list[tuple[int, bool]]


_COMMENT = re.compile(r"<!--.*?(?:-->|$)", re.DOTALL)
_PIECE = re.compile(r"<(?P<end>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9]*)(?P<about>[^<>]*)>|(?P<text>[^<]+|<)")
_SPAN = re.compile(r"colspan\s*=\s*[\"']?(\d{1,2})")
_OTHERS = frozenset({"img", "svg", "canvas", "iframe", "object", "video", "audio"})


class _Reader:
    """Reads the rows of a table in one pass: what the standard library's parser takes seconds for may be anywhere."""

    def __init__(self) -> None:
        self.tables = 0
        self.rows: list[list[str]] = []
        self.others = False
        self._text: list[str] | None = None
        self._span = 1
        self._unread = False

    def read(self, html: str) -> None:
        for piece in _PIECE.finditer(_COMMENT.sub("", html)):
            if piece["tag"] is None:
                self._data(piece["text"])
            elif piece["end"]:
                self._end(piece["tag"].lower())
            else:
                self._start(piece["tag"].lower(), piece["about"])
        self._close()

    def _start(self, tag: str, about: str) -> None:
        if tag in {"style", "script"}:
            self._unread = True
        elif tag == "table":
            self.tables += 1
        elif tag == "tr":
            self._close()
            self.rows.append([])
        elif tag in {"td", "th"}:
            self._close()
            span = _SPAN.search(about)
            self._span = max(1, int(span[1])) if span else 1
            self._text = []
        elif tag == "br" and self._text is not None:
            self._text.append(" ")
        elif tag in _OTHERS:
            self.others = True

    def _end(self, tag: str) -> None:
        if tag in {"style", "script"}:
            self._unread = False
        elif tag in {"td", "th", "tr", "table"}:
            self._close()

    def _data(self, text: str) -> None:
        if self._unread:
            return
        if self._text is not None:
            self._text.append(text)
        elif not self.rows and text.strip():
            self.others = True

    def _close(self) -> None:
        if self._text is not None:
            if not self.rows:
                self.rows.append([])
            self.rows[-1] += [" ".join(unescape("".join(self._text)).split()), *[""] * (self._span - 1)]
            self._text = None


def read_table(html: str) -> tuple[TableRow, ...] | None:
    """Return the rows of the one table that `html` is, None where it is anything else, or too large."""
    if "<table" not in html:
        return None
    reader = _Reader()
    reader.read(html)
    rows = tuple(tuple(row) for row in reader.rows if row)
    if reader.tables != 1 or reader.others or not rows or sum(map(len, rows)) > MOST_CELLS:
        return None
    return rows


def diff_tables(old: Sequence[TableRow], new: Sequence[TableRow], budget: Budget) -> list[Row]:
    """Return both tables side by side in rows as those of text, with what changed told by cells."""
    old, new = _side_by_side(old, new)
    layout = _layout([*old, *new])
    rows: list[Row] = []
    for (i, i_end, j, j_end), length in runs(common(old, new, (), budget), len(old), len(new)):
        pairs = [(x + i, y + j) for x, y in _paired(old[i:i_end], new[j:j_end], budget)]
        row, other = i, j
        for x, y in [*pairs, (i_end, j_end)]:
            rows += [["-", n + 1, _line(old[n], layout)] for n in range(row, x)]
            rows += [["+", n + 1, _line(new[n], layout)] for n in range(other, y)]
            if x < i_end and y < j_end:
                rows.append(["~", x + 1, y + 1, _cells(old[x], new[y], layout), _cells(new[y], old[x], layout)])
            row, other = x + 1, y + 1
        rows += [["=", i_end + n + 1, j_end + n + 1, _line(old[i_end + n], layout)] for n in range(length)]
    return rows


def _side_by_side(old: Sequence[TableRow], new: Sequence[TableRow]) -> tuple[list[TableRow], list[TableRow]]:
    """Return both tables with the same columns, by the names in their first rows; what only one has is empty there."""
    one_width = all(len(row) == len(side[0]) for side in (old, new) for row in side)
    if not old or not new or not one_width or old[0] == new[0]:
        return list(old), list(new)
    both: list[tuple[int | None, int | None]] = []
    for (i, i_end, j, j_end), length in runs(common(old[0], new[0]), len(old[0]), len(new[0])):
        both += [(n, None) for n in range(i, i_end)]
        both += [(None, n) for n in range(j, j_end)]
        both += [(i_end + n, j_end + n) for n in range(length)]
    left = [tuple("" if i is None else row[i] for i, _ in both) for row in old]
    right = [tuple("" if j is None else row[j] for _, j in both) for row in new]
    return left, right


def _paired(old: Sequence[TableRow], new: Sequence[TableRow], budget: Budget) -> list[tuple[int, int]]:
    """Return which rows are the same, edited: some of their cells are equal, the first one above all."""
    weighed: list[tuple[int, int, float]] = []
    for x, y in candidates([row[:1] for row in old], [row[:1] for row in new], MOST_LOOKS):
        one, other = old[x], new[y]
        budget.looks -= min(len(one), len(other))
        if budget.looks < 0 or len(one) != len(other):
            continue
        alike = (sum(map(str.__eq__, one, other)) + (one[0] == other[0])) / (len(one) + 1)
        if alike >= ALIKE / 2 or len(old) == len(new) == 1:
            weighed.append((x, y, alike + 0.01))
    return heaviest(weighed)


def _layout(rows: Sequence[TableRow]) -> Layout:
    """Return how wide each column is and whether it is one of numbers, which stand on its right."""
    layout: Layout = []
    for row in rows:
        layout += [(0, False)] * (len(row) - len(layout))
        for n, cell in enumerate(row):
            width, numbers = layout[n]
            layout[n] = max(width, min(WIDEST, columns(cell))), numbers or _number(cell) is not None
    return layout


def columns(text: str) -> int:
    """Return how many columns a text takes in a terminal."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _padding(cell: str, width: int, right: bool) -> tuple[str, str]:
    spaces = " " * (width - columns(cell))
    return (spaces, "") if right else ("", spaces)


def _line(row: TableRow, layout: Layout) -> str:
    padded = (cell.join(_padding(cell, *column)) for cell, column in zip(row, layout, strict=False))
    return BETWEEN.join(padded).rstrip()


def _cells(row: TableRow, other: TableRow, layout: Layout) -> list[list[Any]]:
    """Return a row with the cells marked that the other row does not have at their place.

    The same number with more digits is the same: pandas writes a column with as many as one of its values needs.
    """
    pieces: list[list[Any]] = []
    for n, cell in enumerate(row):
        before, after = _padding(cell, *layout[n])
        there = other[n] if n < len(other) else None
        value = _number(cell)
        same = cell == there or (value is not None and there is not None and value == _number(there))
        for changed, text in ((0, before), (int(not same), cell), (0, f"{after}{BETWEEN}" if n + 1 < len(row) else "")):
            if text and pieces and pieces[-1][0] == changed:
                pieces[-1][1] += text
            elif text:
                pieces.append([changed, text])
    return pieces
