"""Figure: what it costs to sample, every second, what a run uses of the machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, Row, Spread, at_most, ratios
from benchmarks.peers import NotInstalledError, load
from benchmarks.stations import Station

WORKERS, THREADS, MEGABYTES = 9, 8, 200
PROCESSES = 1000
LIMIT = 1.0

_TREE = f"""
import os, sys, threading, time
held = bytearray({MEGABYTES} << 20)
for i in range(0, len(held), 4096):
    held[i] = 1
def idle():
    for _ in range({THREADS} - 1):
        threading.Thread(target=time.sleep, args=(86400,), daemon=True).start()
    time.sleep(86400)
for _ in range({WORKERS}):
    if not os.fork():
        idle()
print(flush=True)
idle()
"""
_CROWD = """
import os, signal, sys
for _ in range(int(sys.argv[1])):
    if not os.fork():
        signal.pause()
print(flush=True)
signal.pause()
"""


class Subject:
    """Samples the tree below a process every second when it is asked to, and tells what that took."""

    title = ""
    note = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Sample so many times; return seconds of processor time for each."""
        self.begin(int(request["root"]))
        before = self.used()
        for _ in range(int(request["samples"])):
            time.sleep(1)
            self.sample()
        after = self.used()
        self.end()
        return {"cpu": (after - before) / request["samples"]}

    def used(self) -> float:
        """Return the processor time of all that samples, in seconds."""
        return time.process_time()

    def begin(self, root: int) -> None:
        """Get ready; what this takes does not count."""

    def sample(self) -> None:
        """Take one sample."""

    def end(self) -> None:
        """Take down what `begin` set up."""


class Nothing(Subject):
    """Waking up every second: the floor."""

    title = "waking up every second"


class Ours(Subject):
    """The supervisor's sampler."""

    title = "mlwidgets"
    note = "processor, memory, disk, network, written to the run's folder"

    def begin(self, root: int) -> None:
        """Start on a new run folder."""
        from mlwidgets.runner.sampling import Sampler
        from mlwidgets.runs.folder import RunFolder
        from mlwidgets.runs.spec import RunSpec, new_run_id

        self._run = RunFolder.create(self.folder, RunSpec(new_run_id("bench"), "bench", "pass"))
        self._sampler = Sampler(self._run, root)
        time.sleep(1)

    def sample(self) -> None:
        """Ask the thread that samples."""
        self._sampler.sample()

    def end(self) -> None:
        """Make sure that it did."""
        self._sampler.close()
        assert self._run.system.stat().st_size, "nothing was sampled"


class Psutil(Subject):
    """What one would write with psutil."""

    title = "psutil, `children(recursive=True)`"
    note = "processor, memory, disk, network, nothing written"

    def begin(self, root: int) -> None:
        """Look at it once."""
        self._psutil = load("psutil")
        self._root = self._psutil.Process(root)
        self.sample()

    def sample(self) -> None:
        """Read the same figures."""
        for process in self._root.children(recursive=True):
            try:
                with process.oneshot():
                    process.cpu_times()
                    process.memory_info()
                    process.io_counters()
            except self._psutil.Error:
                continue
        self._psutil.net_io_counters()


class WandB(Subject):
    """Its own system monitor, offline, in a process beside the training code."""

    title = "W&B, sampling every second"
    note = "its `wandb-core` process, offline, with the process tree; nothing logged by the code"

    def begin(self, root: int) -> None:
        """Start a run and wait until its start is over."""
        wandb, psutil = load("wandb"), load("psutil")
        settings = wandb.Settings(
            mode="offline",
            silent=True,
            x_stats_sampling_interval=1.0,
            x_stats_pid=root,
            x_stats_track_process_tree=True,
        )
        self._run = wandb.init(project="bench", dir=str(self.folder), settings=settings)
        time.sleep(5)
        self._processes = [psutil.Process(), *psutil.Process().children(recursive=True)]

    def used(self) -> float:
        """Return the time of this process and of those that it has started."""
        return float(sum(sum(p.cpu_times()[:2]) for p in self._processes))

    def end(self) -> None:
        """End the run."""
        self._run.finish()


class MLflow(Subject):
    """Its system metrics, in a thread beside the training code."""

    title = "MLflow, sampling every second"
    note = "processor, memory, disk, network of the whole machine, logged to SQLite"

    def begin(self, root: int) -> None:
        """Start a run and its monitor."""
        mlflow = load("mlflow")
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        uri = f"sqlite:///{self.folder}/mlflow.db"
        mlflow.set_tracking_uri(uri)
        run = mlflow.start_run()
        self._mlflow = mlflow
        self._monitor = SystemMetricsMonitor(run.info.run_id, sampling_interval=1, samples_before_logging=1)
        self._monitor.start()
        time.sleep(2)

    def end(self) -> None:
        """Stop the monitor."""
        self._monitor.finish()
        self._mlflow.end_run()


SUBJECTS: tuple[type[Subject], ...] = (Ours, Psutil, WandB, MLflow, Nothing)


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    rounds, samples = (2, 5) if quick else (7, 10)
    figure = Figure(
        "sampling",
        "Sampling what a run uses, every second",
        f"A run of {WORKERS + 1} processes with {THREADS} threads each, forked from one with {MEGABYTES} MB, on a "
        f"machine of {PROCESSES:,} processes without a GPU. Processor time of whoever samples, in percent of one core: "
        f"{samples} samples a round at one per second, in turns.",
    )
    percent: dict[type[Subject], list[float]] = {subject: [] for subject in SUBJECTS}
    missing: dict[type[Subject], str] = {}
    stations: dict[type[Subject], Station] = {}
    with _crowded(), _running(_TREE) as parent:
        try:
            for subject in SUBJECTS:
                try:
                    stations[subject] = Station(f"benchmarks.sampling:{subject.__name__}", scratch / subject.__name__)
                    stations[subject].ask(root=parent, samples=1)
                except NotInstalledError as error:
                    missing[subject] = str(error)
            for _ in range(rounds):
                for subject, station in stations.items():
                    if subject not in missing:
                        percent[subject].append(100 * station.ask(root=parent, samples=samples)["cpu"])
        finally:
            for station in stations.values():
                station.close()
    for subject in SUBJECTS:
        if subject in missing:
            figure.rows.append(Row(subject.title, "%", None, note=missing[subject]))
            continue
        ratio = None if subject is Ours else ratios(percent[subject], percent[Ours])
        figure.rows.append(Row(subject.title, "%", Spread.of(percent[subject]), ratio, subject.note))
    figure.targets.append(at_most(f"under {LIMIT:g} % of a core", LIMIT, "%", figure.rows[0].figure))
    return figure


@contextmanager
def _running(source: str, *arguments: str) -> Iterator[int]:
    """Run a Python program with a process group of its own until the end; its parent's descendants are the tree."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", f"import subprocess, sys\n{_PARENT}", source, *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()


_PARENT = "subprocess.run([sys.executable, '-S', '-c', *sys.argv[1:]])"


@contextmanager
def _crowded() -> Iterator[None]:
    """Have so many processes on this machine as a shared one has."""
    there = sum(name.isdigit() for name in os.listdir("/proc")) if os.path.isdir("/proc") else 0
    with _running(_CROWD, str(max(0, PROCESSES - there))):
        yield
