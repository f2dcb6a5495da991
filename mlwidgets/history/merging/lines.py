"""Two texts that come from one, merged line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mlwidgets.history.diff.sequences import Budget, common

SIZE = 7
"""Characters of a conflict marker, as git writes it."""


class Labels(NamedTuple):
    """What the two sides are called in conflict markers."""

    ours: str = "ours"
    theirs: str = "theirs"


def merge_lines(
    base: str | None, ours: str, theirs: str, labels: Labels | None = None, size: int = SIZE
) -> tuple[str, bool]:
    """Return the merged text, and whether there is a conflict in it, between markers then.

    What only one side changed is taken; what both changed in the same way, too. As with ``git merge-file``, changes of
    neighbouring lines are one conflict; lines that both have at its beginning or end are no part of it. The method is
    that of diff3: Khanna, Kunal, Pierce, "A formal investigation of diff3" (2007).

    Parameters
    ----------
    base
        None where both sides have added the text.
    size
        Of the markers.
    """
    names = labels or Labels()
    a = base.split("\n") if base is not None else []
    o, t = ours.split("\n"), theirs.split("\n")
    budget = Budget()
    in_ours, in_theirs = dict(common(a, o, (), budget)), dict(common(a, t, (), budget))
    merged: list[str] = []
    conflict = False
    i = j = k = 0
    for stable in [*(n for n in range(len(a)) if n in in_ours and n in in_theirs), len(a)]:
        j_end, k_end = in_ours.get(stable, len(o)), in_theirs.get(stable, len(t))
        lines, clash = _chunk(a[i:stable], o[j:j_end], t[k:k_end], names, size)
        merged += lines
        conflict |= clash
        merged += a[stable : stable + 1]
        i, j, k = stable + 1, j_end + 1, k_end + 1
    return "\n".join(merged), conflict


def _chunk(
    base: Sequence[str], ours: Sequence[str], theirs: Sequence[str], names: Labels, size: int
) -> tuple[list[str], bool]:
    if theirs in (base, ours):
        return list(ours), False
    if ours == base:
        return list(theirs), False
    shorter = min(len(ours), len(theirs))
    start = next((n for n in range(shorter) if ours[n] != theirs[n]), shorter)
    end = next((n for n in range(shorter - start) if ours[-1 - n] != theirs[-1 - n]), shorter - start)
    return [
        *ours[:start],
        f"{'<' * size} {names.ours}",
        *ours[start : len(ours) - end],
        "=" * size,
        *theirs[start : len(theirs) - end],
        f"{'>' * size} {names.theirs}",
        *ours[len(ours) - end :],
    ], True
