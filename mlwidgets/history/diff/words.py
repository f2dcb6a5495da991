"""What changed inside a line, by words, and how much two texts have in common."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from mlwidgets.history.diff.sequences import Budget, Pair, common, runs

LONGEST_LINE = 4000
"""Characters. Of longer lines only what they begin and end with is compared."""
LITTLE = 3
"""What stays between two changes that are this many times as long is taken for chance."""

OPENING, CLOSING = frozenset("([{"), frozenset(")]}")
FARTHEST = 20
"""Tokens that a change is slid at most."""
STRUCTURE = frozenset("()[]{}=:")
LEAST = 0.25
"""Where less than this part of two lines stays, the one is shown in place of the other."""

_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u20d0-\u20ff\ufe00-\ufe0f\U0001f3fb-\U0001f3ff"
"""What belongs to the character before it: accents, variants, colours of skin."""
_ALONE = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""Scripts without spaces between words: each character counts for itself."""
_NUMBER = r"(?:\d[\d_]*(?:\.\d[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?\w*"
_SIGN = r"\*\*=?|//=?|<<=?|>>=?|[-+*/%@&|^=!<>:]=|->|\.\.\."
_ASCII = re.compile(rf"[A-Za-z_]\w*|\s+|{_NUMBER}|{_SIGN}|.", re.DOTALL)
_TOKEN = re.compile(
    rf"\s+|[{_ALONE}][{_MARKS}]*|{_NUMBER}|[^\W\d{_ALONE}](?:[^\W{_ALONE}]|[{_MARKS}])*|{_SIGN}"
    rf"|.(?:[{_MARKS}]|\u200d.)*",
    re.DOTALL,
)
_WORD = re.compile(r"\w+")

Segments = list[tuple[int, str]]
"""Pieces of a line, each with 1 where it changed and 0 where it did not; of the latter both lines have the same."""


def tokens(text: str) -> list[str]:
    """Return words, numbers, operators and spaces in order; joined they are the text."""
    return (_ASCII if text.isascii() else _TOKEN).findall(text)


def weight(token: str) -> int:
    """Return how much it says that two texts share a token: a word much, a sign little, a space nothing."""
    first = token[0]
    if first.isalpha() or first == "_":
        return 3
    return 0 if first.isspace() else 1


def bag(text: str) -> dict[str, int]:
    """Return the words and numbers of a text with the weight of all their occurrences."""
    words = _WORD.findall(text) if text.isascii() else filter(_is_word, _TOKEN.findall(text))
    return {word: n if word[0].isdecimal() else 3 * n for word, n in Counter(words).items()}


def shared(old: dict[str, int], new: dict[str, int]) -> int:
    """Return the weight of what two bags have in common."""
    if len(old) > len(new):
        old, new = new, old
    return sum(min(heavy, new[token]) for token, heavy in old.items() if token in new)


def changed_words(old: str, new: str, budget: Budget) -> tuple[Segments, Segments] | None:
    """Return what changed between two lines, or None where it is better to show the one in place of the other."""
    if max(len(old), len(new)) > LONGEST_LINE or not budget.take_characters(len(old) + len(new)):
        return _by_ends(old, new)
    a, b = tokens(old), tokens(new)
    pairs = _with_brackets(common(a, b, {token for token in {*a, *b} if not _is_word(token)}, budget), a, b, budget)
    stretches = _balanced(
        _without_chance([(*region, length) for region, length in runs(pairs, len(a), len(b))], a, b), a, b
    )
    kept = sum(weight(token) for _, end, *_, length in stretches for token in a[end : end + length])
    if 2 * kept < LEAST * (sum(map(weight, a)) + sum(map(weight, b))):
        return None
    left: Segments = []
    right: Segments = []
    for i, i_end, j, j_end, length in stretches:
        same = "".join(a[i_end : i_end + length])
        left += [(1, "".join(a[i:i_end])), (0, same)]
        right += [(1, "".join(b[j:j_end])), (0, same)]
    return [one for one in left if one[1]], [one for one in right if one[1]]


def _is_word(token: str) -> bool:
    return token[0].isalnum() or token[0] == "_" or (token[0] == "." and len(token) > 1)


def _with_brackets(pairs: list[Pair], a: Sequence[str], b: Sequence[str], budget: Budget) -> list[Pair]:
    """Return the pairs and, where words have changed, the brackets between them that hold the line together."""
    found = list(pairs)
    for (i, i_end, j, j_end), _ in runs(pairs, len(a), len(b)):
        left, right = a[i:i_end], b[j:j_end]
        if left and right and not STRUCTURE.isdisjoint(left):
            loose = {*left, *right} - STRUCTURE
            found += [(i + x, j + y) for x, y in common(left, right, loose, budget)]
    return sorted(found)


Stretch = tuple[int, int, int, int, int]
"""A change, from and to on both sides, and how many tokens after it stay."""


def _without_chance(stretches: Sequence[Stretch], a: Sequence[str], b: Sequence[str]) -> list[Stretch]:
    """Return the stretches without short ones between long changes, in which single words meet by chance."""
    found: list[Stretch] = []
    for number, (i, i_end, j, j_end, length) in enumerate(stretches):
        start = (i, j)
        if found and found[-1][4] == 0:
            start = (found[-1][0], found[-1][2])
            found.pop()
        kept = length
        if length and number > 0 and number + 1 < len(stretches):
            after = stretches[number + 1]
            before = max(_length(a[start[0] : i_end]), _length(b[start[1] : j_end]))
            behind = max(_length(a[after[0] : after[1]]), _length(b[after[2] : after[3]]))
            same = a[i_end : i_end + length]
            if LITTLE * _length(same) <= min(before, behind) and STRUCTURE.isdisjoint(same):
                kept = 0
        found.append((start[0], i_end, start[1], j_end, kept))
    return found


def _balanced(stretches: list[Stretch], a: Sequence[str], b: Sequence[str]) -> list[Stretch]:
    """Return the stretches with additions and removals slid to where they hold whole pairs of brackets."""
    for n in range(1, len(stretches) - 1):
        i, i_end, j, j_end, length = stretches[n]
        if (i == i_end) == (j == j_end):
            continue
        *before, kept = stretches[n - 1]
        some, start, end = (b, j, j_end) if i == i_end else (a, i, i_end)
        first = n == 1 and before[0] == before[1] and before[2] == before[3]
        by = _slide(some, start, end, kept - (not first), length - 1)
        stretches[n - 1] = (before[0], before[1], before[2], before[3], kept + by)
        stretches[n] = (i + by, i_end + by, j + by, j_end + by, length - by)
    return stretches


def _slide(some: Sequence[str], start: int, end: int, up: int, down: int) -> int:
    """Return by how many tokens a change is slid: by none where its brackets are closed, or cannot be."""
    if _are_closed(some[start:end]):
        return 0
    for step in range(1, min(down, FARTHEST) + 1):
        if some[start + step - 1] != some[end + step - 1]:
            break
        if _are_closed(some[start + step : end + step]):
            return step
    for step in range(1, min(up, FARTHEST) + 1):
        if some[start - step] != some[end - step]:
            break
        if _are_closed(some[start - step : end - step]):
            return -step
    return 0


def _are_closed(some: Sequence[str]) -> bool:
    depth = 0
    for token in some:
        depth += (token in OPENING) - (token in CLOSING)
        if depth < 0:
            return False
    return depth == 0


def _length(some: Sequence[str]) -> int:
    return sum(map(len, some))


def _by_ends(old: str, new: str) -> tuple[Segments, Segments] | None:
    begin = _common_start(old, new)
    end = _common_start(old[begin:][::-1], new[begin:][::-1])
    if 2 * (begin + end) < min(len(old), len(new)):
        return None
    return _parts(old, begin, end), _parts(new, begin, end)


def _parts(line: str, begin: int, end: int) -> Segments:
    pieces = [(0, line[:begin]), (1, line[begin : len(line) - end]), (0, line[len(line) - end :])]
    return [one for one in pieces if one[1]]


def _common_start(old: str, new: str) -> int:
    """Return how many characters two lines begin with alike; halves are compared whole, which takes no time."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if old[low:middle] == new[low:middle] else (low, middle - 1)
    return low
