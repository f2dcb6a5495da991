"""What two sequences have in common, found without a worst case."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass

ROUNDS = 6
"""Anchors between anchors are looked for so many times."""

RARE = 5
"""Elements that may share a feature by which they are found."""

Pair = tuple[int, int]


@dataclass
class Budget:
    """What a comparison may still spend. Where it is spent the result is coarser, never wrong.

    Parameters
    ----------
    bits
        Of the tables in which longest common subsequences are found: the product of two lengths.
    characters
        That are taken apart into words.
    looks
        At words, to find out how much two cells or lines have in common.
    """

    bits: int = 120_000_000
    characters: int = 500_000
    looks: int = 800_000

    def take_characters(self, count: int) -> bool:
        """Return whether there is enough for `count` characters; spend them if so."""
        enough = count <= self.characters
        self.characters -= count if enough else 0
        return enough


def common(
    old: Sequence[Hashable], new: Sequence[Hashable], weak: Collection[Hashable] = (), budget: Budget | None = None
) -> list[Pair]:
    """Return the positions of elements that stay, in order.

    What occurs once on both sides comes first, as in Bram Cohen's patience diff: such lines mean the same thing, while
    those that occur often are matched at random. Between these anchors it is the longest common subsequence.

    Parameters
    ----------
    weak
        Elements that say nothing by themselves, as blank lines: they stay only next to others that do.
    """
    budget = budget or Budget()
    found: list[Pair] = []
    regions = [(0, len(old), 0, len(new), ROUNDS)]
    while regions:
        a, a_end, b, b_end, rounds = regions.pop()
        while a < a_end and b < b_end and old[a] == new[b]:
            found.append((a, b))
            a, b = a + 1, b + 1
        while a < a_end and b < b_end and old[a_end - 1] == new[b_end - 1]:
            a_end, b_end = a_end - 1, b_end - 1
            found.append((a_end, b_end))
        if a == a_end or b == b_end:
            continue
        anchors = _anchors(old, new, (a, a_end, b, b_end), weak) if rounds > 0 else []
        if not anchors and rounds >= 0:
            anchors = _longest(old, new, (a, a_end, b, b_end), weak, budget)
            rounds = 0
        if anchors:
            found += anchors
            starts = [(a, b), *((i + 1, j + 1) for i, j in anchors)]
            ends = [*anchors, (a_end, b_end)]
            regions += [(*_interleaved(s, e), rounds - 1) for s, e in zip(starts, ends, strict=True)]
    return sorted(found)


def _interleaved(start: Pair, end: Pair) -> tuple[int, int, int, int]:
    return start[0], end[0], start[1], end[1]


Region = tuple[int, int, int, int]


def _anchors(
    old: Sequence[Hashable], new: Sequence[Hashable], region: Region, weak: Collection[Hashable]
) -> list[Pair]:
    a, a_end, b, b_end = region
    in_old, in_new = Counter(old[a:a_end]), Counter(new[b:b_end])
    once = {x for x, n in in_old.items() if n == 1 and in_new.get(x) == 1 and x not in weak}
    if not once:
        return []
    where = {new[j]: j for j in range(b, b_end) if new[j] in once}
    pairs = [(i, where[old[i]]) for i in range(a, a_end) if old[i] in once]
    return increasing(pairs)


def increasing(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the longest chain of pairs that rises on both sides; `pairs` rise on the first. By patience sorting."""
    ends: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        place = bisect_left(ends, j)
        before.append(at[place - 1] if place else -1)
        ends[place : place + 1] = [j]
        at[place : place + 1] = [index]
    return _walked(pairs, before, at[-1] if at else -1)


def heaviest(pairs: Sequence[tuple[int, int, float]]) -> list[Pair]:
    """Return the chain of pairs that rises on both sides whose weights, all positive, add up to most.

    The best sum up to each position is kept in a Fenwick tree, so that thousands of pairs take milliseconds.
    """
    size = max((j for _, j, _ in pairs), default=0) + 1
    best: list[tuple[float, int]] = [(0.0, -1)] * (size + 1)
    ordered = sorted(pairs, key=lambda one: (one[0], -one[1]))
    before: list[int] = []
    top = (0.0, -1)
    for index, (_, j, weight) in enumerate(ordered):
        sum_before = (0.0, -1)
        place = j
        while place > 0:
            if best[place][0] > sum_before[0]:
                sum_before = best[place]
            place &= place - 1
        before.append(sum_before[1])
        now = (sum_before[0] + weight, index)
        if now[0] > top[0]:
            top = now
        place = j + 1
        while place <= size:
            if now[0] > best[place][0]:
                best[place] = now
            place += place & -place
    return _walked([(i, j) for i, j, _ in ordered], before, top[1])


def _walked(pairs: Sequence[Pair], before: Sequence[int], last: int) -> list[Pair]:
    chain: list[Pair] = []
    while last >= 0:
        chain.append(pairs[last])
        last = before[last]
    return chain[::-1]


def _longest(
    old: Sequence[Hashable], new: Sequence[Hashable], region: Region, weak: Collection[Hashable], budget: Budget
) -> list[Pair]:
    a, a_end, b, b_end = region
    shared = (set(old[a:a_end]) & set(new[b:b_end])).difference(weak)
    left = [i for i in range(a, a_end) if old[i] in shared]
    right = [j for j in range(b, b_end) if new[j] in shared]
    if not left or not right:
        return []
    # A table that is too large is cut into smaller ones along its diagonal.
    parts = min(len(left), len(right), -(-len(left) * len(right) // max(1, budget.bits)))
    if parts > 1 and budget.bits < len(left) + len(right):
        return []
    found: list[Pair] = []
    for part in range(parts):
        rows = _part(left, part, parts)
        columns = _part(right, part, parts)
        budget.bits -= len(rows) * len(columns)
        pairs = longest([old[i] for i in rows], [new[j] for j in columns])
        found += [(rows[i], columns[j]) for i, j in pairs]
    return found


def _part(whole: list[int], part: int, parts: int) -> list[int]:
    return whole[len(whole) * part // parts : len(whole) * (part + 1) // parts]


def longest(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Pair]:
    """Return the positions of a longest common subsequence.

    A whole row of the table is one integer, whose bits are where the length grows: Hyyrö, "Bit-parallel LCS-length
    computation revisited" (2004). Thousands of lines that all look alike take no longer than others.
    """
    where: dict[Hashable, int] = {}
    for i, x in enumerate(old):
        where[x] = where.get(x, 0) | 1 << i
    full = row = (1 << len(old)) - 1
    rows = [row]
    for x in new:
        hits = row & where.get(x, 0)
        if hits:
            row = ((row + hits) | (row - hits)) & full
        rows.append(row)
    found: list[Pair] = []
    i, j = len(old) - 1, len(new)
    while i >= 0 and j > 0:
        if rows[j] >> i & 1:
            i -= 1
        elif not rows[j - 1] >> i & 1:
            j -= 1
        else:
            found.append((i, j - 1))
            i, j = i - 1, j - 1
    return found[::-1]


def runs(pairs: Iterable[Pair], old: int, new: int) -> Iterable[tuple[Region, int]]:
    """Yield what lies before each stretch of neighbouring pairs (of old and of new) with the stretch's length.

    The last one ends at `old` and `new` and has the length 0.
    """
    a = b = 0
    start: Pair | None = None
    length = 0
    for i, j in pairs:
        if start is not None and (i, j) == (start[0] + length, start[1] + length):
            length += 1
            continue
        if start is not None:
            yield (a, start[0], b, start[1]), length
            a, b = start[0] + length, start[1] + length
        start, length = (i, j), 1
    if start is not None:
        yield (a, start[0], b, start[1]), length
        a, b = start[0] + length, start[1] + length
    yield (a, old, b, new), 0


def candidates(old: Sequence[Iterable[str]], new: Sequence[Iterable[str]], most: int) -> set[Pair]:
    """Return pairs that may have something in common, given the features of each.

    Parameters
    ----------
    most
        Pairs; up to so many, all are returned. Where there are more, each element gets those that share most features
        which few others have, and those that stand at about its place.
    """
    if len(old) * len(new) <= most:
        return {(i, j) for i in range(len(old)) for j in range(len(new))}
    having: dict[str, list[int]] = {}
    for j, features in enumerate(new):
        for feature in features:
            having.setdefault(feature, []).append(j)
    rare = {feature: others for feature, others in having.items() if len(others) <= RARE}
    found: set[Pair] = set()
    for i, features in enumerate(old):
        votes: Counter[int] = Counter()
        for feature in features:
            if feature in rare:
                votes.update(rare[feature])
        found |= {(i, j) for j, _ in votes.most_common(3)}
        middle = i * len(new) // len(old)
        near = {middle - 1, middle, middle + 1, i, len(new) - len(old) + i}
        found |= {(i, j) for j in near if 0 <= j < len(new)}
    return found
