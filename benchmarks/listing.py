"""Figure: a list of thousands of runs, sorted and filtered, from the index."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, Row, Spread, at_most, ratios
from benchmarks.ours import store_in
from benchmarks.panel import _FILL_MLFLOW, _write_runs
from benchmarks.peers import NotInstalledError, load

RUNS, QUICK_RUNS = 10_000, 2_000
PEER_RUNS, QUICK_PEER_RUNS = 2_000, 300
LIMIT = 100.0
WHERE, SORT = "lr < 0.5 and state == 'finished'", "accuracy"

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
        f"Run folders as in the panel's figure, their index written. Each round opens the store anew, reads the names "
        f"of all folders, the index, and whether a run was annotated since; then it keeps those with `{WHERE}` and "
        f"sorts them by `{SORT}`. MLflow holds {peers:,} runs in SQLite, asked by its client without a server, with a "
        f"condition on state and metric, which favours it: it keeps parameters as text alone.",
    )
    (scratch / "project").mkdir()
    path = store_in(scratch / "project")
    _write_runs(path, runs)
    store, index = load("mlwidgets.runs.store").RunStore, load("mlwidgets.runs.index").RunIndex
    select = load("mlwidgets.runs.where").select
    index(store(path)).summaries()
    listed = [_timed(lambda: index(store(path)).summaries()) for _ in range(rounds)]
    chosen = [_timed(lambda: select(index(store(path)).summaries(), WHERE, SORT)) for _ in range(rounds)]
    figure.rows.append(Row("listed", "ms", Spread.of(listed)))
    try:
        theirs = _mlflow(scratch / "mlflow", peers, rounds)
        figure.rows.append(Row("listed, sorted and filtered", "ms", Spread.of(chosen)))
        note = f"{peers:,} runs"
        figure.rows.append(Row("MLflow `search_runs`", "ms", Spread.of(theirs), ratios(theirs, chosen), note))
    except NotInstalledError as error:
        figure.rows.append(Row("listed, sorted and filtered", "ms", Spread.of(chosen)))
        figure.rows.append(Row("MLflow `search_runs`", "ms", None, note=str(error)))
    text = f"{runs:,} runs listed, sorted and filtered: under {LIMIT:g} ms"
    figure.targets.append(at_most(text, LIMIT, "ms", Spread.of(chosen)))
    return figure


def _timed(action: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    action()
    return (time.perf_counter() - begin) * 1000


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
        raise NotInstalledError(f"MLflow could not be asked: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout
