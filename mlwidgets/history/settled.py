"""A notebook's file that may be being written: Jupyter writes it in its place, so there are moments with half of it."""

from __future__ import annotations

import time
from pathlib import Path

from mlwidgets.errors import NotebookError
from mlwidgets.history.notebooks.notebook import Notebook, load_notebook
from mlwidgets.history.restoring import state_of

_MOMENT = 0.1
"""Seconds in which a file that is being written changes."""
_MOST = 50


def load_settled(path: Path) -> Notebook:
    """Read a notebook file as soon as it is whole.

    Raises
    ------
    NotebookError
        If nobody is writing it and it is no notebook.
    """
    for _ in range(_MOST):
        before = state_of(path)
        try:
            return load_notebook(path)
        except NotebookError:
            time.sleep(_MOMENT)
            if state_of(path) == before:
                raise
    return load_notebook(path)
