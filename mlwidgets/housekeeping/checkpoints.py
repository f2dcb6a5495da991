"""The checkpoints of one run, looked through: which cannot be gone on from, and what the dead left beside them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

from mlwidgets.housekeeping.finding import Finding
from mlwidgets.runs.checkpoints import BEGUN, numbered, read_checkpoint
from mlwidgets.runs.folder import RunFolder


def check_checkpoints(folder: RunFolder, *, ended: bool, repair: bool) -> Iterator[Finding]:
    """Yield what is wrong with a run's checkpoints.

    Parameters
    ----------
    ended
        Whether nobody writes them any more.
    repair
        Put what cannot be read out of the way, under another name, and remove what was only begun.
    """
    for path in numbered(folder.checkpoints):
        found = read_checkpoint(path)
        # One that vanishes as a better one comes is nobody's fault.
        if (found is not None and found.number == int(path.name)) or not path.exists():
            continue
        done = None
        if repair and ended:
            with contextlib.suppress(OSError):
                os.rename(path, path.with_name(f"{path.name}.damaged"))
                done = f"moved to {path.name}.damaged"
        yield Finding(f"runs/{folder.id}/checkpoints/{path.name}", "is no whole checkpoint", done)
    for path in sorted(folder.checkpoints.glob(f"{BEGUN}*")) if ended else ():
        done = None
        if repair:
            shutil.rmtree(path, ignore_errors=True)
            done = "removed"
        yield Finding(
            f"runs/{folder.id}/checkpoints/{path.name}", "was begun or being removed by a process that was killed", done
        )
