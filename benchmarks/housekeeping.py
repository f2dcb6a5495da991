"""Figure: how long prune and fsck of a store of ten thousand runs take."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from mlwidgets.housekeeping.checking import check
from mlwidgets.housekeeping.collecting import collect
from mlwidgets.housekeeping.pruning import Rule, plan, prune
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import RunIndex
from mlwidgets.runs.journal import RECORD_SIZE, metric_key, write_event
from mlwidgets.runs.spec import Frozen, RunSpec, new_run_id
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore

RUNS, STEPS = 10_000, 50


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


def main(count: int) -> None:
    """Print what each step takes, in seconds, by the clock and of a processor."""
    with tempfile.TemporaryDirectory() as path:
        store = RunStore(Path(path) / ".mlwidgets")
        fill(store, count)

        def timed(what: str, begun: tuple[float, float]) -> None:
            wall, processor = time.perf_counter() - begun[0], time.process_time() - begun[1]
            print(f"{what:<44}{wall:8.2f} s{processor:8.2f} s", flush=True)

        def now() -> tuple[float, float]:
            return time.perf_counter(), time.process_time()

        begun = now()
        RunIndex(store).summaries()
        timed(f"the first list of {count:,} runs", begun)
        begun = now()
        assert not list(check(store))
        timed("fsck", begun)
        begun = now()
        assert not list(check(store, deep=True))
        timed("fsck --deep", begun)
        begun = now()
        assert collect(store, grace=0.0).objects == 0
        timed("collect", begun)
        begun = now()
        planned = plan(store, Rule(older_than=count * 1800.0), grace=0.0)
        timed(f"prune --dry-run, {len(planned.runs):,} runs fit", begun)
        begun = now()
        done = prune(store, planned, now=True, grace=0.0)
        assert not done.failed
        assert done.problem is None
        timed(f"prune --now of {len(done.runs):,} runs, {done.objects.objects:,} objects", begun)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
