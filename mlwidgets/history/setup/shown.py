"""A notebook as git shows it: the text of its cells."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from mlwidgets.history.notebooks.notebook import Cell, Notebook
from mlwidgets.history.text.languages import language_of
from mlwidgets.history.text.percent import to_text


def text_of(notebook: Notebook, *, outputs: bool = False) -> str:
    """Return the text; with `outputs` a line in each cell that has some: how many, and the beginning of a digest."""
    if not outputs:
        return to_text(notebook)
    language = language_of(notebook.language)

    def with_digest(cell: Cell) -> Cell:
        if not cell.outputs:
            return cell
        count = len(cell.outputs)
        line = f"outputs: {count}, {_digest(cell)}"
        return replace(cell, source=f"{cell.source}\n{language.commented([line])[0]}")

    return to_text(replace(notebook, cells=tuple(map(with_digest, notebook.cells))))


def _digest(cell: Cell) -> str:
    """Return the same for the same outputs, whenever they were made."""
    said = [{key: value for key, value in one.items() if key != "execution_count"} for one in cell.outputs]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]
