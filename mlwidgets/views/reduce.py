"""Long metric columns made short enough to draw, without losing a spike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def extremes(values: NDArray[np.float64], buckets: int) -> NDArray[np.intp]:
    """Return ascending indices that keep the look of `values`.

    Of each of at most `buckets` neighbouring groups they hold the lowest and the highest finite value and the first
    value that is not finite (the gap stays visible), and always the first and the last value of all. Short columns
    keep everything.
    """
    import numpy as np

    n = len(values)
    if n <= 2 * buckets:
        return np.arange(n)
    width = -(-n // buckets)
    rows = -(-n // width)
    padded = np.full(rows * width, np.nan)
    padded[:n] = values
    grid = padded.reshape(rows, width)
    finite = np.isfinite(grid)
    starts = np.arange(rows) * width
    lowest = np.where(finite, grid, np.inf).argmin(axis=1) + starts
    highest = np.where(finite, grid, -np.inf).argmax(axis=1) + starts
    gaps = (finite.argmin(axis=1) + starts)[~finite.all(axis=1)]
    has_finite = finite.any(axis=1)
    found = np.unique(np.concatenate([[0], lowest[has_finite], highest[has_finite], gaps, [n - 1]]))
    return found[found < n].astype(np.intp)
