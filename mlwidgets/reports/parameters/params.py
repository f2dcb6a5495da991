"""Parameters of a notebook: read from its cell tagged ``parameters``, checked, and put in behind it.

The tags and the form of the cell that is put in are those of papermill.
"""

from __future__ import annotations

import ast
import difflib
import io
import keyword
import re
import tokenize
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlwidgets.errors import ParameterError
from mlwidgets.history.notebooks.document import read_document
from mlwidgets.history.notebooks.notebook import Notebook, read_notebook
from mlwidgets.history.text.languages import language_of
from mlwidgets.history.text.magics import comment_magics
from mlwidgets.reports.parameters.assignments import LANGUAGES, assignment
from mlwidgets.reports.parameters.literals import as_given, expression, type_of

TAG = "parameters"
INJECTED = "injected-parameters"

_LINE = re.compile(
    r"\s*(?:(?:val|var|let|const|local|set|export|int|long|double|float|string|bool)\s+)*"
    r"(?P<name>[A-Za-z_]\w*)\s*(?::\s*(?P<type>[\w\[\], .]+?)\s*)?(?::=|<-|=)(?!=)\s*(?P<value>.+)"
)
_LONGEST = 1000
_TYPE_COMMENT = re.compile(r"type:\s*(\S+)\s*")


@dataclass(frozen=True)
class Param:
    """One parameter of a notebook.

    Attributes
    ----------
    name : str
    default : str or None
        As it is written in the cell; None where the cell only says its type.
    type : str
        As it is annotated, else what the default is; empty where neither says it.
    help : str
        The comment behind it.
    """

    name: str
    default: str | None
    type: str = ""
    help: str = ""
    annotation: ast.expr | None = field(default=None, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"name": self.name, "default": self.default, "type": self.type, "help": self.help}


def read_params(notebook: Notebook) -> tuple[Param, ...]:
    """Return the parameters of a notebook in their order; of several that are called the same, the last.

    Raises
    ------
    ParameterError
        If the cell cannot be read.
    """
    tagged = next((c for c in notebook.cells if c.kind == "code" and _has(c.metadata, TAG)), None)
    if tagged is None:
        return ()
    found = _of_python(tagged.source) if notebook.language == "python" else _of_lines(tagged.source, notebook.language)
    return tuple({param.name: param for param in found}.values())


def _has(metadata: dict[str, Any], tag: str) -> bool:
    tags = metadata.get("tags")
    return isinstance(tags, list) and tag in tags


def _of_python(source: str) -> list[Param]:
    lines = comment_magics(source.splitlines(), language_of("python"))
    code = "\n".join(lines)
    try:
        tree, comments = ast.parse(code), _comments(code)
    except (SyntaxError, ValueError, MemoryError, RecursionError, tokenize.TokenError) as error:
        line = getattr(error, "lineno", None)
        at = f" (line {line})" if line else ""
        reason = getattr(error, "msg", None) or str(error) or type(error).__name__
        raise ParameterError(f"the cell tagged {TAG!r} is no Python: {reason}{at}; mend it") from error
    found = []
    for statement in tree.body:
        help_text = comments.get(statement.end_lineno or 0, "")
        kind = _TYPE_COMMENT.match(help_text)
        for name, value, annotated in _assigned(statement):
            annotation = annotated or (expression(kind[1]) if kind else None)
            default = None if value is None else ast.get_source_segment(code, value) or ast.unparse(value)
            shown = ast.unparse(annotation).strip("'") if annotation is not None else type_of(value)
            text = help_text[kind.end() :] if kind else help_text
            found.append(Param(name, default, shown, text, annotation or expression(shown)))
    return found


def _comments(code: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return {t.start[0]: t.string.lstrip("#").strip() for t in tokens if t.type == tokenize.COMMENT}


def _assigned(statement: ast.stmt) -> list[tuple[str, ast.expr | None, ast.expr | None]]:
    """Return the names that a statement assigns, each with its value and annotation."""
    if isinstance(statement, ast.AnnAssign):
        named = isinstance(statement.target, ast.Name)
        return [(ast.unparse(statement.target), statement.value, statement.annotation)] if named else []
    if not isinstance(statement, ast.Assign):
        return []
    pairs: list[tuple[ast.expr, ast.expr]] = []
    target: ast.expr
    for target in statement.targets:
        if isinstance(target, ast.Tuple | ast.List) and isinstance(statement.value, ast.Tuple | ast.List):
            pairs += zip(target.elts, statement.value.elts, strict=False)
        else:
            pairs.append((target, statement.value))
    return [(target.id, value, None) for target, value in pairs if isinstance(target, ast.Name)]


def _of_lines(source: str, name: str) -> list[Param]:
    """Return what the lines of a language assign whose grammar is not known here: as far as one line says it."""
    language = language_of(name)
    found = []
    for line in source.splitlines():
        if len(line) > _LONGEST:
            continue
        code, _, comment = line.partition(f" {language.comment}")
        match = _LINE.fullmatch(code.strip().rstrip(";").rstrip())
        if match is None:
            continue
        value = expression(match["value"].strip())
        kind = type_of(value) or ("bool" if match["value"].lower() in {"true", "false", "t", "f"} else "")
        text = comment.removesuffix(language.end).strip() if language.end else comment.strip()
        found.append(Param(match["name"], match["value"].strip(), kind, text, expression(kind)))
    return found


def check_params(given: Mapping[str, Any], params: tuple[Param, ...]) -> dict[str, Any]:
    """Return the values that are given, each of its parameter's type.

    Parameters
    ----------
    given
        Texts, as a command has them, or values.
    params
        Those of the notebook.

    Raises
    ------
    ParameterError
        If one is unknown or of another type, or one without a default is not given.
    """
    if given and not params:
        raise ParameterError(
            f"the notebook has no parameter {next(iter(given))!r}: no code cell that assigns one is tagged {TAG!r}"
        )
    known = {param.name: param for param in params}
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
            meant = f"did you mean {close[0]!r}? " if close else ""
            raise ParameterError(f"the notebook has no parameter {name!r}; {meant}it has: {', '.join(known)}")
    for param in params:
        if param.default is None and param.name not in given:
            raise ParameterError(f"the parameter {param.name!r} has no default: give it a value")
    return {name: _converted(known[name], value) for name, value in given.items()}


def _converted(param: Param, value: Any) -> Any:
    try:
        return as_given(value, param.annotation)
    except ValueError as error:
        default = "" if param.default is None else f" (default {' '.join(param.default.split())[:60]})"
        raise ParameterError(f"the parameter {param.name!r} is {param.type or 'a value'}{default}: {error}") from error


def inject(document: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a notebook's JSON with a cell that assigns the values; what is given is left as it is.

    The cell is tagged ``injected-parameters``. It takes the place of an earlier one, else it stands behind the cell
    tagged ``parameters``, else at the top. Without values there is none.

    Parameters
    ----------
    document
        Of format 4.
    values
        As from `check_params`.

    Raises
    ------
    ParameterError
        If a name is none, or values cannot be written in the notebook's language.
    NotebookError
        If it is no notebook.
    """
    document = read_document(document, "the notebook")
    notebook = read_notebook(document, "the notebook")
    cells = list(document["cells"])
    tagged = [[tag for tag in (TAG, INJECTED) if c.kind == "code" and _has(c.metadata, tag)] for c in notebook.cells]
    earlier = [place for place, tags in enumerate(tagged) if INJECTED in tags]
    place = next(iter(earlier), next((n for n, tags in enumerate(tagged) if TAG in tags), -1) + 1)
    cells = [cell for number, cell in enumerate(cells) if number not in earlier]
    if values:
        cells.insert(place, _cell(document, notebook.language, values))
    return {**document, "cells": cells}


def _cell(document: dict[str, Any], language: str, values: Mapping[str, Any]) -> dict[str, Any]:
    if language not in LANGUAGES:
        known = ", ".join(name.capitalize() for name in LANGUAGES)
        raise ParameterError(f"parameters cannot be given to a notebook in {language}, only in {known}")
    for name in values:
        if not name.isidentifier() or (language == "python" and keyword.iskeyword(name)):
            raise ParameterError(f"{name!r:.60} is no name of a parameter")
    sign = language_of(language).comment
    try:
        lines = [f"{sign} Parameters", *(assignment(name, value, language) for name, value in values.items())]
    except ValueError as error:
        raise ParameterError(str(error)) from error
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"tags": [INJECTED]},
        "outputs": [],
    }
    minor = document.get("nbformat_minor")
    if isinstance(minor, int) and minor >= 5:
        cell["id"] = uuid.uuid4().hex[:8]
    return {**cell, "source": "\n".join(lines)}
