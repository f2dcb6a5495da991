"""Jupytext's contents manager writes and reads pairs by the time of the files: of what has a twin here it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlwidgets.errors import MlwidgetsError
from mlwidgets.history.twins.pairing import NOTEBOOK, may_be_paired, pairing_of


def leave_pairs(contents: Any, path_of: Callable[[str], Path]) -> None:
    """Let a contents manager of Jupytext's read and save paired notebooks as Jupyter does; everything else is left.

    With both at work an edit of the text that Jupytext has not seen would be written over by the next save, and a
    notebook that is open would be "changed on disk" by its own twin.

    Parameters
    ----------
    contents
        The server's contents manager; nothing is done to one that is not Jupytext's.
    path_of
        Where the file of a path of requests lies.
    """
    plain = getattr(contents, "super", None)
    if plain is None or not hasattr(contents, "paired_notebooks"):
        return
    get, save = contents.get, contents.save

    def is_ours(path: str) -> bool:
        if not path.endswith(NOTEBOOK):
            return False
        try:
            file = path_of(path)
            return file.is_file() and may_be_paired(file) and pairing_of(file) is not None
        except (MlwidgetsError, OSError, ValueError):
            return False

    def get_ours(path: str, content: bool = True, *args: Any, **kwargs: Any) -> Any:
        # Folders are listed by asking of each file whether it is there.
        asked = content or path.strip("/") in contents.paired_notebooks
        return (plain.get if asked and is_ours(path) else get)(path, content, *args, **kwargs)

    def save_ours(model: dict[str, Any], path: str = "") -> Any:
        return (plain.save if model.get("type") == "notebook" and is_ours(path) else save)(model, path)

    contents.get, contents.save = get_ours, save_ours
