"""What is in a snapshot: the notebook as text and exactly, what was executed, the file that a restore replaced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlwidgets.errors import MlwidgetsError
from mlwidgets.history.git.chain import Tip
from mlwidgets.history.notebooks.counting import count_changes
from mlwidgets.history.notebooks.executed import Executed
from mlwidgets.history.notebooks.notebook import Notebook, encode, read_notebook, to_json
from mlwidgets.history.text.languages import language_of
from mlwidgets.history.text.percent import executed_text, to_text

EXACT = "notebook.ipynb"
"""The notebook without outputs, from which it is read."""
WHOLE = "whole.ipynb"
"""The file that a restore replaced, to the byte."""


def files_of(notebook: Notebook, executed: Sequence[Executed] | None = None) -> dict[str, bytes]:
    """Return a snapshot's files: names with contents."""
    suffix = language_of(notebook.language).suffix
    files = {EXACT: encode(to_json(notebook)), f"notebook{suffix}": _bytes(to_text(notebook))}
    if executed is not None:
        files[f"executed{suffix}"] = _bytes(executed_text(executed, notebook.language))
    return files


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def newest(tips: Iterable[Tip | None]) -> Tip | None:
    """Return the one of these that was taken last."""
    there = [tip for tip in tips if tip is not None]
    return max(there, key=lambda tip: tip.entry.time, default=None)


def changed(notebook: Notebook, before: Tip | None) -> tuple[int, int, int] | None:
    """Return how many cells were added, removed and edited since then; None where nothing is known of it."""
    if before is None or before.notebook is None:
        return None
    try:
        return count_changes(read_notebook(before.notebook, "the last snapshot"), notebook)
    except MlwidgetsError:
        return None
