"""What changed from one edition of a report to another: numbers, pictures, texts, checks, parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlwidgets.errors import NotebookError
from mlwidgets.history.diff.align import align
from mlwidgets.history.diff.lines import diff_lines
from mlwidgets.history.diff.outputs import Shown, shown
from mlwidgets.history.diff.sequences import Budget, common, runs
from mlwidgets.history.notebooks.notebook import Cell, Notebook, load_notebook, read_notebook
from mlwidgets.reports.parameters.params import INJECTED, TAG
from mlwidgets.reports.publishing.editions import Edition

MOST = 1000
"""Numbers, and texts, that are told; those beyond are counted."""
MOST_PICTURES = 60
MOST_PICTURE_BYTES = 20_000_000
LONGEST = 300
"""Characters of a text or label."""
_NUMBER = re.compile(r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?%?(?![\w]|\.\d)")
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?|\d\d?:\d\d(:\d\d(\.\d+)?)?")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
_MARKS = re.compile(r"[*_`]|\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Number:
    """A number that changed: where it is, how it was written before and now, and both as numbers."""

    section: str
    label: str
    old: str
    new: str
    before: float
    after: float

    @property
    def difference(self) -> float:
        """By how much it grew."""
        return self.after - self.before

    @property
    def share(self) -> float | None:
        """The same as a share of what it was; None where that was 0, or one of both is not finite."""
        if not self.before or not math.isfinite(self.before) or not math.isfinite(self.after):
            return None
        return self.difference / abs(self.before)


@dataclass(frozen=True)
class Picture:
    """A picture that changed: MIME type and base64 of both, None where there was or is none."""

    section: str
    old: tuple[str, str] | None
    new: tuple[str, str] | None


@dataclass(frozen=True)
class Text:
    """A line, or an entry of a table, that changed otherwise; None where there was or is none."""

    section: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Comparison:
    """What changed from the edition `old` to `new`.

    ``code`` counts cells whose code is another one, came or went; ``left_out`` what found no room, by kind.
    """

    old: Edition
    new: Edition
    numbers: Sequence[Number] = ()
    pictures: Sequence[Picture] = ()
    texts: Sequence[Text] = ()
    checks: Sequence[Text] = ()
    params: Sequence[Text] = ()
    code: int = 0
    left_out: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything changed that a reader sees."""
        return bool(self.numbers or self.pictures or self.texts or self.checks or self.params)


def compare(old: Edition, new: Edition) -> Comparison:
    """Return what changed from one edition to another. It takes milliseconds for most, and never grows out of hand."""
    before, after = _notebook(old), _notebook(new)
    matches = align(before.cells, after.cells, Budget())
    partner = {match.new: match.old for match in matches}
    budget = Budget()
    found: list[Number | Picture | Text] = []
    sections = _sections(after)
    for place, cell in enumerate(after.cells):
        other = before.cells[partner[place]] if place in partner else None
        found += _cell(sections[place], other, cell, budget)
    kept = set(partner.values())
    for (place, cell), section in zip(enumerate(before.cells), _sections(before), strict=True):
        if place not in kept:
            found += _cell(section, cell, None, budget)
    pairs = [(before.cells[i], after.cells[j]) for j, i in partner.items()]
    edited = sum(one.source != other.source for one, other in pairs if _is_code(other))
    came = sum(_is_code(cell) for j, cell in enumerate(after.cells) if j not in partner)
    gone = sum(_is_code(cell) for i, cell in enumerate(before.cells) if i not in kept)
    left_out: dict[str, int] = {}
    return Comparison(
        old,
        new,
        _most([one for one in found if isinstance(one, Number)], MOST, "numbers", left_out),
        _fitting([one for one in found if isinstance(one, Picture)], left_out),
        _most([one for one in found if isinstance(one, Text)], MOST, "texts", left_out),
        _differences(_checks(old), _checks(new)),
        _differences(dict(old.params), dict(new.params)),
        edited + came + gone,
        left_out,
    )


def _notebook(edition: Edition) -> Notebook:
    """Return an edition's notebook; one that cannot be read has no cells."""
    path = edition.notebook
    try:
        return load_notebook(path) if path else read_notebook({"cells": [], "nbformat": 4}, edition.id)
    except NotebookError:
        return read_notebook({"cells": [], "nbformat": 4}, edition.id)


def _is_code(cell: Cell) -> bool:
    """Whether a cell is code that somebody wrote; parameters are told apart."""
    return cell.kind == "code" and not _holds_params(cell)


def _sections(notebook: Notebook) -> list[str]:
    """Return the heading that each cell stands below."""
    found, heading = [], ""
    for cell in notebook.cells:
        if cell.kind == "markdown":
            headings = _HEADING.findall(re.sub(r"^```.*?^```", "", cell.source, flags=re.DOTALL | re.MULTILINE))
            heading = _short(_MARKS.sub(r"\1", headings[-1])) if headings else heading
        found.append(heading)
    return found


def _cell(section: str, old: Cell | None, new: Cell | None, budget: Budget) -> Iterator[Number | Picture | Text]:
    if any(one is not None and _holds_params(one) for one in (old, new)):
        return
    before, after = shown(old.outputs if old else ()), shown(new.outputs if new else ())
    keys = [one.key for one in before], [one.key for one in after]
    if keys[0] == keys[1]:
        return
    for (i, i_end, j, j_end), _ in runs(common(*keys), len(before), len(after)):
        for one, other in _paired(before[i:i_end], after[j:j_end]):
            yield from _output(section, one, other, budget)


def _holds_params(cell: Cell) -> bool:
    tags = cell.metadata.get("tags")
    return isinstance(tags, list) and bool({TAG, INJECTED} & {one for one in tags if isinstance(one, str)})


def _paired(old: Sequence[Shown], new: Sequence[Shown]) -> Iterator[tuple[Shown | None, Shown | None]]:
    """Yield outputs with those that have taken their place: of the same kind, in the same order."""
    pairs = common([one.kind for one in old], [one.kind for one in new])
    for (i, i_end, j, j_end), length in runs(pairs, len(old), len(new)):
        yield from ((one, None) for one in old[i:i_end])
        yield from ((None, one) for one in new[j:j_end])
        yield from zip(old[i_end : i_end + length], new[j_end : j_end + length], strict=True)


def _output(section: str, old: Shown | None, new: Shown | None, budget: Budget) -> Iterator[Number | Picture | Text]:
    if (old and old.image) or (new and new.image):
        yield Picture(section, old.image if old else None, new.image if new else None)
    elif old and new and old.table and new.table:
        yield from _tables(section, old.table, new.table)
    elif old and new and not old.table and not new.table:
        yield from _texts(section, old.text, new.text, budget)
    else:
        sides = [None if one is None else _said(one) for one in (old, new)]
        if sides[0] or sides[1]:
            yield Text(section, *sides)


def _said(output: Shown) -> str:
    if output.table:
        return f"a table of {len(output.table)} rows"
    return _short(output.text)


def _tables(
    section: str, old: Sequence[Sequence[str]], new: Sequence[Sequence[str]]
) -> Iterator[Number | Picture | Text]:
    """Compare tables by the names of their rows and columns."""
    heads = old[0], new[0]
    columns = {name: n for n, name in reversed(list(enumerate(_named(heads[0]))))}
    keys = _keys(old, new)
    before, after = (
        dict(zip(_named([_at(row, key) for row in rows[1:]]), rows[1:], strict=True))
        for rows, key in ((old, keys[0]), (new, keys[1]))
    )
    for key, row in after.items():
        other = before.get(key)
        if other is None:
            yield Text(section, None, _joined(row))
            continue
        for n, (name, cell) in enumerate(zip(_named(heads[1]), row, strict=False)):
            at = columns.get(name)
            was = _at(other, at) if at is not None else None
            # Where rows are known by a name, their numbers in the table say nothing.
            if was != cell and (n or not keys[1]) and (n or was is not None):
                yield from _entry(section, _joined((key[0], heads[1][n])), was, cell)
    for key, row in before.items():
        if key not in after:
            yield Text(section, _joined(row), None)
    gone = [name for name in heads[0] if name and name not in heads[1]]
    if gone:
        yield Text(section, _short(f"columns {', '.join(gone)}"), None)


def _keys(old: Sequence[Sequence[str]], new: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Return which columns name the rows of two tables: where the first only counts, the first of texts in both."""
    if all(_at(row, 0).isdecimal() for rows in (old, new) for row in rows[1:]):
        for n, name in enumerate(new[0]):
            if n and name and name in old[0]:
                sides = (old, old[0].index(name)), (new, n)
                values = [[_at(row, at) for row in rows[1:]] for rows, at in sides]
                if all(len(set(some)) == len(some) and not any(map(_is_number, some)) for some in values):
                    return sides[0][1], n
    return 0, 0


def _at(row: Sequence[str], place: int) -> str:
    return row[place] if place < len(row) else ""


def _is_number(text: str) -> bool:
    return _value(text) is not None


def _joined(parts: Iterable[str]) -> str:
    return _short(" · ".join(filter(None, parts)))


def _named(names: Sequence[str]) -> list[tuple[str, int]]:
    """Return the names of columns or rows, told apart by how often each came before."""
    counts: dict[str, int] = {}
    found = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        found.append((name, counts[name]))
    return found


def _entry(section: str, label: str, old: str | None, new: str) -> Iterator[Number | Text]:
    before, after = _value(old), _value(new)
    if before is not None and after is not None:
        if before != after and not (math.isnan(before) and math.isnan(after)):
            yield Number(section, label, str(old), new, before, after)
    else:
        yield Text(section, None if old is None else _short(f"{label}: {old}"), _short(f"{label}: {new}"))


def _value(text: str | None) -> float | None:
    plain = (text or "").strip().replace("−", "-").replace(",", "").removesuffix("%")
    try:
        return float(plain)
    except ValueError:
        return None


def _texts(section: str, old: str, new: str, budget: Budget) -> Iterator[Number | Text]:
    rows = diff_lines(old, new, budget)
    marks = "".join(row[0] for row in rows)
    # A line in another's place is that line changed, also where they have no word in common.
    found = (place.end() for place in re.finditer(r"(?<![-+])-(?=\+(?!\+))", marks))
    instead = {at for at in found if rows[at - 1][2].strip() and rows[at][2].strip()}
    for at, row in enumerate(rows):
        if at + 1 in instead:
            continue
        if at in instead:
            yield from _lines(section, rows[at - 1][2], row[2])
        elif row[0] == "~":
            before, after = ("".join(text for _, text in side) for side in row[3:5])
            yield from _lines(section, before, after)
        elif row[0] in "+-" and row[2].strip():
            said = _short(row[2].strip())
            yield Text(section, said if row[0] == "-" else None, said if row[0] == "+" else None)


def _lines(section: str, old: str, new: str) -> Iterator[Number | Text]:
    """Compare a line that differs in its numbers alone by these, each called as what stands before it."""
    sides = [_DATE.sub(lambda date: "D" * len(date[0]), line) for line in (old, new)]
    pairs = list(zip(*(_NUMBER.finditer(side) for side in sides), strict=False))
    told = False
    if _NUMBER.sub("0", sides[0]) == _NUMBER.sub("0", sides[1]):
        end = 0
        for one, other in pairs:
            label = new[end : other.start()].strip(" \t=:,;|()[]{}'\"") or new.strip()
            end = other.end()
            before, after = _value(one[0]), _value(other[0])
            if before is not None and after is not None and before != after:
                told = True
                yield Number(section, _short(label), one[0], other[0], before, after)
    if not told:
        yield Text(section, _short(old.strip()), _short(new.strip()))


def _checks(edition: Edition) -> dict[str, str]:
    return {
        one.text: f"{'passed' if one.passed else 'failed'}{f' ({one.detail})' if one.detail and not one.passed else ''}"
        for one in edition.checks
    }


def _differences(old: dict[str, str], new: dict[str, str]) -> list[Text]:
    """Return the keys whose values differ, each as the section of its text."""
    keys = dict.fromkeys((*new, *old))
    return [Text(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def _most(found: list[Any], most: int, kind: str, left_out: dict[str, int]) -> list[Any]:
    if len(found) > most:
        left_out[kind] = len(found) - most
    return found[:most]


def _fitting(found: Iterable[Picture], left_out: dict[str, int]) -> list[Picture]:
    kept: list[Picture] = []
    size = 0
    for one in found:
        weight = sum(len(side[1]) for side in (one.old, one.new) if side)
        if len(kept) < MOST_PICTURES and size + weight <= MOST_PICTURE_BYTES:
            kept.append(one)
            size += weight
        else:
            left_out["pictures"] = left_out.get("pictures", 0) + 1
    return kept


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
