"""Figure: how soon a reader sees what a run logs, and how much of it the view can take."""

from __future__ import annotations

import gzip
import json
import os
import random
import time
from pathlib import Path
from typing import Any

from benchmarks.lab import notebook_page
from benchmarks.measure import Figure, Row, Spread, Target, at_most, number
from benchmarks.ours import store_in
from benchmarks.peers import NotInstalledError, load

RATE = 100_000
"""Points per second that a view is to take."""
POINTS = 1_000_000
DAY = 86_400
FRAMES = 50

_OPEN = """
import threading, time
from pathlib import Path
from mlwidgets.runs.run import Run
from mlwidgets.views.widget import RunView
def show(path):
    begun = time.time()
    view = RunView(Run(Path(path)))
    threading.Thread(target=view.follow, daemon=True).start()
    print("begun", begun)
    return view
"""
#: Notes when a new value of the first chart has been painted: in the first task after each frame.
_WATCH = """() => {
    window.painted = [];
    let last = null;
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
        const node = document.querySelector('.mlw-chart-value');
        const text = node && document.querySelector('.mlw-chart canvas') ? node.innerText : null;
        if (text !== null && text !== last) {
            last = text;
            window.painted.push([text, performance.timeOrigin + performance.now()]);
        }
    };
    const frame = () => {
        channel.port2.postMessage(0);
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}"""
_COUNT_FRAMES = """async seconds => {
    const begun = performance.now();
    let frames = 0;
    while (performance.now() - begun < seconds * 1000) {
        await new Promise(requestAnimationFrame);
        frames += 1;
    }
    return frames / (performance.now() - begun) * 1000;
}"""
_SEEN = "() => Number(/, (\\d+) values/.exec(document.querySelector('.mlw-chart')?.ariaLabel ?? '')?.[1] ?? 0)"


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    figure = Figure(
        "views",
        "Seeing a run: from its journal to the eye",
        "A real JupyterLab, a real kernel, Chromium without a GPU, all on this machine; the widget follows run folders "
        "that this process writes. Latency is from before the append to the first task after the painted frame; "
        "frames are those of the page while the points come in, in calls of a hundredth of a second each.",
    )
    store = store_in(scratch)
    rounds = 40 if quick else 200
    try:
        with notebook_page(scratch / "lab", store) as open_notebook:
            _latency(figure, open_notebook, store, rounds)
            _throughput(figure, open_notebook, store, seconds=3 if quick else 8)
            _opening(figure, open_notebook, store, rounds=2 if quick else 5)
            _day(figure, open_notebook, store)
    except NotInstalledError as error:
        figure.rows.append(Row("append to painted frame", "ms", None, note=str(error)))
    _sizes(figure, store)
    return figure


class _Writer:
    """A run folder whose run goes on, and what writes its journal."""

    def __init__(self, store: Path, name: str) -> None:
        folder_room, spec_room, journal = (load(f"mlwidgets.runs.{room}") for room in ("folder", "spec", "journal"))
        (store / "runs").mkdir(parents=True, exist_ok=True, mode=0o700)
        store.chmod(0o700)
        run_id = spec_room.new_run_id(name)
        spec = spec_room.RunSpec(run_id, name, "pass\n", submitted_at=time.time())
        self.folder = folder_room.RunFolder.create(store / "runs", spec)
        load("mlwidgets.runs.alive").hold(self.folder.alive, "worker")
        for event in ("supervising", "started"):
            journal.write_event(self.folder.events, event)
        self.log = load("mlwidgets.tracking.log").MetricLog(self.folder.metrics, self.folder.events)
        self.key = journal.metric_key
        self.count = 0

    def bulk(self, points: int) -> None:
        """Append points of two metrics by one write."""
        np = load("numpy")
        if not self.count:
            self.log(loss=1.0, noise=0.0)
            self.count = 1
        records = np.zeros(points, [("metric", "<u8"), ("step", "<i8"), ("time", "<f8"), ("value", "<f8")])
        half = points // 2
        steps = np.arange(self.count, self.count + half)
        records["metric"][::2], records["metric"][1::2] = self.key("loss"), self.key("noise")
        records["step"][::2], records["step"][1::2] = steps, steps
        records["time"] = time.time()
        records["value"] = np.random.default_rng(self.count).standard_normal(points)
        self.count += half
        with open(self.folder.metrics, "ab") as file:
            file.write(records.tobytes())

    def end(self) -> None:
        """Let the run end."""
        state = load("mlwidgets.runs.state")
        state.write_outcome(self.folder, state.Outcome("finished", None, time.time() - 60, time.time(), 0))


def _shown(open_notebook: Any, writer: _Writer) -> Any:
    page = open_notebook(f"{writer.folder.id}.ipynb", _OPEN, f"view = show({os.fspath(writer.folder.path)!r}); view")
    page.locator(".mlw-chart canvas").first.wait_for()
    return page


def _latency(figure: Figure, open_notebook: Any, store: Path, rounds: int) -> None:
    writer = _Writer(store, "latency")
    writer.log(value=-1.0)
    page = _shown(open_notebook, writer)
    page.evaluate(_WATCH)
    time.sleep(1)
    written: dict[str, float] = {}
    for i in range(rounds):
        written[str(i)] = time.time() * 1000
        writer.log(value=float(i))
        time.sleep(random.uniform(0.1, 0.25))
    time.sleep(1)
    painted = dict(page.evaluate("window.painted"))
    delays = sorted(painted[value] - begun for value, begun in written.items() if value in painted)
    writer.end()
    page.context.close()
    p95 = delays[int(0.95 * (len(delays) - 1))]
    note = f"95th percentile {number(p95)} ms; {len(delays)} of {rounds} values painted one by one"
    figure.rows.append(Row("append to painted frame", "ms", Spread.of(delays), note=note))
    figure.targets.append(Target("append to painted frame, 95th percentile: 100 ms", f"{number(p95)} ms", p95 <= 100))


def _throughput(figure: Figure, open_notebook: Any, store: Path, seconds: float) -> None:
    for rate in (0, RATE, 10 * RATE):
        writer = _Writer(store, "throughput")
        writer.bulk(1000)
        page = _shown(open_notebook, writer)
        time.sleep(1)
        with _writing(writer, rate, seconds) as lag:
            frames = page.evaluate(_COUNT_FRAMES, seconds)
        behind = _wait(page, writer.count)
        writer.end()
        page.context.close()
        what = f"frames a second at {rate:,} points a second" if rate else "frames a second of a view at rest"
        note = f"all {2 * writer.count:,} points seen {number(behind)} s after the last" if rate else ""
        figure.rows.append(Row(what, "fps", Spread.of([frames]), note=note + ("; the writer was late" if lag else "")))
        if rate == RATE:
            text = f"{FRAMES} frames a second at {RATE:,} points a second"
            figure.targets.append(Target(text, f"{number(frames)} fps", frames >= FRAMES))


class _writing:  # noqa: N801
    """Writes points at a rate, in a thread, as long as the block runs."""

    def __init__(self, writer: _Writer, rate: int, seconds: float) -> None:
        import threading

        self._writer, self._rate, self._seconds = writer, rate, seconds
        self._thread = threading.Thread(target=self._write)
        self._late: list[float] = []

    def _write(self) -> None:
        begun, written = time.monotonic(), 0
        while self._rate and (passed := time.monotonic() - begun) < self._seconds:
            due = int(passed * self._rate) - written
            if due > 1:
                self._writer.bulk(due // 2 * 2)
                written += due // 2 * 2
            time.sleep(0.01)
        if written < 0.95 * self._rate * self._seconds:
            self._late.append(written)

    def __enter__(self) -> list[float]:
        self._thread.start()
        return self._late

    def __exit__(self, *_: object) -> None:
        self._thread.join()


def _wait(page: Any, count: int) -> float:
    """Return the seconds until the view has seen all records of its first metric."""
    begun = time.monotonic()
    page.wait_for_function(f"count => ({_SEEN})() >= count", arg=count)
    return time.monotonic() - begun


def _opening(figure: Figure, open_notebook: Any, store: Path, rounds: int) -> None:
    writer = _Writer(store, "million")
    for _ in range(10):
        writer.bulk(POINTS // 10)
    page = open_notebook("million.ipynb", _OPEN, "import numpy, anywidget")
    page.evaluate("() => { window.code = path => `view = show(${JSON.stringify(path)}); view`; }")
    delays = []
    for _ in range(rounds + 1):
        page.evaluate(_WATCH)
        page.evaluate(
            """path => {
                const { commands, shell } = window.jupyterapp;
                const { content } = shell.currentWidget;
                content.activeCellIndex = content.widgets.length - 1;
                content.activeCell.model.sharedModel.setSource(window.code(path));
                return commands.execute('notebook:run-cell');
            }""",
            os.fspath(writer.folder.path),
        )
        page.locator(".mlw-chart canvas").first.wait_for()
        page.wait_for_function("() => window.painted.length")
        begun = float(page.locator(".jp-OutputArea-output", has_text="begun").last.inner_text().split()[-1])
        delays.append(page.evaluate("window.painted[0][1]") - begun * 1000)
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-cell-output')")
        page.wait_for_function("() => !document.querySelector('.mlw-chart')")
    writer.end()
    page.context.close()
    spread = Spread.of(delays[1:])
    note = f"the first view of the notebook, which loads the script: {number(delays[0])} ms"
    figure.rows.append(Row(f"opening {POINTS:,} points to the first picture", "ms", spread, note=note))
    figure.targets.append(at_most(f"opening {POINTS:,} points: at most 300 ms", 300, "ms", spread))


def _day(figure: Figure, open_notebook: Any, store: Path) -> None:
    writer = _Writer(store, "day")
    writer.bulk(100)
    page = _shown(open_notebook, writer)
    session = page.context.new_cdp_session(page)

    def heap() -> float:
        session.send("HeapProfiler.collectGarbage")
        return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6

    before = heap()
    for second in range(0, DAY, 864):
        writer.bulk(4 * 864)
        with open(writer.folder.output, "a", encoding="utf-8") as file:
            file.writelines(f"step {i}: loss 0.123\n" for i in range(second, second + 864))
        time.sleep(0.1)
    _wait(page, writer.count)
    after = heap()
    writer.end()
    page.context.close()
    note = f"{number(before)} MB before; {4 * DAY:,} points and {DAY:,} lines, sent in a hundred parts"
    figure.rows.append(Row("memory of the page after a day's run", "MB", Spread.of([after]), note=note))


def _sizes(figure: Figure, store: Path) -> None:
    static = Path(load("mlwidgets").__file__).parent / "views" / "static"
    files = [static / name for name in ("run.js", "run.css")]
    if all(file.exists() for file in files):
        whole = sum(file.stat().st_size for file in files) / 1e3
        packed = sum(len(gzip.compress(file.read_bytes())) for file in files) / 1e3
        note = f"{number(packed)} kB as they travel, compressed"
        figure.rows.append(Row("script and style of the view", "kB", Spread.of([whole]), note=note))
    million = next(iter(sorted((store / "runs").glob("*-million-*"))), None)
    if million is None:
        return
    run = load("mlwidgets.runs.run").Run(million)
    spent = []
    for _ in range(6):
        begun = time.perf_counter()
        load("mlwidgets.views.data").snapshot(run)
        spent.append((time.perf_counter() - begun) * 1e3)
    # The first time imports what it takes.
    figure.rows.append(Row(f"reading and reducing {POINTS:,} points", "ms", Spread.of(spent[1:])))
    added = len(json.dumps(load("mlwidgets.views.static").bundle(run))) / 1e3
    spread = Spread.of([added])
    figure.rows.append(Row("added to the notebook by that run when it has ended", "kB", spread))
    figure.targets.append(at_most("a finished run adds at most 100 kB to the notebook", 100, "kB", spread))
