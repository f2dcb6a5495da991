"""Both sides as they are on the disk now, and what is wrong with them."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from mlwidgets.errors import NotebookError, TwinError
from mlwidgets.history.merging import documents
from mlwidgets.history.merging.conflicts import conflicts_in
from mlwidgets.history.merging.documents import Document
from mlwidgets.history.restoring import State, state_of
from mlwidgets.history.text.languages import LANGUAGES
from mlwidgets.history.text.quotes import Quotes
from mlwidgets.history.twins.bases import digest
from mlwidgets.history.twins.pairing import Pairing

_QUIET = 0.1
"""Seconds since the last write after which a file is whole: editors write in place, in several pieces."""
_MOST = 50
_MARKERS = re.compile(r"^<{7} .*?^={7}$.*?^>{7} ", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
_FENCED = frozenset({".md", ".markdown", ".Rmd", ".qmd", ".myst"})


@dataclass(frozen=True)
class Side:
    """A file as it was read; `data` is None where there is none."""

    path: Path
    data: bytes | None
    state: State

    @property
    def digest(self) -> str:
        """What tells its content from others."""
        return "" if self.data is None else digest(self.data)


def read_side(path: Path, known: str = "") -> Side:
    """Return a file as soon as nobody is writing it; at once where its content has the digest `known`.

    Raises
    ------
    TwinError
        If it is there and cannot be read.
    """
    for _ in range(_MOST):
        state = state_of(path)
        if state is not None and not path.is_file():
            # A pipe would be waited for without an end.
            raise TwinError(f"{path} is no file, which a twin is: move it away")
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return Side(path, None, None)
        except OSError as error:
            raise TwinError(f"cannot read {path}: {error.strerror or error}") from error
        side = Side(path, data, state)
        if state == state_of(path) and (side.digest == known or _is_quiet(path)):
            return side
        time.sleep(_QUIET / 2)
    return side


def _is_quiet(path: Path) -> bool:
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return True
    return not 0 <= age < _QUIET


def read_notebook_side(pairing: Pairing) -> tuple[Side, Document | None]:
    """Return the notebook; None where there is no file. Jupyter writes it in place: half of it is no JSON.

    Raises
    ------
    TwinError
        If it is no notebook, or cells in it are in conflict after a merge.
    """
    path = pairing.notebook
    for attempt in range(_MOST):
        state = state_of(path)
        try:
            side = Side(path, path.read_bytes(), state)
        except FileNotFoundError:
            return Side(path, None, None), None
        except OSError as error:
            raise TwinError(f"cannot read {path}: {error.strerror or error}") from error
        try:
            document = documents.read(side.data or b"", str(path))
            break
        except NotebookError as error:
            if attempt + 1 == _MOST or (state == state_of(path) and _is_quiet(path)):
                raise TwinError(f"{error}; {pairing.twin.name} stays as it is until then") from error
            time.sleep(_QUIET / 2)
    left = conflicts_in(document.raw)
    if left:
        raise TwinError(f"{path} has cells in conflict (cell {left[0].number}): settle them, then sync with its twin")
    return side, document


def decoded(side: Side) -> str:
    """Return a twin's text with its lines ended by line feeds.

    Raises
    ------
    TwinError
        If it is not UTF-8.
    """
    try:
        text = (side.data or b"").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = (side.data or b"").count(b"\n", 0, error.start) + 1
        raise TwinError(f"{side.path} is not UTF-8 text (line {line}); save it as UTF-8, then sync") from error
    return text.replace("\r\n", "\n")


def encoded(text: str, before: Side) -> bytes:
    """Return a twin's text with line ends as the file has them.

    Raises
    ------
    TwinError
        If it cannot be UTF-8: a notebook may hold half of a character.
    """
    first = (before.data or b"").partition(b"\n")[0]
    try:
        return (text.replace("\n", "\r\n") if first.endswith(b"\r") else text).encode()
    except UnicodeEncodeError as error:
        raise TwinError(f"a cell has half of a character in it, which {before.path} cannot hold; remove it") from error


def check_text(text: str, before: str | None, path: Path) -> None:
    """Find out whether a twin that was edited is whole.

    Parameters
    ----------
    before
        What it was when both sides said the same, None where that is not known.

    Raises
    ------
    TwinError
        If it is empty, a merge is to be settled in it, or a string or block in it has no end: the rest of the
        notebook would be in one cell.
    """
    was = before or ""
    if not text.strip() and (before is None or was.strip()):
        raise TwinError(f"{path} is empty: the notebook stays as it is; remove the file to have it written again")
    found = _MARKERS.search(text)
    if found and not _MARKERS.search(was):
        line = text.count("\n", 0, found.start()) + 1
        raise TwinError(f"{path} holds conflict markers of a merge (line {line}); settle it, then sync")
    begin = _open_since(text, path.suffix)
    if begin and not _open_since(was, path.suffix):
        what = "block" if path.suffix in _FENCED else "string"
        raise TwinError(f"{path} ends within the {what} that begins in line {begin}; end it there, then sync")


def _open_since(text: str, suffix: str) -> int:
    """Return the line in which a string or block begins that does not end, 0 where there is none."""
    if suffix in _FENCED:
        return _fence_open_since(text)
    language = next((one for one in LANGUAGES.values() if one.suffix == suffix), None)
    if language is None:
        return 0
    quotes, since = Quotes(language), 0
    for number, line in enumerate(text.split("\n"), 1):
        was = quotes.open
        quotes.read(line)
        if quotes.open is not None and quotes.open != was:
            since = number
    return since if quotes.open is not None else 0


def _fence_open_since(text: str) -> int:
    fence, since = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        match = _FENCE.match(line)
        if match is None:
            continue
        signs, rest = match.groups()
        if not fence:
            fence, since = ("", 0) if signs[0] == "`" and "`" in rest else (signs, number)
        elif signs.startswith(fence):
            if rest.strip():
                # Another one begins, of which the end would be taken for that of the first.
                return since
            fence = ""
    return since if fence else 0


def make_folder(path: Path) -> None:
    """Make the folder of a file that is to be written.

    Raises
    ------
    TwinError
        If that cannot be.
    """
    try:
        os.makedirs(path.parent, exist_ok=True)
    except OSError as error:
        raise TwinError(f"cannot make the folder of {path}: {error.strerror or error}") from error
