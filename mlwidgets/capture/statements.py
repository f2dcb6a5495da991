"""What statements read and bind, on which paths."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager

from mlwidgets.capture.expressions import ExpressionReader
from mlwidgets.capture.ledger import Key

_INTERRUPTS = frozenset({"KeyboardInterrupt", "SystemExit", "GeneratorExit"})


def _is_main_guard(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and isinstance(test.ops[0], ast.Eq)
    )


def _leaves(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], ast.Raise | ast.Return | ast.Continue | ast.Break)


def _caught(handlers: list[ast.ExceptHandler]) -> set[str]:
    """Return the names of the exceptions that are caught; an expression that is no name counts as any."""
    names: set[str] = set()
    for handler in handlers:
        kind = handler.type
        for one in kind.elts if isinstance(kind, ast.Tuple) else [kind]:
            names.add(one.id if isinstance(one, ast.Name) else one.attr if isinstance(one, ast.Attribute) else "")
    return names


def _suppresses(node: ast.expr) -> bool:
    function = node.func if isinstance(node, ast.Call) else None
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    return name in {"suppress", "raises"}


class Reader(ExpressionReader):
    """Walks statements in the order of execution."""

    def _branches(self, *branches: list[ast.stmt]) -> None:
        """Walk alternatives: afterwards only what all of them assigned is surely assigned."""
        before, certain = set(self._assigned), self._certain
        self._certain = False
        ends: list[set[Key]] = []
        for body in branches:
            self._assigned = set(before)
            self.block(body)
            if not _leaves(body):
                ends.append(self._assigned)
        self._assigned = set.intersection(*ends) if ends else before
        self._certain = certain

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._read(node.target.id, node.lineno)
        self.visit(node.value)
        self.visit(node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._maybe(node.annotation)
        if node.value is not None:
            self.visit(node.value)
        if node.value is not None or not isinstance(node.target, ast.Name):
            self.visit(node.target)

    def visit_Assert(self, node: ast.Assert) -> None:
        self.visit(node.test)
        self._maybe(node.msg)

    @contextmanager
    def _parameters(self, node: ast.AST) -> Iterator[None]:
        """Know the type parameters of a definition (PEP 695) while its parts are walked."""
        parameters = getattr(node, "type_params", [])
        self._type_params.append({p.name for p in parameters})
        self._maybe(*(getattr(p, part, None) for p in parameters for part in ("bound", "default_value")))
        yield
        self._type_params.pop()

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Walk what a ``def`` evaluates at once."""
        arguments = node.args
        for part in (*node.decorator_list, *arguments.defaults, *arguments.kw_defaults):
            if part is not None:
                self.visit(part)
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
        with self._parameters(node):
            self._maybe(node.returns, *(a.annotation for a in every if a is not None))

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._definition(node)
        self._bind(node.name, node.lineno)
        # What a method reads is counted with its class.
        if not self._class:
            self._function(node, node.name, at_once=bool(node.decorator_list))

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        with self._parameters(node):
            for part in (*node.bases, *(k.value for k in node.keywords)):
                self.visit(part)
            self._class += 1
            self.block(node.body)
            for names in (self._assigned, self._touched):
                names -= {key for key in names if isinstance(key, tuple) and key[0] == self._class}
            self._class -= 1
        self._bind(node.name, node.lineno)
        if not self._class:
            self._function(node, node.name, at_once=bool(node.decorator_list))

    def _loop(self, body: list[ast.stmt]) -> list[set[Key]]:
        """Walk a loop's body; return what is assigned at each ``break``."""
        skipped = self._skipped
        self._breaks.append([])
        self.block(body)
        self._skipped = skipped
        return self._breaks.pop()

    def _after_loop(self, before: set[Key], breaks: list[set[Key]], orelse: list[ast.stmt]) -> None:
        self._assigned = set(before)
        certain, self._certain = self._certain, self._certain and not breaks
        self.block(orelse)
        self._certain = certain
        if breaks:
            self._assigned &= before

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        before = set(self._assigned)
        self.visit(node.target)
        self._after_loop(before, self._loop(node.body), node.orelse)

    visit_AsyncFor = visit_For  # noqa: N815

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        before = set(self._assigned)
        breaks = self._loop(node.body)
        if isinstance(node.test, ast.Constant) and node.test.value and breaks:
            self._assigned = set.intersection(*breaks)
        else:
            self._after_loop(before, breaks, node.orelse)

    def visit_Break(self, node: ast.Break) -> None:
        if self._breaks:
            self._breaks[-1].append(set(self._assigned))
        self._skipped = True

    def visit_Continue(self, node: ast.Continue) -> None:
        self._skipped = True

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        if _is_main_guard(node.test):
            self.block(node.body)
        else:
            self._branches(node.body, node.orelse)

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        before, certain = set(self._assigned), self._certain
        caught = _caught(node.handlers)
        self._certain = certain and not caught & {"", "NameError", "Exception", "BaseException"}
        for number, statement in enumerate(node.body):
            # Another statement than the first may never be reached, unless nothing but interrupts is caught.
            if number and not caught <= _INTERRUPTS:
                self._certain = False
            self.visit(statement)
        self._certain = certain and caught <= _INTERRUPTS
        self.block(node.orelse)
        ends = [self._assigned]
        for handler in node.handlers:
            self._assigned, self._certain = set(before), False
            if handler.type is not None:
                self.visit(handler.type)
            if handler.name:
                self._bind(handler.name, handler.lineno)
            self.block(handler.body)
            if handler.name:
                self._assigned.discard(self._own(handler.name))
            if not _leaves(handler.body):
                ends.append(self._assigned)
        after, self._certain = set.intersection(*ends), certain
        # `finally` runs after an error too: for what it reads, nothing of the body counts as done.
        start = before & after
        self._assigned = set(start)
        self.block(node.finalbody)
        self._assigned = (after | (self._assigned - start)) - (start - self._assigned)

    visit_TryStar = visit_Try  # noqa: N815

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.visit(item.optional_vars)
        if not any(_suppresses(item.context_expr) for item in node.items):
            self.block(node.body)
            return
        certain, before = self._certain, set(self._assigned)
        self._certain = False
        self.block(node.body)
        self._certain = certain
        self._assigned &= before

    visit_AsyncWith = visit_With  # noqa: N815

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        before, certain = set(self._assigned), self._certain
        self._certain = False
        ends: list[set[Key]] = []
        exhaustive = False
        for case in node.cases:
            self._assigned = set(before)
            self._pattern(case.pattern)
            if case.guard is not None:
                self.visit(case.guard)
            elif isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None:
                exhaustive = True
            self.block(case.body)
            if not _leaves(case.body):
                ends.append(self._assigned)
        if not exhaustive:
            ends.append(before)
        self._assigned, self._certain = set.intersection(*ends) if ends else before, certain

    def _pattern(self, pattern: ast.pattern) -> None:
        """Read the classes and constants that a pattern names, bind what it captures."""
        captures = [part for part in ast.walk(pattern) if isinstance(part, ast.pattern)]
        for part in ast.walk(pattern):
            if isinstance(part, ast.Name):
                self._read(part.id, part.lineno)
        for part in captures:
            bound = getattr(part, "name", None) or getattr(part, "rest", None)
            if isinstance(bound, str):
                self._bind(bound, part.lineno)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.names.imports.add(alias.name)
            self._bind(alias.asname or alias.name.split(".")[0], node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module and not node.level:
            self.names.imports.add(node.module)
            self.names.imports |= {f"{node.module}.{a.name}" for a in node.names if a.name != "*"}
        for alias in node.names:
            if alias.name == "*":
                self._star = True
            else:
                self._bind(alias.asname or alias.name, node.lineno)

    def visit_TypeAlias(self, node: ast.AST) -> None:
        with self._parameters(node):
            self._maybe(node.value)  # type: ignore[attr-defined]
        self.visit(node.name)  # type: ignore[attr-defined]
