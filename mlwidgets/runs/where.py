"""Runs that fit a condition, in an order: ``lr < 1e-3 and state == 'finished'``, sorted by ``val_accuracy``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from math import isnan
from typing import Any

from mlwidgets.runs.expressions import Expression
from mlwidgets.runs.index import RunSummary
from mlwidgets.runs.operands import NUMBER


def select(
    summaries: Sequence[RunSummary],
    where: str | None = None,
    sort: str | None = None,
    *,
    better: Callable[[str], int] | None = None,
    reverse: bool = False,
    now: float | None = None,
) -> list[RunSummary]:
    """Return the runs that fit a condition, in an order.

    Parameters
    ----------
    where
        The condition; all runs without one.
    sort
        What to sort by, in the same words: the smallest first, or, where it is a name of which `better` knows that
        higher values are, the largest. Runs without a value and NaN come last, and those of one value stay as they
        were.
    better
        Says of a metric's name whether higher (1) or lower (-1) values are better.
    reverse
        Turns the order around; what has no value stays last.
    now
        Unix seconds; the present by default.

    Raises
    ------
    ParameterError
        If one of the two cannot be read, or names what no run has; the message points to the place.
    """
    key = None if sort is None else Expression(sort, "sort")
    found = list(summaries)
    keys = None if key is None else key.values(found, now)
    if where is not None:
        fits = [value is not None and bool(value) for value in Expression(where, "where").values(found, now)]
        found = [run for run, fit in zip(found, fits, strict=True) if fit]
        keys = keys and [value for value, fit in zip(keys, fits, strict=True) if fit]
    if keys is None or sort is None:
        return found
    descending = better is not None and better(named_in(sort)) > 0
    order = _order(keys, reverse=descending is not reverse)
    return [found[at] for at in order]


def named_in(sort: str) -> str:
    """Return the metric, parameter or tag that runs are sorted by; nothing where it is computed."""
    group = "(?:metrics|params|tags)"
    match = re.fullmatch(rf"""\s*(?:{group}\.)?([^\W\d]\w*)\s*|\s*{group}\[(["'])(.+)\2\]\s*""", sort)
    return "" if match is None else match[1] or match[3]


def _order(keys: Sequence[Any], *, reverse: bool) -> Iterable[int]:
    """Return the places of values in their order: numbers before texts, and last what has no value or no order."""
    numbers = [at for at, key in enumerate(keys) if isinstance(key, NUMBER) and not isnan(key)]
    texts = [at for at, key in enumerate(keys) if isinstance(key, str)]
    ordered = {*numbers, *texts}
    for part in (numbers, texts):
        part.sort(key=keys.__getitem__, reverse=reverse)
    return [*numbers, *texts, *(at for at in range(len(keys)) if at not in ordered)]
