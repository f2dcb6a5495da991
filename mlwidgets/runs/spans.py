"""Spans of time as people write them: ``90``, ``15m``, ``12h``, ``2d``."""

from __future__ import annotations

import re

_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0, "y": 365 * 86400.0}
_SPAN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(s|m|min|h|d|w|y|)")


def seconds_of(text: str, bare: str | None = "s") -> float:
    """Return the seconds that a text says; a ``y`` has 365 days.

    Parameters
    ----------
    bare
        The unit of a number alone; None if it needs one.

    Raises
    ------
    ValueError
        If it is no span of time.
    """
    found = _SPAN.fullmatch(text.strip())
    unit = _SECONDS.get(found[2] or bare or "") if found else None
    if found is None or unit is None:
        raise ValueError(text)
    return float(found[1]) * unit
