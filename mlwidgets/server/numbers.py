"""What lists show of a run's metrics: the last value of each and how far it has come, each record read once."""

from __future__ import annotations

import math
import os
import struct
from typing import TYPE_CHECKING

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import (
    RECORD_FORMAT,
    RECORD_SIZE,
    MetricColumn,
    group_records,
    metric_key,
    read_lines,
    records_of,
)
from mlwidgets.runs.superseded import superseded_sign

if TYPE_CHECKING:
    from collections.abc import Iterable

_FEW = 200
"""Records that are taken one by one: numpy's calls cost more than that."""
_MOST = 8 << 20
"""Bytes that are read at once."""


class Count:
    """One metric: numbers of the whole of it. ``since``: when the last value was first recorded; Unix seconds."""

    __slots__ = ("first_time", "highest_step", "last", "last_step", "last_time", "low", "n", "name", "since")

    def __init__(self, name: str) -> None:
        self.name = name
        self.n = self.last_step = 0
        self.highest_step = -(2**63)
        self.last = math.nan
        self.first_time = self.last_time = self.since = 0.0
        self.low: float | None = None

    def add(self, step: int, at: float, value: float) -> None:
        """Take in the next record."""
        if not self.n:
            self.first_time = at
        if value != self.last:
            self.since = at
        self.n += 1
        self.last, self.last_step, self.last_time = value, step, at
        self.highest_step = max(self.highest_step, step)
        if math.isfinite(value):
            self.low = value if self.low is None else min(value, self.low)

    def extend(self, column: MetricColumn) -> None:
        """Take in many; the last of them decides what `add` would."""
        import numpy as np

        last = float(column.values[-1])
        others = np.flatnonzero(column.values != last)
        start = int(others[-1]) + 1 if len(others) else 0
        since = float(column.times[min(start, len(column.times) - 1)])
        if start == 0 and last == self.last:
            since = self.since
        finite = column.values[np.isfinite(column.values)]
        low = self.low
        self.highest_step = max(self.highest_step, int(column.steps.max()))
        if not self.n:
            self.first_time = float(column.times[0])
        self.n += len(column.values)
        self.last, self.last_step, self.last_time = last, int(column.steps[-1]), float(column.times[-1])
        self.since = since
        if len(finite):
            self.low = float(finite.min()) if low is None else min(low, float(finite.min()))


class Numbers:
    """Follows the metric records of one run."""

    def __init__(self, folder: RunFolder) -> None:
        self.by_name: dict[str, Count] = {}
        self._path = os.fspath(folder.metrics)
        self._events = folder.events
        self._metrics = folder.metrics
        self._sign = superseded_sign(folder.metrics)
        self._read = 0
        self._names: dict[int, str] = {}

    def advance(self) -> bool:
        """Read what is new; return whether there is any."""
        sign = superseded_sign(self._metrics)
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            anew = sign != self._sign or os.fstat(fd).st_size < self._read
            if anew:
                # The code goes on from a checkpoint: what it had logged behind that is there no more.
                self._read, self._sign, self.by_name = 0, sign, {}
            begin = self._read
            while data := os.pread(fd, _MOST, self._read):
                data = data[: len(data) // RECORD_SIZE * RECORD_SIZE]
                if not data:
                    break
                self._read += len(data)
                self._take(data)
            return anew or self._read > begin
        except OSError:
            return False
        finally:
            os.close(fd)

    def last(self) -> dict[str, float]:
        """Return the last value of each metric."""
        return {name: count.last for name, count in self.by_name.items()}

    def _take(self, data: bytes) -> None:
        if len(data) > _FEW * RECORD_SIZE:
            records = records_of(data)
            self._learn(set(records["metric"].tolist()))
            for name, column in group_records(records, self._names).items():
                self.by_name.setdefault(name, Count(name)).extend(column)
            return
        few = list(struct.iter_unpack(RECORD_FORMAT, data))
        self._learn(record[0] for record in few)
        for key, step, at, value in few:
            if key in self._names:
                name = self._names[key]
                if name not in self.by_name:
                    self.by_name[name] = Count(name)
                self.by_name[name].add(step, at, value)

    def _learn(self, keys: Iterable[int]) -> None:
        """Read the metrics' names again if one is new: it was written before its first record."""
        if all(key in self._names for key in keys):
            return
        named = (e.get("name") for e in read_lines(self._events, "metric"))
        self._names = {metric_key(name): name for name in named if isinstance(name, str)}
