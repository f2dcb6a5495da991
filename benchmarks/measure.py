"""Spreads over rounds, ratios within rounds, and targets."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Unit = Literal["µs", "ms", "s", "×", "calls", "%", "MB", "fps", "kB", "regret", "starts"]


@dataclass(frozen=True)
class Spread:
    """Minimum, median and maximum over rounds.

    Wall times of a shared machine are upper bounds: the minimum says most about the code, the median about the day.
    """

    low: float
    median: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of `values`, of which there is at least one."""
        return cls(min(values), statistics.median(values), max(values), len(values))


@dataclass(frozen=True)
class Row:
    """One subject's figure; `ratio` is theirs over ours, round by round, so above 1 ours is cheaper."""

    what: str
    unit: Unit
    figure: Spread | None
    ratio: Spread | None = None
    note: str = ""


@dataclass(frozen=True)
class Target:
    """What was asked for and what came out. `met` is None where it could not be measured."""

    text: str
    measured: str
    met: bool | None


@dataclass
class Figure:
    """One benchmark's result."""

    name: str
    title: str
    method: str
    rows: list[Row] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the figure as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Figure:
        """Return the figure that `to_json` gave."""
        rows = [Row(r["what"], r["unit"], _spread(r["figure"]), _spread(r["ratio"]), r["note"]) for r in data["rows"]]
        targets = [Target(**target) for target in data["targets"]]
        return cls(data["name"], data["title"], data["method"], rows, targets, list(data["remarks"]))


def _spread(data: Mapping[str, Any] | None) -> Spread | None:
    return Spread(**data) if data else None


def ratios(theirs: Sequence[float], ours: Sequence[float]) -> Spread | None:
    """Return the spread of theirs over ours, each pair from one round; None where ours is missing."""
    pairs = [their / our for their, our in zip(theirs, ours, strict=False) if our > 0]
    return Spread.of(pairs) if pairs else None


def at_most(text: str, limit: float, unit: Unit, figure: Spread | None) -> Target:
    """Return a target on the median of `figure`."""
    if figure is None:
        return Target(text, "not measured", None)
    return Target(text, f"{number(figure.median)} {unit}", figure.median <= limit)


def at_least(text: str, limit: float, ratio: Spread | None) -> Target:
    """Return a target on the median of a ratio."""
    if ratio is None:
        return Target(text, "not measured", None)
    return Target(text, f"{number(ratio.median)} ×", ratio.median >= limit)


def number(value: float) -> str:
    """Return `value` with three significant digits and no exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = f"{value:.3g}"
    return digits if "e" not in digits else f"{value:.5f}"
