"""Everything that a view shows of a run, read from its folder. No Jupyter here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.folder import RunFolder
from mlwidgets.views import terminal
from mlwidgets.views.reduce import extremes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlwidgets.runs.displays import Display
    from mlwidgets.runs.run import Run

BUCKETS = 1000
"""Pairs of extremes of one metric at most."""
ALL_BUCKETS = 4000
"""Pairs of extremes of all metrics together, as long as each keeps `FEWEST_BUCKETS`."""
FEWEST_BUCKETS = 150
OUTPUT_BYTES = 65536
OUTPUT_LINES = 400
LONGEST_VALUE = 200
"""Characters of a parameter that a view shows."""


@dataclass(frozen=True)
class Series:
    """One metric, reduced to what can be seen. ``last``, ``low`` and ``high`` are those of all values."""

    name: str
    n: int
    last: float
    last_step: int
    low: float | None
    high: float | None
    steps: NDArray[np.float64]
    values: NDArray[np.float64]

    def about(self) -> dict[str, Any]:
        """Return everything but the columns, fit for JSON."""
        return {
            "name": self.name,
            "n": self.n,
            "last": json_number(self.last),
            "lastStep": self.last_step,
            "min": json_number(self.low),
            "max": json_number(self.high),
        }


@dataclass(frozen=True)
class Output:
    """The end of a run's output as a terminal would show it. ``cut``: there was more before it."""

    lines: list[list[terminal.Span]]
    cut: bool


@dataclass(frozen=True)
class Snapshot:
    """What a view shows at one moment."""

    header: dict[str, Any]
    series: list[Series]
    output: Output
    displays: list[Display]


def snapshot(run: Run, *, buckets: int = BUCKETS) -> Snapshot:
    """Read all of it."""
    return Snapshot(read_header(run), read_series(run, buckets), read_output(run), run.displays())


def read_header(run: Run) -> dict[str, Any]:
    """Return name, state, times, parameters and so on, fit for JSON."""
    outcome = run.outcome
    error = outcome.error
    return {
        "id": run.id,
        "name": run.name,
        "state": outcome.state,
        "cause": outcome.cause,
        "error": "\n".join(error["traceback"]) if error else None,
        "submitted": run.submitted_at,
        "started": outcome.started_at,
        "ended": outcome.ended_at,
        "params": [[name, _short(value)] for name, value in run.params.items()],
        "tags": [[name, _short(value)] for name, value in run.tags.items()],
        "note": run.note,
        "stopping": not outcome.ended and RunFolder(run.path).stop_request.exists(),
    }


def seconds(header: dict[str, Any], now: float) -> float:
    """Return how long the run of this header ran, or has been running by `now`."""
    begin = header["started"] or header["submitted"]
    return max(0.0, float((header["ended"] or now) - begin))


def read_series(run: Run, buckets: int = BUCKETS) -> list[Series]:
    """Return the metrics in the order in which they first appeared, each reduced to `buckets` pairs of extremes."""
    import numpy as np

    found = []
    columns = run.columns()
    buckets = min(buckets, max(FEWEST_BUCKETS, ALL_BUCKETS // max(1, len(columns))))
    for name, column in columns.items():
        steps, values = np.asarray(column.steps), np.asarray(column.values)
        if not len(values):
            continue
        last, last_step = float(values[-1]), int(steps[-1])
        if (steps[1:] < steps[:-1]).any():
            order = np.argsort(steps, kind="stable")
            steps, values = steps[order], values[order]
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (None, None)
        keep = extremes(values, buckets)
        found.append(
            Series(name, len(values), last, last_step, low, high, steps[keep].astype("<f8"), values[keep].astype("<f8"))
        )
    return found


def read_output(run: Run, limit: int = OUTPUT_BYTES, most: int = OUTPUT_LINES) -> Output:
    """Return the end of the output: at most `limit` bytes and `most` lines of it."""
    text = run.output_tail(limit)
    lines = terminal.parse(text)
    # What is shorter than the file was cut, unless clear_output took the rest away.
    cut = limit // 2 < len(text.encode("utf-8", "replace")) < _size(run)
    return Output(lines[-most:], cut or len(lines) > most)


def json_number(value: float | None) -> float | str | None:
    """Return a float as JSON can carry it: what is not finite becomes its name."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _size(run: Run) -> int:
    try:
        return RunFolder(run.path).output.stat().st_size
    except OSError:
        return 0
