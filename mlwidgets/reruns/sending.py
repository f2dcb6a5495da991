"""Sends a run off again."""

from __future__ import annotations

from mlwidgets.reruns.repeating import Changes
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.store import RunStore


def send_again(
    store: RunStore, folder: RunFolder, changes: Changes | None = None, *, force: bool = False, publish: bool = False
) -> RunFolder:
    """Check whether a run can be done again, and send it off.

    Raises
    ------
    CannotRerun
        With all that is in the way; nothing was started then.
    """
    raise NotImplementedError
