"""Distributions from the text of a magic's line."""

from __future__ import annotations

import difflib
import inspect
import re
from typing import Any

from mlwidgets.errors import ParameterError
from mlwidgets.runs.spec import parse_literal
from mlwidgets.sweeps.space.distributions import DISTRIBUTIONS, FORMS, Distribution
from mlwidgets.sweeps.space.values import BARE, plain

_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*\((.*)", re.DOTALL)
_KEYWORD = re.compile(r"\s*([^\W\d]\w*)\s*=(?!=)(.*)", re.DOTALL)
_OTHER_LANGUAGES = {"true": "True", "false": "False", "null": "None", "none": "None"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def parse_distribution(text: str) -> Distribution | None:
    """Read ``loguniform(1e-5, 1e-1)``, with or without ``.when(...)``; None if the text is no call of a distribution.

    Values are Python literals, or bare words that stand for themselves as text.

    Raises
    ------
    ParameterError
        If it is a bad call of one.
    """
    match = _CALL.fullmatch(text)
    if match is None:
        return None
    kind = match[1]
    if kind not in DISTRIBUTIONS:
        close = difflib.get_close_matches(kind.lower().replace("_", ""), DISTRIBUTIONS, 1, 0.8)
        if close:
            raise ParameterError(f"there is no distribution {kind}; write {FORMS[close[0]]}")
        return None
    inside, rest = _until_closed(match[2])
    distribution = _call(kind, inside)
    if not rest:
        return distribution
    when = _CALL.fullmatch(rest.removeprefix("."))
    if when is None or not rest.startswith(".") or when[1] != "when":
        raise ParameterError(f"{rest:.60} after {kind}(...) is not understood; a condition is .when(optimizer=sgd)")
    inside, rest = _until_closed(when[2])
    if rest:
        raise ParameterError(f"{rest:.60} after .when(...) is not understood; write all conditions into one when")
    conditions: dict[str, Any] = {}
    for part in _parts(inside):
        keyword = _KEYWORD.fullmatch(part)
        if keyword is None:
            raise ParameterError(f"when({part.strip():.60}) is no condition; write .when(name=value)")
        if keyword[1] in conditions:
            raise ParameterError(f"when has {keyword[1]} twice; several values are a tuple: {keyword[1]}=(a, b)")
        conditions[keyword[1]] = _value(keyword[2]) if keyword[1] == "otherwise" else _allowed(keyword[2])
    return distribution.when(**conditions)


def bare_words(text: str) -> list[str]:
    """Return the values of a distribution, which can be read, that stand as words without quotes for themselves."""
    match = _CALL.fullmatch(text)
    parts = [] if match is None else _parts(_until_closed(match[2])[0])
    return [word for part in parts if BARE.fullmatch(word := part.strip()) and isinstance(_value(word), str)]


def _call(kind: str, inside: str) -> Distribution:
    args: list[Any] = []
    keywords: dict[str, Any] = {}
    for part in _parts(inside):
        keyword = _KEYWORD.fullmatch(part)
        if keyword is None:
            args.append(_value(part))
        else:
            keywords[keyword[1]] = _value(keyword[2])
    if kind == "choice" and len(args) == 1 and not keywords and inside.rstrip().endswith(","):
        return Distribution(kind, (plain(args[0]),))
    signature = inspect.signature(DISTRIBUTIONS[kind])
    unknown = next((k for k in keywords if k not in signature.parameters or kind == "choice"), None)
    if unknown is not None:
        raise ParameterError(f"{kind} has no {unknown!r}; write {FORMS[kind]}")
    try:
        signature.bind(*args, **keywords)
    except TypeError:
        count = len(args) + len(keywords)
        raise ParameterError(f"{kind} with {count} value{'s'[: count != 1]}; write {FORMS[kind]}") from None
    return DISTRIBUTIONS[kind](*args, **keywords)


def _value(text: str) -> Any:
    text = text.strip()
    try:
        return parse_literal(text)
    except ValueError:
        pass
    if text.lower() in _OTHER_LANGUAGES:
        raise ParameterError(f"write {_OTHER_LANGUAGES[text.lower()]} for {text}, or {text!r} for the text")
    if BARE.fullmatch(text):
        return text
    if not text:
        raise ParameterError("a value is missing between two commas")
    raise ParameterError(f"{text:.60} is no Python literal; for the text write {text[:60]!r}")


def _allowed(text: str) -> Any:
    """Read a condition's value; words inside brackets are several."""
    text = text.strip()
    if text.startswith("(") and _until_closed(text[1:])[1] == "":
        return tuple(_value(part) for part in _parts(text[1:-1]))
    return _value(text)


def _until_closed(text: str) -> tuple[str, str]:
    """Return what comes before the bracket that closes, and what comes after it."""
    for at, depth in _depths(text):
        if depth < 0:
            return text[:at], text[at + 1 :].strip()
    raise ParameterError(f"a bracket or quote is not closed in ({text:.60}")


def _parts(text: str) -> list[str]:
    """Split at commas outside quotes and brackets; one comma at the end is allowed."""
    ends = [at for at, depth in _depths(text) if depth == 0 and text[at] == ","]
    starts = [0, *(at + 1 for at in ends)]
    parts = [text[start:end] for start, end in zip(starts, [*ends, len(text)], strict=True)]
    return parts if parts[-1].strip() else parts[:-1]


def _depths(text: str) -> list[tuple[int, int]]:
    """Return each character outside quotes with how many brackets are open after it."""
    found: list[tuple[int, int]] = []
    depth, quote, escaped = 0, "", False
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote and not escaped else quote
            escaped = char == "\\" and not escaped
            continue
        if char in "\"'":
            quote = char
        elif char in _CLOSING:
            depth += 1
        elif char in _CLOSING.values():
            depth -= 1
        found.append((at, depth))
    return found
