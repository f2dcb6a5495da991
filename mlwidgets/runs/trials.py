"""The trials of a sweep, as the events in its folder tell of them: each line is read once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import parse_line, read_new_lines
from mlwidgets.runs.spec import parse_literal
from mlwidgets.runs.state import END_STATES, FINISHED

OPEN, GIVEN_BACK, TERMINATED, WAITING = "open", "given_back", "terminated", "waiting"
TRIAL_ENDS = END_STATES | {TERMINATED}
SAMPLER, HAND, WARM_START = "sampler", "hand", "warm-start"


@dataclass
class Trial:
    """One trial, as of the last event about it.

    Attributes
    ----------
    number
        From 0, in the order of the search.
    run
        Id of its run; None for one that was taken over and has none in this store.
    params
        What was chosen for it. A value that is no Python literal is its text.
    by
        Who chose: ``sampler``, ``hand`` or ``warm-start``, which is a result of an earlier run.
    name
        Of the run that it was taken over from, None for the sweep's own.
    state
        ``open`` from its first event on, ``given_back`` while it waits for slots that it had before, then how it
        ended: ``terminated`` where the policy ended it.
    values
        One for each objective, once it has ended.
    why
        Why the policy ended it, or has asked it to end.
    attempts
        How often it was begun.
    submitted, ended
        Unix seconds.
    """

    number: int
    run: str | None
    params: dict[str, Any]
    by: str
    submitted: float
    name: str | None = None
    state: str = OPEN
    values: list[float] | None = None
    cause: str | None = None
    why: dict[str, Any] | None = None
    attempts: int = 1
    ended: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether this is how it stays."""
        return self.state in TRIAL_ENDS

    @property
    def is_result(self) -> bool:
        """Whether it finished with values that others can be compared with."""
        return self.state == FINISHED and bool(self.values) and all(map(math.isfinite, self.values or ()))


@dataclass
class TrialLog:
    """Follows the events of one sweep.

    Attributes
    ----------
    trials
        By number.
    paused
        Why the sweep rests, None while it does not.
    concurrent
        How many run at once since somebody changed it, None before.
    importance
        How much of the result each parameter explains, None as long as nobody knows.
    version
        How often `advance` has found anything about trials or the sweep.
    """

    path: Path
    trials: dict[int, Trial] = field(default_factory=dict)
    paused: str | None = None
    concurrent: int | None = None
    importance: dict[str, float] | None = None
    version: int = 0
    _read: int = 0

    def advance(self) -> set[int]:
        """Read what is new; return the numbers of the trials that it is about."""
        changed: set[int] = set()
        found = False
        lines, self._read = read_new_lines(self.path, self._read)
        for line in lines:
            # Most lines of a long journal are about something else.
            event = parse_line(line)
            tell = _EVENTS.get(event["event"]) if event else None
            if event is None or tell is None:
                continue
            found = True
            number = tell(self, event)
            if number is not None:
                changed.add(number)
        self.version += found
        return changed

    def _begun(self, event: dict[str, Any]) -> int | None:
        number = _number(event)
        if number is None:
            return None
        trial = self.trials.get(number)
        if trial is None:
            by = HAND if event.get("by") == HAND else SAMPLER
            trial = Trial(number, None, _params(event.get("params")), by, event["time"])
            self.trials[number] = trial
        if trial.is_over:
            return None
        trial.run, trial.state, trial.why = _run_id(event.get("run")), OPEN, None
        trial.attempts = _whole(event.get("attempt")) or trial.attempts
        return number

    def _taken_over(self, event: dict[str, Any]) -> int | None:
        number = _number(event)
        if number is None or number in self.trials:
            return None
        at = event["time"]
        trial = Trial(number, _run_id(event.get("run")), _params(event.get("params")), WARM_START, at, ended=at)
        trial.name, trial.state, trial.values = _text(event.get("name")), FINISHED, _values(event.get("values"))
        self.trials[number] = trial
        return number

    def _terminating(self, event: dict[str, Any]) -> int | None:
        trial = self._open(event)
        if trial is None:
            return None
        trial.why = _mapping(event.get("why"))
        return trial.number

    def _ended(self, event: dict[str, Any]) -> int | None:
        trial = self._open(event)
        if trial is None or _text(event.get("state")) not in TRIAL_ENDS:
            return None
        trial.state, trial.values, trial.ended = event["state"], _values(event.get("values")), event["time"]
        trial.cause, trial.why = _text(event.get("cause")), _mapping(event.get("why"))
        trial.run = _run_id(event.get("run")) or trial.run
        return trial.number

    def _gave_back(self, event: dict[str, Any]) -> int | None:
        trial = self._open(event)
        if trial is None:
            return None
        trial.state = GIVEN_BACK
        return trial.number

    def _pause(self, event: dict[str, Any]) -> None:
        self.paused = _text(event.get("why")) or "paused"

    def _resume(self, _event: dict[str, Any]) -> None:
        self.paused = None

    def _limit(self, event: dict[str, Any]) -> None:
        self.concurrent = _whole(event.get("n")) or self.concurrent

    def _weigh(self, event: dict[str, Any]) -> None:
        shares = event.get("values")
        if isinstance(shares, dict):
            read = {name: _float(share) for name, share in shares.items()}
            self.importance = {n: share for n, share in read.items() if share is not None and math.isfinite(share)}

    def _open(self, event: dict[str, Any]) -> Trial | None:
        number = _number(event)
        trial = None if number is None else self.trials.get(number)
        return None if trial is None or trial.is_over else trial


_EVENTS: dict[str, Callable[[TrialLog, dict[str, Any]], int | None]] = {
    "trial": TrialLog._begun,
    "earlier": TrialLog._taken_over,
    "terminating": TrialLog._terminating,
    "trial_ended": TrialLog._ended,
    "given_back": TrialLog._gave_back,
    "paused": TrialLog._pause,
    "resumed": TrialLog._resume,
    "concurrent": TrialLog._limit,
    "importance": TrialLog._weigh,
}


def read_log(folder: Path) -> TrialLog:
    """Return what the events of a sweep's folder tell at this moment."""
    log = TrialLog(RunFolder(Path(folder)).events)
    log.advance()
    return log


def read_trials(folder: Path) -> list[Trial]:
    """Return the trials of a sweep by their numbers."""
    trials = read_log(folder).trials
    return [trials[number] for number in sorted(trials)]


def signs(sweep: Mapping[str, Any]) -> list[int]:
    """Return for each objective of a definition 1 where more is better, -1 where less is."""
    return [-1 if one["direction"] == "minimize" else 1 for one in sweep["objectives"]]


def best(trials: Iterable[Trial], sign: int) -> Trial | None:
    """Return the finished trial with the best value of the only objective, of equal ones the first.

    What was taken over from earlier runs is none of the sweep's own: its best is what it has found itself.
    """
    results = [one for one in trials if one.is_result and one.by != WARM_START]
    return max(results, key=lambda one: (sign * (one.values or [0.0])[0], -one.number), default=None)


def front(trials: Iterable[Trial], signs: Sequence[int]) -> list[Trial]:
    """Return the finished trials that no other one surpasses in all objectives: the Pareto front, the best first.

    One surpasses another if it is at least as good in each objective and better in one.
    """
    own = [one for one in trials if one.is_result and one.by != WARM_START]
    results = [one for one in own if len(one.values or ()) == len(signs)]
    goods = {one.number: tuple(s * v for s, v in zip(signs, one.values or (), strict=True)) for one in results}
    results.sort(key=lambda one: (goods[one.number], -one.number), reverse=True)
    kept: list[Trial] = []
    # Whatever surpasses a trial comes before it in this order.
    for one in results:
        mine = goods[one.number]
        others = (goods[other.number] for other in kept)
        if not any(g != mine and all(a >= b for a, b in zip(g, mine, strict=True)) for g in others):
            kept.append(one)
    return kept


def _number(event: dict[str, Any]) -> int | None:
    number = event.get("number")
    return number if isinstance(number, int) and not isinstance(number, bool) and number >= 0 else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _run_id(value: Any) -> str | None:
    """Return an id that can be a folder's name, and no path out of the store."""
    return value if isinstance(value, str) and value and os.sep not in value and not value.startswith(".") else None


def _mapping(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _float(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except OverflowError:  # an int that is too big for a float
        return None


def _values(given: Any) -> list[float] | None:
    values = [_float(one) for one in given] if isinstance(given, list) else []
    return [one for one in values if one is not None] if values and None not in values else None


def _params(given: Any) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for name, text in (given if isinstance(given, dict) else {}).items():
        try:
            params[name] = parse_literal(text) if isinstance(text, str) else text
        except ValueError:
            params[name] = text
    return params
