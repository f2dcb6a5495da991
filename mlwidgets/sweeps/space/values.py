"""The values of a search space: Python literals, as the magic's line takes them."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

from mlwidgets.errors import ParameterError
from mlwidgets.runs.spec import literal_text, parse_literal

BARE = re.compile(r"[A-Za-z_][\w./:+-]*")
"""A word that stands for itself as text."""
_LITERAL_WORDS = {"none", "true", "false", "null", "inf", "nan"}


def plain(value: Any) -> Any:
    """Return a value that travels as a Python literal; a number of NumPy becomes Python's.

    Raises
    ------
    ParameterError
        If it is no literal, or one without an order of its own (a set).
    """
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        value = item()
    text = literal_text(value)
    try:
        same = literal_text(parse_literal(text)) == text
    except ValueError:
        same = False
    if not same or _has_set(value):
        raise ParameterError(f"{text:.60} is no Python literal; use numbers, texts, None, lists, tuples or dicts")
    return value


def word(value: Any) -> str:
    """Return a value as the magic's line takes it: a text bare where that cannot be mistaken."""
    if isinstance(value, str) and BARE.fullmatch(value) and value.lower() not in _LITERAL_WORDS:
        return value
    return literal_text(value)


def number(value: Any) -> Any:
    """Return a finite int or float as it is.

    Raises
    ------
    ParameterError
        If it is none.
    """
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ParameterError(f"{value!r:.60} is no number")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        finite = False
    if not finite:
        raise ParameterError(f"{literal_text(value):.60} is not finite, or too large")
    return value


def exact(value: float) -> Fraction:
    """Return the decimal that a number is written as: 0.1 is one tenth."""
    return Fraction(repr(value))


def _has_set(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_set, [*value, *value.values()]))
    return isinstance(value, set) or (isinstance(value, list | tuple) and any(map(_has_set, value)))
