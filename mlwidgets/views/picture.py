"""``python -m mlwidgets.views.picture RUN_FOLDER``: draw a run's charts into ``picture.png`` of its folder.

Always a process of its own: matplotlib must not be imported in a user's kernel because of a view.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.folder import write_whole
from mlwidgets.views import format as fmt
from mlwidgets.views.groups import Chart, Line, charts
from mlwidgets.views.sweeppicture import draw_sweep, has_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlwidgets.runs.run import Run

NAME = "picture.png"
PATIENCE = 20.0
"""Seconds that a caller waits for the drawing process at most."""
EFFORTS = ((12, False), (12, True), (6, True), (2, True))
"""Charts at most, and whether noise is drawn as a band: the first with which the picture is light."""
BUCKETS = 400
BAND = 60
"""Points of a band's edge: between them noise is as good as filled."""
DPI = 110
MOST_BYTES = 24_000


def picture(run: Run, patience: float = PATIENCE) -> bytes | None:
    """Return the run's charts as PNG, drawing them first if that was not done yet and there is `patience` for it.

    None if the run logged nothing, or where it cannot be drawn: no matplotlib, a folder that cannot be written to.
    """
    path = run.path / NAME
    if not path.exists():
        if not patience or not (run.spec.sweep or any(len(column.values) for column in run.columns().values())):
            return None
        # -P: a file of the user's beside the notebook that happens to be called like a module is left alone.
        command = [sys.executable, "-P", "-m", "mlwidgets.views.picture", str(run.path)]
        here = str(Path(__file__).resolve().parents[2])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))}
        quiet = subprocess.DEVNULL
        try:
            subprocess.run(
                command,
                env=environment,
                stdin=quiet,
                stdout=quiet,
                stderr=quiet,
                timeout=patience,
                check=False,
                start_new_session=True,  # an interrupt of the kernel goes to its whole process group
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    try:
        return path.read_bytes()
    except OSError:
        return None


def draw(run: Run) -> bytes | None:
    """Draw header and charts with matplotlib, as many as fit into a light picture; None if the run has no metrics.

    Of a sweep it shows the trials.
    """
    import matplotlib as mpl

    from mlwidgets.views.data import read_header, read_series, read_sweep, seconds

    header = read_header(run)
    sweep = read_sweep(run, header)
    found = charts(read_series(run, BUCKETS))
    if not (has_values(sweep) if sweep else found):
        return None
    title = f"{header['name']}   {header['state']}, {fmt.took(seconds(header, time.time()))}"
    style: Any = {"font.family": "sans-serif", "font.size": 8, "text.parse_math": False, "path.simplify": False}
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(style)
        if sweep:
            return _small_png(draw_sweep(sweep, title, DPI), 1.0, 0.75)
        for most, band in EFFORTS:
            figure = _figure(title, found[:most], band=band)
            png = _small_png(figure, 1.0, 0.75)
            if len(png) <= MOST_BYTES:
                return png
        return _small_png(figure, 0.5)


def _figure(title: str, shown: list[Chart], *, band: bool) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(9.0, (2.2 if columns < 3 else 1.75) * rows + 0.42), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.05)
    figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, fontweight="bold")
    for index, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        if index < len(shown):
            _draw_chart(axes, shown[index], band=band)
        else:
            axes.set_axis_off()
    return figure


def _small_png(figure: Figure, *scales: float) -> bytes:
    """Return the figure with few colours, at the first scale at which it is light; else at the last."""
    from PIL import Image

    for scale in scales:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=scale * DPI)
        drawn = Image.open(buffer).convert("RGB").quantize(48, dither=Image.Dither.NONE)
        buffer = io.BytesIO()
        drawn.save(buffer, "png", optimize=True)
        # What is far too heavy stays so at the next scale.
        if not MOST_BYTES < buffer.tell() < 2.5 * MOST_BYTES:
            break
    return buffer.getvalue()


def _draw_chart(axes: Axes, chart: Chart, *, band: bool) -> None:
    import numpy as np

    for line in chart.lines:
        series = line.series
        if band and series.low is not None and len(series.values) > 2 * BAND:
            _draw_band(axes, line)
            continue
        values = np.where(np.isfinite(series.values), series.values, np.nan)
        look: Any = {"color": line.colour, "linewidth": 1.3, "marker": "o", "markersize": 2.6}
        axes.plot(line.x, values, label=line.label, markevery=_dots(values), **look)
    axes.set_title(chart.title, loc="left", fontsize=8, pad=4)
    last = "  ".join(fmt.number(line.series.last) for line in chart.lines)
    axes.set_title(last, loc="right", fontsize=8, fontweight="bold", pad=4)
    if len(chart.lines) > 1:
        axes.legend(fontsize=7, frameon=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#b0b0b0")
    axes.tick_params(length=0, colors="#666666", labelsize=7)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    x_ticks = [tick for tick in fmt.ticks(*axes.get_xlim(), 5) if (tick >= 0 if chart.timed else tick == int(tick))]
    y_ticks = fmt.ticks(*axes.get_ylim(), 4)
    axes.set_xticks(x_ticks, [fmt.took(tick) for tick in x_ticks] if chart.timed else fmt.tick_labels(x_ticks))
    axes.set_yticks(y_ticks, fmt.tick_labels(y_ticks))


def _draw_band(axes: Axes, line: Line) -> None:
    """Draw between what lies lowest and highest of neighbouring values, and their mean."""
    import numpy as np

    series = line.series
    groups = np.array_split(np.flatnonzero(np.isfinite(series.values)), BAND)
    steps, lows, highs, means = np.array(
        [
            (line.x[g].mean(), series.values[g].min(), series.values[g].max(), np.nanmean(series.means[g]))
            for g in groups
            if len(g)
        ]
    ).T
    axes.fill_between(steps, lows, highs, color=line.colour, alpha=0.3, linewidth=0)
    axes.plot(steps, means, label=line.label, color=line.colour, linewidth=1.3)


def _dots(values: object) -> list[int]:
    """Return the indices drawn as dots: all of a short line, and those that no line reaches."""
    import numpy as np

    finite = np.isfinite(np.asarray(values))
    if len(finite) <= 20:
        return [int(i) for i in np.flatnonzero(finite)]
    padded = np.concatenate([[False], finite, [False]])
    return [int(i) for i in np.flatnonzero(finite & ~padded[:-2] & ~padded[2:])]


def main(arguments: list[str]) -> int:
    """Draw the picture of the run whose folder is named."""
    from mlwidgets.runs.run import Run

    run = Run(Path(arguments[0]))
    data = draw(run)
    if data is not None:
        write_whole(run.path / NAME, data)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
