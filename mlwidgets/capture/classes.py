"""Whether two classes are the same one: by qualified name and by what their methods say.

Compared is the methods' source as a syntax tree, because equal sources give different bytecode from cell to cell,
and comments and positions do not matter. Where there is no source, bytecode has to do.
"""

from __future__ import annotations

import ast
import hashlib
import linecache
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

_IGNORED = frozenset(
    {
        "__module__",
        "__qualname__",
        "__dict__",
        "__weakref__",
        "__doc__",
        "__firstlineno__",
        "__static_attributes__",
        "__annotations__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
        "__abstractmethods__",
        "__parameters__",
        "__classdictcell__",
        "_abc_impl",
    }
)


def fingerprint(cls: type) -> str:
    """Return a digest of what a class is made of: bases, methods' sources, plain attributes."""
    parts = [cls.__qualname__, *(f"{b.__module__}.{b.__qualname__}" for b in cls.__bases__)]
    for name, value in sorted(vars(cls).items(), key=lambda item: item[0]):
        if name not in _IGNORED:
            parts.append(f"{name}={_describe(value)}")
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _describe(value: Any) -> str:
    if isinstance(value, FunctionType):
        return _function(value.__code__)
    if isinstance(value, staticmethod | classmethod):
        return f"{type(value).__name__}({_describe(value.__func__)})"
    if isinstance(value, property):
        return "property({})".format(",".join(_describe(f) for f in (value.fget, value.fset, value.fdel)))
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)
    if isinstance(value, tuple):
        return "({})".format(",".join(_describe(v) for v in value))
    return type(value).__qualname__


def _function(code: CodeType) -> str:
    source = "".join(linecache.getlines(code.co_filename))
    tree = _functions(source).get((code.co_firstlineno, code.co_name)) if source else None
    return tree or _bytecode(code)


def _bytecode(code: CodeType) -> str:
    constants = [_bytecode(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    digest = hashlib.sha256(repr((code.co_code, code.co_names, code.co_varnames, constants)).encode())
    return digest.hexdigest()


@lru_cache(maxsize=256)
def _functions(source: str) -> dict[tuple[int, str], str]:
    """Index a cell's functions by first line (decorators count) and name."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found[first, node.name] = hashlib.sha256(ast.dump(node).encode("utf-8", "surrogatepass")).hexdigest()
    return found
