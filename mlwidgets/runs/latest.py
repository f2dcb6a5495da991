"""The last value of each metric, read from the end of the records: a run may have logged millions."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from mlwidgets.runs.journal import RECORD_FORMAT, RECORD_SIZE, metric_key, read_lines, records_of

_FIRST = 1024
"""Records looked at first; then four times as many, until every metric was met."""
_MOST = (8 << 20) // RECORD_SIZE
"""Records that are read at once."""


def read_last(metrics: Path, events: Path) -> dict[str, float]:
    """Return the last value of each metric that was logged, in the order in which the metrics first appeared."""
    named = (e.get("name") for e in read_lines(events, "metric"))
    names = {metric_key(name): name for name in named if isinstance(name, str)}
    try:
        fd = os.open(metrics, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return {}
    try:
        end = os.fstat(fd).st_size // RECORD_SIZE
        found: dict[int, float] = {}
        step = _FIRST
        while end > 0 and len(found) < len(names):
            begin = max(0, end - step)
            data = _read(fd, begin * RECORD_SIZE, (end - begin) * RECORD_SIZE)
            read = _last_of_few if step == _FIRST else _last_of
            found = {**read(data, names), **found}
            end, step = begin, min(4 * step, _MOST)
    except OSError:
        return {}
    finally:
        os.close(fd)
    return {name: found[key] for key, name in names.items() if key in found}


def _read(fd: int, start: int, length: int) -> bytes:
    """Return exactly these bytes, fewer only where the file was cut off meanwhile."""
    parts = []
    while length > 0 and (data := os.pread(fd, length, start)):
        parts.append(data)
        start, length = start + len(data), length - len(data)
    return b"".join(parts)


def _last_of_few(data: bytes, names: dict[int, str]) -> dict[int, float]:
    """Look at one record after the other: mostly the last few are enough, and numpy need not even be imported."""
    found: dict[int, float] = {}
    for start in range(len(data) // RECORD_SIZE * RECORD_SIZE - RECORD_SIZE, -1, -RECORD_SIZE):
        key, _, _, value = struct.unpack_from(RECORD_FORMAT, data, start)
        if key in names and key not in found:
            found[key] = value
            if len(found) == len(names):
                break
    return found


def _last_of(data: bytes, names: dict[int, str]) -> dict[int, float]:
    import numpy as np

    records = records_of(data[: len(data) // RECORD_SIZE * RECORD_SIZE])
    keys, back = np.unique(records["metric"][::-1], return_index=True)
    values = records["value"][::-1][back]
    return {key: value for key, value in zip(keys.tolist(), values.tolist(), strict=True) if key in names}
