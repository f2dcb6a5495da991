"""Which metrics share a chart in a still picture; the same rules as labextension/views/groups.ts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwidgets.views import palette

if TYPE_CHECKING:
    from mlwidgets.views.data import Series

ROLES = ("train", "validation", "test")
CLOCKS = frozenset({"epoch", "epochs", "progress"})


@dataclass(frozen=True)
class Line:
    """One line of a chart. ``label`` is empty where it is the only one."""

    series: Series
    label: str
    colour: str


@dataclass(frozen=True)
class Chart:
    """What shares one chart."""

    title: str
    lines: list[Line]


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
    for index, one in enumerate(found):
        role = ROLES.index(one.place.role) if one.place.role in ROLES else 0
        lines.append(Line(one, one.name, palette.line(role or index)))
    return Chart(found[0].place.group, lines)
