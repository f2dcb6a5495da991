"""How a parameter is given its value in the notebook's language."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class _Words:
    """How a language writes values; ``{}`` stands for what is inside."""

    none: str
    true: str
    false: str
    infinity: str
    nan: str
    text: Callable[[str], str]
    many: dict[type, str]
    pair: str


_WORDS = {
    "python": _Words(
        "None", "True", "False", 'float("inf")', 'float("nan")', repr,
        {list: "[{}]", tuple: "({})", set: "{{{}}}", dict: "{{{}}}"}, "{}: {}",
    ),
    "r": _Words(
        "NULL", "TRUE", "FALSE", "Inf", "NaN", lambda text: json.dumps(text, ensure_ascii=False),
        {list: "list({})", tuple: "list({})", set: "list({})", dict: "list({})"}, "{} = {}",
    ),
    "julia": _Words(
        "nothing", "true", "false", "Inf", "NaN", lambda text: json.dumps(text, ensure_ascii=False).replace("$", "\\$"),
        {list: "[{}]", tuple: "({})", set: "Set([{}])", dict: "Dict({})"}, "{} => {}",
    ),
}  # fmt: skip
LANGUAGES = tuple(_WORDS)
"""Languages in which a parameter can be given a value."""


def assignment(name: str, value: Any, language: str) -> str:
    """Return a line of code that assigns a value.

    Raises
    ------
    ValueError
        If the value is none that every language has: None, numbers, texts, and lists, tuples, sets and dicts of them.
    """
    return f"{name} = {_written(value, _WORDS[language])}"


def _written(value: Any, words: _Words) -> str:
    kind = type(value)
    if value is None:
        return words.none
    if kind is bool:
        return words.true if value else words.false
    if kind is float and not math.isfinite(value):
        return words.nan if math.isnan(value) else words.infinity if value > 0 else f"-{words.infinity}"
    if kind in {int, float}:
        return repr(value)
    if kind is str:
        return words.text(value)
    if kind not in words.many:
        raise ValueError(
            f"{value!r:.60} cannot be given: write a number, a text, or a list, tuple, set or dict of these"
        )
    if kind is dict:
        inside = [words.pair.format(_written(key, words), _written(one, words)) for key, one in value.items()]
    else:
        inside = [_written(one, words) for one in value]
    if not inside and kind is set and words is _WORDS["python"]:
        return "set()"
    end = "," if kind is tuple and len(inside) == 1 and "list" not in words.many[tuple] else ""
    return words.many[kind].format(", ".join(inside) + end)
