"""System metrics of a run, sampled from outside: processor, memory, disk, network, GPUs."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any, Self

from mlwidgets.runner.processes import Usage, process_tree
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import (
    RECORD_FORMAT,
    RECORD_SIZE,
    align_metrics,
    metric_key,
    open_metrics,
    read_lines,
    write_event,
)

_RECORD = Struct(RECORD_FORMAT)
_SOONEST = 0.9
"""Seconds between two samples at least."""
_PATIENCE = 2.0
"""Seconds that closing waits for a sample that is being taken."""
_SOON = 0.2
"""Seconds that a driver is given to answer within the same sample."""


class Sampler:
    """Appends what a run uses to its ``system.bin``, one record per figure and sample.

    It works in a thread of its own: a file system or a driver that hangs must not hold up the supervisor. Nothing that
    goes wrong there concerns the run: a figure that cannot be had is left out, a full disk loses samples.

    Parameters
    ----------
    root
        Process id of the supervisor, whose descendants are the run; it is not counted itself.
    gpus
        UUIDs of the run's GPUs, in the order in which the run counts them.
    """

    def __init__(self, folder: RunFolder, root: int, gpus: tuple[str, ...] = ()) -> None:
        self._asked = threading.Event()
        self._due = True
        self._ended = False
        self._last = time.monotonic()
        self._thread: threading.Thread | None = None
        with contextlib.suppress(RuntimeError):  # no more threads
            thread = threading.Thread(
                target=self._work, args=(folder, root, gpus), name="mlwidgets-sampler", daemon=True
            )
            thread.start()
            self._thread = thread

    def sample(self) -> None:
        """Ask for a sample and return at once; rates in it are those since the one before.

        Calls that come sooner than a second after the last one are passed over.
        """
        now = time.monotonic()
        if now - self._last > _SOONEST:
            self._last = now
            self._due = True
            self._asked.set()

    def close(self) -> None:
        """End the threads, and with them the use of the driver; call it before this process forks again."""
        self._ended = True
        self._asked.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)

    def _work(self, folder: RunFolder, root: int, gpus: tuple[str, ...]) -> None:
        # Whatever a system's files, a driver or a disk come up with: nobody could do anything about it.
        with contextlib.suppress(Exception), _Gpus(gpus) as driver, _Journal(folder) as journal:
            meter = _Meter(root)
            meter.read()
            self._due = False
            while not self._ended:
                self._asked.wait()
                self._asked.clear()
                if self._due:
                    self._due = False
                    figures = meter.read() | driver.read()
                    with contextlib.suppress(OSError, ValueError):
                        journal.write(figures)


class _Journal:
    """The run's ``system.bin``; an earlier attempt's samples are continued."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._fd: int | None = None
        self._keys: dict[str, int] = {}
        self._step = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def write(self, figures: Mapping[str, float]) -> None:
        """Append one sample.

        Raises
        ------
        OSError
            If there is no room; the sample is lost.
        """
        if self._fd is None:
            self._open()
        step, self._step = self._step, self._step + 1
        now = time.time()
        for name in figures:
            if name not in self._keys:
                write_event(self._folder.events, "system", name=name)
                self._keys[name] = metric_key(name)
        data = b"".join(_RECORD.pack(self._keys[name], step, now, value) for name, value in figures.items())
        assert self._fd is not None
        if os.write(self._fd, data) < len(data):
            align_metrics(self._fd)

    def _open(self) -> None:
        fd = self._fd = open_metrics(self._folder.system)
        size = os.fstat(fd).st_size
        if size:
            self._step = _RECORD.unpack(os.pread(fd, RECORD_SIZE, size - RECORD_SIZE))[1] + 1
            told = (e.get("name") for e in read_lines(self._folder.events) if e["event"] == "system")
            self._keys = {name: metric_key(name) for name in told if isinstance(name, str)}


class _Meter:
    """Makes rates of counters."""

    def __init__(self, root: int) -> None:
        self._tree = process_tree(root)
        self._network = _Network()
        self._at = 0.0
        self._usage: Usage | None = None
        self._traffic: tuple[int, int] | None = None

    def read(self) -> dict[str, float]:
        """Return the figures by name; rates are those since the last call, the first has none."""
        now = time.monotonic()
        passed, self._at = now - self._at, now
        before, self._usage = self._usage, None
        with contextlib.suppress(OSError, ValueError, IndexError, KeyError):
            self._usage = self._tree.read()
        found: dict[str, float] = {}
        after = self._usage
        if after is not None and before is not None:
            found["cpu"] = 100 * (after.cpu - before.cpu) / passed
        if after is not None:
            found["memory"] = after.memory
        if after is not None and before is not None and after.disk is not None and before.disk is not None:
            found["disk.read"], found["disk.written"] = _rates(before.disk, after.disk, passed)
        earlier, self._traffic = self._traffic, None
        with contextlib.suppress(OSError, ValueError, IndexError):
            self._traffic = self._network.read()
        if self._traffic is not None and earlier is not None:
            found["network.received"], found["network.sent"] = _rates(earlier, self._traffic, passed)
        return found


def _rates(before: tuple[int, int], after: tuple[int, int], passed: float) -> tuple[float, float]:
    """Return what came in and went out in a second; a network interface that went away lets counters fall."""
    return max(0, after[0] - before[0]) / passed, max(0, after[1] - before[1]) / passed


class _Network:
    """Bytes received and sent by this network namespace. Linux keeps no such count for a process."""

    def __init__(self) -> None:
        self._physical: dict[str, bool] = {}

    def read(self) -> tuple[int, int]:
        """Return bytes received and sent since the machine started."""
        counters = self._linux() if sys.platform == "linux" else self._portable()
        # A bridge or a tunnel passes on what a physical interface counts too; a container has none of those.
        physical = [name for name in counters if self._is_physical(name)]
        counted = [counters[name] for name in physical or counters]
        return sum(c[0] for c in counted), sum(c[1] for c in counted)

    def _linux(self) -> dict[str, tuple[int, int]]:
        found = {}
        with open("/proc/self/net/dev", encoding="ascii") as file:
            for line in file.readlines()[2:]:
                name, _, numbers = line.partition(":")
                if name.strip() != "lo":
                    fields = numbers.split()
                    found[name.strip()] = (int(fields[0]), int(fields[8]))
        return found

    def _portable(self) -> dict[str, tuple[int, int]]:
        import psutil

        counters = psutil.net_io_counters(pernic=True)
        return {n: (c.bytes_recv, c.bytes_sent) for n, c in counters.items() if not n.startswith("lo")}

    def _is_physical(self, name: str) -> bool:
        if name not in self._physical:
            self._physical[name] = os.path.exists(f"/sys/class/net/{name}/device")
        return self._physical[name]


class _Gpus:
    """Figures of the run's GPUs, as NVML has them: those of the whole GPU, whoever uses it.

    The driver is asked in a thread: where it hangs, the other figures go on.
    """

    def __init__(self, uuids: tuple[str, ...]) -> None:
        self._uuids = uuids
        self._asked, self._answered = threading.Event(), threading.Event()
        self._figures: dict[str, float] = {}
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="mlwidgets-gpus", daemon=True) if uuids else None

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._asked.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)

    def read(self) -> dict[str, float]:
        """Return the figures by name; none where there is no driver, or it does not answer soon."""
        if self._thread is None or not self._thread.is_alive():
            return {}
        self._asked.set()
        self._answered.wait(_SOON)
        self._answered.clear()
        figures, self._figures = self._figures, {}
        return figures

    def _work(self) -> None:
        with contextlib.suppress(Exception):  # no driver, no package, or one of its own kinds of error
            import pynvml as nvml

            nvml.nvmlInit()
            try:
                self._watch(nvml)
            finally:
                nvml.nvmlShutdown()

    def _watch(self, nvml: Any) -> None:
        readers: dict[str, Callable[[], float]] = {}
        for number, uuid in enumerate(self._uuids):
            with contextlib.suppress(nvml.NVMLError):
                readers |= _gpu_readers(nvml, f"gpu.{number}", nvml.nvmlDeviceGetHandleByUUID(uuid))
        while self._asked.wait() and not self._ended:
            self._asked.clear()
            figures = {}
            for name, reader in list(readers.items()):
                try:
                    figures[name] = float(reader())
                except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound, AttributeError):
                    # An instance of a divided GPU has no power of its own.
                    del readers[name]
                except nvml.NVMLError:
                    continue
            self._figures = figures
            self._answered.set()


def _gpu_readers(nvml: Any, prefix: str, handle: Any) -> dict[str, Callable[[], float]]:
    return {
        f"{prefix}.utilization": lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu,
        f"{prefix}.memory": lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used,
        f"{prefix}.power": lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000,
        f"{prefix}.temperature": lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
    }
