"""A notebook as its twin's text and back: the only room that calls Jupytext to convert."""

from __future__ import annotations

import re
import warnings
from typing import Any

from mlwidgets.errors import TwinError
from mlwidgets.history.merging.documents import Document
from mlwidgets.history.notebooks.notebook import joined, read_notebook
from mlwidgets.history.twins.pairing import Pairing, first_line, settings_of
from mlwidgets.history.twins.remaining import Text

_SHAPE = "text_representation"
"""Of Jupytext's metadata what only says how and by which version the text was written."""
_HEADER = re.compile(
    r"\A(?:#!.*\n|.*coding.*\n)*(?:\W{0,4}---[ \t]*\n(?:.*\n){0,40}?\W*(?:jupyter|jupytext):|\W{0,4}jupyter:[ \t]*\n)"
)
"""How a header of Jupytext's begins, also one of which the first or the last line is missing."""


def stripped(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook's JSON without outputs."""
    cells = []
    for cell in raw["cells"]:
        kept = {key: value for key, value in cell.items() if key not in {"outputs", "execution_count"}}
        cells.append(kept | ({"outputs": [], "execution_count": None} if cell.get("cell_type") == "code" else {}))
    return {**raw, "cells": cells}


def text_of(raw: dict[str, Any], pairing: Pairing) -> str:
    """Return a notebook as its twin's text, as Jupytext itself writes it.

    Raises
    ------
    TwinError
        If Jupytext cannot write it so.
    """
    config, _ = settings_of(pairing.twin)
    import jupytext
    from jupytext.jupytext import NotebookNode

    cells = [
        NotebookNode({**cell, "source": joined(cell.get("source")), "metadata": _dict(cell.get("metadata"))})
        for cell in stripped(raw)["cells"]
    ]
    given = {**raw, "cells": cells, "metadata": _dict(raw.get("metadata"))}
    given["nbformat_minor"] = given.get("nbformat_minor", 0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text: str = jupytext.writes(NotebookNode(given), pairing.format, config=config)
    except Exception as error:  # it raises what its many readers and writers raise
        raise TwinError(f"{pairing.notebook} cannot be written as {pairing.format}: {first_line(error)}") from error
    return text if text.endswith("\n") or not text else f"{text}\n"


def notebook_of(text: str, pairing: Pairing) -> Document:
    """Return the notebook that a twin's text says, without ids; of one without a header it has no metadata.

    Raises
    ------
    TwinError
        If Jupytext cannot read it.
    """
    config, _ = settings_of(pairing.twin)
    from jupytext.formats import read_metadata

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = read_metadata(text, pairing.twin.suffix)
            read = _read(text, pairing.format, config)
        cells = [{key: value for key, value in cell.items() if key != "id"} for cell in read.cells]
        metadata = dict(read.metadata) if header else {}
    except Exception as error:  # as above
        where = _line_of(error, text)
        raise TwinError(
            f"Jupytext cannot read {pairing.twin}{where}: {first_line(error)}; mend it, then sync"
        ) from error
    if not header and _HEADER.match(text):
        raise TwinError(f"the header of {pairing.twin} cannot be read: it is no YAML between two lines ---; mend it")
    if isinstance(metadata.get("jupytext"), dict):
        kept = {key: value for key, value in metadata["jupytext"].items() if key != _SHAPE}
        metadata = {key: value for key, value in metadata.items() if key != "jupytext"}
        metadata |= {"jupytext": kept} if kept else {}
    raw = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    return Document(b"", raw, read_notebook(raw, str(pairing.twin)).cells)


def _read(text: str, fmt: str, config: Any) -> Any:
    import jupytext

    try:
        return jupytext.reads(Text(text), fmt, config=config)
    except Exception:  # a reader that needs a list of lines; or what is wrong with the text is said by the second try
        return jupytext.reads(text, fmt, config=config)


def _line_of(error: Exception, text: str) -> str:
    """Return in which line of a text its header is no YAML, as far as that is known."""
    mark = getattr(error, "problem_mark", None)
    begin = next((n for n, line in enumerate(text.split("\n"), 1) if line.rstrip().endswith("---")), None)
    return "" if mark is None or begin is None else f" (line {begin + mark.line + 1})"


def say_the_same(one: Document, other: Document) -> bool:
    """Return whether two texts say the same, in whatever style they are written, with a header or without."""
    here, there = one.raw["metadata"], other.raw["metadata"]
    return _said(one) == _said(other) and (here == there or not here or not there)


def _said(document: Document) -> list[tuple[Any, ...]]:
    return [(cell["cell_type"], cell["source"], cell.get("metadata")) for cell in document.raw["cells"]]


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
