"""A run that goes on, as lists show it: looked at often, and each byte of its metrics read once."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import asdict, replace
from typing import Any

from mlwidgets.runs.checkpoints import gone_on_from
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import annotated, attempt_of, summarize
from mlwidgets.runs.outline import outline, state_of
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import RUNNING
from mlwidgets.runs.trials import WAITING, WARM_START, TrialLog
from mlwidgets.server.numbers import Numbers
from mlwidgets.sweeps.definition import SweepDefinition
from mlwidgets.views.format import json_number
from mlwidgets.views.progress import progress
from mlwidgets.views.sweep import definition_of, progress_of
from mlwidgets.views.sweepfeed import Starts
from mlwidgets.views.sweeppace import RECENT, remaining

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
        asked = definition_of(run) if self._base.sweep else None
        self._sweep = Trials(run, asked) if asked else None
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
                if self._sweep and (sweep := self._sweep.look(ended=self.summary.ended)) != self.summary.sweep:
                    self.summary, turned = replace(self.summary, sweep=sweep), True
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
            sweep=self.summary.sweep,
        )
        summary = annotated(summary, self._folder)
        stopping = not outcome.ended and self._folder.stop_request.exists()
        same = summary == self.summary and stopping == self.stopping
        self.summary, self.stopping = summary, stopping
        return not same

    def _progress(self) -> dict[str, Any] | None:
        if self.summary.ended:
            return None
        if self._sweep:
            return self._sweep.progress(self.summary.started_at)
        before = gone_on_from(self._folder)
        found = progress(self._run.params, self._numbers.by_name, self.summary.started_at, before)
        if found is None:
            return None
        return {name: json_number(v) if isinstance(v, float) else v for name, v in asdict(found).items()}


class Trials:
    """Those of a sweep that goes on, each event read once."""

    def __init__(self, run: Run, asked: SweepDefinition) -> None:
        assert run.spec.sweep is not None
        self._json, self._asked = run.spec.sweep, asked
        self._log = TrialLog(RunFolder(run.path).events)
        self._starts = Starts(run.path.parent)
        self._outline: dict[str, Any] = {}

    def look(self, *, ended: bool) -> dict[str, Any]:
        """Return what a list says of the sweep."""
        self._log.advance()
        self._outline = outline(self._log, self._json, lambda one: self._starts.of(one) is not None, ended=ended)
        return self._outline

    def progress(self, begun: float | None) -> dict[str, Any] | None:
        """Return how far it is, as it was when one last looked; `begun`: when its first trial was, Unix seconds."""
        now, counts = time.time(), self._outline["counts"]
        own = [one for one in self._log.trials.values() if one.by != WARM_START]
        ended = sorted((one for one in own if one.is_over), key=lambda one: one.ended or 0.0)[-RECENT:]
        rows = [
            {
                "state": state_of(one, begun=(at := self._starts.of(one)) is not None, ended=False),
                "submitted": one.submitted,
                "started": at,
                "ended": one.ended,
            }
            for one in [*ended, *(one for one in own if not one.is_over)]
        ]
        concurrent = self._log.concurrent or self._asked.limits.concurrent or max(1, counts[RUNNING] + counts[WAITING])
        left = (
            None
            if self._log.paused
            else remaining(self._asked, rows, counts, concurrent, begun, now, self._outline["planned"])
        )
        return progress_of({**self._outline, "remaining": left, "at": now})


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
