"""A notebook's file as it is: all that its JSON says, and how it is written."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlwidgets.errors import NotebookError
from mlwidgets.history.notebooks.document import read_document, read_file
from mlwidgets.history.notebooks.notebook import Cell, read_notebook

_INDENT = re.compile(rb"\A\s*\{\r?\n([ \t]+)")
_ESCAPED = re.compile(rb"(?<!\\)(?:\\\\)*\\u(?!00[01])[0-9a-fA-F]{4}")


@dataclass
class Document:
    """A notebook of format 4.

    Parameters
    ----------
    data
        The file's bytes.
    raw
        Its JSON.
    cells
        The same cells as they are compared.
    """

    data: bytes
    raw: dict[str, Any]
    cells: tuple[Cell, ...]

    def written(self, raw: dict[str, Any]) -> bytes:
        """Return other JSON as text in the manner of this file: its indent, order of keys, escapes, line ends."""
        indent = _INDENT.search(self.data)
        said = self.raw["cells"][0] if self.raw["cells"] else self.raw
        how: dict[str, Any] = {
            "indent": indent[1].decode() if indent else None if self.data[:200].count(b"\n") < 2 else 0,
            "sort_keys": list(self.raw) == sorted(self.raw) and list(said) == sorted(said),
        }
        escapes = self.data.isascii() and _ESCAPED.search(self.data) is not None
        text = json.dumps(raw, ensure_ascii=escapes, **how) + ("\n" if self.data.endswith(b"\n") else "")
        first = self.data.find(b"\n")
        if first > 0 and self.data[first - 1 : first] == b"\r":
            text = text.replace("\n", "\r\n")
        try:
            return text.encode()
        except UnicodeEncodeError:
            # Half of a surrogate pair, which JSON can only escape.
            return (json.dumps(raw, **how) + "\n").encode()


def read(data: bytes, where: str) -> Document:
    """Return the notebook in a file.

    Raises
    ------
    NotebookError
        If there is none, or one of format 3.
    """
    try:
        raw = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raw = None
    document = read_document(raw if isinstance(raw, dict) else data, where)
    if document is not raw:
        raise NotebookError(f"{where} is of notebook format 3, which is not merged; open it in Jupyter and save it")
    return Document(data, document, read_notebook(document, where).cells)


def load(path: Path, where: str | None = None) -> Document:
    """Return the notebook in a file by its path.

    Raises
    ------
    NotebookError
        As `read`.
    """
    return read(read_file(path), where or str(path))


def nothing() -> Document:
    """Return the notebook from which two come that have nothing in common."""
    return Document(b"", {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 0}, ())
