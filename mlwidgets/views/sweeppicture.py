"""A sweep drawn with matplotlib: all curves, and the best so far or the Pareto front. Only in a process of its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.outline import WORDS
from mlwidgets.runs.state import FINISHED
from mlwidgets.runs.trials import TERMINATED
from mlwidgets.views import format as fmt
from mlwidgets.views import palette
from mlwidgets.views.sweepsvg import has_course, results, robust, shades, value_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlwidgets.views.sweepfeed import SweepShot

WIDTH, HEIGHT = 9.0, 2.7
"""Inches."""
EARLY, FRONT = WORDS[TERMINATED], "Pareto front"


def draw_sweep(shot: SweepShot, title: str, dpi: float) -> Figure:
    """Return the figure of a sweep that has at least one value."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.05)
    figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, fontweight="bold")
    if has_course(shot):
        left, right = figure.subplots(1, 2)
        _curves(left, shot)
    else:
        right = figure.subplots()
    (_front if len(shot.metrics) > 1 else _history)(right, shot)
    return figure


def has_values(shot: SweepShot) -> bool:
    """Whether there is anything to draw."""
    return any(value_of(one) is not None for one in shot.rows)


def _curves(axes: Axes, shot: SweepShot) -> None:
    colours, rows = shades(shot.rows, shot.sign), {one["number"]: one for one in shot.rows}
    best = shot.status["best"]["number"] if shot.status["best"] else None
    finite = [v for one in shot.curves for v in one.values.tolist() if math.isfinite(v)]
    for one in sorted(shot.curves, key=lambda one: (one.number == best, colours.get(one.number, 0))):
        look: Any = {"color": palette.RAMP[colours.get(one.number, 0)], "linewidth": 0.7}
        if one.number == best:
            look = {"color": palette.BEST, "linewidth": 1.8}
        axes.plot(one.steps, one.values, marker="o" if len(one.values) == 1 else "", markersize=2, **look)
        if rows[one.number]["state"] == TERMINATED and len(one.values):
            axes.plot(one.steps[-1:], one.values[-1:], "o", color=palette.STATES[TERMINATED], markersize=2.6)
    early = EARLY if any(one["state"] == TERMINATED for one in shot.rows) else ""
    _finish(axes, f"{shot.metrics[0]} of all trials", early, robust(finite))


def _history(axes: Axes, shot: SweepShot) -> None:
    ended = sorted((one for one in shot.rows if one["ended"]), key=lambda one: (one["ended"], one["number"]))
    places = {one["number"]: i for i, one in enumerate(ended, 1)}
    found = [(places[one["number"]], value_of(one) or 0.0, one["state"]) for one in results(ended)]
    for state, colour in ((TERMINATED, palette.STATES[TERMINATED]), (FINISHED, palette.RAMP[-2])):
        some = [(i, value) for i, value, of in found if of == state]
        axes.plot([i for i, _ in some], [value for _, value in some], "o", color=colour, markersize=2.4)
    best: list[tuple[int, float]] = []
    for i, value, state in found:
        if state == FINISHED and (not best or shot.sign * value > shot.sign * best[-1][1]):
            best.append((i, value))
    if best:
        best.append((len(ended), best[-1][1]))
    steps: Any = {"drawstyle": "steps-post", "color": palette.BEST, "linewidth": 1.6}
    axes.plot([i for i, _ in best], [value for _, value in best], **steps)
    said = fmt.number(best[-1][1]) if best else ""
    _finish(axes, f"best {shot.metrics[0]} by trials", said, robust([value for _, value, _ in found]))


def _front(axes: Axes, shot: SweepShot) -> None:
    pairs = [(value_of(one), value_of(one, 1), one["number"] in shot.status["front"]) for one in results(shot.rows)]
    found = [(x, y, best) for x, y, best in pairs if x is not None and y is not None]
    axes.plot([x for x, _, _ in found], [y for _, y, _ in found], "o", color=palette.RAMP[-2], markersize=2.4)
    edge = sorted((x, y) for x, y, best in found if best)
    axes.plot([x for x, _ in edge], [y for _, y in edge], "o-", color=palette.BEST, markersize=4, linewidth=1)
    _finish(axes, f"{shot.metrics[1]} by {shot.metrics[0]}", FRONT, robust([y for _, y, _ in found]))


def _finish(axes: Axes, title: str, said: str, values: tuple[float, float]) -> None:
    axes.set_ylim(*values)
    axes.set_title(title, loc="left", fontsize=8, pad=4)
    colour = palette.STATES[TERMINATED] if said == EARLY else palette.BEST
    axes.set_title(f"● {said}" if said else "", loc="right", fontsize=8, pad=4, color=colour)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#b0b0b0")
    axes.tick_params(length=0, colors="#666666", labelsize=7)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    across, up = fmt.ticks(*axes.get_xlim(), 5), fmt.ticks(*values, 4)
    if said != FRONT:
        across = [tick for tick in across if tick == int(tick) and tick >= 0]
    axes.set_xticks(across, fmt.tick_labels(across))
    axes.set_yticks(up, fmt.tick_labels(up))
