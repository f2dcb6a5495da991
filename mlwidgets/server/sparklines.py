"""One metric of a run in forty numbers."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import RECORD_SIZE, metric_key, records_of
from mlwidgets.runs.superseded import superseded_sign
from mlwidgets.views.format import json_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

POINTS = 40
LONGEST = 64 << 20
"""Bytes of records that are read whole; of more than that, `WINDOWS` parts of `WINDOW` bytes."""
WINDOWS, WINDOW = 512, 16 << 10
_KEPT = 5000
"""Sparklines that are remembered."""


class Sparklines:
    """Reads them, and remembers those of files that have not grown; safe to use from several threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], tuple[tuple[int, int], dict[str, Any] | None]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, run: Path, metric: str) -> dict[str, Any] | None:
        """Return means of at most `POINTS` stretches, the number of records and the last value.

        None where the run has no such metric. The number is an estimate where there are millions.
        """
        path = os.fspath(RunFolder(run).metrics)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            size = os.fstat(fd).st_size // RECORD_SIZE * RECORD_SIZE
            sign = size, superseded_sign(Path(path))
            with self._lock:
                known = self._known.get((path, metric))
                if known is not None and known[0] == sign:
                    self._known.move_to_end((path, metric))
                    return known[1]
            found = _line(fd, size, metric_key(metric))
        except OSError:
            return None
        finally:
            os.close(fd)
        with self._lock:
            self._known[path, metric] = (sign, found)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return found


def _line(fd: int, size: int, key: int) -> dict[str, Any] | None:
    values = _values(fd, size, key)
    if not len(values):
        return None
    share = 1.0 if size <= LONGEST else WINDOWS * WINDOW / size
    points = [json_number(float(f"{value:.5g}")) for value in _means(values)]
    return {"points": points, "n": round(len(values) / share), "last": json_number(float(values[-1]))}


def _values(fd: int, size: int, key: int) -> NDArray[np.float64]:
    import numpy as np

    if size <= LONGEST:
        parts = [(0, size)]
    else:
        starts = np.linspace(0, (size - WINDOW) // RECORD_SIZE, WINDOWS).astype(int) * RECORD_SIZE
        parts = [(int(start), WINDOW) for start in starts]
    found = []
    for start, length in parts:
        data = os.pread(fd, length, start)
        records = records_of(data[: len(data) // RECORD_SIZE * RECORD_SIZE])
        found.append(records["value"][records["metric"] == key])
    return np.concatenate(found)


def _means(values: NDArray[np.float64]) -> list[float]:
    """Return the means of the finite values of equal stretches; NaN where there is none."""
    import numpy as np

    if len(values) <= POINTS:
        return [float(value) for value in values]
    bounds = np.linspace(0, len(values), POINTS + 1).astype(int)[:-1]
    finite = np.isfinite(values)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        sums = np.add.reduceat(np.where(finite, values, 0.0), bounds)
        means = sums / np.add.reduceat(finite, bounds, dtype=np.int64)
    return [float(mean) for mean in means]
