"""Metrics of runs beside each other: whether they are the same to the bit, and where they first are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.journal import MetricColumn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FirstDifference:
    """The first record of a metric that is not the same in two runs.

    Attributes
    ----------
    index
        How many records before it are the same.
    step
        The step of that record; the lower one where the two logged other steps.
    old, new
        The value at that step, None where one run logged none then.
    """

    index: int
    step: int
    old: float | None
    new: float | None


def first_difference(a: Mapping[str, MetricColumn], b: Mapping[str, MetricColumn]) -> dict[str, FirstDifference]:
    """Return of each metric that is not bitwise the same in two runs where it first is not, the earliest step first.

    Records are compared in the order in which they were logged: step, and the 64 bits of the value, so that zeros of
    another sign and NaNs of another payload differ, and a NaN is the same as itself. Times are not compared.

    Parameters
    ----------
    a, b
        What `mlwidgets.runs.run.Run.columns` gave.
    """
    found = {name: one for name in dict.fromkeys((*a, *b)) if (one := _first(a.get(name), b.get(name))) is not None}
    return dict(sorted(found.items(), key=lambda item: item[1].step))


def _first(a: MetricColumn | None, b: MetricColumn | None) -> FirstDifference | None:
    import numpy as np

    lengths = [0 if one is None else len(one.values) for one in (a, b)]
    both = min(lengths)
    at = both
    if a is not None and b is not None:
        other = (a.steps[:both] != b.steps[:both]) | (_bits(a.values[:both]) != _bits(b.values[:both]))
        places = np.flatnonzero(other)
        at = int(places[0]) if len(places) else both
    if at == both and lengths[0] == lengths[1]:
        return None
    sides = [None if one is None or at >= len(one.values) else _record(one, at) for one in (a, b)]
    step = min(side[0] for side in sides if side is not None)
    old, new = (side[1] if side is not None and side[0] == step else None for side in sides)
    return FirstDifference(at, step, old, new)


def _bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    import numpy as np

    return np.ascontiguousarray(values, dtype=np.float64).view(np.int64)


def _record(column: MetricColumn, at: int) -> tuple[int, float]:
    return int(column.steps[at]), float(column.values[at])


def extent(column: MetricColumn) -> dict[str, Any]:
    """Return how many records there are, the last one, and the lowest and highest finite ones, each with its step."""
    import numpy as np

    if not len(column.values):
        return {"records": 0, "last": None, "low": None, "high": None}
    finite = np.flatnonzero(np.isfinite(column.values))
    found: dict[str, Any] = {
        "records": len(column.values),
        "last": list(_record(column, -1)),
        "low": None,
        "high": None,
    }
    if len(finite):
        values = column.values[finite]
        found["low"] = list(_record(column, int(finite[np.argmin(values)])))
        found["high"] = list(_record(column, int(finite[np.argmax(values)])))
    return found
