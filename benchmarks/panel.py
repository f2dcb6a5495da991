"""Figure: the server behind the panel: first rows of thousands of runs, news of runs, and what looking on costs."""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.lab import free_port
from benchmarks.measure import Figure, Row, Spread, Target, at_most, number, ratios
from benchmarks.ours import store_in
from benchmarks.panel_page import watch_page
from benchmarks.peers import NotInstalledError, load

RUNS, QUICK_RUNS = 10_000, 2_000
PEER_RUNS, QUICK_PEER_RUNS = 2_000, 300
PAGE = 100
LIVE, CLIENTS = 20, 10
FIRST_LIMIT, NEWS_LIMIT, LOAD_LIMIT = 200.0, 200.0, 5.0

_FILL_MLFLOW = """
import sys
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
client = MlflowClient(sys.argv[1])
experiment = client.create_experiment("bench")
for i in range(int(sys.argv[2])):
    run = client.create_run(experiment, run_name=f"run-{i}").info.run_id
    metrics = [Metric(name, 1 / (step + 1), 0, step) for step in range(20) for name in ("loss", "accuracy")]
    client.log_batch(run, metrics, [Param("lr", str(i)), Param("epochs", "20")])
    client.set_terminated(run)
print(experiment)
"""


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    runs, peers = (QUICK_RUNS, QUICK_PEER_RUNS) if quick else (RUNS, PEER_RUNS)
    figure = Figure(
        "panel",
        f"The panel's server, {runs:,} runs",
        f"`jupyter mlwidgets` in a process of its own, asked over HTTP and its websocket from this one. Run folders "
        f"are written one by one, each with 40 records of two metrics. Cold: without `index.sqlite`, files in the "
        f"system's cache. MLflow holds {peers:,} such runs in SQLite, which favours it. News: from before the append "
        f"of a record to the message; processor time is the server's own.",
    )
    project = scratch / "project"
    project.mkdir()
    store = store_in(project)
    _write_runs(store, runs)
    rounds = 3 if quick else 7
    with _serving(project) as server:
        _first_rows(figure, server, store, scratch, rounds, peers)
        _all_rows(figure, server, store, runs, rounds)
        asyncio.run(_idle(figure, server, seconds=3 if quick else 10))
        writers = [_Live(store, f"live-{i}") for i in range(LIVE)]
        asyncio.run(_news(figure, server, writers[0], rounds=40 if quick else 200))
        try:
            watch_page(figure, server.page, writers[1].log, "live-1", 20 if quick else 100)
        except NotInstalledError as error:
            figure.rows.append(Row("in a browser", "ms", None, note=str(error)))
        asyncio.run(_load(figure, server, writers, windows=3, seconds=3 if quick else 10))
    return figure


class _Live:
    """A run that goes on, as far as anybody can see, and its journal."""

    def __init__(self, store: Path, name: str) -> None:
        self.folder = _new_folder(store, name)
        load("mlwidgets.runs.alive").hold(self.folder.alive, "worker")
        for event in ("supervising", "started"):
            load("mlwidgets.runs.journal").write_event(self.folder.events, event)
        self.log = load("mlwidgets.tracking.log").MetricLog(self.folder.metrics, self.folder.events)
        self.log(loss=1.0)


def _new_folder(store: Path, name: str, at: float | None = None) -> Any:
    spec_room = load("mlwidgets.runs.spec")
    at = time.time() if at is None else at
    params = {"lr": repr(random.random()), "epochs": "20", "optimizer": "'adam'"}
    spec = spec_room.RunSpec(spec_room.new_run_id(name, at), name, "pass\n", params, submitted_at=at)
    return load("mlwidgets.runs.folder").RunFolder.create(store / "runs", spec)


def _write_runs(store: Path, count: int) -> None:
    (store / "runs").mkdir(parents=True, mode=0o700)
    store.chmod(0o700)
    state, journal = load("mlwidgets.runs.state"), load("mlwidgets.runs.journal")
    record = struct.Struct(journal.RECORD_FORMAT)
    keys = {name: journal.metric_key(name) for name in ("loss", "accuracy")}
    begin = time.time() - 60.0 * count
    for i in range(count):
        at = begin + 60.0 * i
        folder = _new_folder(store, f"run-{i % 50}", at)
        journal.write_event(folder.events, "started")
        for name in keys:
            journal.write_event(folder.events, "metric", name=name)
        steps = ((step, key) for step in range(20) for key in keys.values())
        folder.metrics.write_bytes(b"".join(record.pack(key, step, at + step, 1 / (step + 1)) for step, key in steps))
        folder.outcome.write_text(json.dumps(vars(state.Outcome("finished", None, at, at + 50.0, 0))))


class _Server:
    """The address of a server, its token and its process."""

    def __init__(self, url: str, token: str, pid: int) -> None:
        self.url, self.token = url, token
        self.process = load("psutil").Process(pid)

    def get(self, path: str) -> Any:
        """Return the JSON of a route."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    @property
    def page(self) -> str:
        """The address of the panel's page."""
        return f"{self.url.removesuffix('api/')}?token={self.token}"

    def processor_time(self) -> float:
        """Return the seconds of processor time that it has used."""
        used = self.process.cpu_times()
        return float(used.user + used.system)

    async def connect(self) -> Any:
        """Return an open stream."""
        tornado = load("tornado.websocket")
        request = load("tornado.httpclient").HTTPRequest(
            f"{self.url.replace('http', 'ws', 1)}stream", headers={"Authorization": f"token {self.token}"}
        )
        return await tornado.websocket_connect(request)


@contextmanager
def _serving(project: Path) -> Iterator[_Server]:
    load("jupyter_server")
    token, port = secrets.token_hex(16), free_port()
    environment = {k: v for k, v in os.environ.items() if k not in {"MLWIDGETS_STORE", "PYTHONPATH"}}
    for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
        environment[f"JUPYTER_{name}"] = str(project.parent / name.lower())
    command = [sys.executable, "-m", "mlwidgets.cli", "serve", "--no-browser", "--allow-root", f"--port={port}"]
    with open(project.parent / "server.log", "wb") as log:
        server = subprocess.Popen(
            [*command, f"--IdentityProvider.token={token}"], cwd=project, env=environment, stdout=log, stderr=log
        )
    found = _Server(f"http://127.0.0.1:{port}/mlwidgets/api/", token, server.pid)
    try:
        _until(lambda: bool(found.get("info")), server)
        yield found
    finally:
        server.terminate()
        server.wait(30)


def _until(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            if ready():
                return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            raise NotInstalledError("the server does not start")
        time.sleep(0.2)


def _timed(work: Callable[[], Any]) -> float:
    before = time.perf_counter()
    work()
    return (time.perf_counter() - before) * 1e3


def _first_rows(figure: Figure, server: _Server, store: Path, scratch: Path, rounds: int, peers: int) -> None:
    cold, warm = [], []
    for _ in range(rounds):
        (store / "index.sqlite").unlink(missing_ok=True)
        cold.append(_timed(lambda: server.get(f"runs?limit={PAGE}")))
        warm.append(_timed(lambda: server.get(f"runs?limit={PAGE}")))
    theirs: list[float] = []
    note = "asked when ours had been: its server keeps the processor busy with other things"
    try:
        with _mlflow(scratch / "mlflow", peers) as search:
            theirs = [_timed(search) for _ in range(rounds + 1)][1:]
    except NotInstalledError as error:
        note = str(error)
    first = Spread.of(cold)
    figure.rows += [
        Row(f"first {PAGE} rows, cold", "ms", first),
        Row(f"first {PAGE} rows, warm", "ms", Spread.of(warm)),
        Row(
            f"MLflow `runs/search`, {PAGE} of {peers:,}",
            "ms",
            Spread.of(theirs) if theirs else None,
            ratios(theirs, warm) if theirs else None,
            note=note,
        ),
    ]
    figure.targets.append(at_most(f"first {PAGE} rows, cold, within {FIRST_LIMIT:g} ms", FIRST_LIMIT, "ms", first))


@contextmanager
def _mlflow(folder: Path, runs: int) -> Iterator[Callable[[], Any]]:
    """Serve MLflow with so many runs; give a function that asks for the first page."""
    load("mlflow")
    folder.mkdir()
    database, port = f"sqlite:///{folder}/mlflow.db", free_port()
    filled = subprocess.run(
        [sys.executable, "-c", _FILL_MLFLOW, database, str(runs)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    if filled.returncode:
        raise NotInstalledError(f"MLflow could not be filled: {filled.stderr.strip().splitlines()[-1]}")
    body = json.dumps({"experiment_ids": [filled.stdout.split()[-1]], "max_results": PAGE}).encode()
    url = f"http://127.0.0.1:{port}/api/2.0/mlflow/runs/search"

    def search() -> Any:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database, "--port", str(port)]
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen([*command, "--workers", "1"], cwd=folder, stdout=log, stderr=log)
    children = load("psutil").Process(server.pid).children
    try:
        _until(lambda: len(search()["runs"]) == PAGE, server)
        yield search
    finally:
        for process in [*children(recursive=True), server]:
            process.terminate()
        server.wait(30)


def _all_rows(figure: Figure, server: _Server, store: Path, runs: int, rounds: int) -> None:
    def every() -> None:
        seen, after = 0, ""
        while after is not None:
            found = server.get(f"runs?limit=5000&after={after}" if after else "runs?limit=5000")
            seen, after = seen + len(found["runs"]), found["cursor"]
        if seen != runs:
            raise RuntimeError(f"{seen} of {runs} runs were listed")

    (store / "index.sqlite").unlink(missing_ok=True)
    figure.rows.append(Row(f"all {runs:,} rows, cold", "ms", Spread.of([_timed(every)])))
    figure.rows.append(Row(f"all {runs:,} rows, warm", "ms", Spread.of([_timed(every) for _ in range(rounds)])))


async def _idle(figure: Figure, server: _Server, seconds: float) -> None:
    async def window() -> float:
        before, begin = server.processor_time(), time.monotonic()
        await asyncio.sleep(seconds)
        return (server.processor_time() - before) / (time.monotonic() - begin) * 100

    alone = [await window() for _ in range(3)]
    client = await server.connect()
    await client.write_message(json.dumps({"type": "watch", "stores": [""]}))
    await client.read_message()
    await asyncio.sleep(1)
    watched = [await window() for _ in range(3)]
    client.close()
    figure.rows.append(Row("processor, nobody looks", "%", Spread.of(alone), note="of one core"))
    figure.rows.append(Row("processor, one looks, nothing happens", "%", Spread.of(watched), note="of one core"))


async def _news(figure: Figure, server: _Server, live: _Live, rounds: int) -> None:
    client = await server.connect()
    await client.write_message(json.dumps({"type": "watch", "stores": [""]}))
    await client.read_message()
    await asyncio.sleep(1)
    delays = []
    for turn in range(rounds):
        await asyncio.sleep(random.uniform(0.05, 0.35))
        before, value = time.perf_counter(), float(turn + 2)
        live.log(loss=value)
        while True:
            message = json.loads(await asyncio.wait_for(client.read_message(), 30))
            rows = message.get("changed", [])
            if any(row["id"] == live.folder.id and row["metrics"].get("loss") == value for row in rows):
                break
        delays.append((time.perf_counter() - before) * 1e3)
    client.close()
    p95 = sorted(delays)[int(0.95 * (len(delays) - 1))]
    figure.rows.append(Row("append to message", "ms", Spread.of(delays), note=f"p95 {number(p95)} ms"))
    text = f"append to message within {NEWS_LIMIT:g} ms (p95)"
    figure.targets.append(Target(text, f"{number(p95)} ms", p95 <= NEWS_LIMIT))


async def _load(figure: Figure, server: _Server, writers: list[_Live], windows: int, seconds: float) -> None:
    stop = threading.Event()

    def write() -> None:
        step = 0
        while not stop.wait(0.1):
            step += 1
            for writer in writers:
                writer.log(loss=1 / step)

    clients = [await server.connect() for _ in range(CLIENTS)]
    counts = [0] * CLIENTS

    async def read(number: int) -> None:
        while await clients[number].read_message() is not None:
            counts[number] += 1

    for client in clients:
        await client.write_message(json.dumps({"type": "watch", "stores": [""]}))
    readers = [asyncio.create_task(read(i)) for i in range(CLIENTS)]
    thread = threading.Thread(target=write)
    thread.start()
    try:
        await asyncio.sleep(2)
        lists = await _shares(server, windows, seconds)
        heard = min(counts) / (windows * seconds + 2)
        run = writers[0].folder.id
        for client in clients:
            await client.write_message(json.dumps({"type": "open", "channel": 1, "store": "", "runs": [run]}))
        await asyncio.sleep(2)
        views = await _shares(server, windows, seconds)
    finally:
        stop.set()
        thread.join()
        for client in clients:
            client.close()
        await asyncio.gather(*readers)
    what = f"{LIVE} runs log 10 times a second, {CLIENTS} clients"
    figure.rows.append(
        Row(f"processor, {what}", "%", Spread.of(lists), note=f"of one core; each hears {heard:.1f} messages/s")
    )
    figure.rows.append(Row("processor, each of them with a live view, too", "%", Spread.of(views), note="of one core"))
    text = f"{what}: under {LOAD_LIMIT:g} % of a core"
    figure.targets.append(at_most(text, LOAD_LIMIT, "%", Spread.of(lists)))


async def _shares(server: _Server, windows: int, seconds: float) -> list[float]:
    found = []
    for _ in range(windows):
        before, begin = server.processor_time(), time.monotonic()
        await asyncio.sleep(seconds)
        found.append((server.processor_time() - before) / (time.monotonic() - begin) * 100)
    return found
