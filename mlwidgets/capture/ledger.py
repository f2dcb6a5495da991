"""Which names are read and bound, kept while code is walked in the order of execution."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from mlwidgets.capture.scopes import GlobalNames, nested_names

_OPAQUE = frozenset({"exec", "eval", "globals"})
_MODULE = frozenset({"__name__", "__doc__", "__builtins__", "__debug__", "__package__", "__loader__", "__spec__"})
"""Every module has these by itself."""

Key = str | tuple[int, str]
"""A name of the cell, or a name of the class body at that depth."""


@dataclass
class CellNames:
    """Names of a cell, with the line of the first read or binding.

    Attributes
    ----------
    must
        Read before any assignment: without them the cell raises NameError.
    maybe
        Read on some paths only, or inside a function: sent where they can be, never an error.
    binds
        Assigned, imported or defined.
    assigned_first
        Bound before anything reads them: the notebook's value plays no part in what the cell itself says.
    hidden
        For each name in `must` and `maybe`: what the cell has surely bound by the time it first reads that name. A
        function of the notebook that is reached through it cannot see the notebook's values of those.
    imports
        Modules that the cell imports, with dots.
    opaque
        The cell looks names up in ways that cannot be followed (``exec``, ``globals()``): any name may be read.
    attributes
        Chains of attributes that begin with a name, with dots.
    """

    must: dict[str, int] = field(default_factory=dict)
    maybe: set[str] = field(default_factory=set)
    binds: dict[str, int] = field(default_factory=dict)
    assigned_first: dict[str, int] = field(default_factory=dict)
    hidden: dict[str, frozenset[str]] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)
    opaque: bool = False
    attributes: set[str] = field(default_factory=set)


class Ledger(ast.NodeVisitor):
    """Knows what is surely bound by now, and takes down what is read before that."""

    def __init__(self) -> None:
        self.names = CellNames()
        self._assigned: set[Key] = set()
        self._touched: set[Key] = set()
        self._pending: dict[str, set[str]] = {}
        self._surely_first: set[str] = set()
        self._certain = True
        self._skipped = False
        self._star = False
        self._breaks: list[list[set[Key]]] = []
        self._class = 0
        self._comprehensions: list[set[str]] = []
        self._type_params: list[set[str]] = []

    def finish(self) -> None:
        """Count what functions read that the cell defines but may leave for later cells to call."""
        for name in list(self._pending):
            self._flush(name)
        names = self.names
        names.maybe -= set(names.must)
        first = self._surely_first if names.opaque else names.binds
        names.assigned_first = {
            n: line for n, line in names.binds.items() if n in first and n not in names.must and n not in names.maybe
        }

    def block(self, body: list[ast.stmt]) -> None:
        """Walk statements."""
        for statement in body:
            self.visit(statement)

    def texts(self, call: ast.Call) -> set[str]:
        """Return names that a call reads because of what the text it is given says."""
        return set()

    @property
    def _sure(self) -> bool:
        return self._certain and not self._skipped

    def _own(self, name: str) -> Key:
        return (self._class, name) if self._class else name

    def _is_inner(self, name: str) -> bool:
        """Whether a name belongs to a comprehension or is a type parameter."""
        return any(name in scope for scope in (*self._comprehensions, *self._type_params))

    def _read(self, name: str, line: int) -> None:
        if self._is_inner(name) or name in _MODULE:
            return
        sure = self._sure
        if self._class and not self._comprehensions:
            if self._own(name) in self._assigned:
                return
            sure = sure and self._own(name) not in self._touched
        if name in _OPAQUE and name not in self._touched:
            self.names.opaque = True
            self._star = True  # it may bind whatever it likes
        self._flush(name)
        self._read_global(name, line, sure=sure)

    def _read_global(self, name: str, line: int, *, sure: bool) -> None:
        if name in self._assigned or name in _MODULE:
            return
        assigned = frozenset(key for key in self._assigned if isinstance(key, str))
        self.names.hidden[name] = self.names.hidden.get(name, assigned) & assigned
        if sure and name not in self._touched and not self._star:
            self.names.must.setdefault(name, line)
        else:
            self.names.maybe.add(name)

    def _bind(self, name: str, line: int) -> None:
        if self._comprehensions:
            self._comprehensions[-1].add(name)
            return
        self._assigned.add(self._own(name))
        if not self._class:
            known = name in self.names.must or name in self.names.maybe or name in self._touched
            if self._sure and not known and not self.names.opaque:
                self._surely_first.add(name)
            self.names.binds.setdefault(name, line)
            if self._sure and not self._breaks:
                self._pending.pop(name, None)
        self._touched.add(self._own(name))

    def _flush(self, name: str) -> None:
        """Count what the cell's own function `name` reads, and those that it calls: this is when it may run."""
        todo, seen = [name], {name}
        while todo:
            for read in sorted(self._pending.get(todo.pop(), ())):
                if read not in seen:
                    seen.add(read)
                    todo.append(read)
                    self._read_global(read, 0, sure=False)

    def _nested(self, node: ast.AST) -> GlobalNames:
        found = nested_names(node)
        for call in ast.walk(node):
            if isinstance(call, ast.Call):
                found.reads |= self.texts(call)
        return found

    def _function(self, node: ast.AST, name: str | None, *, at_once: bool) -> None:
        """Count what a function's body reads: when it is used first, since it runs then at the earliest."""
        found = self._nested(node)
        for stored in found.stores:
            self.names.binds.setdefault(stored, getattr(node, "lineno", 0))
            self._touched.add(stored)
        self.names.imports |= found.imports
        if found.reads & _OPAQUE:
            self.names.opaque = True
            self._star = True
        if name is not None and not at_once:
            self._pending[name] = self._pending.get(name, set()) | found.reads
            return
        for read in sorted(found.reads):
            if not self._is_inner(read):
                self._flush(read)
                self._read_global(read, 0, sure=False)
