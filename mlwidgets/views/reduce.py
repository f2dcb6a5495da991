"""Long metric columns made short enough to draw, without losing a spike."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INDEX, STEP, TIME, VALUE = range(4)
_CHUNK = 65536
"""Records taken in at once: more would leave the processor's cache."""


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


class Points(NamedTuple):
    """What is left to draw of a column.

    Attributes
    ----------
    rows : float64, shape (n, 4)
        Index, step, time and value of each kept record, by ascending index.
    means : float64, shape (n,)
        The mean of the finite values of the bucket that each was taken from.
    """

    rows: NDArray[np.float64]
    means: NDArray[np.float64]


class _Buckets(NamedTuple):
    """One row for each bucket: its lowest, its highest and its first record without a finite value; sum, count."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    gap: NDArray[np.float64]
    total: NDArray[np.float64]
    finite: NDArray[np.float64]


class Reducer:
    """A column that grows, kept as at most `capacity` buckets of equal width, of which no extreme is ever lost.

    When there are too many, neighbours are merged in pairs: appending costs time in proportion to what is new.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.count = 0
        self.width = 1
        self._buckets: _Buckets | None = None
        self._first: NDArray[np.float64] | None = None
        self._last: NDArray[np.float64] | None = None

    @property
    def settled(self) -> int:
        """How many records lie in buckets that change no more unless `width` does."""
        return max(0, self.count - 1) // self.width * self.width

    def append(self, steps: NDArray[np.int64], times: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Take in the next records."""
        import numpy as np

        # The sum of huge values may have no number: their mean is a gap then.
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(values), _CHUNK):
                part = slice(start, start + _CHUNK)
                self._append(steps[part], times[part], values[part])

    def _append(self, steps: NDArray[np.int64], times: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        import numpy as np

        rows = np.empty((len(values), 4))
        rows[:, INDEX] = np.arange(self.count, self.count + len(values))
        rows[:, STEP], rows[:, TIME], rows[:, VALUE] = steps, times, values
        if self._first is None:
            self._first = rows[0].copy()
        self._last = rows[-1].copy()
        while -(-(self.count + len(rows)) // self.width) > self.capacity:
            self.width *= 2
            if self._buckets is not None:
                self._buckets = _merge(self._buckets)
        room = -self.count % self.width
        if room and self._buckets is not None:
            tail = _Buckets(*(column[-1:] for column in self._buckets))
            joined = _merge(_concatenate(tail, _fill(rows[:room], self.width)))
            self._buckets = _concatenate(_Buckets(*(column[:-1] for column in self._buckets)), joined)
        if len(rows) > room:
            added = _fill(rows[room:], self.width)
            self._buckets = added if self._buckets is None else _concatenate(self._buckets, added)
        self.count += len(rows)

    def points(self, start: int = 0) -> Points:
        """Return what is left of the records from the bucket of record `start` on; always the first and the last."""
        import numpy as np

        if self._buckets is None or self._first is None or self._last is None:
            return Points(np.empty((0, 4)), np.empty(0))
        from_bucket = start // self.width
        buckets = _Buckets(*(column[from_bucket:] for column in self._buckets))
        ends = [self._last] if from_bucket else [self._first, self._last]
        rows = np.concatenate([buckets.low, buckets.high, buckets.gap, ends])
        rows = rows[~np.isnan(rows[:, INDEX])]
        _, order = np.unique(rows[:, INDEX], return_index=True)
        rows = rows[order]
        means = np.full(len(buckets.total), np.nan)
        np.divide(buckets.total, buckets.finite, out=means, where=buckets.finite > 0)
        return Points(rows, means[(rows[:, INDEX] // self.width).astype(np.intp) - from_bucket])


def _fill(rows: NDArray[np.float64], width: int) -> _Buckets:
    """Put rows into new buckets of `width` records each; the last may stay open."""
    import numpy as np

    count = -(-len(rows) // width)
    values = np.full(count * width, np.nan)
    values[: len(rows)] = rows[:, VALUE]
    grid = values.reshape(count, width)
    finite = np.isfinite(grid)
    some = finite.any(axis=1)
    starts = np.arange(count) * width
    low = np.where(finite, grid, np.inf).argmin(axis=1) + starts
    high = np.where(finite, grid, -np.inf).argmax(axis=1) + starts
    gap = finite.argmin(axis=1) + starts
    has_gap = ~finite.all(axis=1) & (gap < len(rows))
    finite_values = np.where(finite, grid, 0.0)
    return _Buckets(
        _taken(rows, low, some), _taken(rows, high, some), _taken(rows, gap, has_gap),
        finite_values.sum(axis=1), finite.sum(axis=1).astype(np.float64),
    )  # fmt: skip


def _taken(rows: NDArray[np.float64], which: NDArray[np.intp], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    import numpy as np

    taken = np.full((len(which), 4), np.nan)
    taken[there] = rows[which[there]]
    return taken


def _merge(buckets: _Buckets) -> _Buckets:
    """Merge neighbours in pairs; the last one may have none."""
    import numpy as np

    if len(buckets.total) % 2:
        nothing = np.full((1, 4), np.nan)
        buckets = _concatenate(buckets, _Buckets(nothing, nothing, nothing, np.zeros(1), np.zeros(1)))
    pairs = [(column[::2], column[1::2]) for column in buckets]
    (low, low2), (high, high2), (gap, gap2), totals, finites = pairs
    # A comparison with NaN, which stands for nothing, is false.
    take_low = (low2[:, VALUE] < low[:, VALUE]) | np.isnan(low[:, INDEX])
    take_high = (high2[:, VALUE] > high[:, VALUE]) | np.isnan(high[:, INDEX])
    return _Buckets(
        np.where(take_low[:, None], low2, low),
        np.where(take_high[:, None], high2, high),
        np.where(np.isnan(gap[:, INDEX])[:, None], gap2, gap),
        totals[0] + totals[1],
        finites[0] + finites[1],
    )


def _concatenate(first: _Buckets, second: _Buckets) -> _Buckets:
    import numpy as np

    return _Buckets(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))
