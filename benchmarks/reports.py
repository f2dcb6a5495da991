"""Figure: what a report costs beyond its notebook's execution, how large its page is, how soon many are listed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.measure import Figure, Row, Spread, Unit, at_most, ratios
from benchmarks.ours import store_in
from benchmarks.peers import NotInstalledError, load

ROUNDS, EDITIONS, SHOWN = 7, 10_000, 50
BEYOND_LIMIT, LIST_LIMIT = 2.0, 100.0
PAUSE = 0.05
"""Seconds between two looks at the memory."""
MARK = "MLWIDGETS_BENCH_WAY"
CELLS = (
    'rows: int = 200\ntitle: str = "Sales"',
    "import numpy as np\nimport pandas as pd\nimport matplotlib.pyplot as plt",
    "sales = pd.DataFrame({'day': range(rows), 'sold': np.random.default_rng(0).poisson(40, rows)})\nsales.head(30)",
    "figure, axes = plt.subplots()\naxes.plot(sales['day'], sales['sold'].cumsum())\naxes.set(title=title)\nplt.show()",
    "for day in range(60):\n    print(day, sales['sold'][:day].sum())",
)
_BARE = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=600).execute()
nbformat.write(notebook, "executed.ipynb")
"""
_PAPERMILL = """
import papermill, subprocess, sys
papermill.execute_notebook(sys.argv[1], "executed.ipynb", {"title": "Sales"}, progress_bar=False)
subprocess.run([sys.executable, "-m", "nbconvert", "--to", "html", "executed.ipynb"], check=True)
"""
_SCHEDULER = """
import sys
from pathlib import Path
from jupyter_scheduler.executors import DefaultExecutionManager
from jupyter_scheduler.orm import Job, create_session, create_tables
url = f"sqlite:///{Path('jobs.sqlite').resolve()}"
create_tables(url)
job = Job(runtime_environment_name="", input_filename="sales.ipynb", output_formats=["ipynb", "html"], name="sales",
          parameters={"title": "'Sales'"})
with create_session(url)() as session:
    session.add(job)
    session.commit()
    key = job.job_id
folder = Path("staging")
folder.mkdir()
paths = {"input": str(folder / "sales.ipynb"), "ipynb": str(folder / "out.ipynb"), "html": str(folder / "out.html")}
Path(paths["input"]).write_bytes(Path(sys.argv[1]).read_bytes())
DefaultExecutionManager(key, ".", url, paths).process()
with create_session(url)() as session:
    status = session.query(Job).filter(Job.job_id == key).one().status
sys.exit(0 if status == "COMPLETED" else f"the job is {status}")
"""


@dataclass
class Way:
    """One way from a notebook to a page: the command, and where the page lies afterwards."""

    title: str
    command: Sequence[str]
    page: str
    needs: str
    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    bytes: int = 0
    missing: str = ""


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    figure = Figure(
        "reports",
        "From a notebook to its page",
        "A notebook of six cells (parameters, pandas, a table, a matplotlib figure, printed lines) is executed and "
        "made a page by each way in turns, each time in a new process and an empty folder: wall time from the start of "
        "the command to its end, less that of nbclient alone in the same round, which executes it and writes the "
        "notebook. "
        "Memory is the sum of the proportional set sizes of all processes that the command has started, kernel "
        "included, at its highest, 20 times a second. Listing: a report with ten thousand editions on the disk.",
    )
    notebook = scratch / "sales.ipynb"
    notebook.write_text(json.dumps(_notebook()), encoding="utf-8")
    ways = _ways(notebook)
    for number in range(2 if quick else ROUNDS):
        for way in ways:
            _go(way, scratch / f"{number}-{ways.index(way)}")
    _report(figure, ways)
    _list(figure, scratch / "many", 500 if quick else EDITIONS)
    return figure


def _notebook() -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    cells = [{**cell, "id": f"c{number}", "source": source} for number, source in enumerate(CELLS)]
    cells[0]["metadata"] = {"tags": ["parameters"]}
    head = {
        "cell_type": "markdown",
        "id": "head",
        "metadata": {},
        "source": "# Sales\n\nHow much was sold: $\\sum_i s_i$.",
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": [head, *cells], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _ways(notebook: Path) -> list[Way]:
    python, path = sys.executable, str(notebook)
    convert = [python, "-m", "nbconvert", "--to", "html", "--execute", "--output-dir", ".", path]
    ours = [python, "-m", "mlwidgets.cli", "report", "run", path, "--param", "title=Sales"]
    return [
        Way("nbclient alone", [python, "-c", _BARE, path], "", "nbclient"),
        Way("mlwidgets `report run`", ours, ".mlwidgets/reports/sales/editions/*/index.html", "mlwidgets"),
        Way("papermill, then `nbconvert`", [python, "-c", _PAPERMILL, path], "executed.html", "papermill"),
        Way("`jupyter nbconvert --execute`", convert, "sales.html", "nbconvert"),
        Way("jupyter-scheduler's executor", [python, "-c", _SCHEDULER, path], "staging/out.html", "jupyter_scheduler"),
    ]


def _go(way: Way, folder: Path) -> None:
    """Take one round of a way; one that is not installed says so once."""
    if way.missing:
        return
    try:
        load(way.needs)
    except NotInstalledError as error:
        way.missing = str(error)
        return
    folder.mkdir()
    mark = f"{os.getpid()}-{folder.name}"
    environment = {**os.environ, MARK: mark, "MLWIDGETS_STORE": str(store_in(folder)), "JUPYTER_PLATFORM_DIRS": "1"}
    with _Memory(mark) as memory, open(folder.with_suffix(".log"), "wb") as log:
        began = time.perf_counter()
        done = subprocess.run(way.command, cwd=folder, env=environment, stdout=log, stderr=log, check=False)
        seconds = time.perf_counter() - began
    pages = sorted(folder.glob(way.page)) if way.page else []
    if done.returncode or (way.page and not pages):
        way.missing = f"failed: {folder.with_suffix('.log').read_text(errors='replace').strip().splitlines()[-1:]}"
        return
    way.seconds.append(seconds)
    way.megabytes.append(memory.highest / 1e6)
    way.bytes = pages[0].stat().st_size if pages else 0


class _Memory:
    """The memory of all processes that carry a mark in their environment, whoever is their parent."""

    def __init__(self, mark: str) -> None:
        self._psutil, self._mark = load("psutil"), mark
        self._known: dict[tuple[int, float], bool] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.highest = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(PAUSE):
            self.highest = max(self.highest, sum(self._sizes()))

    def _sizes(self) -> Iterator[int]:
        for process in self._psutil.process_iter():
            try:
                key = (process.pid, process.create_time())
                if key not in self._known:
                    self._known[key] = process.environ().get(MARK) == self._mark
                if self._known[key]:
                    sizes = process.memory_full_info()
                    yield int(getattr(sizes, "pss", sizes.rss))
            except self._psutil.Error:
                continue


def _report(figure: Figure, ways: list[Way]) -> None:
    bare, ours = ways[0], ways[1]
    _row(figure, bare, "s", bare.seconds, None, "executes, and makes no page")
    beyond = {
        way.title: [all_of - alone for all_of, alone in zip(way.seconds, bare.seconds, strict=False)] for way in ways
    }
    for way in ways[1:]:
        _row(figure, way, "s", beyond[way.title], None if way is ours else beyond[ours.title], "beyond nbclient alone")
    for way in ways:
        _row(figure, way, "MB", way.megabytes, None if way is ours else ours.megabytes, "highest, all processes")
    for way in ways[1:]:
        _row(figure, way, "kB", [way.bytes / 1e3] if way.bytes else [], None, "its page")
    spread = Spread.of(beyond[ours.title]) if beyond[ours.title] else None
    figure.remarks.append(
        "mlwidgets' way ends when the page is published: run folder, queue, journal, snapshot and edition are in it. "
        "Of jupyter-scheduler only the executor is measured, without its server, which looks for due jobs now and then."
    )
    figure.targets.append(at_most("a report beyond the execution: at most 2 s, median", BEYOND_LIMIT, "s", spread))


def _row(
    figure: Figure, way: Way, unit: Unit, values: Sequence[float], ours: Sequence[float] | None, what: str
) -> None:
    if way.missing or not values:
        figure.rows.append(Row(f"{way.title}: {what}", unit, None, note=way.missing or "not measured"))
        return
    ratio = ratios(values, ours) if ours else None
    figure.rows.append(Row(f"{way.title}: {what}", unit, Spread.of(values), ratio))


def _list(figure: Figure, folder: Path, count: int) -> None:
    """Measure how soon editions are listed that lie on the disk; all of it is read anew each time."""
    editions, site = load("mlwidgets.reports.publishing.editions"), load("mlwidgets.reports.site.pages")
    definition, stores = load("mlwidgets.reports.publishing.definition"), load("mlwidgets.runs.store")
    store = stores.RunStore(store_in(folder))
    definition.define(store, "sales", notebook=str(folder / "sales.ipynb"))
    made = store_in(folder) / "reports" / "sales" / "editions"
    began = time.time() - 60.0 * count
    for number in range(count):
        started = began + 60.0 * number
        name = time.strftime("%Y%m%d-%H%M%S", time.gmtime(started)) + "-sales-bnch"
        (made / name).mkdir(parents=True)
        told: dict[str, Any] = {
            "id": name,
            "run": name,
            "state": "published",
            "cause": None,
            "title": "Sales",
            "params": {},
            "commit": None,
        }
        told |= {"started": started, "ended": started + 9, "duration": 9.0, "published": started + 10, "checks": []}
        told |= {"failed_cell": None, "bytes": 1000, "files": ["index.html"]}
        (made / name / "edition.json").write_text(json.dumps(told), encoding="utf-8")
        (made / name / "index.html").write_text("<!doctype html>", encoding="utf-8")
    newest = max(one.name for one in made.iterdir())
    (made.parent / "latest.json").write_text(json.dumps({"edition": newest}), encoding="utf-8")

    def timed(call: Callable[[], Any], expected: int | None) -> list[float]:
        times = []
        for _ in range(5):
            before = time.perf_counter()
            found = call()
            times.append((time.perf_counter() - before) * 1e3)
            if expected is not None and len(found) != expected:
                raise AssertionError(f"{len(found)} editions were listed, not {expected}")
        return times

    first = timed(lambda: editions.Report(store, "sales").editions(limit=SHOWN), SHOWN)
    every = timed(lambda: editions.Report(store, "sales").editions(limit=None), count)
    page = timed(lambda: site.editions_page(editions.Report(store, "sales")), None)
    index = timed(lambda: site.index_page([editions.Report(store, "sales")]), None)
    many = f"{count:,} editions"
    figure.rows += [
        Row(f"the newest {SHOWN} of {many}", "ms", Spread.of(first)),
        Row(f"all of {many}", "ms", Spread.of(every)),
        Row(f"the page of a report's history, {many}", "ms", Spread.of(page)),
        Row(f"the page of all reports, one with {many}", "ms", Spread.of(index)),
    ]
    figure.targets.append(at_most(f"history of {many}: at most 100 ms, median", LIST_LIMIT, "ms", Spread.of(page)))
