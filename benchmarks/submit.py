"""Figure 3: how long a submit blocks the kernel, and how soon the code runs."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.kernels import Kernel
from benchmarks.measure import Figure, Row, Spread, at_most, number, ratios
from benchmarks.ours import store_in
from benchmarks.peers import NotInstalledError
from benchmarks.stations import StationError, wait_until

SETUP = """
import os, pathlib, subprocess, sys, time
import cloudpickle, torch

model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
features = torch.randn(1000, 64)
rates = {"lr": 0.1, "decay": 0.99}
mark = os.path.abspath("mark")

def loss_of(model, features):
    return (model(features).detach() ** 2).mean() * rates["lr"]

def small_job(loss_of, model, features, mark):
    import pathlib, time
    pathlib.Path(mark).write_text(repr(time.time()))
    return float(loss_of(model, features))

def big_job(big, mark):
    import pathlib, time
    pathlib.Path(mark).write_text(repr(time.time()))
    return float(big[-1])

def bare_write(tensor):
    data = memoryview(tensor.numpy()).cast("B")
    with open(f"bare-{time.monotonic_ns()}", "wb", buffering=0) as file:
        for start in range(0, len(data), 16 << 20):
            file.write(data[start : start + (16 << 20)])

def start_by_hand(job, arguments):
    pathlib.Path("job.pickle").write_bytes(cloudpickle.dumps((job, arguments)))
    code = "import pickle; job, arguments = pickle.load(open('job.pickle', 'rb')); job(*arguments)"
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL, start_new_session=True)
"""
SMALL_CODE = """
import pathlib, time
pathlib.Path(mark).write_text(repr(time.time()))
loss = float(loss_of(model, features))
"""
BIG_CODE = """
import pathlib, time
pathlib.Path(mark).write_text(repr(time.time()))
last = float(big[-1])
"""
# A billion bytes and a bit: 2**28 numbers of four bytes.
BIG_SETUP = "big = torch.rand(2**28)"
NEW_CONTENT = "big[0] += 1"

SMALL_ARGUMENTS = "loss_of, model, features, mark"
BY_HAND = "`cloudpickle.dumps` to a file + `subprocess`"
LOKY = "joblib's loky `executor.submit`"
SUBMITIT = "submitit `LocalExecutor.submit`"
PAPERMILL = "papermill `execute_notebook` (waits for its end; sends scalars only)"


LOAD = "%load_ext mlwidgets"
LOADED = f"""
{LOAD}
if not get_ipython().find_cell_magic("train"):
    raise ModuleNotFoundError("mlwidgets is not installed")
import mlwidgets
"""


@dataclass
class Way:
    """One way to send code off: its cell, what is run before it and to wait for its end, and what was measured."""

    title: str
    cell: str
    wait: str
    prepare: str = ""
    once: str = ""
    ours: bool = False
    blocked: list[float] = field(default_factory=list)
    with_next: list[float] = field(default_factory=list)
    until_first_line: list[float] = field(default_factory=list)
    called: list[float] = field(default_factory=list)
    missing: str = ""


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    figure = Figure(
        "submit",
        "Kernel blocked by a submit",
        "A real kernel with torch imported, driven through its sockets: from sending the cell until the kernel says "
        "that it is idle. All ways in turns in the same kernel, each job ended and the disk's queue empty before the "
        "next begins. *And the next cell*: until an empty cell sent at once after it is done too, which shows work "
        "that goes on in threads. *First line*: from sending the cell until the submitted code's first line runs.",
    )
    environment = {"MLWIDGETS_STORE": str(store_in(scratch))}
    _fresh_kernels(figure, scratch, environment, 2 if quick else 5)
    with Kernel(scratch / "notebook", environment) as kernel:
        kernel.run(SETUP)
        mark = scratch / "notebook" / "mark"
        small = _small_ways(scratch)
        in_turns(kernel, mark, small, rounds=3 if quick else 15)
        _report(figure, small, "small namespace")
        kernel.run(BIG_SETUP)
        big = _big_ways()
        in_turns(kernel, mark, big, rounds=2 if quick else 5)
        _report(figure, big, "1 GB tensor")
        fresh = _fresh_memory_ways()
        in_turns(kernel, mark, fresh, rounds=2 if quick else 5)
        _report(figure, fresh, "1 GB tensor, nothing freed before")
    figure.remarks.append(
        "A gigabyte written once is a gigabyte of page cache. Ways that delete their file leave memory behind that "
        "the next one takes over; *nothing freed before* leaves every file where it is, and the bare write beside it "
        "shows what new memory and the disk cost on this machine without us."
    )
    for way, limit, text in (
        (small[1], 100, "small namespace under 100 ms"),
        (big[0], 2000, "1 GB tensor the first time under 2 s"),
        (fresh[0], 2000, "1 GB tensor the first time under 2 s, nothing freed before"),
        (big[1], 1000, "1 GB tensor the second time under 1 s"),
    ):
        spread = Spread.of([s * 1e3 for s in way.blocked]) if way.blocked else None
        figure.targets.append(at_most(text, limit, "ms", spread))
    return figure


def _small_ways(scratch: Path) -> list[Way]:
    call = f"mlwidgets.train({SMALL_CODE!r}, name='small', namespace=globals())"
    return [
        Way("an empty cell", "pass", ""),
        Way("mlwidgets `%%train`", f"%%train small{SMALL_CODE}", "small.wait()", once=LOADED, ours=True),
        Way(
            "mlwidgets `mlwidgets.train(source)`",
            f"_t = time.perf_counter(); small = {call}; print(time.perf_counter() - _t)",
            "small.wait()",
            once=LOADED,
            ours=True,
        ),
        *peer_ways("small_job", SMALL_ARGUMENTS),
        papermill_way(scratch / "notebook"),
    ]


def _big_ways() -> list[Way]:
    train = f"%%train big_run{BIG_CODE}"
    return [
        Way("mlwidgets `%%train`, content never sent before", train, "big_run.wait()", NEW_CONTENT, LOADED, ours=True),
        Way("mlwidgets `%%train`, the same content again", train, "big_run.wait()", once=LOADED, ours=True),
        *peer_ways("big_job", "big, mark"),
    ]


def _fresh_memory_ways() -> list[Way]:
    train = f"%%train big_run{BIG_CODE}"
    return [
        Way("mlwidgets `%%train`, content never sent before", train, "big_run.wait()", NEW_CONTENT, LOADED, ours=True),
        Way("one bare `write` of the same bytes to a new file", "bare_write(big)", ""),
    ]


def papermill_way(folder: Path) -> Way:
    """Return how papermill does it, its notebook written into the kernel's folder."""
    (folder / "papermill.ipynb").write_text(json.dumps(papermill_notebook()), encoding="utf-8")
    call = "papermill.execute_notebook('papermill.ipynb', 'out.ipynb', {'mark': mark, 'lr': 0.1}, progress_bar=False)"
    return Way(PAPERMILL, call, "", once="import papermill")


def peer_ways(job: str, arguments: str) -> list[Way]:
    """Return how others send a function off."""
    return [
        Way(
            BY_HAND,
            f"process = start_by_hand({job}, ({arguments}))",
            "assert process.wait() == 0; os.unlink('job.pickle')",
        ),
        Way(
            LOKY,
            f"future = get_reusable_executor(max_workers=1, timeout=60).submit({job}, {arguments})",
            "future.result()",
            once="from joblib.externals.loky import get_reusable_executor",
        ),
        Way(
            SUBMITIT,
            "executor = submitit.LocalExecutor(folder='submitit', max_pickle_size_gb=4)\n"
            f"job = executor.submit({job}, {arguments})",
            "job.result(); import shutil; shutil.rmtree('submitit')",
            once="import submitit",
        ),
    ]


def papermill_notebook() -> dict[str, object]:
    """Return a notebook that marks its first line."""
    cell: dict[str, object] = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    sources = ("mark, lr = '', 0.0", "import pathlib, time\npathlib.Path(mark).write_text(repr(time.time()))")
    cells = [{**cell, "id": f"c{i}", "source": text} for i, text in enumerate(sources)]
    cells[0]["metadata"] = {"tags": ["parameters"]}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def in_turns(kernel: Kernel, mark: Path, ways: list[Way], rounds: int) -> None:
    """Measure all ways in turns, the first turn for warming up."""
    for way in ways:
        try:
            kernel.run(way.once)
        except NotInstalledError as error:
            way.missing = str(error)
    for turn in range(-1, rounds):
        for way in ways:
            if not way.missing:
                _measure_way(kernel, mark, way, keep=turn >= 0)


def _measure_way(kernel: Kernel, mark: Path, way: Way, *, keep: bool) -> None:
    kernel.run(way.prepare)
    mark.unlink(missing_ok=True)
    os.sync()
    sent = time.time()
    blocked, printed = kernel.run(way.cell)
    kernel.run("pass")
    with_next = time.time() - sent
    kernel.run(way.wait)
    if way.wait and not wait_until(mark.exists, 60):
        raise StationError(f"{way.title}: the job never ran")
    if not keep:
        return
    way.blocked.append(blocked)
    way.with_next.append(with_next)
    if mark.exists():
        way.until_first_line.append(float(mark.read_text(encoding="utf-8")) - sent)
    if way.cell.startswith("_t = "):
        way.called.append(float(printed.split()[-1]))


def _report(figure: Figure, ways: list[Way], kind: str) -> None:
    ours = next((way.blocked for way in ways if way.ours), [])
    for way in ways:
        title = f"{kind}: {way.title}"
        if way.missing:
            figure.rows.append(Row(title, "ms", None, note=way.missing))
            continue
        notes = [f"and the next cell {_median(way.with_next)}"]
        if way.until_first_line:
            notes.append(f"first line after {_median(way.until_first_line)}")
        if way.called:
            notes.append(f"the call itself {_median(way.called)}")
        ratio = None if way.ours or way.title == "an empty cell" else ratios(way.blocked, ours)
        figure.rows.append(Row(title, "ms", Spread.of([s * 1e3 for s in way.blocked]), ratio, "; ".join(notes)))


def _median(seconds: list[float]) -> str:
    return f"{number(Spread.of(seconds).median * 1e3)} ms"


def _fresh_kernels(figure: Figure, scratch: Path, environment: dict[str, str], rounds: int) -> None:
    """Measure the very first submit of a kernel, before any process is warm."""
    steps = {"`%load_ext mlwidgets`": LOAD, "the first `%%train`": f"%%train small{SMALL_CODE}"}
    seconds: dict[str, list[float]] = {what: [] for what in steps}
    for turn in range(rounds):
        with Kernel(scratch / f"fresh-{turn}", environment) as kernel:
            kernel.run(SETUP)
            try:
                for what, code in steps.items():
                    seconds[what].append(kernel.run(code)[0])
                    kernel.run(LOADED)
                kernel.run("small.wait()")
            except NotInstalledError as error:
                figure.rows.append(Row("a fresh kernel", "ms", None, note=str(error)))
                return
    for what, taken in seconds.items():
        figure.rows.append(Row(f"a fresh kernel: {what}", "ms", Spread.of([s * 1e3 for s in taken])))
    first = Spread.of([s * 1e3 for s in seconds["the first `%%train`"]])
    figure.targets.append(at_most("small namespace under 100 ms, a fresh kernel's first", 100, "ms", first))
