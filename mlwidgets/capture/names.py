"""What a cell reads from the notebook and what it binds, found without running it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable

from IPython.core.inputtransformer2 import TransformerManager

from mlwidgets.capture.ledger import CellNames
from mlwidgets.capture.scopes import attribute_chains
from mlwidgets.capture.statements import Reader
from mlwidgets.errors import CaptureError

__all__ = ["CellNames", "parse", "read_names"]

_OPAQUE_SHELL = frozenset({"user_ns", "user_global_ns", "ev", "ex", "push", "run_cell", "user_module"})
_CODE_MAGICS = frozenset({"time", "timeit", "capture", "prun", "memit", "mprun", "lprun"})
_QUIET_MAGICS = _CODE_MAGICS | {
    "alias", "autoreload", "cd", "colors", "conda", "config", "debug", "dirs", "env", "load_ext", "ls", "matplotlib",
    "mkdir", "pdb", "pinfo", "pinfo2", "pip", "popd", "precision", "psource", "pushd", "pwd", "reload_ext",
    "set_env", "system", "sx", "tensorboard", "uv", "who", "whos", "xmode",
}  # fmt: skip
"""Line magics that bind no names in the notebook."""
_TEXT_MAGICS = frozenset(
    {"!", "HTML", "SVG", "bash", "file", "html", "javascript", "js", "latex", "markdown", "perl", "pypy", "python"}
    | {"python2", "python3", "ruby", "script", "sh", "svg", "sx", "system", "writefile"}
)
"""Cell magics whose body is no code of the notebook."""
_COMMANDS = frozenset({"system", "getoutput"})
_TEXT_METHODS = frozenset({"eval", "evaluate", "execute", "query", "sql"})
"""pandas, numexpr and DuckDB find variables of the caller in the text that they are given."""
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_EXPANSION = re.compile(r"\{([^{}]+)\}|\$([^\W\d]\w*)")
_OPTIONS = re.compile(r"^(\s*-\w+\s*\d*\s)+")


def read_names(source: str, *, offset: int = 0) -> CellNames:
    """Find what a cell reads and binds.

    Parameters
    ----------
    source
        The cell as typed: magics, ``!commands`` and top-level ``await`` are understood.
    offset
        How many lines stand above it, for the line in an error.

    Raises
    ------
    CaptureError
        If it is no valid code.
    """
    reader = _CellReader()
    tree = parse(source, offset)
    reader.block(tree.body)
    reader.finish()
    reader.names.attributes |= attribute_chains(tree)
    return reader.names


def parse(source: str, offset: int = 0) -> ast.Module:
    """Return the tree of a cell, its line numbers those of `source`.

    Raises
    ------
    CaptureError
        If it is no valid code.
    """
    dropped = 0
    first = source[: len(source) - len(source.lstrip())].count("\n")
    try:
        with warnings.catch_warnings():
            # They are the worker's to show, once.
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            transformed = TransformerManager().transform_cell(source)
            dropped = first - transformed[: len(transformed) - len(transformed.lstrip())].count("\n")
            mode = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            tree = compile(transformed, "<cell>", "exec", ast.PyCF_ONLY_AST | mode, dont_inherit=True)
            assert isinstance(tree, ast.Module)
            compile(tree, "<cell>", "exec", mode, dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        text = getattr(error, "msg", None) or str(error)
        raise CaptureError(
            f"the cell is no valid Python: {text}" + (f" (line {line + dropped + offset})" if line else "")
        ) from None
    ast.increment_lineno(tree, dropped)
    return tree


class _CellReader(Reader):
    """A reader that knows what IPython makes of a cell."""

    def visit_Call(self, node: ast.Call) -> None:
        method = _shell_method(node)
        if method is None or not self._magic(method, node):
            super().visit_Call(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in _OPAQUE_SHELL and _is_shell(node.value):
            self.names.opaque = True
        self.generic_visit(node)

    def texts(self, call: ast.Call) -> set[str]:
        """Return names in commands and magics, and in queries."""
        given = _constants(call)
        if method := _shell_method(call):
            return {n for t in given for n in (_expansions(t) if method in _COMMANDS else _identifiers([t]))}
        if isinstance(call.func, ast.Attribute) and call.func.attr in _TEXT_METHODS:
            texts = [a for a in call.args if isinstance(a, ast.JoinedStr)]
            given += [str(p.value) for text in texts for p in text.values if isinstance(p, ast.Constant)]
            return set(_identifiers(given))
        return set()

    def _magic(self, method: str, node: ast.Call) -> bool:
        """Read what a transformed magic or ``!command`` names; return whether this was one."""
        texts = _constants(node)
        if len(texts) != len(node.args):
            return False
        first = texts[0] if texts else ""
        if method in _COMMANDS:
            self._may_read(_expansions(first))
            if method == "system":
                self._bind("_exit_code", node.lineno)
        elif method == "run_line_magic" and len(texts) == 2:
            self._line_magic(first, texts[1], node.lineno)
        elif method == "run_cell_magic" and len(texts) == 3:
            self._cell_magic(first, texts[1], texts[2], node.lineno)
        else:
            return False
        return True

    def _line_magic(self, magic: str, text: str, line: int) -> None:
        self._may_read(_expansions(text))
        code = _OPTIONS.sub("", text + " ")
        if magic not in _CODE_MAGICS or not self._code(magic, code, line - 1):
            self._may_read(_identifiers([text]))
        if magic not in _QUIET_MAGICS:
            # It may bind whatever it likes, as %run does.
            self._star = True
        if magic == "run" and re.search(r"(^|\s)-\w*i", text):
            self.names.opaque = True

    def _cell_magic(self, magic: str, text: str, body: str, line: int) -> None:
        self._may_read(_identifiers([text]))
        setup = _OPTIONS.sub("", text + " ").strip() if magic == "timeit" else ""
        code = f"{setup}\n{body}" if setup else body
        if magic in _CODE_MAGICS and self._code(magic, code, line - bool(setup)):
            return
        self._may_read(_expansions(body) if magic in _TEXT_MAGICS else _identifiers([body]))

    def _code(self, magic: str, text: str, line: int) -> bool:
        """Read code that a magic executes; return whether it is code."""
        try:
            tree = ast.increment_lineno(parse(text), line)
        except CaptureError:
            return False
        if magic == "timeit":
            return self._timed(tree)
        self.block(tree.body)
        return True

    def _timed(self, tree: ast.Module) -> bool:
        """Read code that is executed inside a function: nothing that it binds is left."""
        lines = {n.id: n.lineno for n in reversed(list(ast.walk(tree))) if isinstance(n, ast.Name)}
        bare = ast.parse("def timed(): pass").body[0]
        assert isinstance(bare, ast.FunctionDef)
        bare.body = tree.body or bare.body
        try:
            reads = self._nested(bare).reads
        except SyntaxError:
            return False
        for name in sorted(reads, key=lambda n: (lines.get(n, 0), n)):
            self._read(name, lines.get(name, 0))
        return True

    def _may_read(self, names: Iterable[str]) -> None:
        for name in names:
            self._read_text(name)


def _constants(node: ast.Call) -> list[str]:
    return [str(a.value) for a in node.args if isinstance(a, ast.Constant)]


def _identifiers(texts: Iterable[str]) -> list[str]:
    return [name for text in texts for name in _IDENTIFIER.findall(text)]


def _expansions(text: str) -> list[str]:
    return _identifiers(expression or name for expression, name in _EXPANSION.findall(text))


def _is_shell(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_ipython"


def _shell_method(node: ast.Call) -> str | None:
    return node.func.attr if isinstance(node.func, ast.Attribute) and _is_shell(node.func.value) else None
