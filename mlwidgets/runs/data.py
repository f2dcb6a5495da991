"""What is known of the files and folders that a run was told to read."""

from __future__ import annotations

import os
from typing import Any

from mlwidgets.runs.folder import RunFolder, read_json


def read_data(folder: RunFolder) -> dict[str, dict[str, Any]]:
    """Return what is known of a run's data by the path as given; a trial's are its sweep's.

    That is ``digest``, ``bytes``, ``files``, whether it has ``changed`` while it was read or since the run began, and
    what of it was ``unreadable``; or the ``problem`` that kept it from being read.
    """
    told = (read_json(folder.environment) or {}).get("data")
    if not isinstance(told, dict):
        sweep = (read_json(folder.spec) or {}).get("trial_of")
        if isinstance(sweep, str) and os.path.basename(sweep) == sweep:
            told = (read_json(RunFolder(folder.path.parent / sweep).environment) or {}).get("data")
    return {path: one for path, one in told.items() if _is_whole(one)} if isinstance(told, dict) else {}


def _is_whole(told: Any) -> bool:
    """Whether this is what was written, and not what somebody has made of it."""
    if not isinstance(told, dict):
        return False
    return isinstance(told.get("problem"), str) or (
        isinstance(told.get("digest"), str) and all(isinstance(told.get(key), int) for key in ("bytes", "files"))
    )
