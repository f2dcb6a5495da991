"""What nested code (functions, lambdas, methods) reads from and stores to the globals."""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType

_READS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS", "LOAD_CLASSDEREF"})
_STORES = frozenset({"STORE_GLOBAL", "DELETE_GLOBAL"})
_IMPORT = dis.opmap["IMPORT_NAME"]


@dataclass
class GlobalNames:
    """Names by what is done with them, and the modules that are imported."""

    reads: set[str] = field(default_factory=set)
    stores: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)


def code_names(code: CodeType) -> GlobalNames:
    """Return the globals that a code object and all code inside it touch."""
    found = GlobalNames()
    for part in _walk(code):
        own: set[str] = set()  # what a class body has bound by then; `lr = lr` in one reads the global
        for instruction in dis.get_instructions(part):
            name = instruction.argval
            if instruction.opname in _READS and name not in own:
                found.reads.add(name)
            elif instruction.opname == "STORE_NAME":
                own.add(name)
            elif instruction.opname in _STORES:
                found.stores.add(name)
            elif instruction.opname == "IMPORT_NAME":
                found.imports.add(name)
    found.reads -= {"__name__", "__module__", "__qualname__", "__annotations__", "__classdict__"}
    return found


def imported_by(code: CodeType) -> Iterator[str]:
    """Yield the modules that a code object and all code inside it import, with dots."""
    for part in _walk(code):
        # To read the instructions takes longer than to send the function.
        if _IMPORT in part.co_code[::2]:
            yield from (one.argval for one in dis.get_instructions(part) if one.opcode == _IMPORT)


def nested_names(node: ast.AST) -> GlobalNames:
    """Return the globals that a function, lambda or class touches when it is called, not when it is defined."""
    tree: ast.Expression | ast.Module
    if isinstance(node, ast.Lambda):
        tree, mode = ast.Expression(node), "eval"
    else:
        assert isinstance(node, ast.stmt)
        tree, mode = ast.Module([node], []), "exec"
    module: CodeType = compile(tree, "<cell>", mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    found = GlobalNames()
    for code in module.co_consts:
        if isinstance(code, CodeType):
            inner = code_names(code)
            found.reads |= inner.reads
            found.stores |= inner.stores
            found.imports |= inner.imports
    return found


def attribute_chains(tree: ast.AST) -> set[str]:
    """Return every chain of attributes on a name, ``scipy.stats.norm`` for instance, also those in functions."""
    chains = set()
    for node in ast.walk(tree):
        parts: list[str] = []
        link: ast.AST = node
        while isinstance(link, ast.Attribute):
            parts.append(link.attr)
            link = link.value
        if parts and isinstance(link, ast.Name):
            chains.add(".".join((link.id, *reversed(parts))))
    return chains


def _walk(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _walk(constant)
