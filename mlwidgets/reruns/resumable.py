"""Whether a run can go on from its last checkpoint, and after what."""

from __future__ import annotations

from mlwidgets.runs.checkpoints import read_checkpoints
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.state import FINISHED


def goes_on_after(folder: RunFolder) -> str | None:
    """Return when a run's last checkpoint was made, such as ``epoch 8``.

    Returns
    -------
    str or None
        None if it has none, or its code never asked for one and would begin anew all the same; of a report, too, which
        is executed from its first cell.
    """
    found = read_checkpoints(folder.checkpoints)
    if not found or not calls_resume(folder) or (read_json(folder.spec) or {}).get("report") is not None:
        return None
    return found[-1].where


def calls_resume(folder: RunFolder) -> bool:
    """Whether a run's code has called ``resume``."""
    return any(True for _ in read_lines(folder.events, "resumed"))


def cut_short_after(folder: RunFolder, state: str, *, ended: bool) -> str | None:
    """Return the same of a run that has ended without having finished; what has finished has nothing left to do."""
    return goes_on_after(folder) if ended and state != FINISHED else None
