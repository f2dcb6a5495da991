"""Which cell of one notebook is which cell of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from mlwidgets.history.diff.sequences import Budget, Pair, candidates, common, heaviest
from mlwidgets.history.diff.words import bag, shared
from mlwidgets.history.notebooks.notebook import Cell

LONG = 20
"""Letters and digits of a cell that is hardly written twice."""
LARGEST = 100_000
"""Characters of a cell that are looked at to find out how much it is like others."""
MOST_FEATURES = 40
"""Lines and words by which a cell is found among thousands."""
MOST_LOOKS = 2500
"""Pairs of cells that are all looked at; of more than these only those that share something rare, or their place."""
ALIKE = 0.45
"""Cells at the same place with at least this part in common are the same cell, edited."""
ALIKE_ALONE = 0.25
"""The same where nothing else has changed at this place."""
ALIKE_BY_ID = 0.15
"""The same where both have the same id."""
ALIKE_ELSEWHERE = 0.6
"""The same where the cell was moved, too."""
HEAVY_ELSEWHERE = 16
"""So much has a cell to say that is found elsewhere, edited: by weight of its words."""
SURELY = 0.5
"""Cells of the same id with this part in common are the same, whatever else there is."""
BETTER = 0.25
"""A cell does not stay where it is if another one, elsewhere, is more like it by this."""


class Match(NamedTuple):
    """A cell's index in the old notebook and in the new one, and whether the order of the others passed it by."""

    old: int
    new: int
    moved: bool


def align(old: Sequence[Cell], new: Sequence[Cell], budget: Budget) -> list[Match]:
    """Return which cells are the same, changed or not, by their index in the new notebook.

    What counts is in turn: the same id and content; a long content that is there once on both sides; the same id and
    much in common; the same content in the same order; the same content elsewhere; at the same place, what is alike;
    elsewhere, what is very much alike. Ids count only where they fit the contents: some tools write new ones at each
    save, and a cell's content may be pasted into another one. The cells that were not moved are the heaviest chain
    that has the same order on both sides, so that of two blocks that changed places the smaller one is the one moved.
    """
    # The same cells are found in both directions: which of two equally good ways is taken must not depend on it.
    if _order(old) > _order(new):
        return sorted((Match(j, i, moved) for i, j, moved in align(new, old, budget)), key=lambda one: one.new)
    pairs = _Alignment(old, new, budget).pairs()
    stay = set(_in_order(pairs, old, new))
    return sorted((Match(i, j, (i, j) not in stay) for i, j in pairs), key=lambda one: one.new)


def _order(cells: Sequence[Cell]) -> tuple[int, list[tuple[str, str]], list[str]]:
    return len(cells), [(cell.source, cell.kind) for cell in cells], [cell.id or "" for cell in cells]


def _in_order(pairs: Iterable[Pair], old: Sequence[Cell], new: Sequence[Cell]) -> list[Pair]:
    def worth(pair: Pair) -> int:
        least = min(len(old[pair[0]].source), len(new[pair[1]].source))
        return 1 if not least else 10_000_000 + min(least, 1000)

    return heaviest([(i, j, worth((i, j))) for i, j in pairs])


class _Side:
    """The cells of one notebook."""

    def __init__(self, cells: Sequence[Cell], texts: dict[str, int]) -> None:
        self.cells = cells
        self.keys = [(cell.kind, texts.setdefault(_bare(cell.source), len(texts))) for cell in cells]
        self.count = Counter(self.keys)
        self.blank = [not cell.source.strip() for cell in cells]
        self.partner: dict[int, int] = {}
        self._bags: dict[int, dict[str, int]] = {}
        self._sums: dict[int, int] = {}

    def left(self) -> list[int]:
        return [i for i in range(len(self.cells)) if i not in self.partner]

    def bag(self, i: int) -> dict[str, int]:
        found = self._bags.get(i)
        if found is None:
            found = self._bags[i] = bag(self.cells[i].source[:LARGEST])
            self._sums[i] = sum(found.values())
        return found

    def features(self, i: int) -> list[str]:
        """Return what may tell a cell from others: its longer lines, then its words."""
        lines = [line for line in self.cells[i].source[:LARGEST].split("\n") if len(line) >= LONG]
        return [*lines[:MOST_FEATURES], *islice(self.bag(i), MOST_FEATURES)]

    def sum(self, i: int) -> int:
        self.bag(i)
        return self._sums[i]


def _by_id(cells: Sequence[Cell]) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, cell in enumerate(cells):
        if cell.id is not None:
            found.setdefault(cell.id, index)
    return found


def _bare(source: str) -> str:
    return source if not source[-1:].isspace() else source.rstrip()


class _Alignment:
    def __init__(self, old: Sequence[Cell], new: Sequence[Cell], budget: Budget) -> None:
        texts: dict[str, int] = {}
        self.old, self.new = _Side(old, texts), _Side(new, texts)
        self.budget = budget
        there = _by_id(new)
        self.by_id = {i: there[given] for given, i in _by_id(old).items() if given in there}
        self._known: dict[Pair, float] = {}

    def pairs(self) -> list[Pair]:
        for i, j in self.by_id.items():
            if self.old.keys[i] == self.new.keys[j]:
                self._pair(i, j)
        self._unique_contents()
        if self._ids_are_kept():
            for i, j in self.by_id.items():
                if self._are_free(i, j) and self.alike(i, j) >= SURELY:
                    self._pair(i, j)
        else:
            self.by_id = {}
        self._contents_in_order()
        self._contents_elsewhere()
        self._alike()
        for i, j in self.by_id.items():
            if self._are_free(i, j) and self._makes_sense(i, j):
                self._pair(i, j)
        return list(self.old.partner.items())

    def _pair(self, i: int, j: int) -> None:
        self.old.partner[i] = j
        self.new.partner[j] = i

    def _are_free(self, i: int, j: int) -> bool:
        return i not in self.old.partner and j not in self.new.partner

    def _unique_contents(self) -> None:
        once = {key: j for j, key in enumerate(self.new.keys) if self.new.count[key] == 1}
        for i, key in enumerate(self.old.keys):
            if self.old.count[key] == 1 and key in once and self._are_free(i, once[key]) and self._is_long(i):
                self._pair(i, once[key])

    def _is_long(self, i: int) -> bool:
        return sum(map(str.isalnum, self.old.cells[i].source[: 4 * LONG])) >= LONG

    def _ids_are_kept(self) -> bool:
        """Whether ids say something: most cells with the same content have the same one."""
        told = agree = 0
        for i, j in self.old.partner.items():
            if self.old.cells[i].id is not None and self.new.cells[j].id is not None:
                told += 1
                agree += self.old.cells[i].id == self.new.cells[j].id
        return told < 2 or 2 * agree >= told

    def _contents_in_order(self) -> None:
        paired = {j: ("pair", i) for i, j in self.old.partner.items()}
        old = [("pair", i) if i in self.old.partner else key for i, key in enumerate(self.old.keys)]
        new = [paired.get(j, key) for j, key in enumerate(self.new.keys)]
        weak = {key for side in (self.old, self.new) for key, blank in zip(side.keys, side.blank, strict=True) if blank}
        for i, j in common(old, new, weak, self.budget):
            if self._are_free(i, j):
                self._pair(i, j)

    def _contents_elsewhere(self) -> None:
        """Pair equal contents out of order; blank cells, and short ones whose ids tell them apart, say too little."""
        there: dict[tuple[str, int], list[int]] = {}
        for j in reversed(self.new.left()):
            there.setdefault(self.new.keys[j], []).append(j)
        for i in self.old.left():
            waiting = there.get(self.old.keys[i])
            if not waiting or self.old.blank[i]:
                continue
            if self._is_long(i) or not self._are_told_apart(i, waiting[-1]):
                self._pair(i, waiting.pop())

    def _are_told_apart(self, i: int, j: int) -> bool:
        """Whether one of several cells with this content has gone, and another one has come."""
        several = self.old.count[self.old.keys[i]] > 1 or self.new.count[self.new.keys[j]] > 1
        return several and bool(self.by_id) and None not in {self.old.cells[i].id, self.new.cells[j].id}

    def alike(self, i: int, j: int) -> float:
        """Return which part two cells have in common: of the weight of their words, in any order."""
        known = self._known.get((i, j))
        if known is None:
            known = self._known[i, j] = self._alike_now(i, j)
        return known

    def _alike_now(self, i: int, j: int) -> float:
        if self.old.blank[i] or self.new.blank[j]:
            return float(self.old.blank[i] and self.new.blank[j])
        one, other = self.old.bag(i), self.new.bag(j)
        both = self.old.sum(i) + self.new.sum(j)
        self.budget.looks -= min(len(one), len(other))
        if not both or self.budget.looks < 0:
            return 0.0
        meet = shared(one, other)
        # A cell that was split, or joined with another, is all there in one that is much larger.
        within = 0.7 * meet / min(self.old.sum(i), self.new.sum(j)) if meet >= HEAVY_ELSEWHERE else 0.0
        alike = max(2 * meet / both, within - 0.1)
        return alike if self.old.cells[i].kind == self.new.cells[j].kind else 0.9 * alike

    def _alike(self) -> None:
        gaps_old, gaps_new = self._gaps()
        left, right = self.old.left(), self.new.left()
        pairs = self._candidates(left, right)
        many_old, many_new = Counter(gaps_old[i] for i in left), Counter(gaps_new[j] for j in right)
        best_old: dict[int, float] = {}
        best_new: dict[int, float] = {}
        for i, j in pairs:
            if not self.old.blank[i]:
                best_old[i] = max(best_old.get(i, 0.0), self.alike(i, j))
                best_new[j] = max(best_new.get(j, 0.0), self.alike(i, j))
        here: list[tuple[int, int, float]] = []
        for i, j in pairs:
            if gaps_old[i] != gaps_new[j]:
                continue
            alike, same_id = self.alike(i, j), self.by_id.get(i) == j
            alone = many_old[gaps_old[i]] == many_new[gaps_new[j]] == 1
            least = ALIKE_BY_ID if same_id else self._least(i, j, alone)
            best = max(best_old.get(i, 0.0), best_new.get(j, 0.0))
            if alike >= least and (alike + BETTER >= best or same_id):
                here.append((i, j, alike - least / 2 + (0.5 if same_id else 0.0)))
        for i, j in heaviest(here):
            self._pair(i, j)
        self._moved_and_edited(pairs)

    def _least(self, i: int, j: int, alone: bool) -> float:
        """Return which part two cells at the same place must have in common where no id says that they are the same."""
        if self.by_id and None not in {self.old.cells[i].id, self.new.cells[j].id}:
            return ALIKE_ELSEWHERE
        return ALIKE_ALONE if alone else ALIKE

    def _moved_and_edited(self, pairs: Iterable[Pair]) -> None:
        free = {(i, j) for i, j in pairs if self._are_free(i, j)}
        if len(self.old.left()) * len(self.new.left()) <= MOST_LOOKS:
            free |= {(i, j) for i in self.old.left() for j in self.new.left()}
        far = [
            (self.alike(i, j), i, j)
            for i, j in free
            if min(self.old.sum(i), self.new.sum(j)) >= HEAVY_ELSEWHERE and self.alike(i, j) >= ALIKE_ELSEWHERE
        ]
        for _, i, j in sorted(far, key=lambda one: (-one[0], abs(one[1] - one[2]), one[1])):
            if self._are_free(i, j):
                self._pair(i, j)

    def _candidates(self, left: Sequence[int], right: Sequence[int]) -> list[Pair]:
        some = candidates([self.old.features(i) for i in left], [self.new.features(j) for j in right], MOST_LOOKS)
        return sorted((left[x], right[y]) for x, y in some)

    def _gaps(self) -> tuple[list[int], list[int]]:
        """Return between which of the cells that stay each cell lies, by number."""
        stay = _in_order(self.old.partner.items(), self.old.cells, self.new.cells)
        old, new = [i for i, _ in stay], [j for _, j in stay]
        return _numbered(old, len(self.old.cells)), _numbered(new, len(self.new.cells))

    def _makes_sense(self, i: int, j: int) -> bool:
        """Whether a cell is still the one of this id though little of it is left: it was short, or is all new."""
        if self.old.blank[i] or self.new.blank[j]:
            return True
        short = min(self.old.cells[i].source.count("\n"), self.new.cells[j].source.count("\n")) < 2
        return short or self.alike(i, j) >= ALIKE_BY_ID


def _numbered(borders: Sequence[int], count: int) -> list[int]:
    numbers, passed = [], 0
    marks = set(borders)
    for i in range(count):
        passed += i in marks
        numbers.append(passed)
    return numbers
