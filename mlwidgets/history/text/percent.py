"""A notebook as text in the percent format, as Jupytext writes it: for people, and for ``git diff``.

Jupytext itself takes most of a second to import. For ordinary notebooks the text is the same; where a source would not
come back as it was, its marker says how many lines belong to it, ``# %% lines=3``, or that they stand there as they
are, ``# %% verbatim=3``.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from mlwidgets.history.notebooks.executed import Executed
from mlwidgets.history.notebooks.notebook import Cell, Notebook
from mlwidgets.history.text.header import header_lines, read_header
from mlwidgets.history.text.languages import MAGICS, Language, language_of
from mlwidgets.history.text.magics import comment_magics, may_hold_magics, uncomment_magics
from mlwidgets.history.text.quotes import Quotes
from mlwidgets.history.text.spacing import lines_between

CHOSEN = ("tags", "mlw")
"""A cell's metadata that the text holds."""

_KIND = re.compile(r" ?\[(markdown|raw)\]")
_OPTION = re.compile(r" *([A-Za-z_]+)=")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
_SIGNS = ("%%", "In[", "<codecell>")
"""One of these is in each line that begins a cell."""
_INDENT = re.compile(r"[ \t]*(?=\S)")


@cache
def _marker(comment: str) -> re.Pattern[str]:
    sign = re.escape(comment)
    return re.compile(rf"^\s*{sign}\s*(?:%%(?P<options>%*\s.*)|%%\s*|<codecell>\s*|In\[[0-9 ]*\]:?\s*)$", re.DOTALL)


def to_text(notebook: Notebook) -> str:
    """Return cells, tags and kernel as text in the percent format."""
    language = language_of(notebook.language)
    following: deque[list[str]] = deque()
    for cell in reversed(notebook.cells):
        lines = _cell_lines(cell, language)
        blank = lines_between(lines, following) if language.name == "python" else 1
        following.appendleft(lines + [""] * blank)
    header = header_lines(notebook, language)
    if language.name != "python" and not all(cell.source.isascii() for cell in notebook.cells):
        header.insert(0, f"{language.comment} -*- coding: utf-8 -*-")
    return "\n".join(line for lines in (header, *following) for line in lines)


def executed_text(executed: Sequence[Executed], language: str) -> str:
    """Return sources in the order in which they were executed, as text in the percent format."""
    known = language_of(language)
    lines: list[str] = []
    for one in executed:
        lines += known.commented([f"%% In[{one.count}]"]) + comment_magics(one.source.split("\n"), known) + [""]
    return "\n".join(lines)


def from_text(text: str) -> Notebook:
    """Return the notebook that `to_text` was given: its sources, kinds, tags and kernel, and no more.

    Text that somebody else wrote is read as Jupytext reads it, but for titles and other metadata.
    """
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    name, metadata, at = read_header(lines)
    language = language_of(name)
    cells = []
    while at < len(lines):
        cell, at = _read_cell(lines, at, language)
        cells.append(cell)
    return Notebook(tuple(cells), name, metadata)


def _cell_lines(cell: Cell, language: Language) -> list[str]:
    """Return the lines of one cell, its marker first."""
    source = cell.source.split("\n")
    options: dict[str, Any] = {key: cell.metadata[key] for key in cell.metadata if key in CHOSEN}
    if cell.kind != "code":
        body = language.commented(source)
        if not _ends_where_it_ends(body, cell.source, language, code=False):
            options["lines"] = len(body)
        return [_marker_line(options, language, cell.kind), *body]
    spoken, body = _code(cell.source, source, language)
    if _decoded(spoken, body, language) != cell.source:
        return [_marker_line({**options, "verbatim": len(source)}, language), *source]
    options |= spoken
    if not _ends_where_it_ends(body, cell.source, language, code="language" not in spoken):
        options["lines"] = len(body)
    indent = _INDENT.match(body[0]) if body and "language" not in spoken else None
    return [(indent[0] if indent else "") + _marker_line(options, language), *body]


def _code(text: str, source: list[str], language: Language) -> tuple[dict[str, Any], list[str]]:
    """Return the options and the lines of a code cell; one in another language is commented out."""
    begin = "#!" if language.name == "csharp" else "%%"
    if source[0].startswith(begin):
        magic, _, arguments = source[0].removeprefix(begin).partition(" ")
        if magic in MAGICS:
            spoken = {"magic_args": arguments, "language": magic} if arguments else {"language": magic}
            return spoken, language.commented(source[1:])
    if not text:
        return {}, []
    return {}, comment_magics(source, language) if may_hold_magics(text, language) else source


def _decoded(options: dict[str, Any], body: list[str], language: Language) -> str:
    """Return the source of a code cell."""
    if "language" not in options:
        text = "\n".join(body)
        return "\n".join(uncomment_magics(body, language)) if may_hold_magics(text, language) else text
    begin = ("#!" if language.name == "csharp" else "%%") + str(options["language"])
    if "magic_args" in options:
        begin = f"{begin} {options['magic_args']}"
    return "\n".join([begin, *(language.uncommented(body) or [""])])


def _ends_where_it_ends(body: list[str], source: str, language: Language, *, code: bool) -> bool:
    """Return whether a reader that is not told how many lines belong to the cell takes these and no others."""
    if body and not body[-1].strip():
        return False
    quoted = '"""' in source or "'''" in source if code else "```" in source or "~~~" in source
    if not quoted and not any(sign in source for sign in _SIGNS):
        return True
    ahead = _Ahead(language, code=code)
    return not any(ahead.is_marker(line) for line in body) and not ahead.inside


class _Ahead:
    """Looks for the marker of the next cell; in strings of code and fences of Markdown it sees none."""

    def __init__(self, language: Language, *, code: bool) -> None:
        self._language = language
        self._quotes = Quotes(language) if code else None
        self._fence = ""

    @property
    def inside(self) -> bool:
        """Whether a string or fence is open."""
        return bool(self._fence) or (self._quotes is not None and self._quotes.open is not None)

    def is_marker(self, line: str) -> bool:
        """Read the next line; return whether it is the marker of a cell."""
        inside = self.inside
        if self._quotes is not None:
            self._quotes.read(line)
        else:
            self._read_fence(self._language.uncommented([line])[0])
        return not inside and not self._fence and _marker(self._language.comment).match(line) is not None

    def _read_fence(self, line: str) -> None:
        match = _FENCE.match(line)
        if match is None:
            return
        signs, rest = match.groups()
        if not self._fence:
            self._fence = "" if signs[0] == "`" and "`" in rest else signs
        elif signs.startswith(self._fence) and not rest.strip():
            self._fence = ""


def _marker_line(options: dict[str, Any], language: Language, kind: str = "code") -> str:
    said = [] if kind == "code" else [f"[{kind}]"]
    said += [f"{key}={json.dumps(value)}" for key, value in options.items()]
    return language.commented([" ".join(["%%", *said])])[0]


def _read_marker(line: str, language: Language) -> tuple[str, dict[str, Any]] | None:
    """Return kind and options of the cell that a line begins, None where it begins none."""
    match = _marker(language.comment).match(line)
    if match is None:
        return None
    rest = match["options"] or ""
    if language.end:
        rest = rest.rstrip().removesuffix(language.end)
    found = _KIND.match(rest)
    kind, at = (found[1], found.end()) if found else ("code", 0)
    options: dict[str, Any] = {}
    while option := _OPTION.match(rest, at):
        try:
            options[option[1]], at = json.JSONDecoder().raw_decode(rest, option.end())
        except ValueError:
            break
    return kind, options


def _read_cell(lines: list[str], at: int, language: Language) -> tuple[Cell, int]:
    """Return the cell that begins at that line, and where the next one does."""
    kind, options = _read_marker(lines[at], language) or (None, {})
    start = at if kind is None else at + 1
    kind = kind or "code"
    verbatim = options.pop("verbatim", None)
    count = options.pop("lines", verbatim)
    if isinstance(count, int) and not isinstance(count, bool):
        end = min(start + count, len(lines))
        following = end
        while following < len(lines) and not lines[following].strip():
            following += 1
    else:
        end, following = _find_end(lines, at, start, language, code=kind == "code" and "language" not in options)
    body = lines[start:end]
    if verbatim is not None:
        source = "\n".join(body)
    else:
        source = _decoded(options, body, language) if kind == "code" else "\n".join(language.uncommented(body))
    return Cell(None, kind, source, {key: options[key] for key in options if key in CHOSEN}), following


def _find_end(lines: list[str], at: int, start: int, language: Language, *, code: bool) -> tuple[int, int]:
    ahead = _Ahead(language, code=code)
    following = next((n for n in range(start, len(lines)) if ahead.is_marker(lines[n])), len(lines))
    return following - _blank_at_end(lines[at:following]), following


def _blank_at_end(lines: Sequence[str]) -> int:
    """Return how many lines at the end only keep cells apart: two if there are just two, else one."""
    if len(lines) >= 3 and _are_blank(lines[-2:]) and lines[-3].strip():
        return 2
    return int(bool(lines) and not lines[-1])


def _are_blank(lines: Iterable[str]) -> bool:
    return not any(line.strip() for line in lines)
