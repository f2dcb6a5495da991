"""What a run leaves in the notebook when it has ended: a MIME bundle that needs no kernel and no script."""

from __future__ import annotations

import base64
import math
import time
from typing import TYPE_CHECKING, Any

from mlwidgets.views.data import Series, Snapshot, snapshot
from mlwidgets.views.page import page
from mlwidgets.views.picture import PATIENCE, picture
from mlwidgets.views.summary import summary

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run

MIME = "application/vnd.mlwidgets.run+json"
FORMAT = 1
"""Raised when a reader of an older bundle could misread a newer one."""
MOST_POINTS = 4000
"""Of all metrics together; what a bundle weighs depends on it."""
OUTPUT_LINES = 200


def bundle(run: Run, patience: float = PATIENCE) -> dict[str, Any]:
    """Return the still view of a run as a MIME bundle.

    Parameters
    ----------
    run
        Best one that has ended; otherwise the bundle shows this moment, and has no picture.
    patience
        Seconds to wait at most for the process that draws the picture.
    """
    shot = snapshot(run)
    now = time.time()
    data: dict[str, Any] = {MIME: _numbers(shot), "text/html": page(shot, now), "text/plain": summary(shot, now)}
    if shot.header["ended"] and (png := picture(run, patience)):
        data["image/png"] = base64.b64encode(png).decode()
    return data


def _numbers(shot: Snapshot) -> dict[str, Any]:
    from mlwidgets.views.reduce import extremes

    most = max(20, MOST_POINTS // 2 // max(1, len(shot.series)))
    return {
        "format": FORMAT,
        "header": shot.header,
        "series": [_columns(one, extremes(one.values, min(300, most))) for one in shot.series],
        "output": {"text": _ansi(shot), "cut": shot.output.cut or len(shot.output.lines) > OUTPUT_LINES},
    }


def _columns(series: Series, keep: Any) -> dict[str, Any]:
    values = [float(f"{v:.7g}") if math.isfinite(v) else None for v in series.values[keep].tolist()]
    return {**series.about(), "steps": [int(s) for s in series.steps[keep].tolist()], "values": values}


def _ansi(shot: Snapshot) -> str:
    from mlwidgets.views import terminal

    return terminal.ansi(shot.output.lines[-OUTPUT_LINES:])
