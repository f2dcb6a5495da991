"""What changed between two texts, line by line, as a person would say it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlwidgets.history.diff.sequences import Budget, Pair, candidates, common, heaviest, runs
from mlwidgets.history.diff.words import LONGEST_LINE, bag, changed_words, shared

ALIKE = 0.45
"""Lines that have at least this part in common are the same line, edited."""
ALIKE_ALONE = 0.25
"""The same where one line alone stands in place of another one."""
MUCH_ALIKE = 0.65
"""The same where each line stands in place of one, and no other pairs are looked at."""
MOST_LOOKS = 900
"""Pairs of lines of one change that are all compared."""
FARTHEST = 100
"""Lines that an addition is slid at most."""
PLAIN = frozenset({"else:", "try:", "finally:", "pass", "return", "break", "continue", "end"})

Row = list[Any]
"""``["=", old line, new line, text]``, ``["~", old line, new line, segments, segments]``, ``["-", old line, text]`` or
``["+", new line, text]``; lines count from 1."""


def split(text: str) -> list[str]:
    """Return the lines of a text; joined with newlines they are the text. An empty one has none."""
    return text.split("\n") if text else []


def diff_lines(old: str, new: str, budget: Budget | None = None) -> list[Row]:
    """Return both texts side by side."""
    budget = budget or Budget()
    a, b = split(old), split(new)
    if old == new:
        return [["=", n, n, text] for n, text in enumerate(a, 1)]
    weak = {line for line in {*a, *b} if _is_weak(line)}
    pairs = _slid(common(a, b, weak, budget), a, b)
    rows: list[Row] = []
    for (i, i_end, j, j_end), length in runs(pairs, len(a), len(b)):
        rows += _change(a, b, (i, i_end, j, j_end), budget)
        rows += [["=", i_end + n + 1, j_end + n + 1, a[i_end + n]] for n in range(length)]
    return rows


def _is_weak(line: str) -> bool:
    """Whether a line is found everywhere: it is empty, closes something, or is one of a few words."""
    if len(line) > 40:
        return False
    text = line.strip()
    return text in PLAIN or not any(map(str.isalnum, text))


def _slid(pairs: list[Pair], a: Sequence[str], b: Sequence[str]) -> list[Pair]:
    """Return the pairs with additions and removals moved to where a block begins and ends.

    Where the line before an addition is also its last one, it may as well have been made a line earlier. As with git's
    indent heuristic (Michael Haggerty, git 2.11) the best place is where the least indented lines follow both its
    ends, and among those one after a blank line.
    """
    partners = [-1] * len(b)
    for i, j in pairs:
        partners[j] = i
    for (i, i_end, j, j_end), _ in list(runs(pairs, len(a), len(b))):
        if i == i_end and j < j_end:
            _slide(partners, b, j, j_end)
    pairs = [(i, j) for j, i in enumerate(partners) if i >= 0]
    partners = [-1] * len(a)
    for i, j in pairs:
        partners[i] = j
    for (i, i_end, j, j_end), _ in list(runs(pairs, len(a), len(b))):
        if j == j_end and i < i_end:
            _slide(partners, a, i, i_end)
    return [(i, j) for i, j in enumerate(partners) if j >= 0]


def _slide(partners: list[int], lines: Sequence[str], start: int, end: int) -> None:
    """Move a block of lines without partners to its best place."""
    up = down = 0
    while up < min(start, FARTHEST) and lines[start - 1 - up] == lines[end - 1 - up]:
        if partners[start - 1 - up] < 0 or partners[start - 1 - up] != partners[start - 1] - up:
            break
        up += 1
    while down < min(len(lines) - end, FARTHEST) and lines[start + down] == lines[end + down]:
        if partners[end + down] < 0 or partners[end + down] != partners[end] + down:
            break
        down += 1
    if not up and not down:
        return
    best = max(range(-up, down + 1), key=lambda by: (_border(lines, start + by, end + by), by))
    for step in range(-best):
        partners[end - 1 - step], partners[start - 1 - step] = partners[start - 1 - step], -1
    for step in range(best):
        partners[start + step], partners[end + step] = partners[end + step], -1


def _border(lines: Sequence[str], start: int, end: int) -> tuple[int, int]:
    """Return how well a block stands by itself between two places; more is better."""
    indent = _indent(lines, start) + _indent(lines, end)
    blank = sum(1 for at in (start, end) if at > 0 and not lines[at - 1].strip())
    return -indent, blank


def _indent(lines: Sequence[str], at: int) -> int:
    """Return the columns before the first line with text from here on, -1 at the end."""
    for line in lines[at : at + FARTHEST]:
        text = line.lstrip()
        if text:
            return len(line[: len(line) - len(text)].expandtabs(8))
    return -1


def _change(a: Sequence[str], b: Sequence[str], region: tuple[int, int, int, int], budget: Budget) -> list[Row]:
    """Return rows for lines in place of others: those that are alike side by side."""
    i, i_end, j, j_end = region
    rows: list[Row] = []
    pairs = [(x + i, y + j) for x, y in _paired(a[i:i_end], b[j:j_end], budget)]
    for x, y in [*pairs, (i_end, j_end)]:
        words = None
        if x < i_end and y < j_end and a[x] != b[y] and (words := changed_words(a[x], b[y], budget)) is None:
            continue
        rows += [["-", n + 1, a[n]] for n in range(i, x)]
        rows += [["+", n + 1, b[n]] for n in range(j, y)]
        if x < i_end and y < j_end:
            rows.append(["~", x + 1, y + 1, *map(_listed, words)] if words else ["=", x + 1, y + 1, a[x]])
        i, j = x + 1, y + 1
    return rows


def _listed(segments: Sequence[tuple[int, str]]) -> list[list[Any]]:
    return [[changed, text] for changed, text in segments]


def _paired(a: Sequence[str], b: Sequence[str], budget: Budget) -> list[Pair]:
    """Return which lines are the same ones, edited; those that are equal are blank or the like."""
    if not a or not b or not budget.take_characters(_length(a) + _length(b)):
        return []
    if len(a) == len(b) and len(a) > 1:
        straight = _straight(a, b)
        if straight:
            return straight
    bags_a, bags_b = ([bag(line[:LONGEST_LINE]) for line in lines] for lines in (a, b))
    sums_a, sums_b = ([sum(one.values()) for one in bags] for bags in (bags_a, bags_b))
    least = ALIKE_ALONE if len(a) == len(b) == 1 else ALIKE
    weighed: list[tuple[int, int, float]] = []
    for x, y in candidates([()] * len(a), [()] * len(b), MOST_LOOKS):
        if a[x] == b[y]:
            weighed.append((x, y, 0.05 + sums_a[x] / 100))
            continue
        both = sums_a[x] + sums_b[y]
        budget.looks -= min(len(bags_a[x]), len(bags_b[y]))
        if not both or 2 * min(sums_a[x], sums_b[y]) < least * both or budget.looks < 0:
            continue
        alike = 2 * shared(bags_a[x], bags_b[y]) / both
        if alike >= least:
            weighed.append((x, y, alike - least / 2 - 1e-4 * abs(x * len(b) - y * len(a)) / (len(a) * len(b))))
    chain = heaviest(weighed)
    held = set(chain)
    # What is found everywhere stays only beside what is more than that.
    beside = {(x + step, y + step) for x, y in held if a[x] != b[y] for step in (-1, 1)}
    return [(x, y) for x, y in chain if a[x] != b[y] or (x, y) in beside or not _is_weak(a[x])]


def _straight(a: Sequence[str], b: Sequence[str]) -> list[Pair]:
    """Return each line with the one at its place where all of them are much alike, as after a name was changed."""
    for line, other in zip(a, b, strict=True):
        if line != other:
            one, two = bag(line[:LONGEST_LINE]), bag(other[:LONGEST_LINE])
            if 2 * shared(one, two) < MUCH_ALIKE * (sum(one.values()) + sum(two.values())):
                return []
    return [(n, n) for n in range(len(a))]


def _length(lines: Sequence[str]) -> int:
    return sum(min(len(line), LONGEST_LINE) + 20 for line in lines)
