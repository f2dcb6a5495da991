"""Metadata that two sides changed, merged key by key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

MISSING: Any = object()
WHOLE = frozenset({"kernelspec", "language_info"})
"""Of these a part of one side and a part of the other would name a kernel that nobody has."""


def merge_values(sides: Iterable[Any], path: str, clashes: list[str]) -> Any:
    """Return the merged value, `MISSING` for none, of that in the base, in ours and in theirs.

    Objects are merged by key, lists of texts (tags) as sets. Of a value that both sides changed differently ours is
    taken, and of one that a side took away the other's change; the former is added to `clashes` by its path.
    """
    base, ours, theirs = sides
    if _same(ours, theirs) or _same(theirs, base):
        return ours
    if _same(ours, base) or ours is MISSING:
        return theirs
    if theirs is MISSING:
        return ours
    name = path.rpartition(".")[2]
    if isinstance(ours, dict) and isinstance(theirs, dict) and name not in WHOLE:
        before = base if isinstance(base, dict) else {}
        merged = {}
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            values = (one.get(key, MISSING) for one in (before, ours, theirs))
            value = merge_values(values, f"{path}.{key}" if path else key, clashes)
            if value is not MISSING:
                merged[key] = value
        return merged
    if _are_texts(ours) and _are_texts(theirs):
        before = base if _are_texts(base) else []
        kept = [one for one in ours if one in theirs or one not in before]
        return kept + [one for one in theirs if one not in ours and one not in before]
    clashes.append(path)
    return ours


def _same(one: Any, other: Any) -> bool:
    if one is MISSING or other is MISSING:
        return one is other
    # True is 1 to Python, and is not to JSON.
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
