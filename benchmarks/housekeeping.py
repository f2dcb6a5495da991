"""Figure: how long prune and fsck of a store of ten thousand runs take."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, Row, Spread
from benchmarks.ours import store_in
from mlwidgets.housekeeping.checking import check
from mlwidgets.housekeeping.collecting import collect
from mlwidgets.housekeeping.pruning import Rule, plan, prune
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import RunIndex
from mlwidgets.runs.journal import RECORD_SIZE, metric_key, write_event
from mlwidgets.runs.spec import Frozen, RunSpec, new_run_id
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore

RUNS, QUICK_RUNS, STEPS = 10_000, 1_000, 50


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    runs = QUICK_RUNS if quick else RUNS
    rounds = 1 if quick else 3
    figure = Figure(
        "housekeeping",
        f"prune and fsck of {runs:,} runs",
        f"Runs of {STEPS} records, each with an input and a result of its own and one that all share: "
        f"{2 * runs + 1:,} objects. The clock in the first column, this process's own processor time beside it: files "
        f"are in the system's cache, and half of what the clock says is the file system.",
    )
    store = RunStore(store_in(scratch))
    fill(store, runs)

    def row(what: str, work: Callable[[], Any], times: int = rounds) -> Any:
        clock, processor, found = [], [], None
        for _ in range(times):
            begin = time.perf_counter(), time.process_time()
            found = work()
            clock.append(time.perf_counter() - begin[0])
            processor.append(time.process_time() - begin[1])
        figure.rows.append(Row(what, "s", Spread.of(clock), note=f"processor {min(processor):.2f} s"))
        return found

    row("the first list of all", lambda: RunIndex(store).summaries(), 1)
    assert not row("fsck", lambda: list(check(store)))
    assert not row("fsck --deep", lambda: list(check(store, deep=True)))
    assert row("objects that nothing refers to looked for", lambda: collect(store, grace=0.0)).objects == 0
    rule = Rule(older_than=runs * 1800.0)
    planned = row(f"prune --dry-run, which {runs // 2:,} runs fit", lambda: plan(store, rule, grace=0.0))
    assert len(planned.runs) == runs // 2
    what = f"prune --now of these: {runs // 2:,} runs and {runs:,} objects removed"
    done = row(what, lambda: prune(store, planned, now=True, grace=0.0), 1)
    assert not done.failed
    assert (done.problem, done.objects.objects) == (None, runs)
    return figure


def fill(store: RunStore, count: int) -> None:
    """Make runs with an input, a result, metrics and the files that each run has."""
    store.prepare()
    record = metric_key("loss").to_bytes(8, "little") + bytes(RECORD_SIZE - 8)
    shared = store.put(b"data" * 1000)
    for number in range(count):
        ended = time.time() - number * 3600.0
        frozen = Frozen(store.put(f"input {number}".encode()), (shared,))
        spec = RunSpec(
            id=new_run_id("lenet", ended - 60), name="lenet", code="x = 1\n", inputs=frozen, submitted_at=ended
        )
        folder = RunFolder.create(store.runs, spec)
        write_event(folder.events, "metric", name="loss")
        folder.metrics.write_bytes(record * STEPS)
        result = {"frozen": asdict(Frozen(store.put(f"result {number}".encode()))), "bound": [], "changed": []}
        folder.manifest.write_text(json.dumps({**result, "imports": {}, "missing": {}}))
        write_outcome(folder, Outcome("finished", None, ended - 60, ended, 0), flush=False)
