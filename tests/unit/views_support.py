"""Real run folders for the tests of the views, written as supervisor and worker write them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from struct import Struct
from typing import Any

from mlwidgets.runs.alive import hold
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import RECORD_FORMAT, LineWriter, metric_key, write_event
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import RunSpec, literal_text, new_run_id
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.tracking.log import MetricLog


def make_run(
    parent: Path,
    name: str = "lenet",
    *,
    state: str = "finished",
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    note: str = "",
    metrics: Mapping[str, Iterable[float]] | None = None,
    output: str = "",
    displays: Sequence[Mapping[str, Any]] = (),
    cause: str | None = None,
    traceback: Sequence[str] | None = None,
    took: float = 83.0,
) -> Run:
    """Write a run folder. A run that is submitted or running is held alive by this process."""
    parent.mkdir(parents=True, exist_ok=True)
    begin = time.time() - took - 1
    texts = {key: literal_text(value) for key, value in (params or {}).items()}
    spec = RunSpec(new_run_id(name), name, "pass\n", texts, tags=dict(tags or {}), note=note, submitted_at=begin)
    folder = RunFolder.create(parent, spec)
    write_event(folder.events, "supervising")
    for metric, values in (metrics or {}).items():
        add_values(folder.path, metric, values)
    folder.output.write_text(output)
    for display in displays:
        add_display(folder.path, display)
    ended = state not in {"submitted", "running"}
    if not ended:
        hold(folder.alive, "worker")
    if state != "submitted":
        write_event(folder.events, "started")
    if ended:
        error = {"type": "ValueError", "traceback": list(traceback)} if traceback else None
        write_outcome(folder, Outcome(state, cause, begin + 1, begin + 1 + took, 0, error))
    return Run(folder.path)


def add_values(path: Path, metric: str, values: Iterable[float]) -> None:
    """Log the first value as a worker does, and append the others as it would."""
    folder = RunFolder(path)
    log = MetricLog(folder.metrics, folder.events)
    pack, key, rest = Struct(RECORD_FORMAT).pack, metric_key(metric), iter(values)
    for first in rest:
        log({metric: first})
        with open(folder.metrics, "ab") as file:
            file.writelines(pack(key, step, time.time(), value) for step, value in enumerate(rest, 1))


def add_display(path: Path, data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> None:
    folder = RunFolder(path)
    size = folder.output.stat().st_size
    LineWriter(folder.displays).write("display", offset=size, data=dict(data), metadata=dict(metadata or {}))


def end(run: Run, state: str, cause: str | None = None) -> None:
    now = time.time()
    write_outcome(RunFolder(run.path), Outcome(state, cause, run.started_at, now, 0))
