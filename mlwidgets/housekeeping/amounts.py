"""Sizes and times as people write them."""

from __future__ import annotations

import math
import re

from mlwidgets.errors import ParameterError
from mlwidgets.runs.spans import seconds_of

_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZES |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_AMOUNT = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?([A-Za-z]*)")


def read_size(text: str) -> int:
    """Return the bytes that ``1GB``, ``200 MB`` or ``1.5GiB`` is.

    Raises
    ------
    ParameterError
        If it is no size.
    """
    found = _AMOUNT.fullmatch(text.strip())
    unit = _SIZES.get(found[2].upper()) if found else None
    if found is None or unit is None:
        raise ParameterError(f"{text!r:.40} is no size: write it as 500MB, 1GB or 1.5GiB")
    return int(float(found[1]) * unit)


def read_span(text: str) -> float:
    """Return the seconds that ``90d``, ``12h`` or ``2w`` is; a ``y`` has 365 days.

    Raises
    ------
    ParameterError
        If it is no span of time.
    """
    try:
        return seconds_of(text, bare=None)
    except ValueError:
        raise ParameterError(f"{text!r:.40} is no span of time: write it as 12h, 90d or 2w") from None


def size_words(nbytes: int) -> str:
    """Return bytes for people: ``1.2 GB``."""
    if nbytes < 1000:
        return f"{nbytes} bytes" if nbytes != 1 else "1 byte"
    power = min(4, int(math.log10(nbytes) / 3 + 1e-9))
    return f"{nbytes / 1000**power:.1f} {('', 'kB', 'MB', 'GB', 'TB')[power]}"
