"""A sweep as small SVG pictures: all curves, the best so far, parallel coordinates. They suit light and dark ground."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.state import FINISHED, RUNNING
from mlwidgets.runs.trials import TERMINATED
from mlwidgets.views import format as fmt
from mlwidgets.views import palette
from mlwidgets.views.svg import GRID
from mlwidgets.views.sweep import Row, script_text, short
from mlwidgets.views.sweepsaved import thinned

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlwidgets.views.sweepfeed import SweepShot

WIDTH, HEIGHT = 460, 200
WIDE, LOW = 940, 220
TOP, RIGHT, BOTTOM = 8, 10, 22
AXIS_TOP, AXIS_BOTTOM, AXIS_LEFT = 30, 34, 65
ABSENT = 10
"""Pixels below an axis where trials pass it that do not have its parameter."""
FEWEST_POINTS = 5
MOST_AXES = 9
MOST_LINES = 120
"""Trials across parallel axes: among more no line can be followed."""
CHARACTER = 6.3
"""Width of one, about."""
OUTLYING = 4
"""What is this many times as far away as most values are from each other does not stretch an axis."""

Point = tuple[float, float]


def shades(rows: Iterable[Row], sign: int) -> dict[int, int]:
    """Return for each trial with a value its colour in `palette.RAMP`, by its rank."""
    valued = [one for one in rows if value_of(one) is not None]
    valued.sort(key=lambda one: sign * (value_of(one) or 0.0))
    last = max(1, len(valued) - 1)
    return {one["number"]: round(i / last * (len(palette.RAMP) - 1)) for i, one in enumerate(valued)}


def results(rows: Iterable[Row]) -> list[Row]:
    """Return the trials with a value that says something of their parameters: what failed has come to nothing."""
    counted = {FINISHED, TERMINATED, RUNNING}
    return [one for one in rows if one["state"] in counted and value_of(one) is not None]


def value_of(one: Row, place: int = 0) -> float | None:
    """Return what a trial came to in an objective, as far as that is a finite number."""
    values = one["values"] or ()
    return values[place] if place < len(values) and isinstance(values[place], int | float) else None


def has_course(shot: SweepShot) -> bool:
    """Whether any trial has logged two numbers: points alone are no curves."""
    return any(sum(map(math.isfinite, one.values.tolist())) > 1 for one in shot.curves)


def curves(shot: SweepShot, points: int) -> str:
    """Return all curves in one picture, those that ended early with a mark at their ends.

    Parameters
    ----------
    points
        Of all curves together, about; each has `FEWEST_POINTS` in any case, and the best one all.
    """
    best = shot.status["best"]["number"] if shot.status["best"] else None
    each = max(FEWEST_POINTS, points // max(1, len(shot.curves)))
    drawn = {one.number: one if one.number == best else thinned(one, each) for one in shot.curves}
    finite = [(s, v) for c in drawn.values() for s, v in zip(c.steps.tolist(), c.values.tolist(), strict=True)]
    finite = [one for one in finite if math.isfinite(one[1])]
    plot = _Plot([s for s, _ in finite], robust([v for _, v in finite]))
    colours, rows = shades(shot.rows, shot.sign), {one["number"]: one for one in shot.rows}
    paths: dict[int, list[str]] = {}
    marks: list[Point] = []
    singles: dict[str, list[Point]] = {}
    best_path = ""
    for number, one in drawn.items():
        places = [
            (plot.x(s), plot.y(v)) if math.isfinite(v) else None
            for s, v in zip(one.steps.tolist(), one.values.tolist(), strict=True)
        ]
        there = [place for place in places if place]
        if len(there) == 1:
            singles.setdefault(palette.BEST if number == best else palette.RAMP[colours.get(number, 0)], []).extend(
                there
            )
        elif number == best:
            best_path = path(places)
        else:
            paths.setdefault(colours.get(number, 0), []).append(path(places))
        if rows[number]["state"] == TERMINATED and there:
            marks.append(there[-1])
    for shade in sorted(paths):
        plot.draw("".join(paths[shade]), palette.RAMP[shade], 1.1)
    plot.draw(best_path, palette.BEST, 2.2)
    for colour, one_value in singles.items():
        plot.dots(one_value, colour, 3.5)
    plot.dots(marks, palette.STATES[TERMINATED], 4.5)
    return plot.done()


def history(shot: SweepShot) -> str:
    """Return the values in the order in which the trials ended, and the best so far as a line."""
    ended = sorted((one for one in shot.rows if one["ended"]), key=lambda one: (one["ended"], one["number"]))
    places = {one["number"]: i for i, one in enumerate(ended, 1)}
    found = [(places[one["number"]], value_of(one) or 0.0, one) for one in results(ended)]
    plot = _Plot([1, max(2, len(ended))], robust([value for _, value, _ in found]))
    best: list[Point] = []
    for i, value, one in found:
        if one["state"] == FINISHED and (not best or shot.sign * value > shot.sign * best[-1][1]):
            best += [*([(i, best[-1][1])] if best else []), (i, value)]
    if best:
        best.append((max(2, len(ended)), best[-1][1]))
    for state, colour in ((TERMINATED, palette.STATES[TERMINATED]), (FINISHED, palette.RAMP[-2])):
        plot.dots([(plot.x(i), plot.y(v)) for i, v, one in found if one["state"] == state], colour, 4.0)
    plot.draw(path([(plot.x(i), plot.y(v)) for i, v in best]), palette.BEST, 2.0)
    return plot.done()


def scatter(shot: SweepShot) -> str:
    """Return the first two of several objectives against each other, the Pareto front marked."""
    found = [
        (x, y, one) for one in shot.rows if (x := value_of(one)) is not None and (y := value_of(one, 1)) is not None
    ]
    across = robust([x for x, _, _ in found])
    plot = _Plot(list(across), robust([y for _, y, _ in found]), whole=False)
    front = set(shot.status["front"])
    plot.dots([(plot.x(x), plot.y(y)) for x, y, one in found if one["number"] not in front], palette.RAMP[-2], 4.0)
    edge = sorted((plot.x(x), plot.y(y)) for x, y, one in found if one["number"] in front)
    plot.draw(path(edge), palette.BEST, 1.2)
    plot.dots(edge, palette.BEST, 6.0)
    return plot.done()


def parallel(shot: SweepShot) -> str:
    """Return one axis for each parameter and for the first objective, and a line across them for each trial."""
    rows = results(shot.rows)
    rows = sorted(rows, key=lambda one: shot.sign * (value_of(one) or 0.0))
    if len(rows) > MOST_LINES:
        # By rank, so that bad ones are seen beside good ones; the best comes last.
        rows = [rows[round(i * (len(rows) - 1) / (MOST_LINES - 1))] for i in range(MOST_LINES)]
    space = sorted(shot.about["space"], key=lambda one: -(shot.importance or {}).get(one["name"], 0.0))[:MOST_AXES]
    low, high = robust([value_of(one) or 0.0 for one in rows], margin=0.0)
    goal = {"name": shot.metrics[0], "low": low, "high": high, "log": False, "integer": False, "choices": None}
    axes = [_Axis(one) for one in space] + [_Axis(goal)]
    gap = (WIDE - 2 * AXIS_LEFT) / max(1, len(axes) - 1)
    bottom = LOW - AXIS_BOTTOM
    colours = shades(shot.rows, shot.sign)
    best = shot.status["best"]["number"] if shot.status["best"] else None
    paths: dict[int, list[str]] = {}
    for one in rows:
        values: list[Any] = [one["params"].get(dimension["name"], _ABSENT) for dimension in space] + [value_of(one)]
        shares = [axis.share(value) for axis, value in zip(axes, values, strict=True)]
        places = [
            (AXIS_LEFT + gap * i, bottom + ABSENT if share is None else bottom - share * (bottom - AXIS_TOP))
            for i, share in enumerate(shares)
        ]
        shade = len(palette.RAMP) if one["number"] == best else colours[one["number"]]
        paths.setdefault(shade, []).append(path(places))
    parts = [_head(WIDE, LOW)]
    for shade in sorted(paths):
        colour, width = (*palette.RAMP, palette.BEST)[shade], 2.4 if shade == len(palette.RAMP) else 1.0
        parts.append(_stroke("".join(paths[shade]), colour, width))
    for i, axis in enumerate(axes):
        parts.append(axis.drawn(AXIS_LEFT + gap * i, bottom, gap))
    return "".join([*parts, "</svg>"])


class _Plot:
    """Axes with what is drawn between them."""

    def __init__(self, xs: Sequence[float], values: tuple[float, float], *, whole: bool = True) -> None:
        self._low, self._high = values
        self._first, self._last = min(xs, default=0.0), max(xs, default=1.0)
        if self._first == self._last:
            self._first, self._last = self._first - 0.5, self._last + 0.5
        ticks = fmt.ticks(self._low, self._high, 4)
        labels = fmt.tick_labels(ticks)
        self._left = max(34.0, max(map(len, labels), default=0) * CHARACTER + 8)
        self._parts = [_head(WIDTH, HEIGHT)]
        for tick, label in zip(ticks, labels, strict=True):
            self._parts.append(f'<path d="M{self._left:.0f} {self.y(tick):.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
            self._parts.append(_text(self._left - 5, self.y(tick) + 4, label, "end"))
        across = [tick for tick in fmt.ticks(self._first, self._last, 6) if not whole or tick == int(tick)]
        for tick, label in zip(across, fmt.tick_labels(across), strict=True):
            self._parts.append(_text(self.x(tick), HEIGHT - 7, label, "middle"))
        area = f'x="{self._left:.0f}" y="{TOP - 4}" width="{WIDTH - RIGHT + 4 - self._left:.0f}"'
        height = HEIGHT - BOTTOM - TOP + 8
        self._parts.append(f'<clipPath id="c"><rect {area} height="{height}"/></clipPath><g clip-path="url(#c)">')

    def x(self, value: float) -> float:
        return self._left + 3 + (value - self._first) / (self._last - self._first) * (WIDTH - RIGHT - 6 - self._left)

    def y(self, value: float) -> float:
        share = (self._high - value) / (self._high - self._low)
        # Far outside it is cut off anyway, and huge numbers take room.
        return TOP + min(9.0, max(-9.0, share)) * (HEIGHT - TOP - BOTTOM)

    def draw(self, line: str, colour: str, width: float) -> None:
        if line:
            self._parts.append(_stroke(line, colour, width))

    def dots(self, places: Sequence[Point], colour: str, size: float) -> None:
        if places:
            self._parts.append(_stroke("".join(f"M{x:.0f} {y:.0f}h0" for x, y in places), colour, size))

    def done(self) -> str:
        return "".join([*self._parts, "</g></svg>"])


_ABSENT = object()


class _Axis:
    """One axis of parallel coordinates."""

    def __init__(self, said: dict[str, Any]) -> None:
        self._name: str = said["name"]
        self._choices: list[str] | None = said["choices"]
        self._log = bool(said["log"]) and (said["low"] or 0) > 0
        low, high = said["low"], said["high"]
        self._low, self._high = 0.0 if low is None else float(low), 1.0 if high is None else float(high)

    def share(self, value: Any) -> float | None:
        """Return how high on the axis a value lies, from 0 to 1; None where it has no place."""
        if self._choices is not None:
            return _place_among(self._choices, value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if self._log and value <= 0:
            return 0.0
        size: Callable[[float], float] = math.log if self._log else float
        low, high = size(self._low), size(self._high)
        return min(1.0, max(0.0, (size(value) - low) / (high - low))) if high > low else 0.5

    def drawn(self, x: float, bottom: float, gap: float) -> str:
        room = max(6, int(gap / CHARACTER))
        parts = [f'<path d="M{x:.0f} {AXIS_TOP}V{bottom}" stroke="{palette.MUTED}" stroke-width="1.2"/>']
        parts.append(_text(x, 11, short(self._name, room), "middle", ' font-weight="600"'))
        if self._choices is None:
            parts.append(_text(x, AXIS_TOP - 4, fmt.number(self._high), "middle"))
            parts.append(_text(x, bottom + 27, fmt.number(self._low), "middle"))
        elif len(self._choices) <= (bottom - AXIS_TOP) / 14:
            for i, choice in enumerate(self._choices):
                at = bottom - (i + 0.5) / len(self._choices) * (bottom - AXIS_TOP)
                parts.append(_text(x + 4, at - 4, short(choice, room - 2), "start"))
        return "".join(parts)


def _place_among(choices: Sequence[str], value: Any) -> float | None:
    text = value if isinstance(value, str) else None if value is _ABSENT else script_text(value)
    return (choices.index(text) + 0.5) / len(choices) if text in choices else None


def robust(values: Sequence[float], margin: float = 0.05) -> tuple[float, float]:
    """Return a range that shows most of the values well: a few that lie far away do not stretch it."""
    if not values:
        return 0.0, 1.0
    found = sorted(values)
    low, high = found[0], found[-1]
    edge = len(found) // 20
    inner_low, inner_high = found[edge], found[-1 - edge]
    spread = inner_high - inner_low
    if 0 < spread < math.inf and high - low > OUTLYING * spread:
        low, high = max(low, inner_low - spread / 2), min(high, inner_high + spread / 2)
    if low == high:
        room = abs(low) * 0.1 or 1.0
        return low - room, high + room
    room = (high - low) * margin
    return low - room, high + room


def path(places: Sequence[Point | None]) -> str:
    """Return a line through places in whole pixels, each told from the one before; it is broken where there is none."""
    pieces: list[list[tuple[int, int]]] = [[]]
    for place in places:
        if place is None:
            pieces.append([])
        else:
            pieces[-1].append((round(place[0]), round(place[1])))
    return "".join(map(_piece, pieces))


def _piece(places: Sequence[tuple[int, int]]) -> str:
    if len(places) < 2:
        return ""
    (x, y), moves = places[0], [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(places)]
    # A minus sign parts two numbers as well as a space does.
    return f"M{x} {y}l" + " ".join(f"{dx}{'' if dy < 0 else ' '}{dy}" for dx, dy in moves)


def _head(width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui,Helvetica,Arial,sans-serif" font-size="11" fill="{palette.MUTED}">'
    )


def _stroke(line: str, colour: str, width: float) -> str:
    look = f'stroke="{colour}" stroke-width="{width}" stroke-linejoin="round" stroke-linecap="round"'
    return f'<path d="{line}" fill="none" {look}/>'


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    from html import escape

    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{more}>{escape(text)}</text>'
