"""One grid of bins for the histograms of many steps: exact, because all bins are powers of two wide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlwidgets.runs.media import Histogram

BINS = 64
WILD = 4
"""A step that needs this many times the range of the others is shown as far as it lies within theirs."""


def grid(records: Sequence[Histogram]) -> dict[str, int]:
    """Return the grid that shows these steps: bins ``2**exponent`` wide, the number of the ``first``, how many."""
    import numpy as np

    found = [(r.first, r.first + len(r.counts), r.exponent) for r in records if len(r.counts)]
    if not found:
        return {"exponent": 0, "first": 0, "bins": 1}
    firsts, lasts, exponents = np.array(found).T
    with np.errstate(over="ignore"):
        ends = np.nan_to_num(np.ldexp(np.stack([firsts, lasts], axis=1).astype(np.float64), exponents[:, None]))
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    usual = float(np.median(ends[:, 1] - ends[:, 0]))
    if high / WILD - low / WILD > usual and len(ends) > 2:
        inner = np.quantile(ends, [0.05, 0.95], axis=0, method="nearest")
        low, high = float(inner[0, 0]), float(inner[1, 1])
    fraction, exponent = math.frexp(high / BINS - low / BINS)
    exponent = max(exponent - 1 if fraction == 0.5 else exponent, int(exponents.min()))
    first = math.floor(math.ldexp(low, -exponent))
    return {"exponent": exponent, "first": first, "bins": max(1, math.ceil(math.ldexp(high, -exponent)) - first)}


def rebin(record: Histogram, exponent: int, first: int, bins: int) -> tuple[float, list[float], float]:
    """Return a step's counts below the grid, in each of its bins and above it.

    The counts of coarser bins are spread evenly.
    """
    import numpy as np

    total = len(record.counts)
    if not total:
        return 0, [0] * bins, 0
    shift = exponent - record.exponent
    if shift >= 0:
        places = (np.arange(record.first, record.first + total) >> min(shift, 62)) - first
        found = np.bincount(places.clip(-1, bins) + 1, weights=record.counts, minlength=bins + 2)
        below, *inside, above = found.astype(np.int64).tolist()
        return record.below + below, inside, record.above + above
    # Only as many of its bins as meet the grid: a bin of the grid lies in one of the coarser ones.
    places = (np.arange(first, first + bins) >> min(-shift, 62)) - record.first
    within = (places >= 0) & (places < total)
    spread = np.where(within, record.counts[places.clip(0, total - 1)], 0) * 2.0**shift
    rest = float(record.counts.sum() - spread.sum())
    before = min(rest, max(0.0, _mass_before(record, first, shift)))
    return (
        record.below + round(before),
        [float(f"{n:.4g}") for n in spread.tolist()],
        record.above + round(rest - before),
    )


def _mass_before(record: Histogram, first: int, shift: int) -> float:
    """Return how many values lie before the grid's bin `first`, if those of each bin are spread evenly."""
    place, part = divmod(first * 2.0**shift - record.first, 1)
    if place < 0:
        return 0.0
    whole = int(min(place, len(record.counts)))
    partial = float(record.counts[whole]) * part if whole < len(record.counts) else 0.0
    return float(record.counts[:whole].sum()) + partial
