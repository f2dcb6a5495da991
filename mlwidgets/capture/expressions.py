"""What expressions read and bind."""

from __future__ import annotations

import ast

from mlwidgets.capture.ledger import Ledger

_OPAQUE_CALLS = frozenset({"vars", "dir", "locals"})
"""With an argument they look into that object; without one, into the namespace."""


class ExpressionReader(Ledger):
    """Walks expressions in the order of evaluation."""

    def _maybe(self, *nodes: ast.AST | None) -> None:
        """Walk expressions that may not be evaluated."""
        certain, assigned = self._certain, set(self._assigned)
        self._certain = False
        for node in nodes:
            if node is not None:
                self.visit(node)
        self._certain, self._assigned = certain, assigned

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._bind(node.id, node.lineno)
        else:
            self._read(node.id, node.lineno)
            if isinstance(node.ctx, ast.Del):
                self._assigned.discard(self._own(node.id))

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        inner, self._comprehensions = self._comprehensions, []
        self.visit(node.target)
        self._comprehensions = inner

    def visit_BinOp(self, node: ast.BinOp) -> None:
        # Texts are put together from hundreds of parts: as deep on the left as there are parts.
        parts: list[ast.expr] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            parts.append(left.right)
            left = left.left
        for part in (left, *reversed(parts)):
            self.visit(part)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self.visit(node.values[0])
        self._maybe(*node.values[1:])

    def visit_Compare(self, node: ast.Compare) -> None:
        self.visit(node.left)
        self.visit(node.comparators[0])
        self._maybe(*node.comparators[1:])

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        self._maybe(node.body)
        self._maybe(node.orelse)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        self._function(node, None, at_once=True)

    def _comprehension(self, generators: list[ast.comprehension], *elements: ast.expr, lazy: bool = False) -> None:
        self.visit(generators[0].iter)
        certain, before = self._certain, set(self._assigned)
        self._comprehensions.append(set())
        self._certain = certain and not lazy
        for number, generator in enumerate(generators):
            if number:
                self.visit(generator.iter)
            self.visit(generator.target)
            for condition in generator.ifs:
                self.visit(condition)
                self._certain = False
        for element in elements:
            self.visit(element)
        self._comprehensions.pop()
        self._certain, self._assigned = certain, before

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node.generators, node.elt)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node.generators, node.elt)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node.generators, node.elt, lazy=True)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node.generators, node.key, node.value)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Name) and function.id in _OPAQUE_CALLS and not node.args:
            self.names.opaque = self.names.opaque or function.id not in self._touched
        for name in sorted(self.texts(node)):
            self._read_text(name)
        self.generic_visit(node)

    def _read_text(self, name: str) -> None:
        """Read a name that a text may mean."""
        certain, self._certain = self._certain, False
        self._read(name, 0)
        self._certain = certain
