"""What a cell reads from the notebook and what it binds, found without running it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from IPython.core.inputtransformer2 import TransformerManager

from mlwidgets.capture.scopes import nested_names
from mlwidgets.errors import CaptureError

_OPAQUE = frozenset({"exec", "eval", "globals", "locals", "vars", "dir"})
_OPAQUE_SHELL = frozenset({"user_ns", "user_global_ns", "ev", "ex", "push", "run_cell", "user_module"})
_CODE_MAGICS = frozenset({"time", "timeit", "capture", "prun", "memit", "mprun", "lprun"})
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_EXPANSION = re.compile(r"\{([^{}]+)\}|\$([^\W\d]\w*)")


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
        Bound on every path before anything reads them: the notebook's value plays no part.
    imports
        Modules that the cell imports, with dots.
    opaque
        The cell looks names up in ways that cannot be followed (``exec``, ``globals()``): any name may be read.
    """

    must: dict[str, int] = field(default_factory=dict)
    maybe: set[str] = field(default_factory=set)
    binds: dict[str, int] = field(default_factory=dict)
    assigned_first: dict[str, int] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)
    opaque: bool = False


def read_names(source: str) -> CellNames:
    """Find what a cell reads and binds.

    Parameters
    ----------
    source
        The cell as typed: magics, ``!commands`` and top-level ``await`` are understood.

    Raises
    ------
    CaptureError
        If it is no valid code.
    """
    reader = _Reader()
    reader.block(_parse(source).body)
    reader.finish()
    return reader.names


def _parse(source: str) -> ast.Module:
    try:
        transformed = TransformerManager().transform_cell(source)
        code = compile(transformed, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        text = getattr(error, "msg", None) or str(error)
        raise CaptureError(
            f"the cell is no valid Python: {text}" + (f" (line {line} below %%train)" if line else "")
        ) from None
    assert isinstance(code, ast.Module)
    return code


def _is_main_guard(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and isinstance(test.ops[0], ast.Eq)
    )


def _leaves(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], ast.Raise | ast.Return | ast.Continue | ast.Break)


def _catches_name_error(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    if caught is None:
        return True
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(k, ast.Name) and k.id in {"NameError", "Exception", "BaseException"} for k in kinds)


class _Reader(ast.NodeVisitor):
    """Walks statements in the order of execution with the set of names that are surely assigned by then."""

    def __init__(self) -> None:
        self.names = CellNames()
        self._assigned: set[str] = set()
        self._touched: set[str] = set()
        self._pending: dict[str, set[str]] = {}
        self._certain = True
        self._star = False
        self._local: list[set[str]] = []

    def finish(self) -> None:
        """Count what functions read that the cell defines but may leave for later cells to call."""
        for name in list(self._pending):
            self._flush(name)
        self.names.maybe -= set(self.names.must)

    def block(self, body: list[ast.stmt]) -> None:
        """Walk statements."""
        for statement in body:
            self.visit(statement)

    def _read(self, name: str, line: int, *, certain: bool | None = None) -> None:
        if any(name in scope for scope in self._local):
            return
        if name in _OPAQUE and name not in self._touched:
            self.names.opaque = True
        if name in self._pending:
            self._flush(name)
        if name in self._assigned:
            return
        sure = self._certain if certain is None else certain
        if sure and name not in self._touched and not self._star:
            self.names.must.setdefault(name, line)
        else:
            self.names.maybe.add(name)

    def _bind(self, name: str, line: int) -> None:
        if self._local:
            self._local[-1].add(name)
            return
        known = name in self.names.must or name in self.names.maybe
        if not known and name not in self.names.binds and self._certain:
            self.names.assigned_first[name] = line
        self.names.binds.setdefault(name, line)
        self._assigned.add(name)
        self._touched.add(name)
        self._pending.pop(name, None)

    def _flush(self, name: str) -> None:
        for read in sorted(self._pending.pop(name, ())):
            self._read(read, 0, certain=False)

    def _function(self, node: ast.AST, name: str | None, *, at_once: bool) -> None:
        """Count what a function's body reads: when it is used first, since it runs then at the earliest."""
        found = nested_names(node)
        for stored in found.stores:
            self.names.binds.setdefault(stored, getattr(node, "lineno", 0))
            self._touched.add(stored)
        self.names.imports |= found.imports
        if found.reads & _OPAQUE:
            self.names.opaque = True
        if name is None or at_once:
            for read in sorted(found.reads):
                self._read(read, 0, certain=False)
        else:
            self._pending[name] = set(found.reads)

    def _branches(self, *branches: list[ast.stmt]) -> None:
        """Walk alternatives: afterwards only what all of them assigned is surely assigned."""
        before, certain = set(self._assigned), self._certain
        self._certain = False
        ends: list[set[str]] = []
        for body in branches:
            self._assigned = set(before)
            self.block(body)
            if not _leaves(body):
                ends.append(self._assigned)
        self._assigned = set.intersection(*ends) if ends else before
        self._certain = certain

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._bind(node.id, node.lineno)
        else:
            self._read(node.id, node.lineno)
            if isinstance(node.ctx, ast.Del):
                self._assigned.discard(node.id)

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
            self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        local, self._local = self._local, []
        self.visit(node.target)
        self._local = local

    def _maybe(self, *nodes: ast.AST | None) -> None:
        """Walk expressions that may not be evaluated."""
        certain, assigned = self._certain, set(self._assigned)
        self._certain = False
        for node in nodes:
            if node is not None:
                self.visit(node)
        self._certain, self._assigned = certain, assigned

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self.visit(node.values[0])
        self._maybe(*node.values[1:])

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        self._maybe(node.body)
        self._maybe(node.orelse)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        self._function(node, None, at_once=True)

    def _comprehension(self, generators: list[ast.comprehension], *elements: ast.expr) -> None:
        self.visit(generators[0].iter)
        self._local.append(set())
        for number, generator in enumerate(generators):
            if number:
                self.visit(generator.iter)
            self.visit(generator.target)
            for condition in generator.ifs:
                self.visit(condition)
        for element in elements:
            self.visit(element)
        self._local.pop()

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node.generators, node.elt)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node.generators, node.elt)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node.generators, node.elt)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node.generators, node.key, node.value)

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Walk what a ``def`` evaluates at once."""
        for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if part is not None:
                self.visit(part)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._definition(node)
        arguments = node.args
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
        self._maybe(node.returns, *(a.annotation for a in every if a is not None))
        self._bind(node.name, node.lineno)
        self._function(node, node.name, at_once=bool(node.decorator_list) or bool(self._local))

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.visit(part)
        self._local.append(set())
        for statement in node.body:
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                self.visit(statement)
                continue
            self._definition(statement)
            self._local[-1].add(statement.name)
        self._local.pop()
        self._bind(node.name, node.lineno)
        self._function(node, node.name, at_once=bool(node.decorator_list) or bool(self._local))

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        before = set(self._assigned)
        self.visit(node.target)
        self.block(node.body)
        self._assigned = before
        self.block(node.orelse)

    visit_AsyncFor = visit_For  # noqa: N815

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        before = set(self._assigned)
        self.block(node.body)
        if not (isinstance(node.test, ast.Constant) and node.test.value):
            self._assigned = before
        self.block(node.orelse)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        if _is_main_guard(node.test):
            self.block(node.body)
        else:
            self._branches(node.body, node.orelse)

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        before, certain = set(self._assigned), self._certain
        self._certain = certain and not any(_catches_name_error(h) for h in node.handlers)
        self.block(node.body)
        self._certain = certain
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
                self._assigned.discard(handler.name)
            if not _leaves(handler.body):
                ends.append(self._assigned)
        self._assigned, self._certain = set.intersection(*ends), certain
        self.block(node.finalbody)

    visit_TryStar = visit_Try  # noqa: N815

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.visit(item.optional_vars)
        self.block(node.body)

    visit_AsyncWith = visit_With  # noqa: N815

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        for case in node.cases:
            for pattern in ast.walk(case.pattern):
                bound = getattr(pattern, "name", None) or getattr(pattern, "rest", None)
                if isinstance(bound, str):
                    self._touched.add(bound)
                    self.names.binds.setdefault(bound, case.body[0].lineno)
                if isinstance(pattern, ast.Name):
                    self._read(pattern.id, pattern.lineno, certain=False)
            self._maybe(case.guard)
        self._branches(*(case.body for case in node.cases), [])

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
        self.visit(node.name)  # type: ignore[attr-defined]

    def visit_Call(self, node: ast.Call) -> None:
        shell_call = node.func if isinstance(node.func, ast.Attribute) and _is_shell(node.func.value) else None
        if shell_call is not None and self._magic(shell_call.attr, node.args):
            return
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in _OPAQUE_SHELL and _is_shell(node.value):
            self.names.opaque = True
        self.generic_visit(node)

    def _magic(self, method: str, arguments: list[ast.expr]) -> bool:
        """Read what a transformed magic or ``!command`` names; return whether this was one."""
        if not all(isinstance(a, ast.Constant) for a in arguments):
            return False
        texts = [str(a.value) for a in arguments if isinstance(a, ast.Constant)]
        if method in {"system", "getoutput"} and texts:
            self._expansions(texts[0])
        elif method == "run_line_magic" and len(texts) == 2:
            self._expansions(texts[1])
            if texts[0] not in _CODE_MAGICS or not self._code(re.sub(r"^(\s*-\w+\s*\d*\s)+", "", texts[1] + " ")):
                self._identifiers(texts[1])
        elif method == "run_cell_magic" and len(texts) == 3:
            self._expansions(texts[1])
            self._identifiers(texts[1])
            if texts[0] not in _CODE_MAGICS or not self._code(texts[2]):
                self._expansions(texts[2])
        else:
            return False
        return True

    def _code(self, text: str) -> bool:
        try:
            tree = _parse(text.strip())
        except CaptureError:
            return False
        self.block(tree.body)
        return True

    def _identifiers(self, text: str) -> None:
        for name in _IDENTIFIER.findall(text):
            self._read(name, 0, certain=False)

    def _expansions(self, text: str) -> None:
        for expression, name in _EXPANSION.findall(text):
            self._identifiers(expression or name)


def _is_shell(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_ipython"
