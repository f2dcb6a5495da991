"""Has a rerun compared with the run that it does again; the room that knows how lies above this one, called by name."""

from __future__ import annotations

import importlib
import traceback

from mlwidgets.runs.folder import RunFolder, read_json

MODULE = "mlwidgets.reruns.verdict"


def compare(folder: RunFolder) -> None:
    """Leave the verdict on a rerun in its folder; whatever goes wrong stands in the supervisor's log."""
    if not (read_json(folder.spec) or {}).get("rerun_of"):
        return
    try:
        importlib.import_module(MODULE).verdict_of(folder)
    except Exception:  # the run has ended as it has, and whoever asks later compares
        traceback.print_exc()
