"""Everything that a view shows of a run, read from its folder. No Jupyter here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.checkpoints import gone_on_from
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import attempt_of
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.trials import read_log
from mlwidgets.views import terminal
from mlwidgets.views.details import read_details
from mlwidgets.views.grouping import Place, place_system
from mlwidgets.views.progress import Progress, progress
from mlwidgets.views.reruns import read_rerun, read_resumes
from mlwidgets.views.sweep import about as describe
from mlwidgets.views.sweep import definition_of, empty_status
from mlwidgets.views.sweepfeed import SweepFeed, SweepShot
from mlwidgets.views.tracks import BUCKETS, Track, about, size_of, track

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mlwidgets.runs.displays import Display
    from mlwidgets.runs.journal import MetricColumn
    from mlwidgets.runs.run import Run

OUTPUT_BYTES = 65536
OUTPUT_LINES = 400
NEW = 16384
"""Bytes of the events of a sweep that may have no trials yet."""
LONGEST_VALUE = 200
"""Characters of a parameter that a view shows."""


@dataclass(frozen=True)
class Series:
    """One metric, reduced to what can be seen. ``last``, ``low`` and ``high`` are those of all values.

    ``times`` are Unix seconds. ``means`` are those of the neighbourhood that each point was taken from.
    """

    name: str
    n: int
    last: float
    last_step: int
    low: float | None
    high: float | None
    steps: NDArray[np.float64]
    values: NDArray[np.float64]
    times: NDArray[np.float64]
    means: NDArray[np.float64]
    place: Place
    said: dict[str, Any]

    def about(self) -> dict[str, Any]:
        """Return everything but the columns, fit for JSON."""
        return dict(self.said)


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
    progress: Progress | None = None
    system: list[Series] = field(default_factory=list)
    details: dict[str, Any] | None = None
    sweep: SweepShot | None = None


def snapshot(run: Run, *, buckets: int = BUCKETS) -> Snapshot:
    """Read all of it."""
    header = read_header(run)
    tracks = track(run.columns(), buckets)
    searched = read_sweep(run, header)
    done = None if header["ended"] or searched else read_progress(run, tracks, header)
    return Snapshot(
        header,
        [_series(one) for one in tracks],
        read_output(run),
        run.displays(),
        done,
        read_system(run, buckets),
        read_details(run),
        searched,
    )


def read_sweep(run: Run, header: dict[str, Any]) -> SweepShot | None:
    """Return the trials of a sweep, None of any other run."""
    asked = definition_of(run)
    if asked is None:
        return None
    feed = SweepFeed(run, asked)
    feed.changes(ended=header["ended"] is not None)
    return feed.shot()


def new_sweep(run: Run, now: float) -> SweepShot | None:
    """Return a sweep that has no trials yet, without reading anything long; None of any other run."""
    asked = definition_of(run)
    if asked is None or size_of(RunFolder(run.path).events) > NEW or read_log(run.path).trials:
        return None
    return SweepShot(describe(asked), empty_status(asked, now), [], [], None)


def read_header(run: Run) -> dict[str, Any]:
    """Return name, state, times, parameters and so on, fit for JSON."""
    folder = RunFolder(run.path)
    outcome = run.outcome
    error = outcome.error
    space = (run.spec.sweep or {}).get("space")
    # What a parameter is where it is not searched is no fixed parameter of the sweep.
    searched = space if isinstance(space, dict) else {}
    return {
        "id": run.id,
        "name": run.name,
        "state": outcome.state,
        "cause": outcome.cause,
        "error": "\n".join(error["traceback"]) if error else None,
        "submitted": run.submitted_at,
        "started": outcome.started_at,
        "ended": outcome.ended_at,
        "params": [[name, _short(value)] for name, value in run.params.items() if name not in searched],
        "tags": [[name, _short(value)] for name, value in run.tags.items()],
        "note": run.note,
        "stopping": not outcome.ended and folder.stop_request.exists(),
        "waiting": _waiting(run) if outcome.state == "submitted" else None,
        "attempt": attempt_of(folder),
        "unnotified": _unnotified(folder),
        "rerun": read_rerun(run, ended=outcome.ended),
        "resumes": read_resumes(run, outcome),
    }


def seconds(header: dict[str, Any], now: float) -> float:
    """Return how long the run of this header ran, or has been running by `now`."""
    begin = header["started"] or header["submitted"]
    return max(0.0, float((header["ended"] or now) - begin))


def read_progress(run: Run, tracks: list[Track], header: dict[str, Any]) -> Progress | None:
    """Return how far the run has come, None where nothing tells."""
    before = gone_on_from(RunFolder(run.path))
    return progress(run.params, {one.name: one for one in tracks}, header["started"], before)


def read_series(run: Run, buckets: int = BUCKETS) -> list[Series]:
    """Return the metrics in the order in which they first appeared, each reduced to `buckets` pairs of extremes."""
    return [_series(one) for one in track(run.columns(), buckets)]


def read_system(run: Run, buckets: int = BUCKETS) -> list[Series]:
    """Return what the run used of the machine, as metrics."""
    return [_series(one) for one in track(run.system_columns(), buckets, place_system)]


def _series(one: Track) -> Series:
    import numpy as np

    points = one.reducer.points()
    # Steps may have gone back.
    order = np.argsort(points.rows[:, 1], kind="stable")
    _, steps, times, values = points.rows[order].T.astype("<f8")
    return Series(
        one.name, one.n, one.last, one.last_step, one.low, one.high,
        steps, values, times, points.means[order], one.place, about(one),
    )  # fmt: skip


def read_range(columns: Mapping[str, MetricColumn], axis: str, begin: float, end: float) -> dict[str, Track]:
    """Return what lies between two steps or two times (`axis`), reduced by itself; one record more on each side."""
    import numpy as np

    found = {}
    for name, column in columns.items():
        x = column.times if axis == "time" else column.steps
        inside = np.flatnonzero((x >= begin) & (x <= end))
        if len(inside):
            part = slice(max(0, int(inside[0]) - 1), int(inside[-1]) + 2)
            (found[name],) = track({name: type(column)(column.steps[part], column.times[part], column.values[part])})
    return found


def read_output(run: Run, limit: int = OUTPUT_BYTES, most: int = OUTPUT_LINES) -> Output:
    """Return the end of the output: at most `limit` bytes and `most` lines of it."""
    text = run.output_tail(limit)
    lines = terminal.parse(text)
    # What is shorter than the file was cut, unless clear_output took the rest away.
    cut = limit // 2 < len(text.encode("utf-8", "replace")) < size_of(RunFolder(run.path).output)
    return Output(lines[-most:], cut or len(lines) > most)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _waiting(run: Run) -> str | None:
    """Return the run's place in the machine's queue in words."""
    try:
        from mlwidgets.runner.queue import place  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return None
    try:
        found: str | None = place(run.id)
    except OSError:
        return None
    return found


def _unnotified(folder: RunFolder) -> list[str]:
    """Return whom the run's end could not be told, each with why."""
    told = read_lines(folder.events, "notified")
    return [f"{e.get('target')}: {e.get('error')}" for e in told if not e.get("ok")]
