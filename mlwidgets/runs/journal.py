"""The append-only record inside a run folder: metric records, events, displays.

Metric records are 32 bytes each, little endian: metric key (uint64), step (int64), Unix time (float64), value
(float64). One call appends all its records by one ``write`` to a descriptor opened with O_APPEND, so that a call
that returned is in the file whatever happens to the process, and several processes may write. A metric's key is a
hash of its name; the name itself is in the events.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import time
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER_VARIABLE = "MLWIDGETS_RUN_FOLDER"
"""Environment variable by which every process of a run knows its folder."""

RECORD_SIZE = 32
RECORD_FORMAT = "<Qqdd"


class MetricColumn(NamedTuple):
    """All records of one metric in the order written.

    Attributes
    ----------
    steps : int64, shape (n,)
    times : float64, shape (n,)
        Unix seconds.
    values : float64, shape (n,)
    """

    steps: NDArray[np.int64]
    times: NDArray[np.float64]
    values: NDArray[np.float64]


def metric_key(name: str) -> int:
    """Return the 64-bit key under which a metric's records are stored."""
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


class LineWriter:
    """Appends JSON lines to a file, one ``write`` each; a torn line left by a dead process is closed first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.write(self._fd, b"\n")
        self._torn = False

    def close(self) -> None:
        """Close the file; it happens by itself when nobody holds the writer any more."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self.close()

    def write(self, kind: str, **fields: Any) -> None:
        """Append one line with its kind and the time.

        Raises
        ------
        OSError
            If it could not be written whole (a full disk); what was written of it is closed off before more is.
        """
        line = json.dumps({"event": kind, "time": time.time(), **fields}).encode() + b"\n"
        if self._torn:
            line = b"\n" + line
        done = os.write(self._fd, line)
        self._torn = done < len(line)
        if self._torn:
            with contextlib.suppress(OSError):
                self._torn = os.write(self._fd, b"\n") == 0
            raise OSError(errno.ENOSPC, "no space left on device", str(self._path))


def write_event(path: Path, kind: str, **fields: Any) -> None:
    """Append one event to the file at `path`."""
    writer = LineWriter(path)
    try:
        writer.write(kind, **fields)
    finally:
        writer.close()


def read_lines(path: Path, *kinds: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON lines of a file that say what happened and when; torn and damaged ones are passed over.

    Where `kinds` are given, those of these kinds alone: thousands of lines about a sweep's trials are not parsed then.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return
    begins = tuple(f'{{"event": "{kind}"'.encode() for kind in kinds)
    for line in data.split(b"\n"):
        if (not begins or line.startswith(begins)) and (entry := parse_line(line)):
            yield entry


def read_new_lines(path: Path, offset: int) -> tuple[list[bytes], int]:
    """Return the lines of a file that are whole and lie behind `offset`, and the offset behind them."""
    try:
        if os.stat(path).st_size <= offset:
            return [], offset
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read()
    except OSError:
        return [], offset
    whole = data.rfind(b"\n") + 1
    return data[:whole].split(b"\n"), offset + whole


def parse_line(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a line that says what happened and when; None for any other line."""
    try:
        entry = json.loads(line) if line else None
    except (ValueError, RecursionError):
        return None
    whole = isinstance(entry, dict) and isinstance(entry.get("event"), str) and _is_time(entry.get("time"))
    return entry if whole else None


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an int that is too big for a float
        return False


def open_metrics(path: Path) -> int:
    """Open the metric records for appending and cut off a torn record; return the descriptor."""
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    align_metrics(fd)
    return fd


def align_metrics(fd: int) -> None:
    """Cut off what a full disk left of a record, so that later records lie where readers expect them."""
    size = os.fstat(fd).st_size
    if size % RECORD_SIZE:
        os.ftruncate(fd, size - size % RECORD_SIZE)


def read_records(path: Path, offset: int = 0) -> NDArray[np.void]:
    """Return the metric records from the `offset`-th on as a structured array; a torn tail is left out."""
    import numpy as np

    layout = _layout()
    try:
        with open(path, "rb") as file:
            # A file that ends before the offset is empty from there on; numpy would raise.
            file.seek(min(offset * RECORD_SIZE, os.fstat(file.fileno()).st_size))
            return np.fromfile(file, dtype=layout)
    except OSError:
        return np.empty(0, dtype=layout)


def records_of(data: bytes) -> NDArray[np.void]:
    """Return metric records, read as they are in the file, as a structured array."""
    import numpy as np

    return np.frombuffer(data, dtype=_layout())


def _layout() -> np.dtype[np.void]:
    import numpy as np

    return np.dtype([("metric", "<u8"), ("step", "<i8"), ("time", "<f8"), ("value", "<f8")])


def read_metrics(metrics: Path, events: Path, kind: str = "metric") -> dict[str, MetricColumn]:
    """Return every metric's records, in the order in which the metrics first appeared; `kind` of event names them.

    Metrics that are logged by the same calls share the arrays of their steps and times, which are read-only then.
    """
    records = read_records(metrics)
    named = (e.get("name") for e in read_lines(events) if e["event"] == kind)
    return group_records(records, {metric_key(name): name for name in named if isinstance(name, str)})


def group_records(records: NDArray[np.void], names: dict[int, str]) -> dict[str, MetricColumn]:
    """Split metric records by metric; records of a metric without a name are left out."""
    import numpy as np

    keys = records["metric"]
    width = len(names)
    columns: dict[str, MetricColumn] = {}
    if width and len(records) and len(records) % width == 0:
        rows = keys.reshape(-1, width)
        if len(set(rows[0].tolist())) == width and bool((rows == rows[0]).all()):
            steps = times = None
            for position, key in enumerate(rows[0].tolist()):
                part = records[position::width]
                steps, times = _shared(part["step"], steps), _shared(part["time"], times)
                if key in names:
                    columns[names[key]] = MetricColumn(steps, times, part["value"].copy())
            return columns
    found, first, which, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    grouped = records[np.argsort(which, kind="stable")]
    ends = np.cumsum(counts)
    for number in np.argsort(first).tolist():
        key = int(found[number])
        if key in names:
            part = grouped[ends[number] - counts[number] : ends[number]]
            columns[names[key]] = MetricColumn(part["step"], part["time"], part["value"])
    return columns


def _shared(column: NDArray[Any], before: NDArray[Any] | None) -> NDArray[Any]:
    """Return `before` if it holds the same as `column`, else a copy: fresh memory is what reading costs most."""
    import numpy as np

    if before is not None and np.array_equal(before, column):
        return before
    copy = column.copy()
    copy.flags.writeable = False
    return copy
