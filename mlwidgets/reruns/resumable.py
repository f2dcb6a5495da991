"""Whether a run can go on from its last checkpoint, and after what."""

from __future__ import annotations

from mlwidgets.runs.checkpoints import read_checkpoints
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.state import FINISHED


def goes_on_after(folder: RunFolder) -> str | None:
    """Return when a run's last checkpoint was made, such as ``epoch 8``.

    Returns
    -------
    str or None
        None if it has none, or its code never asked for one and would begin anew all the same.
    """
    found = read_checkpoints(folder.checkpoints)
    return found[-1].where if found and calls_resume(folder) else None


def calls_resume(folder: RunFolder) -> bool:
    """Whether a run's code has called ``resume``."""
    return any(True for _ in read_lines(folder.events, "resumed"))


def cut_short_after(folder: RunFolder, state: str, *, ended: bool) -> str | None:
    """Return the same of a run that has ended without having finished; what has finished has nothing left to do."""
    return goes_on_after(folder) if ended and state != FINISHED else None
