"""When a sweep has come to its end, or rests: decided from what its trials came to, with nothing read or written."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from mlwidgets.runner.devices import Inventory
from mlwidgets.runner.need import quarters
from mlwidgets.runs.spec import Resources
from mlwidgets.runs.state import FAILED, FINISHED, KILLED, TIMEOUT
from mlwidgets.runs.trials import TERMINATED, Trial
from mlwidgets.sweeps.definition import BEST, Limits, Objective

FAILURES = frozenset({FAILED, KILLED, TIMEOUT})
_VARIABLE_PARTS = re.compile(r"0x[0-9a-fA-F]+|\d+(\.\d+)?(e[+-]?\d+)?")


def value_of(values: Sequence[float], which: str, sign: int) -> float | None:
    """Return which of its logged values stands for a trial; None if it has none that is a number.

    Parameters
    ----------
    which
        ``last`` or ``best``.
    sign
        1 where more is better, -1 where less is.
    """
    if which == BEST:
        return max((value for value in values if math.isfinite(value)), key=lambda value: sign * value, default=None)
    return values[-1] if values and math.isfinite(values[-1]) else None


def room(resources: Resources, machine: Inventory) -> int:
    """Return how many runs with these resources the machine has room for at once; one at least."""
    wanted = quarters(resources.gpus)
    places = [machine.cpus // resources.cpus] if resources.cpus else []
    if 0 < wanted < 4:
        places.append(len(machine.gpus) * (4 // wanted))
    elif wanted:
        places.append(len(machine.usable(resources.gpus)) // (wanted // 4))
    return max(1, min(places, default=machine.cpus))


def kind_of_failure(trial: Trial) -> str:
    """Return what is the same for failures of one cause: the end and its cause, but for numbers and addresses."""
    return f"{trial.state}: {_VARIABLE_PARTS.sub('#', trial.cause or '')}"


def repeated_failure(ended: Sequence[Trial], most: int) -> str | None:
    """Return why a sweep is to rest, if the last `most` trials have failed of one cause.

    Parameters
    ----------
    ended
        Those that have ended since the sweep last went on, in the order of their ends.
    """
    last = ended[-most:] if most > 0 else []
    if len(last) < most or not last or any(trial.state not in FAILURES for trial in last):
        return None
    if len({kind_of_failure(trial) for trial in last}) > 1:
        return None
    cause = last[-1].cause or last[-1].state
    return f"{len(last)} trials in a row failed of one cause: {cause}" if len(last) > 1 else f"a trial failed: {cause}"


def bests(ended: Sequence[Trial], sign: int) -> list[Trial | None]:
    """Return for each trial, in the order of their ends, the best one that had finished by then."""
    found: list[Trial | None] = []
    best: Trial | None = None
    for trial in ended:
        if trial.is_result and (best is None or sign * _value(trial) > sign * _value(best)):
            best = trial
        found.append(best)
    return found


def _value(trial: Trial) -> float:
    return (trial.values or [math.nan])[0]


def reached(limits: Limits, objective: Objective, ended: Sequence[Trial]) -> str | None:
    """Return why a sweep is at its end, if what its trials came to is reason enough.

    Parameters
    ----------
    ended
        All that have ended, in the order of their ends.
    """
    best = bests(ended, objective.sign)
    last = best[-1] if best else None
    if last is not None and limits.target is not None:
        value = _value(last)
        if objective.sign * value >= objective.sign * limits.target:
            return f"target {limits.target:g} reached by trial {last.number}: {objective.metric} {value:g}"
    if limits.patience is not None:
        counted = [(trial, at) for trial, at in zip(ended, best, strict=True) if trial.state in {FINISHED, TERMINATED}]
        behind = 0
        for trial, at in reversed(counted):
            if at is None or at is trial:
                break
            behind += 1
        if behind >= limits.patience:
            return f"no better {objective.metric} in {behind} trials"
    return None


def used_up(limits: Limits, running: float, gpu_seconds: float) -> str | None:
    """Return why a sweep is at its end, if it has had its time.

    Parameters
    ----------
    running
        Seconds since the first trial's start.
    gpu_seconds
        Of all trials together.
    """
    if limits.time is not None and running >= limits.time:
        return f"its time of {limits.time:g} s is over"
    if limits.gpu_hours is not None and gpu_seconds >= 3600 * limits.gpu_hours:
        return f"its {limits.gpu_hours:g} GPU hours are used up"
    return None
