"""How long a sweep will still take, and what early termination has saved of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.outline import number_ended
from mlwidgets.runs.state import FINISHED, RUNNING
from mlwidgets.runs.trials import TERMINATED, WAITING

if TYPE_CHECKING:
    from mlwidgets.sweeps.definition import SweepDefinition

STARTING = 3.0
"""Seconds that the start of a trial takes at most where it need not wait."""
RECENT = 50
"""Trials that ended last, by which the time that remains is judged."""


def remaining(
    asked: SweepDefinition,
    rows: Iterable[Mapping[str, Any]],
    counts: Mapping[str, int],
    concurrent: int,
    begun: float | None,
    now: float,
    planned: int | None = None,
) -> float | None:
    """Return the seconds until the last trial ends, if those to come take as long as the last ones did.

    Parameters
    ----------
    rows
        ``state``, ``submitted``, ``started`` and ``ended`` of the sweep's own trials, at least of those that have not
        ended and of the last ones that have.
    counts
        All of them by state.
    concurrent
        How many may run at once.
    begun
        When the first trial did; times in Unix seconds.
    planned
        How many trials there are in all; as many as were asked for if None.

    Returns
    -------
    float or None
        None where it is too early to tell.
    """
    rows = list(rows)
    ended = sorted((one for one in rows if _took(one) is not None), key=lambda one: float(one["ended"]))
    limit = asked.limits.time
    until = max(0.0, begun + limit - now) if limit is not None and begun is not None else None
    if not ended:
        return until
    lengths = [_took(one) or 0.0 for one in ended[-RECENT:]]
    each = sum(lengths) / len(lengths)
    under_way = [max(0.0, each - (now - one["started"])) for one in rows if one["state"] == RUNNING and one["started"]]
    to_begin = max(0, (planned or asked.limits.trials) - number_ended(counts) - counts[RUNNING])
    # One that was submitted a moment ago is about to begin; the others wait for a place. Where none waits, the one that
    # comes after the last end is not submitted yet.
    beginning = sum(one["state"] == WAITING and now - one["submitted"] < STARTING for one in rows)
    at_once = max(1, min(concurrent, counts[RUNNING] + (beginning if counts[WAITING] else 1)))
    left: float = max([(sum(under_way) + each * to_begin) / at_once, *under_way])
    return left if until is None else min(left, until)


def _took(one: Mapping[str, Any]) -> float | None:
    """Return how long a trial ran, None where it has not ended or never began."""
    began, ended = one["started"], one["ended"]
    return None if began is None or ended is None else max(0.0, float(ended) - float(began))


def saved(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what early termination has saved: each trial that was ended early is held against a finished one.

    The measure is the median of the finished trials, in intervals and in seconds. The share is that of the seconds
    which all trials would have taken otherwise. None as long as no trial has finished.
    """
    from statistics import median

    rows = [one for one in rows if _took(one) is not None]
    whole = [one for one in rows if one["state"] == FINISHED]
    if not whole:
        return None
    reports, length = median(one["reports"] for one in whole), median(_took(one) or 0.0 for one in whole)
    cut = [one for one in rows if one["state"] == TERMINATED]
    seconds = sum(max(0.0, length - (_took(one) or 0.0)) for one in cut)
    spent = sum(_took(one) or 0.0 for one in rows)
    return {
        "intervals": round(sum(max(0.0, reports - one["reports"]) for one in cut)),
        "seconds": seconds,
        "share": seconds / (spent + seconds) if spent + seconds > 0 else 0.0,
    }
