"""`log`: one append of a few bytes per call, and no library in its way."""

from __future__ import annotations

import contextlib
import operator
import os
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from struct import Struct
from struct import error as StructError  # noqa: N812
from time import time
from typing import Any

from mlwidgets.runs.journal import RECORD_FORMAT, RECORD_SIZE, LineWriter, align_metrics, metric_key, open_metrics
from mlwidgets.tracking.active import active_folder, tell_once

_pack = Struct(RECORD_FORMAT).pack


class MetricLog:
    """Appends metric records to one run folder.

    Every call that returned is in the journal: it is one ``write``, made before the call returns.
    """

    def __init__(self, metrics: Path, events: Path) -> None:
        self._fd = open_metrics(metrics)
        self._events = LineWriter(events)
        self._keys: dict[str, int] = {}
        self._steps: dict[str, count[int]] = {}
        self._begins: dict[str, int] = {}
        self.lost = 0

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            os.close(self._fd)

    def __call__(self, values: Mapping[str, Any] | None = None, /, *, step: int | None = None, **metrics: Any) -> None:
        """Append one record for each metric; see `log`."""
        if values is not None:
            metrics = {**values, **metrics}
        keys = self._keys
        for name, value in metrics.items():
            if type(value) is not float or name not in keys:
                metrics[name] = _number(name, value)
        if step is not None and type(step) is not int:
            step = as_step(step)
        now = time()
        try:
            data = b""
            for name, number in metrics.items():
                if name not in keys:
                    self._register(name)
                data += _pack(keys[name], next(self._steps[name]) if step is None else step, now, number)
            if step is not None:
                for name in metrics:
                    self._steps[name] = count(step + 1)
            done = os.write(self._fd, data)
            if done == len(data):
                return
            align_metrics(self._fd)
            lost, reason = len(metrics) - done // RECORD_SIZE, "the disk is full"
        except OSError as error:
            lost, reason = len(metrics), error.strerror or str(error)
        except StructError:
            raise TypeError(f"log: step must be an int of 64 bits, not {step}") from None
        self._lose(lost, reason)

    def _lose(self, records: int, reason: str) -> None:
        if not self.lost:
            tell_once(f"metrics are not being recorded: {reason}. The code goes on.")
        self.lost += records

    def _register(self, name: str) -> None:
        """Give the metric's name to the readers before its first record."""
        self._events.write("metric", name=name)
        self._keys[name] = metric_key(name)
        self._steps[name] = count(self._begins.get(name, 0))

    def next_steps(self) -> dict[str, int]:
        """Return the step that each metric has next where none is given."""
        return self._begins | {name: next_of(steps) for name, steps in self._steps.items()}

    def go_on(self, steps: Mapping[str, int]) -> None:
        """Let each metric go on with this step where none is given."""
        self._begins = dict(steps)
        self._steps |= {name: count(step) for name, step in steps.items() if name in self._steps}


def next_of(steps: count[int]) -> int:
    """Return what a counter gives next, without asking it: that is the only other thing that it tells."""
    return int(repr(steps)[len("count(") : -1])


def as_step(step: Any, caller: str = "log") -> int:
    """Return a step as an int; numpy's integers count, floats do not."""
    try:
        return operator.index(step)
    except TypeError:
        raise TypeError(f"{caller}: step must be an int, not {type(step).__name__} {step!r:.60}") from None


def _number(name: str, value: Any) -> float:
    """Return a metric's value as a float: numbers, numpy scalars, tensors and arrays of one element."""
    if not isinstance(name, str) or not name:
        raise TypeError(f"log: a metric's name must be a non-empty str, not {name!r:.60}")
    item = getattr(value, "item", None)
    try:
        if not isinstance(value, str | bytes | bytearray):
            return float(item() if callable(item) else value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        pass
    shape = getattr(value, "shape", None)
    of = repr(value)[:60] if shape is None else f"of shape {tuple(shape)}"
    raise TypeError(f"log: metric {name!r} must be one number, not {type(value).__name__} {of}")


_active: MetricLog | None = None


def log(values: Mapping[str, Any] | None = None, /, *misplaced: Any, step: int | None = None, **metrics: Any) -> None:
    """Record metrics of the run in which this code executes.

    ``log(loss=0.3, accuracy=0.9)`` or ``log({"loss": 0.3}, step=i)``. Outside a run it does nothing and says so
    once.

    Parameters
    ----------
    values
        Metrics by name, for names that are no identifiers.
    step
        The x of these records. Where none is given each metric counts by itself, from 0 or from its last step.
    **metrics
        Numbers, numpy scalars, or tensors of one element. NaN and infinity are kept as such. A CUDA tensor is
        waited for: a call that returned is on the disk.

    Raises
    ------
    TypeError
        If a value is not one number, or the step is no int; the message names the metric. Nothing is recorded then.
    """
    if misplaced or not (values is None or isinstance(values, Mapping)):
        __tracebackhide__ = True  # IPython shows the user's own frames alone
        given = ", ".join(repr(v)[:40] for v in (values, *misplaced))
        raise TypeError(f"log: write log(loss=0.3) or log({{'loss': 0.3}}, step=1), not log({given})")
    active = _active or open_log()
    if active is not None:
        active(values, step=step, **metrics)
    elif active_folder() is None:
        tell_once("log() does nothing here, outside a tracked run. Put %%train on top of the cell.")


def open_log() -> MetricLog | None:
    """Return what appends to the metrics of the run in which this process executes, None where that is not possible."""
    global _active
    folder = active_folder()
    if _active is None and folder is not None:
        try:
            _active = MetricLog(folder / "metrics.bin", folder / "events.jsonl")
        except OSError as error:
            tell_once(f"metrics are not being recorded: {error}. The code goes on.")
    return _active


def lost_records() -> int:
    """Return how many metric records could not be written in this process."""
    return _active.lost if _active else 0
