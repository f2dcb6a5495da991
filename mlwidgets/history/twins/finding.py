"""The notebooks of a folder, and those of them that have a twin."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mlwidgets.errors import TwinError
from mlwidgets.history.twins.bases import Bases
from mlwidgets.history.twins.known import in_step
from mlwidgets.history.twins.pairing import NOTEBOOK, may_be_paired, pairing_of

_TEXTS = frozenset({".md", ".markdown", ".Rmd", ".qmd", ".myst", ".py", ".R", ".r", ".jl"})
_HEAD = 1 << 12


def files_in(folder: Path) -> Iterator[Path]:
    """Return the files of a project: none that are hidden, of an environment, or of a library."""
    for top, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in {"node_modules", "site-packages", "__pycache__"}
            and not os.path.exists(os.path.join(top, name, "pyvenv.cfg"))
        )
        yield from (Path(top, name) for name in sorted(files) if not name.startswith("."))


def notebooks_in(folder: Path) -> Iterator[Path]:
    """Return the notebooks of a project."""
    return (path for path in files_in(folder) if path.suffix == NOTEBOOK)


def paired_in(folder: Path) -> Iterator[Path]:
    """Return what has a twin: notebooks, and texts that say that they are notebooks and whose notebook is not here.

    Those are twins of a clone whose notebooks are not in git. They come last: one whose notebook was renamed is gone
    by then, or has another name.
    """
    twins: set[Path] = set()
    texts = []
    for path in files_in(folder):
        if path.suffix == NOTEBOOK:
            found = in_step(path)
            twins.update(found)
            if found or (may_be_paired(path) and _has_twin(path)):
                yield path
        elif path.suffix in _TEXTS:
            texts.append(path)
    for path in texts:
        if Path(os.path.realpath(path)) not in twins and _says_so(path) and _is_alone(path):
            yield path


def _has_twin(path: Path) -> bool:
    try:
        return pairing_of(path) is not None
    except TwinError:
        # What is wrong is said when it is synchronised.
        return True


def _is_alone(path: Path) -> bool:
    """Return whether a text is the twin of a notebook that was never here: one that was deleted stays away."""
    try:
        found = pairing_of(path)
    except TwinError:
        return False
    return found is not None and not found.notebook.exists() and Bases(found.notebook.parent).load(found) is None


def _says_so(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return b"jupytext:" in file.read(_HEAD)
    except OSError:
        return False
