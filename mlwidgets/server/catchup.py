"""Editions of runs that ended while nobody could publish them: their supervisor was killed, or the disk was full.

Publishing reads and writes whole notebooks, and nothing else would run in this process meanwhile: another one does it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from mlwidgets.errors import MlwidgetsError
from mlwidgets.reports.publishing.editions import reports
from mlwidgets.runner.boot import python_command
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.state import settle
from mlwidgets.runs.store import RunStore

LATE = 10.0
"""Seconds after a run's end in which its own supervisor publishes it."""
AGAIN = 60.0
"""Seconds after which what could not be published is tried again."""


class CatchUp:
    """One for each server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[Path, tuple[subprocess.Popen[bytes], float]] = {}

    def begin(self, store: RunStore) -> bool:
        """Let what is late in a store be published, if anything is; return whether that goes on now.

        Whoever reads a page meanwhile has nothing to do with what goes wrong here.
        """
        with self._lock, contextlib.suppress(OSError, MlwidgetsError):
            process, since = self._begun.get(store.path, (None, 0.0))
            if process is not None and process.poll() is None:
                return True
            if (process is not None and time.monotonic() - since < AGAIN) or not _is_late(store):
                return False
            command = python_command("mlwidgets.server.catchup", os.fspath(store.path))
            # A server that ends leaves no edition half made.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
            )
            self._begun[store.path] = process, time.monotonic()
            return True
        return False


def _is_late(store: RunStore) -> bool:
    for report in reports(store):
        for run_id in report.pending():
            folder = RunFolder(store.runs / run_id)
            with contextlib.suppress(Exception):  # whatever is wrong with one run must not hide the others
                had_ended = folder.outcome.exists()
                # One that is found dead only now has nobody else who publishes it.
                if settle(folder).ended and not (had_ended and time.time() - folder.outcome.stat().st_mtime < LATE):
                    return True
    return False


def main() -> None:
    """Publish what is late in the store at the path that is given."""
    from mlwidgets.reports.publishing.publish import catch_up

    catch_up(RunStore(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
