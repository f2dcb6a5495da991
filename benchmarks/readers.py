"""One class per tracker that reads whole histories into numpy; run in stations."""

from __future__ import annotations

import json
import os
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar

from benchmarks.loggers import PROJECT
from benchmarks.peers import load

#: Steps, times and values of each metric.
History = Mapping[str, tuple[Any, Any, Any]]


class Reader(ABC):
    """A station's handler that reads all runs below a folder and says how long it took and what it found."""

    title: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prepare()

    def prepare(self) -> None:  # noqa: B027 - most have nothing to prepare
        """Import what reading needs."""

    @abstractmethod
    def read(self, folder: Path) -> list[History]:
        """Return each run's history."""

    def __call__(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Read, and answer with the seconds taken, the number of runs, of points, and their sum as a check."""
        folder = Path(request.get("folder", self.folder))
        before = perf_counter()
        histories = self.read(folder)
        seconds = perf_counter() - before
        columns = [column for history in histories for column in history.values()]
        kept = [min((len(column[2]) for column in history.values()), default=0) for history in histories]
        return {
            "seconds": seconds,
            "runs": len(histories),
            "points": sum(len(column[2]) for column in columns),
            "kept": min(kept, default=0),
            "sum": float(sum(column[2].sum() for column in columns)),
        }


class Ours(Reader):
    """`Run.columns` of every run in the store."""

    title = "mlwidgets `[run.columns() for run in mlwidgets.runs()]`"

    def prepare(self) -> None:
        """Import the library; numpy comes with the first reading otherwise."""
        load("numpy")
        load("mlwidgets")

    def read(self, folder: Path) -> list[History]:
        """Return each run's columns, the runs listed from the disk first."""
        os.environ["MLWIDGETS_STORE"] = str(folder)
        return [run.columns() for run in load("mlwidgets").runs()]


class RawLoad(Reader):
    """numpy's own files, one per column."""

    title = "numpy `np.load`, one file per column"

    def read(self, folder: Path) -> list[History]:
        """Return each run's arrays."""
        import numpy as np

        return [
            {
                metric: _triple(np.load(f"{folder}/{run}/{metric}-{column}.npy") for column in RAW_COLUMNS)
                for metric in ("loss", "acc")
            }
            for run in sorted(os.listdir(folder))
        ]


class RawFile(Reader):
    """Bare arrays, one file per column."""

    title = "numpy `np.fromfile`, one file per column"

    def read(self, folder: Path) -> list[History]:
        """Return each run's arrays."""
        import numpy as np

        return [
            {
                metric: _triple(
                    np.fromfile(f"{folder}/{run}/{metric}-{column}", dtype) for column, dtype in RAW_COLUMNS.items()
                )
                for metric in ("loss", "acc")
            }
            for run in sorted(os.listdir(folder))
        ]


def _triple(columns: Iterable[Any]) -> tuple[Any, Any, Any]:
    steps, times, values = columns
    return steps, times, values


RAW_COLUMNS = {"steps": "<i8", "times": "<f8", "values": "<f8"}


class TensorBoard(Reader):
    """TensorBoard's own accumulator, told to keep every point."""

    title = "TensorBoard `EventAccumulator`"

    def prepare(self) -> None:
        """Import the accumulator."""
        self.module = load("tensorboard.backend.event_processing.event_accumulator")

    def read(self, folder: Path) -> list[History]:
        """Return each event directory's scalars."""
        return [self._read_run(run) for run in sorted(folder.glob("**/tensorboard/*"))]

    def _read_run(self, run: Path) -> History:
        import numpy as np

        events = self.module.EventAccumulator(str(run), size_guidance={self.module.SCALARS: 0}).Reload()
        history = {}
        for tag in events.Tags()["scalars"]:
            points = events.Scalars(tag)
            history[tag] = (
                np.array([p.step for p in points], np.int64),
                np.array([p.wall_time for p in points], np.float64),
                np.array([p.value for p in points], np.float64),
            )
        return history


class WandB(Reader):
    """W&B's offline files, for which its package has no reader any more: a plain one with its own message classes."""

    title = "W&B offline files, its protobuf classes"

    def prepare(self) -> None:
        """Import the message classes."""
        self.record = load("wandb.proto.wandb_internal_pb2").Record

    def read(self, folder: Path) -> list[History]:
        """Return each file's history."""
        return [self._read_run(path) for path in sorted(folder.glob("**/offline-run-*/*.wandb"))]

    def _read_run(self, path: Path) -> History:
        import numpy as np

        rows: dict[str, list[tuple[float, float, float]]] = {}
        for message in _wandb_messages(path.read_bytes()):
            record = self.record()
            record.ParseFromString(message)
            if record.WhichOneof("record_type") != "history":
                continue
            entries = record.history.item
            items = {entry.nested_key[0] if entry.nested_key else entry.key: entry.value_json for entry in entries}
            step, time = float(items["_step"]), float(items["_timestamp"])
            for name, value in items.items():
                if not name.startswith("_"):
                    rows.setdefault(name, []).append((step, time, json.loads(value)))
        history = {}
        for name, points in rows.items():
            table = np.array(points, np.float64)
            history[name] = (table[:, 0].astype(np.int64), table[:, 1], table[:, 2])
        return history


def _wandb_messages(data: bytes) -> Iterator[bytes]:
    """Yield the records of a file in LevelDB's log format: blocks of 32 KiB, records cut at their borders."""
    block, head = 32_768, 7
    at, message = head, b""
    while at + head <= len(data):
        left = block - at % block
        if left < head:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        if at + head + length > len(data) or kind == 0:
            return
        message += data[at + head : at + head + length]
        at += head + length
        if kind in (1, 4):  # whole, or last part
            yield message
            message = b""


class MLflow(Reader):
    """MLflow's client."""

    title = "MLflow on SQLite `get_metric_history`"

    def prepare(self) -> None:
        """Import the client."""
        self.mlflow = load("mlflow")
        self.clients: dict[Path, Any] = {}

    def read(self, folder: Path) -> list[History]:
        """Return each run's metrics; the client is opened once per database, outside the first reading's rounds."""
        import numpy as np

        if folder not in self.clients:
            self.clients[folder] = self.mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
        client = self.clients[folder]
        experiment = client.get_experiment_by_name(PROJECT)
        histories: list[History] = []
        for run in client.search_runs([experiment.experiment_id]):
            history = {}
            for name in run.data.metrics:
                points = client.get_metric_history(run.info.run_id, name)
                history[name] = (
                    np.array([p.step for p in points], np.int64),
                    np.array([p.timestamp for p in points], np.float64) / 1e3,
                    np.array([p.value for p in points], np.float64),
                )
            histories.append(history)
        return histories


class Trackio(Reader):
    """trackio's storage class, as its dashboard reads."""

    title = "trackio `SQLiteStorage.get_logs`"

    def prepare(self) -> None:
        """Import the storage; it takes its directory from the environment once."""
        os.environ["TRACKIO_DIR"] = str(self.folder / "trackio")
        self.storage = load("trackio.sqlite_storage").SQLiteStorage

    def read(self, folder: Path) -> list[History]:
        """Return the logs of each run in the station's own folder."""
        import numpy as np

        histories: list[History] = []
        for run in self.storage.get_run_records(PROJECT):
            logs = self.storage.get_logs(PROJECT, run=run["name"], run_id=run["id"])
            steps = np.array([entry["step"] for entry in logs], np.int64)
            times = np.array([entry["timestamp"] for entry in logs], "datetime64[us]").astype(np.float64) / 1e6
            histories.append(
                {
                    name: (steps, times, np.array([entry[name] for entry in logs], np.float64))
                    for name in ("loss", "acc")
                    if logs
                }
            )
        return histories
