"""The Python that a run was sent from: whether it may be started again."""

from __future__ import annotations

import os

from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.foreign import read_origin


def interpreter_of(folder: RunFolder) -> str | None:
    """Return the Python that a run was sent from, None where it is gone or may be anybody's."""
    if read_origin(folder) is not None:
        # An archive may name any program.
        return None
    told = (read_json(folder.spec) or {}).get("provenance")
    executable = told.get("executable") if isinstance(told, dict) else None
    if not isinstance(executable, str) or not os.path.isabs(executable) or not os.path.isfile(executable):
        return None
    return executable if os.access(executable, os.X_OK) else None
