"""A sweep in a few numbers, as lists of runs tell of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlwidgets.runs.state import FAILED, FINISHED, RUNNING, STOPPED
from mlwidgets.runs.trials import GIVEN_BACK, HAND, TERMINATED, WAITING, WARM_START, Trial, TrialLog, best, signs

COUNTED = (RUNNING, WAITING, FINISHED, TERMINATED, FAILED, STOPPED, GIVEN_BACK)
WORDS = {TERMINATED: "ended early", GIVEN_BACK: "given back"}
"""States that a person calls otherwise."""
ALL_ENDED = "all trials have ended"
"""How the cause of a sweep that came to its end as it was asked to begins."""


def ending(state: str, cause: str | None) -> str | None:
    """Return why a sweep finished, if it was not because all its trials had ended."""
    return cause if state == FINISHED and cause and not cause.startswith(ALL_ENDED) else None


def state_of(trial: Trial, *, begun: bool, ended: bool) -> str:
    """Return a trial's state as it is counted.

    Parameters
    ----------
    begun
        Whether its code has, where it is open.
    ended
        Whether the sweep has: what it left open was stopped then.
    """
    if trial.is_over:
        return trial.state
    if ended:
        return STOPPED
    return GIVEN_BACK if trial.state == GIVEN_BACK else RUNNING if begun else WAITING


def count(states: Iterable[str]) -> dict[str, int]:
    """Count trials by their states; one that was killed or ran out of time has failed."""
    counts = dict.fromkeys(COUNTED, 0)
    for state in states:
        counts[state if state in counts else FAILED] += 1
    return counts


def number_ended(counts: Mapping[str, int]) -> int:
    """Return how many trials have ended, of what `count` gave."""
    return sum(counts[state] for state in (FINISHED, TERMINATED, FAILED, STOPPED))


def number_planned(asked: int, trials: Iterable[Trial]) -> int:
    """Return how many trials there are to be: those that were asked for, and those that people have added."""
    return asked + sum(trial.by == HAND for trial in trials)


def outline(
    log: TrialLog, sweep: Mapping[str, Any], begun: Callable[[Trial], bool] = lambda _: True, *, ended: bool
) -> dict[str, Any]:
    """Return what a list says of a sweep, fit for JSON: objectives, counts, the best.

    Parameters
    ----------
    sweep
        Its definition, as in the spec.
    begun
        Whether the code of a trial that is open has.
    ended
        Whether the sweep has.

    Raises
    ------
    KeyError, TypeError, AttributeError
        If `sweep` is none.
    """
    directions = signs(sweep)
    own = [trial for trial in log.trials.values() if trial.by != WARM_START]
    found = best(log.trials.values(), directions[0]) if len(directions) == 1 else None
    return {
        "objectives": [{"metric": str(one["metric"]), "direction": one["direction"]} for one in sweep["objectives"]],
        "planned": number_planned(asked, own) if isinstance(asked := sweep["limits"]["trials"], int) else None,
        "counts": count(state_of(one, begun=one.is_over or begun(one), ended=ended) for one in own),
        "best": None if found is None else found.values,
        "best_trial": None if found is None else found.number,
        "paused": None if ended else log.paused,
    }
