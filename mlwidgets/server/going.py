"""A run that goes on, as lists show it: looked at often, and each byte of its metrics read once."""

from __future__ import annotations

import os
import threading
from dataclasses import asdict, replace
from typing import Any

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import annotated, attempt_of, summarize
from mlwidgets.runs.run import Run
from mlwidgets.server.numbers import Numbers
from mlwidgets.views.format import json_number
from mlwidgets.views.progress import progress

LIVENESS = 1.0
"""Seconds between two looks at whether its processes live: a kill changes no file."""
CALM = 0.18
"""Seconds between two readings of its numbers."""


class Going:
    """One run.

    Attributes
    ----------
    summary : RunSummary
        As of the last look.
    stopping : bool
        Whether somebody asked it to stop.
    progress : dict or None
        How far it has come, fit for JSON.
    version, turns : int
        How often a look has found anything, and how often more than numbers: there may be several who look.

    Raises
    ------
    UnknownRun
        If the folder is damaged.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._folder = folder = RunFolder(run.path)
        self._base = summarize(run)
        self._numbers = Numbers(folder)
        self._paths = tuple(map(os.fspath, (folder.path, folder.events, folder.requests)))
        self._metrics = os.fspath(folder.metrics)
        self._signs: tuple[int, ...] = ()
        self._size = -1
        self._due = self._calm = 0.0
        self._lock = threading.Lock()
        self.summary = self._base
        self.stopping = False
        self.progress: dict[str, Any] | None = None
        self.version = self.turns = 0

    def look(self, now: float, *, fresh: bool = False) -> None:
        """Read what is new; `now` is a monotonic time in seconds, `fresh`: numbers, too, however new the last ones are.

        Raises
        ------
        UnknownRun
            If the folder is gone.
        """
        with self._lock:
            turned = grown = False
            signs = tuple(map(_sign, self._paths))
            if signs != self._signs or now >= self._due:
                self._signs, self._due = signs, now + LIVENESS
                turned = self._look_at_state()
            if turned or fresh or now >= self._calm:
                # After the state: once that is an end, these numbers are the last ones.
                size = _size(self._metrics)
                if size != self._size:
                    self._size, self._calm = size, now + CALM
                    grown = self._numbers.advance()
            if grown:
                self.summary = replace(self.summary, metrics=self._numbers.last())
            if turned or grown:
                self.progress = self._progress()
                self.version += 1
                self.turns += turned

    def _look_at_state(self) -> bool:
        outcome = self._run.outcome
        summary = replace(
            self._base,
            state=outcome.state,
            cause=outcome.cause,
            started_at=outcome.started_at,
            ended_at=outcome.ended_at,
            attempt=attempt_of(self._folder),
            metrics=self.summary.metrics,
        )
        summary = annotated(summary, self._folder)
        stopping = not outcome.ended and self._folder.stop_request.exists()
        same = summary == self.summary and stopping == self.stopping
        self.summary, self.stopping = summary, stopping
        return not same

    def _progress(self) -> dict[str, Any] | None:
        if self.summary.ended:
            return None
        found = progress(self._run.params, self._numbers.by_name, self.summary.started_at)
        if found is None:
            return None
        return {name: json_number(v) if isinstance(v, float) else v for name, v in asdict(found).items()}


def _sign(path: str) -> int:
    try:
        found = os.stat(path)
    except OSError:
        return -1
    return found.st_mtime_ns ^ found.st_size


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1
