"""What one trial of a sweep has logged of the objectives, as its row and its curve show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import RECORD_SIZE, read_lines, read_records
from mlwidgets.views import sweep
from mlwidgets.views.format import json_number
from mlwidgets.views.reduce import Points, Reducer
from mlwidgets.views.tracks import Sent, pack, size_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BUCKETS = 31
"""Pairs of extremes of one trial's curve: 64 points, unless it has gaps."""


@dataclass(frozen=True)
class Curve:
    """One trial's values of the first objective, reduced; ``n`` is how many it logged."""

    number: int
    n: int
    steps: NDArray[np.float64]
    values: NDArray[np.float64]


class Numbers:
    """The objectives of one trial: each record read once, the first objective's curve kept.

    What an attempt logged that failed counts no more, but for what a later one goes on from; nor does what came after a
    policy's verdict.
    """

    def __init__(self, folder: RunFolder, keys: list[int], sign: int, *, retried: bool) -> None:
        self.folder = folder
        self._keys, self._sign, self._retried = keys, sign, retried
        self._events, self._begun, self._since = 0, 0, 0.0
        self._begin()

    def _begin(self) -> None:
        self.n = 0
        self.best: float | None = None
        self._values: list[float | None] = [None] * len(self._keys)
        self._reducer = Reducer(BUCKETS)
        self._sent = Sent()
        self._read = 0

    def _begins_anew(self) -> bool:
        """Whether a further attempt has begun, or has gone on from a checkpoint, since one last looked."""
        if not self._retried or (size := size_of(self.folder.events)) == self._events:
            return False
        self._events, before, self._begun = size, self._begun, 0
        for event in read_lines(self.folder.events, "attempt", "resumed"):
            if event["event"] == "attempt" or event.get("number") is not None:
                self._begun += 1
                self._since = event["time"] if event["event"] == "attempt" else 0.0
        return self._begun != before

    @property
    def last(self) -> list[Any]:
        """The last value of each objective."""
        return [json_number(value) for value in self._values]

    def advance(self, upto: int | None) -> bool:
        """Read what is new, no further than to that interval; return whether anything of an objective has changed."""
        grown = False
        if self._begins_anew() or (upto is not None and self.n > upto):
            grown = self.n > 0
            self._begin()
        if size_of(self.folder.metrics) < (self._read + 1) * RECORD_SIZE:
            return grown
        records = read_records(self.folder.metrics, self._read)
        self._read += len(records)
        records = records[records["time"] >= self._since]
        for place, key in enumerate(self._keys):
            mine = records[records["metric"] == key]
            if place == 0 and upto is not None:
                mine = mine[: max(0, upto - self.n)]
            if not len(mine):
                continue
            grown = True
            self._values[place] = float(mine["value"][-1])
            if place == 0:
                self._reducer.append(mine["step"], mine["time"], mine["value"])
                self.n += len(mine)
                news = sweep.better(mine["value"].tolist(), self._sign)
                self.best = sweep.better([v for v in (self.best, news) if v is not None], self._sign)
        return grown

    def next(self, number: int) -> dict[str, Any]:
        """Return what a view is to be sent of the curve."""
        keep, points = self._sent.next(self._reducer)
        return {"number": number, "n": self.n, "keep": keep, "points": pack(points)}

    def whole(self, number: int) -> dict[str, Any]:
        """Return all of it."""
        return {"number": number, "n": self.n, "keep": 0, "points": pack(self._points())}

    def curve(self, number: int) -> Curve:
        """Return it for a still view, by ascending steps."""
        import numpy as np

        rows = self._points().rows
        rows = rows[np.argsort(rows[:, 1], kind="stable")]
        return Curve(number, self.n, rows[:, 1], rows[:, 3])

    def _points(self) -> Points:
        return self._reducer.points()
