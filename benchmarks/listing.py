"""Figure: a list of thousands of runs, sorted and filtered, from the index."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Figure, Row, Spread, at_most, ratios
from benchmarks.ours import store_in
from benchmarks.panel import _FILL_MLFLOW, _write_runs
from benchmarks.peers import NotInstalledError, load

RUNS, QUICK_RUNS = 10_000, 2_000
PEER_RUNS, QUICK_PEER_RUNS = 2_000, 300
LIMIT = 100.0
WHERE, SORT = "lr < 0.5 and state == 'finished'", "accuracy"

_ASK_OURS = """
import json, sys, time
from pathlib import Path
from mlwidgets.runs.index import RunIndex
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.where import select
times = []
for _ in range(int(sys.argv[4])):
    begin = time.perf_counter()
    summaries = RunIndex(RunStore(Path(sys.argv[1]))).summaries()
    listed = time.perf_counter()
    chosen = select(summaries, sys.argv[2], sys.argv[3])
    times.append(((listed - begin) * 1000, (time.perf_counter() - begin) * 1000, len(summaries), len(chosen)))
print(json.dumps(times))
"""
_ASK_MLFLOW = """
import json, sys, time
from mlflow import MlflowClient
client, rounds, times = MlflowClient(sys.argv[1]), int(sys.argv[3]), []
for _ in range(rounds + 1):
    begin, token, found = time.perf_counter(), None, 0
    while found == 0 or token:
        page = client.search_runs([sys.argv[2]], "attributes.status = 'FINISHED' and metrics.loss < 1", 1, 50_000,
                                  ["metrics.accuracy ASC"], token)
        found, token = found + len(page), page.token
    times.append((time.perf_counter() - begin) * 1000)
print(json.dumps(times[1:]))
"""


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    runs, peers = (QUICK_RUNS, QUICK_PEER_RUNS) if quick else (RUNS, PEER_RUNS)
    rounds = 5 if quick else 15
    figure = Figure(
        "listing",
        f"A list of {runs:,} runs, sorted and filtered",
        f"Run folders as in the panel's figure, their index written. Each round is a process of its own that opens the "
        f"store twice: each time it reads the names of all folders, the index (the second time it remembers that), and "
        f"whether a run was annotated since; then it keeps those with `{WHERE}` and sorts them by `{SORT}`. MLflow "
        f"holds {peers:,} runs in SQLite, asked by its client without a server in one process after a first time, "
        f"with a condition on state and metric, which favours it: it keeps parameters as text alone.",
    )
    (scratch / "project").mkdir()
    path = store_in(scratch / "project")
    _write_runs(path, runs)
    _ours(path, 1)
    asked = [_ours(path, 2) for _ in range(rounds)]
    first, again = ([times[turn][1] for times in asked] for turn in (0, 1))
    figure.rows += [
        Row("listed, for the first time in a process", "ms", Spread.of([times[0][0] for times in asked])),
        Row("listed, again", "ms", Spread.of([times[1][0] for times in asked])),
        Row("listed, filtered and sorted, for the first time", "ms", Spread.of(first)),
        Row("listed, filtered and sorted, again", "ms", Spread.of(again)),
    ]
    try:
        theirs = _mlflow(scratch / "mlflow", peers, rounds)
        figure.rows.append(
            Row("MLflow `search_runs`", "ms", Spread.of(theirs), ratios(theirs, again), f"{peers:,} runs")
        )
    except NotInstalledError as error:
        figure.rows.append(Row("MLflow `search_runs`", "ms", None, note=str(error)))
    for when, times in (("for the first time", first), ("again", again)):
        text = f"{runs:,} runs listed, filtered and sorted, {when}: under {LIMIT:g} ms"
        figure.targets.append(at_most(text, LIMIT, "ms", Spread.of(times)))
    return figure


def _ours(store: Path, times: int) -> Sequence[Sequence[float]]:
    answer: list[list[float]] = json.loads(_python(store.parent, _ASK_OURS, str(store), WHERE, SORT, str(times)))
    return answer


def _mlflow(folder: Path, runs: int, rounds: int) -> list[float]:
    load("mlflow")
    folder.mkdir()
    database = f"sqlite:///{folder}/mlflow.db"
    experiment = _python(folder, _FILL_MLFLOW, database, str(runs)).split()[-1]
    times: list[float] = json.loads(_python(folder, _ASK_MLFLOW, database, experiment, str(rounds)).splitlines()[-1])
    return times


def _python(folder: Path, code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=folder
    )
    if done.returncode:
        raise NotInstalledError(f"it could not be asked: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout
