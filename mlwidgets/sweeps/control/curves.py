"""What a trial's folder tells while it runs, read a little further each time: its events, and the metrics sought."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import RECORD_FORMAT, RECORD_SIZE, metric_key, parse_line, records_of

_AT_ONCE = 1 << 20
"""Bytes that are read at once, a multiple of a record's size."""
_FEW = 64
"""Records up to here are looked at one after the other, without numpy."""


@dataclass
class Points:
    """The logged values of one metric, and at which steps and when (Unix seconds) they were logged."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


@dataclass
class Others:
    """What is known of a metric that is no objective: how often it was logged, and its first steps."""

    count: int = 0
    steps: set[int] = field(default_factory=set)


class Following:
    """Follows one trial.

    Parameters
    ----------
    metrics
        Names of the objectives.
    curious
        Whether to take note of other metrics, too: which are there if an objective is missing.

    Attributes
    ----------
    attempts
        How often its code was begun, or is to be; from 1.
    has_slots, started_at
        Whether the trial has left the queue, and when (Unix seconds) its code began, as of the present attempt.
    worker
        Pid of the process that executes it, None before that.
    points
        For each objective what was logged in the present attempt, and up to the checkpoint that it goes on from.
    others
        Other metrics by name.
    """

    def __init__(self, folder: RunFolder, metrics: Sequence[str], *, curious: bool = False) -> None:
        self.folder = folder
        self.attempts = 1
        self.has_slots = False
        self.started_at: float | None = None
        self.worker: int | None = None
        self.points = [Points() for _ in metrics]
        self.others: dict[str, Others] = {}
        self.curious = curious
        self._keys = {metric_key(name): place for place, name in enumerate(metrics)}
        self._names: dict[int, str] = {}
        self._since = 0.0
        self._files: dict[str, int] = {}
        self._offsets = {"events": 0, "metrics": 0}

    def close(self) -> None:
        """Close the files."""
        while self._files:
            os.close(self._files.popitem()[1])

    def advance(self) -> bool:
        """Read what is new; return whether there was anything."""
        return self._read_metrics(self._read_events())

    def _read(self, name: str) -> bytes:
        fd = self._files.get(name)
        if fd is None:
            try:
                fd = os.open(getattr(self.folder, name), os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return b""
            self._files[name] = fd
        return os.pread(fd, _AT_ONCE, self._offsets[name])

    def _read_events(self) -> bool:
        news = False
        while data := self._read("events"):
            whole = data.rfind(b"\n") + 1
            if not whole:
                break
            self._offsets["events"] += whole
            news = True
            for line in data[:whole].split(b"\n"):
                if event := parse_line(line):
                    self._hear(event)
        return news

    def _hear(self, event: dict[str, object]) -> None:
        kind = event["event"]
        if kind == "slots":
            self.has_slots = True
        elif kind == "started":
            self.has_slots, self.started_at = True, float(str(event["time"]))
            pid = event.get("pid")
            self.worker = pid if isinstance(pid, int) else None
        elif kind == "attempt":
            # It begins anew, in the queue as well; what was logged before that is of no account.
            self.attempts += 1
            self.has_slots, self.started_at, self.worker = False, None, None
            self._read_again(float(str(event["time"])))
        elif kind == "resumed" and event.get("number") is not None:
            # But what it had logged by the checkpoint that it goes on from counts.
            self._read_again(0.0)
        elif kind == "metric" and isinstance(name := event.get("name"), str):
            self._names[metric_key(name)] = name

    def _read_again(self, since: float) -> None:
        self._since, self._offsets["metrics"] = since, 0
        self.points = [Points() for _ in self.points]
        self.others.clear()

    def _read_metrics(self, news: bool) -> bool:
        while len(data := self._read("metrics")) >= RECORD_SIZE:
            data = data[: len(data) // RECORD_SIZE * RECORD_SIZE]
            self._offsets["metrics"] += len(data)
            news = True
            for key, step, time, value in self._records(data):
                place = self._keys.get(key)
                if place is not None:
                    self.points[place].steps.append(step)
                    self.points[place].values.append(value)
                    self.points[place].times.append(time)
                elif self.curious and key in self._names:
                    other = self.others.setdefault(self._names[key], Others())
                    other.count += 1
                    if len(other.steps) < 2:
                        other.steps.add(step)
        return news

    def _records(self, data: bytes) -> Iterator[tuple[int, int, float, float]]:
        """Yield key, step, time and value of the records that matter."""
        if len(data) <= _FEW * RECORD_SIZE:
            for record in struct.iter_unpack(RECORD_FORMAT, data):
                if record[2] >= self._since:
                    yield record
            return
        import numpy as np

        records = records_of(data)
        wanted = records["time"] >= self._since
        if not self.curious:
            wanted &= np.isin(records["metric"], np.array(list(self._keys), np.uint64))
        records = records[wanted]
        columns = (records[name].tolist() for name in ("metric", "step", "time", "value"))
        yield from zip(*columns, strict=True)


@contextlib.contextmanager
def followed(folder: RunFolder, metrics: Sequence[str]) -> Iterator[Following]:
    """Give a trial read to where it is now."""
    following = Following(folder, metrics)
    try:
        following.advance()
        yield following
    finally:
        following.close()
