"""The metrics of a run as a view holds them: reduced as they come in, with what is said about each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.journal import RECORD_SIZE, MetricColumn, group_records, metric_key, read_lines, read_records
from mlwidgets.runs.superseded import superseded_sign
from mlwidgets.views.format import json_number
from mlwidgets.views.grouping import Place, place
from mlwidgets.views.reduce import Points, Reducer

if TYPE_CHECKING:
    from collections.abc import Callable

BUCKETS = 1000
"""Pairs of extremes of one metric at most."""
ALL_BUCKETS = 8000
"""Pairs of extremes of all metrics together, as long as each keeps `FEWEST_BUCKETS`."""
FEWEST_BUCKETS = 150


class Track:
    """One metric: its reduced column and the numbers of the whole of it."""

    def __init__(self, name: str, where: Place, buckets: int) -> None:
        self.name = name
        self.place = where
        self.reducer = Reducer(buckets)
        self.last = 0.0
        self.last_step = self.highest_step = 0
        self.first_time = self.last_time = 0.0
        self.low: float | None = None
        self.high: float | None = None

    @property
    def since(self) -> float:
        """When the last value was first recorded, as far as the reduced column tells."""
        rows = self.reducer.points().rows
        return float(rows[rows[:, 3] == self.last][0, 2])

    @property
    def n(self) -> int:
        """Number of records."""
        return self.reducer.count

    def append(self, column: MetricColumn) -> None:
        """Take in the next records, of which there is at least one."""
        import numpy as np

        if not self.n:
            self.first_time = float(column.times[0])
            self.highest_step = int(column.steps[0])
        self.reducer.append(column.steps, column.times, column.values)
        self.last, self.last_step = float(column.values[-1]), int(column.steps[-1])
        self.highest_step = max(self.highest_step, int(column.steps.max()))
        self.last_time = float(column.times[-1])
        finite = column.values[np.isfinite(column.values)]
        if len(finite):
            low, high = float(finite.min()), float(finite.max())
            self.low = low if self.low is None else min(low, self.low)
            self.high = high if self.high is None else max(high, self.high)


def track(
    columns: dict[str, MetricColumn], buckets: int = BUCKETS, where: Callable[[str], Place] = place
) -> list[Track]:
    """Return what `Tracks` would hold after reading these columns."""
    share = _share(len(columns), buckets)
    found = []
    for name, column in columns.items():
        if len(column.values):
            found.append(Track(name, where(name), share))
            found[-1].append(column)
    return found


def _share(metrics: int, buckets: int) -> int:
    return min(buckets, max(FEWEST_BUCKETS, ALL_BUCKETS // max(1, metrics)))


class Tracks:
    """Follows a file of metric records: each record is read once.

    Parameters
    ----------
    records
        The file, as `mlwidgets.runs.journal` describes it.
    events
        Where the names of its metrics are, in events of kind `kind`.
    """

    def __init__(self, records: Path, events: Path, kind: str, where: Callable[[str], Place] = place) -> None:
        self.by_name: dict[str, Track] = {}
        self._records, self._events, self._kind, self._where = records, events, kind, where
        self._read = 0
        self._sign = superseded_sign(records)
        self._names: dict[int, str] = {}

    def advance(self) -> set[str]:
        """Read what is new; return the metrics that have grown, or that have begun anew as another `Track`."""
        size, sign = size_of(self._records), superseded_sign(self._records)
        if size < self._read * RECORD_SIZE or sign != self._sign:
            # The code goes on from a checkpoint: what it had logged behind that is there no more.
            self._read, self._sign, self.by_name = 0, sign, {}
        if size < (self._read + 1) * RECORD_SIZE:
            return set()
        records = read_records(self._records, self._read)
        self._read += len(records)
        if not self._names:
            self._read_names()
        columns = group_records(records, self._names)
        if sum(len(column.values) for column in columns.values()) < len(records):
            # Some metric is new: its name was written before its first record.
            self._read_names()
            columns = group_records(records, self._names)
        share = _share(len(self.by_name.keys() | columns.keys()), BUCKETS)
        for name, column in columns.items():
            if name not in self.by_name:
                self.by_name[name] = Track(name, self._where(name), share)
            self.by_name[name].append(column)
        for one in self.by_name.values():
            one.reducer.capacity = share
        return set(columns)

    def _read_names(self) -> None:
        named = (e.get("name") for e in read_lines(self._events, self._kind))
        self._names = {metric_key(name): name for name in named if isinstance(name, str)}


class Sent:
    """What a view has been sent of one metric, so that it is sent each point once."""

    def __init__(self) -> None:
        self._width = self._settled = self._kept = 0

    def next(self, reducer: Reducer) -> tuple[int, Points]:
        """Return how many of its points the view keeps, and those that follow them."""
        same = reducer.width == self._width
        points = reducer.points(self._settled if same else 0)
        keep = self._kept if same else 0
        self._width, self._settled = reducer.width, reducer.settled
        self._kept = keep + int((points.rows[:, 0] < self._settled).sum())
        return keep, points


def size_of(path: Path) -> int:
    """Return the size of a file in bytes, 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def pack(points: Points) -> bytes:
    """Return steps, times, values and means one after the other, float64, little endian."""
    import numpy as np

    _, steps, times, values = points.rows.T
    return np.concatenate([steps, times, values, points.means]).astype("<f8").tobytes()


def about(track: Track) -> dict[str, Any]:
    """Return what is said about a metric beside its points, fit for JSON."""
    return {
        "name": track.name,
        "n": track.n,
        "last": json_number(track.last),
        "lastStep": track.last_step,
        "min": json_number(track.low),
        "max": json_number(track.high),
        "group": track.place.group,
        "role": track.place.role,
        "better": track.place.better,
    }
