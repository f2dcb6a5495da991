"""Files and folders that code reads: named by the user, known by the digests of their contents."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mlwidgets.errors import ParameterError


def named_data(paths: Iterable[str | Path]) -> tuple[dict[str, str], ...]:
    """Return what a spec holds of data files: ``path`` as given, and ``absolute``.

    Raises
    ------
    ParameterError
        If there is no such file or folder.
    """
    named: list[dict[str, str]] = []
    for path in paths:
        absolute = os.path.abspath(os.path.expanduser(path))
        if not os.path.exists(absolute):
            raise ParameterError(f"--data {path}: there is no such file or folder ({absolute})")
        named.append({"path": str(path), "absolute": absolute})
    return tuple(named)
