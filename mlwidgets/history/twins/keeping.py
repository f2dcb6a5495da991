"""What is kept before something takes its place, and what is not taken for a twin at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlwidgets.errors import TwinError
from mlwidgets.history.contents import WHOLE
from mlwidgets.history.merging.documents import Document
from mlwidgets.history.notebooks.notebook import read_notebook
from mlwidgets.history.snapshots import History
from mlwidgets.history.twins.deciding import Decided
from mlwidgets.history.twins.pairing import Pairing
from mlwidgets.history.twins.reading import Side


def keep(pairing: Pairing, notebook: Side | None, result: Decided, twin: Side | None, now: Document) -> None:
    """Take snapshots of what is replaced: of the twin its text to the byte, of the notebook outputs that would be lost.

    Raises
    ------
    HistoryError
        If it can be kept nowhere: then nothing may be replaced.
    """
    history = History(pairing.notebook)
    if twin is not None and twin.data is not None:
        said = read_notebook({**result.notebook, "cells": now.raw["cells"]}, str(twin.path))
        history.take("twin", said, beside={f"twin{twin.path.suffix}": twin.data})
    if notebook is not None and notebook.data is not None:
        before = read_notebook(notebook.data, str(notebook.path))
        left = _outputs(result.notebook)
        lost = [one for one in _outputs(json.loads(notebook.data.decode("utf-8-sig"))) if one not in left]
        history.take("twin", before, beside={WHOLE: notebook.data} if lost else None)


def keep_result(pairing: Pairing, notebook: dict[str, Any]) -> None:
    """Take a snapshot of a notebook that has taken something over from its twin.

    Raises
    ------
    HistoryError
        If it can be kept nowhere.
    """
    History(pairing.notebook).take("save", read_notebook(notebook, str(pairing.notebook)))


def keep_twin(pairing: Pairing, notebook: dict[str, Any], twin: Side) -> None:
    """Take a snapshot of a twin that is to be replaced, and of the notebook that said the same.

    Raises
    ------
    HistoryError
        If it can be kept nowhere: then it may not be replaced.
    """
    said = read_notebook(notebook, str(twin.path))
    History(pairing.notebook).take("twin", said, beside={f"twin{twin.path.suffix}": twin.data or b""})


def has_more(text: str, other: str) -> bool:
    """Return whether a text has lines that another one has not."""
    return not set(text.split("\n")) <= set(other.split("\n"))


def _outputs(raw: dict[str, Any]) -> list[Any]:
    return [cell["outputs"] for cell in raw["cells"] if isinstance(cell, dict) and cell.get("outputs")]


def check_is_twin(now: Document, told: Document, text: str, path: Path, ours: Document) -> None:
    """Find out whether a text file of which nothing is known is the twin of a notebook, and no program of its own.

    Raises
    ------
    TwinError
        If it does not say that it is a notebook, and has no cell in common with this one.
    """
    if "jupytext:" in text[: 1 << 14] or not ours.cells:
        return
    both = {(cell.kind, cell.source.strip()) for cell in now.cells} & {
        (cell.kind, cell.source.strip()) for cell in told.cells
    }
    if not any(source for _, source in both):
        raise TwinError(
            f"{path} is not the text of its notebook, and stays as it is: rename one of them, or leave this notebook "
            f"without a twin: mlwidgets unpair"
        )
