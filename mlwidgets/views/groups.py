"""Which metrics share a chart in a still picture; the same rules as labextension/views/groups.ts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwidgets.views import palette
from mlwidgets.views.grouping import CLOCKS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlwidgets.views.data import Series

ROLES = ("train", "validation", "test")
UNLIKE = 3
"""Lines of one chart whose steps end this many times as far count different things: batches and epochs."""


@dataclass(frozen=True)
class Line:
    """One line of a chart. ``label`` is empty where it is the only one."""

    series: Series
    label: str
    colour: str
    begin: float | None = None
    """Unix seconds from which the chart counts, where it shows time; None where it shows steps."""

    @property
    def x(self) -> NDArray[np.float64]:
        """Where its points lie along the axis."""
        return self.series.steps if self.begin is None else self.series.times - self.begin


@dataclass(frozen=True)
class Chart:
    """What shares one chart."""

    title: str
    lines: list[Line]

    @property
    def timed(self) -> bool:
        """Whether seconds run along the axis, and not steps."""
        return any(line.begin is not None for line in self.lines)


def charts(every: Sequence[Series]) -> list[Chart]:
    """Return the charts in the order in which their first metrics came, training before validation in each."""
    groups: dict[str, list[Series]] = {}
    for one in every:
        if one.name.lower() not in CLOCKS:
            groups.setdefault(one.place.group.lower(), []).append(one)
    return [_chart(found) for found in groups.values()]


def _chart(found: list[Series]) -> Chart:
    found = sorted(found, key=lambda one: ROLES.index(one.place.role) if one.place.role in ROLES else 0)
    if len(found) == 1:
        return Chart(found[0].name, [Line(found[0], "", palette.line(0))])
    lines = []
    begin = min(one.times[0] for one in found) if _count_unlike(found) else None
    for index, one in enumerate(found):
        role = ROLES.index(one.place.role) if one.place.role in ROLES else 0
        lines.append(Line(one, one.name, palette.line(role or index), begin))
    return Chart(found[0].place.group, lines)


def _count_unlike(found: Sequence[Series]) -> bool:
    """Whether steps of one line mean something else than those of another, and all know their times."""
    last = [one.last_step for one in found]
    distinct = len({one.place.role for one in found}) > 1
    timed = all(len(one.times) == len(one.steps) > 0 for one in found)
    return distinct and timed and max(last) > UNLIKE * (min(last) + 1)
