"""Follows a sweep: its events, and of its trials what is new; those that have ended are read once more, and no more."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.journal import metric_key, read_lines
from mlwidgets.runs.outline import count, state_of
from mlwidgets.runs.state import END_STATES, STOPPED
from mlwidgets.runs.trials import TERMINATED, WARM_START, Trial, TrialLog
from mlwidgets.views import sweep
from mlwidgets.views.format import json_number
from mlwidgets.views.sweepnumbers import Curve, Numbers
from mlwidgets.views.tracks import size_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlwidgets.runs.run import Run
    from mlwidgets.sweeps.definition import SweepDefinition


@dataclass(frozen=True)
class SweepShot:
    """What a view shows of a sweep at one moment."""

    about: dict[str, Any]
    status: dict[str, Any]
    rows: list[sweep.Row]
    curves: list[Curve]
    importance: dict[str, float] | None

    @property
    def sign(self) -> int:
        """1 where more of the first objective is better, -1 where less is."""
        return -1 if self.about["objectives"][0]["direction"] == "minimize" else 1

    @property
    def metrics(self) -> list[str]:
        """The objectives' names."""
        return [one["metric"] for one in self.about["objectives"]]


class Starts:
    """When the code of trials began: looked for until it is known."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._known: dict[str, float] = {}
        self._sizes: dict[str, int] = {}

    def of(self, trial: Trial) -> float | None:
        """Return it in Unix seconds, None where it has not begun."""
        run = trial.run
        if run is None:
            return None
        if run not in self._known:
            events = RunFolder(self._runs / run).events
            size = size_of(events)
            if size == self._sizes.get(run, 0):
                return None
            self._sizes[run] = size
            begun = next((e["time"] for e in read_lines(events, "started")), None)
            if begun is None:
                return None
            self._known[run] = begun
        return self._known[run]


class SweepFeed:
    """Reads a sweep again and again: each byte of its events and of the numbers of running trials once.

    Parameters
    ----------
    run
        The sweep.
    asked
        Its definition.
    """

    def __init__(self, run: Run, asked: SweepDefinition) -> None:
        self._name, self._asked = run.name, asked
        self._runs = run.path.parent
        self._about = sweep.about(asked)
        self._keys = [metric_key(one.metric) for one in asked.objectives]
        self._log = TrialLog(RunFolder(run.path).events)
        self._starts = Starts(self._runs)
        self._rows: dict[int, sweep.Row] = {}
        self._states: dict[int, str] = {}
        self._numbers: dict[int, Numbers] = {}
        self._open: set[int] = set()
        self._status: dict[str, Any] = {}
        self._said: dict[str, Any] = {}
        self._over = False

    @property
    def status(self) -> dict[str, Any]:
        """How far it was when one last looked."""
        return self._status

    def changes(self, *, ended: bool) -> dict[str, Any]:
        """Return what is new since the last call; everything the first time, nothing where nothing is.

        Parameters
        ----------
        ended
            Whether the sweep has, as one found before this call.
        """
        version = self._log.version
        changed = self._log.advance()
        if ended and not self._over:
            changed |= self._open
        turned = self._log.version != version or ended != self._over or not self._status
        self._over = ended
        rows, curves = [], []
        for number in sorted(changed | self._open):
            trial = self._log.trials[number]
            grown = self._read(trial)
            if grown or number in changed or self._begins(trial):
                before = self._states.get(number)
                rows.append(self._update(trial))
                turned |= self._states[number] != before
            if grown:
                curves.append(self._numbers[number].next(number))
        found: dict[str, Any] = {}
        if rows:
            found["trials"] = rows
        if curves:
            found["curves"] = curves
        if turned:
            status = self._read_status()
            if _without_time(status) != _without_time(self._status):
                found["status"] = status
                self._status = status
        said = {"about": self._about, "importance": self._log.importance}
        found.update({key: value for key, value in said.items() if key not in self._said or self._said[key] != value})
        self._said = said
        return found

    def full(self) -> dict[str, Any]:
        """Return everything as it was when one last looked."""
        return {
            "about": self._about,
            "status": self._status,
            "trials": [self._rows[number] for number in sorted(self._rows)],
            "curves": [self._numbers[number].whole(number) for number in sorted(self._numbers)],
            "importance": self._log.importance,
        }

    def shot(self) -> SweepShot:
        """Return the same for a still view."""
        numbers = sorted(self._rows)
        curves = [self._numbers[number].curve(number) for number in numbers if number in self._numbers]
        rows = [self._rows[number] for number in numbers]
        return SweepShot(self._about, self._status, rows, curves, self._log.importance)

    def _read(self, trial: Trial) -> bool:
        """Read what is new of a trial's numbers; return whether there is anything."""
        if trial.run is None or trial.by == WARM_START:
            return False
        folder = RunFolder(self._runs / trial.run)
        upto = (trial.why or {}).get("interval")
        known = self._numbers.get(trial.number)
        if known is not None and known.folder == folder:
            return known.advance(upto)
        retried = bool(self._asked.resources.get("retries"))
        fresh = Numbers(folder, self._keys, self._asked.objectives[0].sign, retried=retried)
        # Begun anew it is another run, and what the first one had logged counts no more.
        if fresh.advance(upto) or known is not None:
            self._numbers[trial.number] = fresh
            return True
        return False

    def _begins(self, trial: Trial) -> bool:
        """Whether the code of a trial has begun since one last looked."""
        return self._states[trial.number] == "waiting" and self._starts.of(trial) is not None

    def _update(self, trial: Trial) -> sweep.Row:
        outcome: dict[str, Any] = {}
        own = trial.by != WARM_START
        if own and trial.run is not None and (trial.is_over or self._over):
            outcome = read_json(RunFolder(self._runs / trial.run).outcome) or {}
        started = _time(outcome.get("started_at")) or (self._starts.of(trial) if own else None)
        ended = _time(outcome.get("ended_at")) or trial.ended
        state = state_of(trial, begun=started is not None, ended=self._over)
        if not trial.is_over and outcome.get("state") in END_STATES:
            # The sweep ended before it could say so.
            state = TERMINATED if trial.why and outcome["state"] == STOPPED else outcome["state"]
        one = sweep.row(trial, self._name, state, started=started, ended=ended)
        if (numbers := self._numbers.get(trial.number)) is not None:
            one["reports"], one["best"] = numbers.n, json_number(numbers.best)
            if one["values"] is None and numbers.n:
                one["values"] = numbers.last
        elif one["values"]:
            one["best"] = one["values"][0]
        self._rows[trial.number], self._states[trial.number] = one, state
        (self._open.discard if trial.is_over or self._over else self._open.add)(trial.number)
        return one

    def _read_status(self) -> dict[str, Any]:
        own = {number: state for number, state in self._states.items() if self._rows[number]["by"] != WARM_START}
        return sweep.status(
            self._asked,
            self._log.trials,
            self._rows,
            count(own.values()),
            paused=self._log.paused,
            concurrent=self._log.concurrent,
            begun=min((one["started"] for n, one in self._rows.items() if n in own and one["started"]), default=None),
            now=time.time(),
            ended=self._over,
        )


def _time(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _without_time(status: dict[str, Any]) -> dict[str, Any]:
    """Return what has to differ for a status to be news; the time that remains passes by itself."""
    return {key: value for key, value in status.items() if key != "at"}
