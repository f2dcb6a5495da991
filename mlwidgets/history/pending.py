"""The snapshot of a run that was submitted a moment ago: it is taken while the run starts."""

from __future__ import annotations

import time

from mlwidgets.runs.folder import RunFolder, read_json

_YOUNG = 60.0
"""Seconds after the submit in which a snapshot may still be on its way."""


def wait_for_snapshot(folder: RunFolder, patience: float = 10.0) -> None:
    """Return when a run's snapshot is there, none will come any more, or `patience` seconds are over."""
    deadline = time.monotonic() + patience
    while _may_come(folder) and time.monotonic() < deadline:
        time.sleep(0.05)


def _may_come(folder: RunFolder) -> bool:
    if folder.snapshot.exists() or "no_snapshot" in (read_json(folder.environment) or {}):
        return False
    try:
        spec = folder.read_spec()
    except (OSError, ValueError, KeyError, TypeError):
        return False
    told = spec.provenance.notebook if spec.provenance is not None else None
    return bool(told or folder.executed.exists()) and time.time() - spec.submitted_at < _YOUNG
