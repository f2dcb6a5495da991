"""Whether two classes are the same one: by qualified name and by what their methods say.

Compared is the methods' source as a syntax tree, because equal sources give different bytecode from cell to cell,
and comments and positions do not matter. Where there is no source, bytecode has to do.
"""

from __future__ import annotations

import ast
import hashlib
import linecache
from collections.abc import Mapping
from enum import EnumMeta
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
        "__slotnames__",
        "__classdictcell__",
        "_abc_impl",
    }
)


def fingerprint(cls: type) -> str:
    """Return a digest of what a class is made of: bases, methods' sources, plain attributes."""
    parts = [cls.__qualname__, *(f"{b.__module__}.{b.__qualname__}" for b in cls.__bases__)]
    if isinstance(cls, EnumMeta):
        members: Mapping[str, Any] = cls.__members__
        parts.extend(f"{name}:{_describe(member.value)}" for name, member in members.items())
    written = _assignments(cls)
    for name, value in sorted(vars(cls).items(), key=lambda item: item[0]):
        if name not in _IGNORED:
            parts.append(f"{name}={written.get(name) or _describe(value)}")
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


def _assignments(cls: type) -> dict[str, str]:
    """Return what the class statement says its plain attributes are: their values may have changed since."""
    for value in vars(cls).values():
        if isinstance(value, FunctionType) and value.__qualname__ == f"{cls.__qualname__}.{value.__name__}":
            source = "".join(linecache.getlines(value.__code__.co_filename))
            found = _bodies(source).get((cls.__qualname__, value.__code__.co_firstlineno)) if source else None
            if found is not None:
                return found
    return {}


def _function(code: CodeType) -> str:
    source = "".join(linecache.getlines(code.co_filename))
    tree = _functions(source).get((code.co_firstlineno, code.co_name)) if source else None
    return tree or _bytecode(code)


def _bytecode(code: CodeType) -> str:
    constants = [_bytecode(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    digest = hashlib.sha256(repr((code.co_code, code.co_names, code.co_varnames, constants)).encode())
    return digest.hexdigest()


@lru_cache(maxsize=256)
def _bodies(source: str) -> dict[tuple[str, int], dict[str, str]]:
    """Index a cell's assignments in class bodies by the class's name and the first line of each of its functions."""
    found: dict[tuple[str, int], dict[str, str]] = {}
    queue: list[tuple[str, ast.AST]] = [("", _parse(source))]
    while queue:
        prefix, node = queue.pop()
        for child in ast.iter_child_nodes(node):
            name = getattr(child, "name", "")
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                queue.append((f"{prefix}{name}.<locals>.", child))
            elif isinstance(child, ast.ClassDef):
                queue.append((f"{prefix}{name}.", child))
                body = _assigned(child.body)
                found.update(
                    {
                        (f"{prefix}{name}", _first_line(part)): body
                        for part in child.body
                        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
                    }
                )
            else:
                queue.append((prefix, child))
    return found


def _assigned(body: list[ast.stmt]) -> dict[str, str]:
    return {
        target.id: ast.dump(statement.value)
        for statement in body
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        if isinstance(target, ast.Name)
    }


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min([node.lineno, *(d.lineno for d in node.decorator_list)])


def _parse(source: str) -> ast.Module:
    """Parse a cell; what is no plain Python, magics for instance, counts as empty."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


@lru_cache(maxsize=256)
def _functions(source: str) -> dict[tuple[int, str], str]:
    """Index a cell's functions by first line (decorators count) and name."""
    found = {}
    for node in ast.walk(_parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[_first_line(node), node.name] = hashlib.sha256(
                ast.dump(node).encode("utf-8", "surrogatepass")
            ).hexdigest()
    return found
