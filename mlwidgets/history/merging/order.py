"""Which cells of three notebooks are the same one, and in which order they come when two of them are merged."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from mlwidgets.history.diff.align import ALIKE, ALIKE_ELSEWHERE, LONG, align
from mlwidgets.history.diff.sequences import Budget, increasing, longest
from mlwidgets.history.diff.words import bag, shared
from mlwidgets.history.notebooks.notebook import Cell

Cells = Sequence[Cell]


@dataclass(eq=False)
class Node:
    """One cell by its index in the three notebooks, None where it is not there."""

    base: int | None
    ours: int | None = None
    theirs: int | None = None


@dataclass
class _Side:
    """Of each cell of the base the one on this side, and which of them were moved."""

    cells: Cells
    partner: dict[int, int]
    moved: set[int]

    def added(self) -> list[int]:
        known = set(self.partner.values())
        return [n for n in range(len(self.cells)) if n not in known]


def ordered(base: Cells, ours: Cells, theirs: Cells) -> list[Node]:
    """Return all cells in the order of the merged notebook; those that one side has deleted are among them.

    Cells that neither side moved stay in the order of the base. Between two of them come those that ours has put
    there, then those of theirs. What both have added is one cell: what is the same at the same place, what is long and
    the same anywhere, what is alike and has the same id. What both have put in different places is where ours has it.
    """
    left, right = _side(base, ours), _side(base, theirs)
    if left.added() or right.added():
        _agree(left, right)
    nodes = [Node(b, left.partner.get(b), right.partner.get(b)) for b in range(len(base))]
    of_ours = {node.ours: node for node in nodes if node.ours is not None}
    of_theirs = {node.theirs: node for node in nodes if node.theirs is not None}
    for n in left.added():
        of_ours[n] = Node(None, ours=n)
    twins = _twins(ours, left.added(), theirs, right.added())
    for n in right.added():
        of_theirs[n] = of_ours[twins[n]] if n in twins else Node(None)
        of_theirs[n].theirs = n
    chain = [node for b, node in enumerate(nodes) if b not in left.moved and b not in right.moved]
    mine = _gaps(chain, [of_ours[n] for n in range(len(ours))], left.moved)
    others = _gaps(chain, [of_theirs[n] for n in range(len(theirs))], right.moved)
    placed = {id(node): gap for gap, row in enumerate(mine) for node in row}
    result: list[Node] = []
    for gap, (row, other) in enumerate(zip(mine, others, strict=True)):
        free = [node for node in other if placed.get(id(node), gap) == gap]
        result += [*chain[gap - 1 : gap], *_gap(row, free, ours, theirs)]
    return result


def _side(base: Cells, cells: Cells) -> _Side:
    matches = align(base, cells, Budget())
    side = _Side(cells, {one.old: one.new for one in matches}, {one.old for one in matches if one.moved})
    told = [(base[i].id, cells[j].id) for i, j in side.partner.items() if base[i].id and cells[j].id]
    # Where most cells that are the same have other ids, ids say nothing: some tools write new ones at each save.
    if len(told) < 2 or 2 * sum(one == other for one, other in told) >= len(told):
        free = {cells[j].id: j for j in side.added() if cells[j].id is not None}
        for i, cell in enumerate(base):
            if i not in side.partner and cell.id in free:
                _pair(side, i, free.pop(cell.id))
    return side


def _pair(side: _Side, i: int, j: int) -> None:
    """Take a cell for the same one by its id alone: nothing of its content is left."""
    stay = [(x, y) for x, y in side.partner.items() if x not in side.moved]
    if any((x < i) != (y < j) for x, y in stay):
        side.moved.add(i)
    side.partner[i] = j


def _agree(left: _Side, right: _Side) -> None:
    """Take a cell that is like the other side's for the same one, where only that side's is still like the base's."""
    origin = [{j: i for i, j in side.partner.items()} for side in (left, right)]
    for mine, other, _ in align(left.cells, right.cells, Budget()):
        first, second = origin[0].get(mine), origin[1].get(other)
        if (first is None) == (second is None) or not _are_alike(left.cells[mine], right.cells[other], ALIKE_ELSEWHERE):
            continue
        if first is not None and first not in right.partner:
            _pair(right, first, other)
        elif second is not None and second not in left.partner:
            _pair(left, second, mine)


def _twins(ours: Cells, added: Sequence[int], theirs: Cells, others: Sequence[int]) -> dict[int, int]:
    """Return of cells that theirs has added the same ones that ours has: of one id, or long and of one content."""
    ids = {ours[n].id: n for n in added if ours[n].id is not None}
    texts = {_text(ours[n]): n for n in reversed(added) if sum(map(str.isalnum, ours[n].source[: 4 * LONG])) >= LONG}
    found: dict[int, int] = {}
    taken: set[int] = set()
    for n in others:
        twin = ids.get(theirs[n].id)
        if twin is None or not _are_alike(ours[twin], theirs[n], ALIKE):
            twin = texts.get(_text(theirs[n]))
        if twin is not None and twin not in taken:
            taken.add(twin)
            found[n] = twin
    return found


def _text(cell: Cell) -> tuple[str, str]:
    return cell.kind, cell.source


def _are_alike(one: Cell, other: Cell, least: float) -> bool:
    if one.source == other.source or not (one.source.strip() and other.source.strip()):
        return True
    words, more = bag(one.source), bag(other.source)
    return 2 * shared(words, more) >= least * (sum(words.values()) + sum(more.values()))


def _gaps(chain: Sequence[Node], side: Sequence[Node], moved: set[int]) -> list[list[Node]]:
    """Return what a side has put before the first cell of the chain, and behind each."""
    place = {id(node): n for n, node in enumerate(chain, 1)}
    gaps: list[list[Node]] = [[] for _ in range(len(chain) + 1)]
    gap = 0
    for node in side:
        if id(node) in place:
            gap = place[id(node)]
        elif node.base is None or node.base in moved:
            gaps[gap].append(node)
    return gaps


def _gap(row: list[Node], other: list[Node], ours: Cells, theirs: Cells) -> list[Node]:
    """Return the cells of both sides at one place; those that are the same keep the others in order."""

    def key(node: Node) -> Hashable:
        if node.base is not None or (node.ours is not None and node.theirs is not None):
            return id(node)
        cell = ours[node.ours] if node.ours is not None else theirs[node.theirs or 0]
        return _text(cell)

    for i, j in longest([key(node) for node in row], [key(node) for node in other]):
        if row[i] is not other[j]:
            row[i].theirs = other[j].theirs
            other[j] = row[i]
    where = {id(node): n for n, node in enumerate(row)}
    # What is the same on both sides but in another order is where ours has it.
    meet = increasing([(n, where[id(node)]) for n, node in enumerate(other) if id(node) in where])
    result: list[Node] = []
    i = j = 0
    for there, here in [*meet, (len(other), len(row))]:
        result += row[i:here]
        result += [node for node in other[j:there] if id(node) not in where]
        result += row[here : here + 1]
        i, j = here + 1, there + 1
    return result
