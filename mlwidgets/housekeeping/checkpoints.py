"""The checkpoints of one run, looked through: which cannot be gone on from, and what the dead left beside them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

from mlwidgets.housekeeping.finding import Finding
from mlwidgets.runs.checkpoints import BEGUN, damage_of, numbered, read_checkpoint
from mlwidgets.runs.folder import RunFolder


def check_checkpoints(folder: RunFolder, *, ended: bool, repair: bool, deep: bool = False) -> Iterator[Finding]:
    """Yield what is wrong with a run's checkpoints.

    Parameters
    ----------
    ended
        Whether nobody writes them any more.
    repair
        Put what is damaged out of the way, under another name, and remove what was only begun.
    deep
        Read the states, and compare their digests; else their sizes tell.
    """
    paths = numbered(folder.checkpoints)
    damaged = {path: wrong for path in paths if (wrong := damage_of(path, deep=deep)) is not None}
    whole = [one for path in paths if path not in damaged and (one := read_checkpoint(path)) is not None]
    next_best = (
        f"its code goes on from checkpoint {whole[-1].number} ({whole[-1].where})" if whole else "no other is whole"
    )
    for path, wrong in damaged.items():
        done = None
        if repair and ended:
            with contextlib.suppress(OSError):
                os.rename(path, path.with_name(f"{path.name}.damaged"))
                done = f"moved to {path.name}.damaged"
        yield Finding(f"runs/{folder.id}/checkpoints/{path.name}", f"is damaged: {wrong}; {next_best}", done)
    for path in sorted(folder.checkpoints.glob(f"{BEGUN}*")) if ended else ():
        done = None
        if repair:
            shutil.rmtree(path, ignore_errors=True)
            done = "removed"
        yield Finding(
            f"runs/{folder.id}/checkpoints/{path.name}", "was begun or being removed by a process that was killed", done
        )
