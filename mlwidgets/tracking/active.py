"""Which run this process belongs to: the environment says so, in child processes too."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mlwidgets.runs.journal import FOLDER_VARIABLE

_told: set[str] = set()


def active_folder() -> Path | None:
    """Return the folder of the run in which this process executes, or None outside a run."""
    value = os.environ.get(FOLDER_VARIABLE)
    return Path(value) if value else None


def tell_once(message: str) -> None:
    """Write `message` to standard error, the first time only."""
    if message not in _told:
        _told.add(message)
        print(f"mlwidgets: {message}", file=sys.stderr)
