"""A trial whose run has not ended, as the controller sees it."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Sequence
from typing import Any

from mlwidgets.errors import UnknownRun
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.state import FAILED, FINISHED, KILLED, STOPPED, Outcome, read_outcome, settle
from mlwidgets.runs.trials import TERMINATED, Trial
from mlwidgets.sweeps.control.curves import Following
from mlwidgets.sweeps.control.limits import value_of
from mlwidgets.sweeps.definition import SweepDefinition

_LOOK = 0.5
"""Seconds between two looks whether the processes of a run that says nothing still live."""


class Live:
    """One such trial.

    Parameters
    ----------
    trial
        As the events tell of it.
    folder
        Of its present run.
    curious
        Whether to take note of metrics that are no objectives.

    Attributes
    ----------
    why
        Why the policy has ended it.
    given_back
        Whether it was asked to give its slots back, and will begin anew.
    judged
        Of which attempt the curve is that was judged last.
    """

    def __init__(self, trial: Trial, folder: RunFolder, definition: SweepDefinition, *, curious: bool) -> None:
        self.number = trial.number
        self.run = folder.id
        self.folder = folder
        self.why: dict[str, Any] | None = None
        self._verdict: list[float] | None = None
        self.given_back = False
        self.judged = 0
        self._running_since: float | None = None
        self.following = Following(folder, [one.metric for one in definition.objectives], curious=curious)
        self._definition = definition
        self._looked = time.monotonic()
        self._worker: int | None = None
        self._death: int | None = None

    def close(self) -> None:
        """Close what is open."""
        self.following.close()
        self._forget_worker()

    @property
    def started_at(self) -> float | None:
        """Unix seconds at which its code began."""
        return self.following.started_at

    @property
    def progress(self) -> int:
        """How many values of the first objective it has logged."""
        return len(self.following.points[0].values)

    def advance(self) -> bool:
        """Read what is new; return whether there was anything."""
        news = self.following.advance()
        if self.started_at is None:
            self._running_since = None
        elif self._running_since is None:
            self._running_since = time.monotonic() - max(0.0, time.time() - self.started_at)
        return news

    @property
    def running_time(self) -> float:
        """Seconds since its code began; a clock that is set meanwhile changes nothing."""
        return 0.0 if self._running_since is None else time.monotonic() - self._running_since

    def watched(self) -> int | None:
        """Return a descriptor that can be read as soon as the worker has ended; None where there is no such thing."""
        pid = self.following.worker
        if pid != self._worker:
            self._forget_worker()
            self._worker = pid
            if pid is not None and hasattr(os, "pidfd_open"):
                with contextlib.suppress(OSError):
                    self._death = os.pidfd_open(pid)
        return self._death

    def hear_of_death(self) -> None:
        """Let go of a worker that has ended; how, its supervisor will tell in a moment."""
        if self._death is not None:
            os.close(self._death)
            self._death = None

    def _forget_worker(self) -> None:
        self.hear_of_death()
        self._worker = None

    def outcome(self) -> Outcome | None:
        """Return how its run ended, None while it goes on."""
        if self.folder.outcome.exists():
            return read_outcome(self.folder)
        if time.monotonic() - self._looked < _LOOK:
            return None
        self._looked = time.monotonic()
        try:
            outcome = settle(self.folder)
        except UnknownRun:
            return Outcome(KILLED, "its run was deleted", self.started_at, time.time())
        return outcome if outcome.ended else None

    def terminate(self, why: dict[str, Any]) -> None:
        """Take note of the policy's verdict: what it logs after that point does not count."""
        self.why = why
        self._verdict = self._values(why.get("interval"))

    def _values(self, upto: int | None = None) -> list[float] | None:
        """Return its value of each objective; None if one is lacking or no number."""
        definition = self._definition
        found = [
            value_of(points.values[:upto], definition.value, one.sign)
            for points, one in zip(self.following.points, definition.objectives, strict=True)
        ]
        return None if None in found else [value for value in found if value is not None]

    def end(self, outcome: Outcome) -> tuple[str, list[float] | None, str | None]:
        """Return state, values and cause of the trial, whose run ended so."""
        if self.why is not None:
            # Also where its process had finished by the time the verdict reached it: see `Judge`.
            return TERMINATED, self._verdict, f"ended early: {self.why['rule']}"
        if outcome.state == STOPPED and (outcome.cause or "").startswith("not started: "):
            return FAILED, None, outcome.cause
        if outcome.state != FINISHED:
            return outcome.state, None, outcome.cause
        values = self._values()
        if values is not None:
            return FINISHED, values, outcome.cause
        if all(points.values for points in self.following.points):
            # It diverged, which is a result: the search is to stay away from there.
            return FINISHED, [points.values[-1] for points in self.following.points], self._flaw()
        return FAILED, None, self._flaw()

    def _flaw(self) -> str:
        """Say what is wrong with the values of a run that finished."""
        for points, one in zip(self.following.points, self._definition.objectives, strict=True):
            if not points.values:
                return f"it never logged {one.metric!r}"
            if not math.isfinite(points.values[-1]):
                return f"the last {one.metric!r} that it logged is {points.values[-1]}"
        return "its result is no number"


def logged(live: Live, metrics: Sequence[str]) -> list[str]:
    """Return which of the objectives a trial has logged."""
    return [name for name, points in zip(metrics, live.following.points, strict=True) if points.values]
