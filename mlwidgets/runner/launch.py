"""Starts a run's supervisor, so that it outlives whoever starts it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import write_event


def launch(folder: RunFolder) -> None:
    """Start the supervisor in a session of its own; return at once.

    Raises
    ------
    OSError
        If no process can be started.
    """
    with open(folder.supervisor_log, "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlwidgets.runner.supervisor", str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    # Somebody has to take the exit status, or the dead supervisor would look alive as a zombie.
    threading.Thread(target=process.wait, name=f"mlwidgets-{folder.id}", daemon=True).start()
    with contextlib.suppress(OSError):
        # On a full disk the supervisor runs all the same, and its lock tells of it.
        write_event(folder.events, "submitted", supervisor=process.pid)
