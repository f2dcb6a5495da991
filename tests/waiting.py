"""Waiting for what is bound to happen, and the processes that a run has."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psutil

from mlwidgets.runs.run import Run


def until(condition: Callable[[], Any], what: str = "it", seconds: float = 120) -> Any:
    """Wait for something true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:g} s"
        time.sleep(0.02)
    return found


def processes_of(run: Run) -> list[psutil.Process]:
    """Return every process that names the run folder in its command line or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            named = str(run.path) in " ".join(process.cmdline())
            inside = process.environ().get("MLWIDGETS_RUN_FOLDER") == str(run.path)
            dead = process.status() == psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            continue
        if (named or inside) and not dead and process != psutil.Process():
            found.append(process)
    return found
