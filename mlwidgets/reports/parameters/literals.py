"""Values of parameters: what a text says where a type is asked for."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable
from datetime import date
from typing import Any

from mlwidgets.runs.spec import parse_literal

_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}
_CALLS = {"int", "float", "str", "bool", "list", "tuple", "dict", "set", "Path"}
_KINDS: dict[str, type[Any]] = {"list": list, "tuple": tuple, "dict": dict, "set": set}
_NAMES = {"List": "list", "Sequence": "list", "Tuple": "tuple", "Dict": "dict", "Mapping": "dict", "Set": "set"}
_TEXTS = {"str", "Path", "PurePath", "PathLike", "date", "datetime"}


def type_of(value: ast.expr | None) -> str:
    """Return the type of what an expression gives, empty where it does not say it."""
    if value is None:
        return ""
    try:
        found = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        called = _last_name(value.func) if isinstance(value, ast.Call) else ""
        return called if called in _CALLS else "str" if isinstance(value, ast.JoinedStr) else ""
    return "" if found is None else type(found).__name__


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def as_given(value: Any, annotation: ast.expr | None) -> Any:
    """Return a value, or what a text says, as an annotation asks for it.

    Paths and dates stay texts. Without an annotation, or with one that is not known, a text is a Python literal where
    it can be.

    Parameters
    ----------
    value
        A text, or a value that a Python literal can say.
    annotation
        ``int``, ``float | None``, ``list[str]``, ``Literal["a", "b"]`` and the like.

    Raises
    ------
    ValueError
        If it is of another type; the message says what it is not.
    """
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        value = item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    elif isinstance(value, date):
        value = value.isoformat()
    return _read(value, annotation)


def expression(text: str) -> ast.expr | None:
    """Return an expression's syntax, None where a text is none."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _read(value: Any, node: ast.expr | None) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = expression(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _first(value, [node.left, node.right])
    inner: list[ast.expr] = []
    if isinstance(node, ast.Subscript):
        inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        node = node.value
    if isinstance(node, ast.Constant) and node.value is None:
        return _none(value)
    name = _last_name(node) if node is not None else ""
    if name in {"Optional", "Union"}:
        return _first(value, [*inner, *([ast.Constant(None)] if name == "Optional" else [])])
    if name in {"Annotated", "Final"} and inner:
        return _read(value, inner[0])
    if name == "Literal":
        return _choice(value, inner)
    name = _NAMES.get(name, name)
    if name in _KINDS:
        return _many(value, name, inner)
    read = _READ.get("str" if name in _TEXTS else name, _literal)
    return read(value)


def _first(value: Any, nodes: list[ast.expr]) -> Any:
    """Return the value as the first of some types that it can be; None and numbers are tried before texts."""
    reasons = []
    for node in sorted(nodes, key=lambda one: _last_name(one) in _TEXTS):
        try:
            return _read(value, node)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(reasons[0])


def _choice(value: Any, nodes: list[ast.expr]) -> Any:
    choices = [ast.literal_eval(node) for node in nodes]
    for choice in choices:
        if value == choice or (isinstance(value, str) and value == str(choice)):
            return choice
    raise ValueError(f"{value!r:.60} is none of {', '.join(map(repr, choices))}")


def _none(value: Any) -> None:
    if value is not None and value not in {"None", "null"}:
        raise ValueError(f"{value!r:.60} is not None")


def _int(value: Any) -> int:
    found = _literal(value)
    if isinstance(found, bool) or not isinstance(found, int):
        raise ValueError(f"{value!r:.60} is no int")
    return found


def _float(value: Any) -> float:
    found = _literal(value)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ValueError(f"{value!r:.60} is no float")
    try:
        return float(found)
    except OverflowError as error:
        raise ValueError(f"{value!r:.60} is too large for a float") from error


def _bool(value: Any) -> bool:
    text = str(value).strip().lower() if isinstance(value, str | bool) else ""
    if text not in _TRUE | _FALSE:
        raise ValueError(f"{value!r:.60} is no bool: write true or false")
    return text in _TRUE


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.60} is no str")
    return value


def _literal(value: Any) -> Any:
    """Return what a text says as a literal of Python or JSON, else the text."""
    if not isinstance(value, str):
        return value
    for read in (parse_literal, json.loads):
        try:
            return read(value.strip())
        except (ValueError, RecursionError):
            continue
    return value


def _many(value: Any, name: str, inner: list[ast.expr]) -> Any:
    kind: Any = _KINDS[name]
    found = _literal(value)
    if kind is not dict and isinstance(found, list | tuple):
        found = kind(found)
    if not isinstance(found, kind):
        example = {"dict": "{'a': 1}", "set": "{1, 2}", "tuple": "(1, 2)"}.get(name, "[1, 2]")
        raise ValueError(f"{value!r:.60} is no {name}: write it as {example}")
    if not inner:
        return found
    if isinstance(found, dict):
        return {_read(k, inner[0]): _read(v, inner[-1]) for k, v in found.items()}
    if name == "tuple" and not (isinstance(inner[-1], ast.Constant) and inner[-1].value is ...):
        if len(found) != len(inner):
            raise ValueError(f"{value!r:.60} has {len(found)} values, not {len(inner)}")
        return tuple(_read(one, node) for one, node in zip(found, inner, strict=True))
    return kind(_read(one, inner[0]) for one in found)


_READ: dict[str, Callable[[Any], Any]] = {"int": _int, "float": _float, "bool": _bool, "str": _str, "None": _none}
