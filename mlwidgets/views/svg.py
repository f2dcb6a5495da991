"""Charts as small SVG pictures: what a still view shows of a metric, without any plotting library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from mlwidgets.views import format as fmt
from mlwidgets.views import palette
from mlwidgets.views.reduce import extremes

if TYPE_CHECKING:
    from mlwidgets.views.groups import Line

WIDTH, HEIGHT = 340, 150
TOP, RIGHT, BOTTOM = 8, 10, 22
BUCKETS = 150
"""Pairs of extremes: about one for every two pixels."""
MOST_DOTS = 20
"""Up to here every value is drawn as a dot too."""

GRID = "#80808033"


def chart(lines: Sequence[Line], width: int = WIDTH, buckets: int = BUCKETS) -> str:
    """Return lines that share a chart as an SVG document. It suits light and dark ground."""
    columns = [_column(line, buckets) for line in lines]
    x_low, x_high = min(xs[0] for xs, _ in columns), max(xs[-1] for xs, _ in columns)
    if x_low == x_high:
        x_low, x_high = x_low - 0.5, x_high + 0.5
    lows = [line.series.low for line in lines if line.series.low is not None]
    highs = [line.series.high for line in lines if line.series.high is not None]
    y_low, y_high = _value_range(min(lows, default=None), max(highs, default=None))
    y_ticks = fmt.ticks(y_low, y_high, 4)
    timed = any(line.begin is not None for line in lines)
    x_ticks = [tick for tick in fmt.ticks(x_low, x_high, 5) if timed or tick == int(tick)]
    labels = fmt.tick_labels(y_ticks)
    left = max(34.0, max(map(len, labels)) * 6.3 + 8)

    def x(step: float) -> float:
        return left + (step - x_low) / (x_high - x_low) * (width - left - RIGHT)

    def y(value: float) -> float:
        return TOP + (y_high - value) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" viewBox="0 0 {width} {HEIGHT}" '
        f'font-family="system-ui,Helvetica,Arial,sans-serif" font-size="11" fill="{palette.MUTED}">'
    )
    parts = [head]
    for tick, label in zip(y_ticks, labels, strict=True):
        parts.append(f'<path d="M{left:.1f} {y(tick):.1f}H{width - RIGHT}" stroke="{GRID}"/>')
        parts.append(f'<text x="{left - 5:.1f}" y="{y(tick) + 4:.1f}" text-anchor="end">{label}</text>')
    parts.append(f'<path d="M{left:.1f} {HEIGHT - BOTTOM}H{width - RIGHT}" stroke="{palette.MUTED}66"/>')
    x_labels = [fmt.took(tick) for tick in x_ticks] if timed else fmt.tick_labels(x_ticks)
    for tick, label in zip(x_ticks, x_labels, strict=True):
        parts.append(f'<text x="{x(tick):.1f}" y="{HEIGHT - 7}" text-anchor="middle">{label}</text>')
    for line, (xs, ys) in zip(lines, columns, strict=True):
        points = [(x(a), y(b)) if math.isfinite(b) else None for a, b in zip(xs, ys, strict=True)]
        parts.extend(_line(points, line.colour))
    parts.append("</svg>")
    return "".join(parts)


def _column(line: Line, buckets: int) -> tuple[list[float], list[float]]:
    values = line.series.values
    keep = extremes(values, buckets)
    return line.x[keep].tolist(), values[keep].tolist()


def data_uri(document: str) -> str:
    """Return an SVG document as the address of an ``<img>``, where nothing in it can run."""
    return "data:image/svg+xml," + quote(document, safe=" =:/,;()+'!*@$")


def _line(points: list[tuple[float, float] | None], colour: str) -> Iterator[str]:
    pieces: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            pieces.append([])
        else:
            pieces[-1].append(point)
    path = "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in piece) for piece in pieces if len(piece) > 1)
    if path:
        yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.75" stroke-linejoin="round"/>'
    dots = pieces if len(points) <= MOST_DOTS else [piece for piece in pieces if len(piece) == 1]
    for piece in dots:
        for x, y in piece:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>'


def _value_range(low: float | None, high: float | None) -> tuple[float, float]:
    if low is None or high is None:
        return 0.0, 1.0
    if low == high:
        room = abs(low) * 0.1 or 1.0
        return low - room, high + room
    room = (high - low) * 0.06
    # A line that comes down to zero stands on the axis.
    return (0.0 if 0 <= low < 0.1 * high else low - room), high + room
