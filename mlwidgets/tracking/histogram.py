"""`log_histogram`: how values are distributed, in bins that several steps share.

A bin is as wide as a power of two and begins at a multiple of its width. So the bins of any two steps fit into each
other: the finer counts add up, exactly, to the coarser ones. The width follows from where nearly all values lie; a
few that are far away are counted beyond the ends and do not blur the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlwidgets.tracking.arrays import as_array
from mlwidgets.tracking.media import open_media

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BINS = 64
"""Nearly all values lie in at most this many bins, and at least half as many."""
MARGIN = 128
"""Bins on either side of those at most."""
OUTER = 0.005
"""The part of the values at either end that has no say in how wide a bin is."""
CHUNK = 1 << 20
SAMPLE = 1 << 16
"""Values that decide the width; all are counted."""


def log_histogram(name: str, values: Any, *, step: int | None = None) -> None:
    """Record how values are distributed: weights, gradients, activations, anything.

    ``log_histogram("conv1/weight", model.conv1.weight, step=epoch)``. Outside a run it does nothing and says so once.

    Parameters
    ----------
    name
        Histograms of one name are drawn over their steps.
    values
        A tensor on any device, an array or a list of numbers, of any shape. NaN and infinities are counted apart.
    step
        Where none is given each name counts by itself, from 0 or from its last step.

    Raises
    ------
    TypeError
        If the values are not numbers, or the step is no int.
    """
    media, step = open_media("log_histogram", name, step)
    if media is not None:
        media.append("histogram", name, step, count_values(as_array(values, f"log_histogram: values of {name!r}")))


def count_values(array: NDArray[Any]) -> dict[str, Any]:
    """Return counts and figures of an array, fit for JSON: the fields of a line of kind ``histogram``."""
    import numpy as np

    flat = array.reshape(-1)
    n, mean, squares, low, high = 0, 0.0, 0.0, math.inf, -math.inf
    odd = {"nan": 0, "inf": 0, "-inf": 0}
    for chunk in _chunks(flat):
        finite = chunk[np.isfinite(chunk)]
        if len(finite) < len(chunk):
            odd["nan"] += int(np.isnan(chunk).sum())
            odd["inf"] += int(np.isposinf(chunk).sum())
            odd["-inf"] += int(np.isneginf(chunk).sum())
        if len(finite):
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
            with np.errstate(over="ignore", invalid="ignore"):
                own = float(finite.mean())
                gap, both = own - mean if n else own, n + len(finite)
                squares += float(np.square(finite - own).sum()) + (gap * gap * n * len(finite) / both if n else 0.0)
                mean += gap * len(finite) / both
            n = both
    fields: dict[str, Any] = {"n": n, **odd}
    if n:
        # Figures beyond what a float can hold are left out.
        figures = {"min": low, "max": high, "mean": mean, "std": math.sqrt(squares / n)}
        fields |= {name: figure for name, figure in figures.items() if math.isfinite(figure)}
        fields |= _bins(flat, low, high)
    return fields


def _bins(flat: NDArray[Any], low: float, high: float) -> dict[str, Any]:
    import numpy as np

    sample = np.asarray(flat[:: -(-len(flat) // SAMPLE)], np.float64)
    sample = np.sort(sample[np.isfinite(sample)])
    if len(sample):
        edge = int(len(sample) * OUTER)
        core = (float(sample[edge]), float(sample[-1 - edge]))
    if not len(sample) or core[0] == core[1]:
        core = (low, high)
    exponent = _exponent(*core)
    if flat.dtype.kind in "biu":
        exponent = max(0, exponent)
    with np.errstate(over="ignore"):
        ends = np.floor(np.ldexp(np.array([low, core[0], core[1], high]), -exponent))
        first, last = int(max(ends[0], ends[1] - MARGIN)), int(min(ends[3], ends[2] + MARGIN))
        counts = np.zeros(last - first + 3, np.int64)
        for chunk in _chunks(flat):
            places = np.floor(np.ldexp(chunk[np.isfinite(chunk)], -exponent)).clip(first - 1, last + 1)
            counts += np.bincount((places - (first - 1)).astype(np.intp), minlength=len(counts))
    below, *inside, above = counts.tolist()
    return {"exponent": exponent, "first": first, "counts": inside, "below": below, "above": above}


def _exponent(low: float, high: float) -> int:
    """Return the power of two that is the width of a bin."""
    size = math.frexp(max(abs(low), abs(high)))[1]
    # As narrow as the numbers themselves can tell apart, and for one single value somewhat wider.
    finest = max(size - 44, -1000)
    if low == high:
        return max(size - 20, -1000) if low else -30
    fraction, exponent = math.frexp(high / BINS - low / BINS)
    return max(exponent - 1 if fraction == 0.5 else exponent, finest)


def _chunks(flat: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    import numpy as np

    for start in range(0, len(flat), CHUNK):
        yield np.asarray(flat[start : start + CHUNK], np.float64)
