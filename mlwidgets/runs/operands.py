"""Operands of conditions on runs: what they may be, how they are read from words, and values that are unknown."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mlwidgets.runs.index import RunSummary
from mlwidgets.runs.spans import seconds_of
from mlwidgets.runs.spec import parse_literal
from mlwidgets.runs.state import END_STATES

LONGEST_TEXT = 10_000
"""Characters of a text that a condition looks at."""
NUMBER, _SCALAR = (int, float), (str, int, float)
"""Of thousands of values: to look in a tuple takes half the time of ``int | float``."""
_STATES = (*sorted(END_STATES), "submitted", "running")

Get = Callable[["Asked"], Any]
"""Computes the value of a part for one run; None where the run has none, or where nobody can say."""


@dataclass
class Asked:
    """A run that is asked about, and what was found out on the way."""

    run: RunSummary
    now: float
    clashes: int = 0


class Unfit(Exception):
    """A part of the text cannot stay: where it begins, and what is wrong."""

    def __init__(self, node: ast.AST, why: str) -> None:
        super().__init__(why)
        self.at = getattr(node, "col_offset", 0)


def joined(every: bool, parts: Sequence[Get]) -> Get:
    """Return ``and`` or ``or`` of parts, of which any may be unknown."""

    def get(of: Asked) -> Any:
        unknown = False
        for part in parts:
            value = part(of)
            if value is None:
                unknown = True
            elif bool(value) is not every:
                return not every
        return None if unknown else every

    return get


def guarded(compute: Get, *parts: Get) -> Get:
    """Return what computes a value, and nothing where it cannot be computed."""

    def get(of: Asked) -> Any:
        try:
            return compute(of)
        except (TypeError, ValueError):
            # What the run does not have clashes with nothing.
            of.clashes += all(part(of) is not None for part in parts)
        except (ArithmeticError, RecursionError):
            pass
        return None

    return get


def number_of(value: Any) -> Any:
    """Return a number as it is.

    Raises
    ------
    TypeError
        If it is none: to compute with texts could take all memory.
    """
    if not isinstance(value, NUMBER):
        raise TypeError("no number")
    return value


def text_of(value: Any) -> str:
    """Return a text as it is.

    Raises
    ------
    TypeError
        If it is none, or very long.
    """
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise TypeError("no text")
    return value


def is_scalar(value: Any) -> bool:
    """Whether it is a number or a text."""
    return isinstance(value, _SCALAR)


def check_states(left: ast.expr, op: ast.cmpop, right: ast.expr) -> None:
    """Refuse a word that is no state where one is compared with it: no run would fit, and nobody would know why."""
    named = [side for side in (left, right) if isinstance(side, ast.Name) and side.id == "state"]
    if not named or not isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn):
        return
    if isinstance(op, ast.In | ast.NotIn) and named[0] is not left:
        return  # a text that is looked for in the word
    other = right if named[0] is left else left
    for one in other.elts if isinstance(other, ast.Tuple | ast.List | ast.Set) else [other]:
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value not in _STATES:
            close = difflib.get_close_matches(one.value, _STATES, n=1, cutoff=0.4)
            raise Unfit(one, f"{one.value!r:.40} is no state" + (f"; did you mean {close[0]!r}?" if close else ""))


def param_of(text: str) -> Any:
    """Return a parameter's value; most are numbers, which are read without asking for the syntax."""
    if text[:1] in "0123456789-.":
        try:
            return int(text) if text.lstrip("-").isdecimal() else float(text)
        except ValueError:
            pass
    return _literal(text)


@lru_cache(4096)
def _literal(text: str) -> Any:
    try:
        return parse_literal(text)
    except ValueError:
        return text


def read_span(node: ast.Constant) -> float:
    """Read a duration: ``90``, ``30min``, ``12h``, ``2d``; return seconds."""
    try:
        return seconds_of(str(node.value), bare=None)
    except ValueError:
        why = f"{node.value!r:.40} is no duration: write '30min', '12h', '2d', or seconds as a number"
        raise Unfit(node, why) from None


def read_moment(node: ast.Constant) -> float:
    """Read a date with or without a time, in this machine's time zone; return Unix seconds."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(str(node.value).strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise Unfit(node, f"{node.value!r:.40} is no date: write '2026-11-20' or '2026-11-20 14:30'") from None


def elapsed(of: Asked) -> float | None:
    """Return for how many seconds the run's code has been running, or ran in all."""
    begin = of.run.started_at
    return None if begin is None else max(0.0, (of.run.ended_at or of.now) - begin)
