"""How far a run has come and how long it has to go, from what it logs and what it was asked to do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

EPOCHS = ("epochs", "num_epochs", "n_epochs", "max_epochs", "num_train_epochs", "total_epochs")
STEPS = (
    "steps", "max_steps", "num_steps", "n_steps", "total_steps", "train_steps", "iterations", "num_iterations",
    "max_iterations", "max_iters", "n_iter", "iters",
)  # fmt: skip
SHORTEST = 0.2
"""Seconds: records that come faster than this count batches, not epochs."""
SETTLED = 0.01
"""Below this part of the work nothing is said about the time that remains."""


@dataclass(frozen=True)
class Progress:
    """Where a run is.

    Attributes
    ----------
    fraction
        From 0 to 1.
    label
        ``epoch 3 of 10``, ``step 1,200 of 5,000``, or nothing where only the fraction is known.
    remaining
        Seconds from `at` on; None where it is too early to tell.
    at
        Unix time of the newest record that this rests on.
    """

    fraction: float
    label: str
    remaining: float | None
    at: float


class Told(Protocol):
    """What counts of a metric; times in Unix seconds, ``since`` the one at which the last value was first recorded."""

    @property
    def n(self) -> int:
        """Number of records."""

    @property
    def last(self) -> float:
        """The last value."""

    @property
    def low(self) -> float | None:
        """The lowest finite value."""

    @property
    def highest_step(self) -> int:
        """The highest step."""

    @property
    def first_time(self) -> float:
        """When it was first recorded."""

    @property
    def last_time(self) -> float:
        """When it was last recorded."""

    @property
    def since(self) -> float:
        """When the last value was first recorded."""


def progress(
    params: Mapping[str, Any],
    tracks: Mapping[str, Told],
    started: float | None,
    before: Mapping[str, int | None] | None = None,
) -> Progress | None:
    """Return where the run is, or None where nothing tells.

    A metric called ``progress`` (from 0 to 1) comes first, then a number of steps, then a number of epochs among the
    parameters.

    Parameters
    ----------
    before
        The ``epoch`` and the ``step`` that were over when the run, which goes on from a checkpoint, was started.
    """
    if not tracks or started is None:
        return None
    newest = max(one.last_time for one in tracks.values())
    begun = min(started, newest)
    told = tracks.get("progress")
    if told is not None and math.isfinite(told.last):
        return _progress(told.last, "", begun, told.last_time, 0.0 if before is None else None)
    steps = _total(params, STEPS)
    done = max(one.highest_step for one in tracks.values()) + 1
    if steps and done <= steps * 1.01 + 1:
        shown = min(done, steps)
        return _progress(done / steps, f"step {shown:,} of {steps:,}", begun, newest, _part(before, "step", steps))
    epochs = _total(params, EPOCHS)
    if not epochs:
        return None
    passed = _epochs_passed(tracks, newest)
    if passed is None or passed > epochs * 1.01 + 1:
        return None
    label = f"epoch {min(epochs, int(passed + 1))} of {epochs}"
    return _progress(passed / epochs, label, begun, newest, _part(before, "epoch", epochs))


def _part(before: Mapping[str, int | None] | None, what: str, total: int) -> float | None:
    """Return the part of the work that was done when the run was started, None where nobody knows."""
    if before is None:
        return 0.0
    done = before.get(what)
    return None if done is None else (done + 1) / total


def _progress(fraction: float, label: str, begun: float, at: float, before: float | None) -> Progress:
    fraction = min(1.0, max(0.0, fraction))
    done = 0.0 if before is None else fraction - before
    remaining = (at - begun) * (1 - fraction) / done if done >= SETTLED else None
    return Progress(fraction, label, remaining, at)


def _total(params: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    found = next((params[name] for name in names if name in params), None)
    whole = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found) and found >= 1
    return int(found) if whole else None  # type: ignore[arg-type]


def _epochs_passed(tracks: Mapping[str, Told], now: float) -> float | None:
    """Return how many epochs are over, with the part of the present one where that can be told."""
    told = tracks.get("epoch") or tracks.get("epochs")
    if told is None:
        # What is logged once an epoch counts them; what comes often counts batches.
        slow = [one for one in tracks.values() if one.n > 1 and (one.last_time - one.first_time) / one.n > SHORTEST]
        steps = [one.highest_step + 1 for one in slow if one.n == one.highest_step + 1]
        return float(min(steps)) if steps else None
    if not math.isfinite(told.last) or told.low is None:
        return None
    from_zero = 1 if told.low < 1 else 0
    distinct = max(1.0, told.last - told.low + 1)
    if told.n > 1.5 * distinct and told.last != int(told.last):
        return told.last + 0.0  # a fraction of an epoch says all by itself
    if told.n > 1.5 * distinct:
        # Logged with every batch: this epoch goes on. It is as far as the time since it began, beside the others.
        before = told.last - told.low
        each = (told.since - told.first_time) / before if before >= 1 else 0.0
        part = min(0.99, (now - told.since) / each) if each > 0 else 0.0
        return told.last - (0 if from_zero else 1) + part
    return told.last + from_zero
