"""What this kernel has executed so far: a run's notebook is what ran before it, whatever its file says."""

from __future__ import annotations

import contextlib
import json
import time
from collections import deque
from typing import TYPE_CHECKING

from mlwidgets.runs.folder import RunFolder

if TYPE_CHECKING:
    from mlwidgets.history.notebooks.executed import Executed

MOST_CELLS = 2000
MOST_BYTES = 1 << 20
"""Of sources, as they are kept: the oldest are forgotten first."""


class ExecutedCells:
    """The newest cells in order of execution, as JSON already: a submit only has to write them down."""

    def __init__(self) -> None:
        self._cells: deque[tuple[float, bytes]] = deque(maxlen=MOST_CELLS)
        self._bytes = 0

    def add(self, cell: str | None, count: int, source: str) -> None:
        """Remember a cell that is about to be executed, as typed; one larger than all may be together is not kept.

        Parameters
        ----------
        cell
            Its id in the notebook, where the front end has told it.
        count
            Its number in this kernel.
        """
        entry = json.dumps({"id": cell, "count": count, "source": source}).encode()
        if len(entry) > MOST_BYTES:
            return
        if len(self._cells) == MOST_CELLS:
            self._forget()
        self._cells.append((time.time(), entry))
        self._bytes += len(entry)
        while self._bytes > MOST_BYTES:
            self._forget()

    def _forget(self) -> None:
        self._bytes -= len(self._cells.popleft()[1])

    def cells(self, since: float = 0.0) -> list[Executed]:
        """Return those that began after a moment in Unix seconds, the newest last."""
        from mlwidgets.history.notebooks.executed import Executed

        return [Executed(**json.loads(entry)) for at, entry in list(self._cells) if at > since]

    def write(self, folder: RunFolder) -> None:
        """Leave them in a run's folder; on a full disk the run goes on without."""
        # At once: cells may be executed in several threads.
        entries = [entry for _, entry in list(self._cells)]
        if entries:
            with contextlib.suppress(OSError):
                folder.executed.write_bytes(b'{"cells": [' + b",\n".join(entries) + b"]}\n")


here = ExecutedCells()
"""Those of this process; there are none where no notebook has loaded the magics."""
