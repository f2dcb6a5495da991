"""What supervisors know of sweeps: which process leads one, when that is started again, and that trials end with it."""

from __future__ import annotations

import os
import time

from mlwidgets.errors import UnknownRun
from mlwidgets.runner import SAVING_GRACE
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.state import settle

WORKER_MODULE = "mlwidgets.runner.worker"
CONTROLLER_MODULE = "mlwidgets.sweeps.control.controller"
EXECUTOR_MODULE = "mlwidgets.reports.executing.executor"
_LOOK = 1.0
"""Seconds between two looks of a trial at its sweep."""
_LIVED = 10.0
"""Seconds that a controller has to live for its death to be counted as the first of a row."""
_MOST_DEATHS = 12
WINDING_DOWN = SAVING_GRACE + 60.0
"""Seconds that a sweep has to end after it was interrupted: longer than its controller waits for its trials."""
_LONGEST_PAUSE = 5.0
_NOT_ITS_OWN = frozenset({"submitted", "supervising", "slots", "system", "restarted", "started"})
"""Events of a sweep that its controller did nothing for."""


def module_of(spec: RunSpec) -> str:
    """Return the module that is the worker's process."""
    if spec.report is not None:
        return EXECUTOR_MODULE
    return WORKER_MODULE if spec.sweep is None else CONTROLLER_MODULE


class Restarts:
    """Counts how often a sweep's controller was killed without having got anything done."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._done = self._measure()
        self._begun = time.monotonic()
        self._deaths = 0

    def pause(self) -> float | None:
        """Return the seconds to wait before it is started again; None: it would die again."""
        done, now = self._measure(), time.monotonic()
        if done != self._done or now - self._begun > _LIVED:
            self._deaths = 0
        self._deaths += 1
        if self._deaths > _MOST_DEATHS:
            return None
        seconds = 0.0 if self._deaths == 1 else min(_LONGEST_PAUSE, 0.05 * 3 ** (self._deaths - 2))
        self._done, self._begun = done, now + seconds
        return seconds

    def _measure(self) -> tuple[int, int]:
        events = sum(event["event"] not in _NOT_ITS_OWN for event in read_lines(self._folder.events))
        try:
            return events, self._folder.study.stat().st_size
        except OSError:
            return events, 0


class ItsSweep:
    """The sweep that a run may be a trial of.

    A sweep's controller stops its trials, and so does whoever finds the sweep dead. Where nobody looks, each trial
    itself does.
    """

    def __init__(self, folder: RunFolder, spec: RunSpec) -> None:
        name = spec.trial_of or ""
        # An id that is no folder's name must lead nowhere else.
        known = bool(name) and os.sep not in name and name[0] != "."
        self._folder = RunFolder(folder.path.parent / name) if known else None
        self._looked = time.monotonic()

    @property
    def patience(self) -> float:
        """Seconds after which it is to be looked at again."""
        return float("inf") if self._folder is None else _LOOK

    def is_over(self) -> bool:
        """Whether there is a sweep, and it has ended; looks at most once a second."""
        now = time.monotonic()
        if self._folder is None or now - self._looked < _LOOK:
            return False
        self._looked = now
        try:
            return settle(self._folder).ended
        except UnknownRun:
            return True
        except OSError:
            return False
