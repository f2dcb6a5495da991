"""The metrics of two runs that should be the same, as far as both got."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mlwidgets.history.comparing.metrics import FirstDifference, first_difference
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import MetricColumn, read_lines, read_metrics
from mlwidgets.runs.naming import better

_TIME = frozenset(
    (
        *("time", "times", "seconds", "secs", "sec", "ms", "minutes", "hours", "duration", "elapsed", "took"),
        *("walltime", "latency", "throughput", "speed", "fps"),
    )
)
_WORDS = re.compile(r"[^A-Za-z0-9]+")
_RATE = re.compile(r"per[_ ]?s(ec(ond)?)?$|/s(ec)?$", re.IGNORECASE)


def measures_time(name: str) -> bool:
    """Whether a metric tells how long something took, which is never the same."""
    if better(name):
        return False
    return not _TIME.isdisjoint(_WORDS.split(name.lower())) or _RATE.search(name) is not None


def columns_of(folder: RunFolder) -> dict[str, MetricColumn]:
    """Return what a run logged in the end: what a further attempt logged again stands for what was logged before."""
    columns = read_metrics(folder.metrics, folder.events)
    begins = [event["time"] for event in read_lines(folder.events, "attempt")]
    for begin in begins:
        columns = {name: _without_repeated(column, begin) for name, column in columns.items()}
    return {name: column for name, column in columns.items() if len(column.values)}


def _without_repeated(column: MetricColumn, begin: float) -> MetricColumn:
    """Leave out records of before `begin` from the first step on that was logged afterwards.

    An attempt that logged nothing of a metric takes all of it back: it did not get that far.
    """
    later = column.times >= begin
    kept = later | (column.steps < column.steps[later].min()) if later.any() else later
    return MetricColumn(column.steps[kept], column.times[kept], column.values[kept])


@dataclass(frozen=True)
class Equality:
    """What came of comparing two runs' metrics.

    Attributes
    ----------
    metrics
        Names of those that were compared.
    values, steps
        How many values were compared, and in how many steps.
    first
        Where a metric first differs, the earliest step first.
    clocks
        Metrics that were not compared because they measure time.
    """

    metrics: tuple[str, ...]
    values: int
    steps: int
    first: dict[str, FirstDifference]
    clocks: tuple[str, ...]


def compare(
    a: Mapping[str, MetricColumn], b: Mapping[str, MetricColumn], *, a_cut: bool = False, b_cut: bool = False
) -> Equality:
    """Compare metrics to the bit.

    Parameters
    ----------
    a_cut, b_cut
        Whether that run ended before its code had: the other one is then compared as far as it got.
    """
    clocks = tuple(name for name in dict.fromkeys((*a, *b)) if measures_time(name))
    left, right = ({name: one for name, one in of.items() if name not in clocks} for of in (a, b))
    if b_cut:
        left = _as_far_as(right, left)
    if a_cut:
        right = _as_far_as(left, right)
    first = first_difference(left, right)
    compared = {name: left[name] if name in left else right[name] for name in dict.fromkeys((*left, *right))}
    steps = {int(step) for column in compared.values() for step in column.steps}
    values = sum(len(column.values) for column in compared.values())
    return Equality(tuple(compared), values, len(steps), first, clocks)


def _as_far_as(cut: Mapping[str, MetricColumn], whole: Mapping[str, MetricColumn]) -> dict[str, MetricColumn]:
    """Return of the metrics of a run as many records as another one has that was cut off."""
    found = {}
    for name, column in whole.items():
        most = len(cut[name].values) if name in cut else 0
        if most:
            found[name] = MetricColumn(column.steps[:most], column.times[:most], column.values[:most])
    return found
