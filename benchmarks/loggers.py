"""One class per tracker that logs two numbers per step, opened as its own documentation says; run in stations."""

from __future__ import annotations

import mmap
import os
import statistics
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter_ns, time
from typing import Any, ClassVar

from benchmarks.peers import load

#: Called as ``call(step, loss, acc)``; what it does is what the caller of a tracker waits for.
LogCall = Callable[[int, float, float], Any]

PROJECT = "bench"


class Logger(ABC):
    """A station's handler that times calls of a tracker.

    Requests: ``calls`` times `n` calls, each by itself, with `work` passes over an array between them as a training
    step would make; ``until_killed`` logs and counts returned calls in shared memory until the process dies.
    """

    title: ClassVar[str]

    def __init__(self, folder: Path, name: str = "run") -> None:
        self.folder = folder
        self.name = name
        self.step = 0
        self.call = self.open()

    @abstractmethod
    def open(self) -> LogCall:
        """Start a run and return its call."""

    def close(self) -> None:  # noqa: B027 - most have nothing to end
        """End the run."""

    def __call__(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one request."""
        if request["do"] == "calls":
            return self._time_calls(int(request["n"]), int(request.get("work", 0)))
        if request["do"] == "until_killed":
            self._log_until_killed(Path(request["counter"]))
        self.close()
        return {}

    def _time_calls(self, calls: int, work: int) -> dict[str, float]:
        import numpy as np

        array = np.ones(262_144)  # 2 MB: a pass over it takes the place of the caller's data in the caches
        times = []
        call, clock = self.call, perf_counter_ns
        for step in range(self.step, self.step + calls):
            loss, acc = 1.0 / (step + 1), step * 1e-6
            for _ in range(work):
                np.sqrt(array, out=array)
            before = clock()
            call(step, loss, acc)
            times.append(clock() - before)
        self.step += calls
        times.sort()
        return {
            "median": statistics.median(times) / 1e3,
            "mean": statistics.fmean(times) / 1e3,
            "p99": times[int(len(times) * 0.99)] / 1e3,
            "max": times[-1] / 1e3,
        }

    def fill(self, steps: int) -> None:
        """Log `steps` steps, by the fastest way that the tracker offers, and end the run."""
        for step in range(steps):
            self.call(step, 1.0 / (step + 1), step * 1e-6)
        self.close()

    def _log_until_killed(self, counter: Path) -> None:
        with open(counter, "r+b") as file, mmap.mmap(file.fileno(), 8) as shared:
            while True:
                step = self.step
                self.call(step, 1.0 / (step + 1), step * 1e-6)
                self.step = step + 1
                struct.pack_into("<q", shared, 0, self.step)


class Nothing(Logger):
    """An empty call: what the measurement itself costs."""

    title = "an empty call (the measurement itself)"

    def open(self) -> LogCall:
        """Return a call that does nothing."""
        return lambda _step, _loss, _acc: None


class BareWrite(Logger):
    """One `write` of as many bytes as two records of ours have: what no call that is safe from SIGKILL goes below."""

    title = "one bare `os.write` of 64 bytes"

    def open(self) -> LogCall:
        """Return the call."""
        file = os.open(self.folder / "bytes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        data, write = bytes(64), os.write
        return lambda _step, _loss, _acc: write(file, data)


class Ours(Logger):
    """`mlwidgets.log` inside a run."""

    title = "mlwidgets `log(loss=…, acc=…)`"

    def open(self) -> LogCall:
        """Return the call; the station already executes inside a run."""
        log = load("mlwidgets").log
        return lambda _step, loss, acc: log(loss=loss, acc=acc)


class OursWithStep(Ours):
    """`mlwidgets.log` with the step given, metrics in a dictionary."""

    title = 'mlwidgets `log({"loss": …, "acc": …}, step=i)`'

    def open(self) -> LogCall:
        """Return the call."""
        log = load("mlwidgets").log
        return lambda step, loss, acc: log({"loss": loss, "acc": acc}, step=step)


class OursTensors(Ours):
    """`mlwidgets.log` with a tensor and a numpy scalar."""

    title = "mlwidgets `log(loss=tensor, acc=numpy scalar)`"

    def open(self) -> LogCall:
        """Return the call with values that a training loop has at hand."""
        log = load("mlwidgets").log
        tensor, scalar = load("torch").tensor(0.5), load("numpy").float64(0.25)
        return lambda _step, _loss, _acc: log(loss=tensor, acc=scalar)


class TensorBoard(Logger):
    """`SummaryWriter` with one `add_scalar` per metric."""

    title = "TensorBoard `SummaryWriter`, two `add_scalar`"

    def open(self) -> LogCall:
        """Return the call."""
        load("tensorboard")
        writer = load("torch.utils.tensorboard").SummaryWriter(str(self.folder / "tensorboard" / self.name))
        add = writer.add_scalar
        self.close = writer.close  # type: ignore[method-assign]

        def call(step: int, loss: float, acc: float) -> None:
            add("loss", loss, step)
            add("acc", acc, step)

        return call


class WandB(Logger):
    """W&B in offline mode."""

    title = "W&B offline `run.log({…})`"

    def open(self) -> LogCall:
        """Return the call."""
        os.environ["WANDB_SILENT"] = "true"
        run = load("wandb").init(project=PROJECT, mode="offline", dir=str(self.folder))
        self.close = run.finish  # type: ignore[method-assign]
        return lambda _step, loss, acc: run.log({"loss": loss, "acc": acc})


class MLflow(Logger):
    """MLflow on a SQLite file."""

    title = "MLflow on SQLite `log_metrics({…})`"

    def open(self) -> LogCall:
        """Return the call."""
        mlflow = load("mlflow")
        mlflow.set_tracking_uri(f"sqlite:///{self.folder}/mlflow.db")
        mlflow.set_experiment(PROJECT)
        mlflow.start_run(run_name=self.name)
        self.close = mlflow.end_run  # type: ignore[method-assign]
        log_metrics = mlflow.log_metrics
        return lambda step, loss, acc: log_metrics({"loss": loss, "acc": acc}, step=step)

    def fill(self, steps: int) -> None:
        """Log in batches of a thousand, MLflow's largest."""
        mlflow = load("mlflow")
        run, metric, now = mlflow.active_run().info.run_id, mlflow.entities.Metric, int(time() * 1000)
        for first in range(0, steps, 500):
            part = range(first, min(first + 500, steps))
            batch = [metric("loss", 1.0 / (step + 1), now + step, step) for step in part]
            batch += [metric("acc", step * 1e-6, now + step, step) for step in part]
            mlflow.MlflowClient().log_batch(run, metrics=batch)
        self.close()


class Trackio(Logger):
    """trackio with its local SQLite file."""

    title = "trackio `log({…})`"

    def open(self) -> LogCall:
        """Return the call."""
        os.environ["TRACKIO_DIR"] = str(self.folder / "trackio")
        trackio = load("trackio")
        trackio.init(project=PROJECT, name=self.name)
        self.close = trackio.finish  # type: ignore[method-assign]
        log = trackio.log
        return lambda _step, loss, acc: log({"loss": loss, "acc": acc})


def filler(folder: Path) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return a station's handler that writes whole runs of the tracker that the request names."""

    def fill(request: Mapping[str, Any]) -> dict[str, Any]:
        trackers: dict[str, type[Logger]] = {c.__name__: c for c in (TensorBoard, WandB, MLflow, Trackio)}
        for run in range(int(request["runs"])):
            trackers[request["logger"]](folder, f"run-{run:03d}").fill(int(request["steps"]))
        return {}

    return fill
