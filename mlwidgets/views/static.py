"""What runs leave in the notebook: a MIME bundle that needs no kernel and no script."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mlwidgets.views.data import Output, Series, Snapshot, read_header, snapshot
from mlwidgets.views.media import media
from mlwidgets.views.page import page, page_mime, text_of
from mlwidgets.views.picture import PATIENCE, picture
from mlwidgets.views.summary import summary

if TYPE_CHECKING:
    from mlwidgets.runs.displays import Display
    from mlwidgets.runs.run import Run

MIME = "application/vnd.mlwidgets.run+json"
FORMAT = 2
"""Raised when a reader of an older bundle could misread a newer one."""
MOST_POINTS = 1000
"""Of all metrics of all runs together; what a bundle weighs depends on it."""
MOST_OF_ONE = 500
SYSTEM_POINTS = 240
OUTPUT_LINES = 150
OUTPUT_CHARACTERS = 8000
MOST_CODE = 4000
MOST_FILES = 50
MEDIA_BYTES = 12_000
"""Of histograms, images, confusion matrices and tables, about; the page holds them once more."""
OWN_FACTS = frozenset({"Notebook", "Directory", "Interpreter", "Host", "User"})
"""Facts that are nobody's business to whom the notebook is passed on."""


def bundle(*runs: Run, patience: float = PATIENCE) -> dict[str, Any]:
    """Return the still view of runs as a MIME bundle.

    Parameters
    ----------
    runs
        One, or several to look at side by side. Of those that have not ended the bundle shows this moment.
    patience
        Seconds to wait at most for the process that draws the picture of a run that has ended.
    """
    # Taken before anything is read: of two bundles the one with the later time knows more.
    now = time.time()
    shown = [media(run, MEDIA_BYTES // len(runs)) for run in runs]
    data = _bundle([snapshot(run) for run in runs], shown, now)
    if len(runs) == 1 and runs[0].ended and (png := picture(runs[0], patience)):
        data["image/png"] = base64.b64encode(png).decode()
    return data


def first_bundle(*runs: Run) -> dict[str, Any]:
    """Return what is known of runs without reading anything long."""
    return _bundle(
        [Snapshot(read_header(run), [], Output([], cut=False), []) for run in runs], [{}] * len(runs), time.time()
    )


def _bundle(shots: Sequence[Snapshot], shown: Sequence[dict[str, Any]], now: float) -> dict[str, Any]:
    numbers = [{**_numbers(shot, len(shots)), "media": one} for shot, one in zip(shots, shown, strict=True)]
    return {
        MIME: {"format": FORMAT, "time": round(now, 3), "runs": numbers},
        "text/html": "".join(page(shot, now, one) for shot, one in zip(shots, shown, strict=True)),
        "text/plain": "\n".join(summary(shot, now) for shot in shots),
    }


def _numbers(shot: Snapshot, runs: int) -> dict[str, Any]:
    return {
        "header": shot.header,
        "series": list(_series(shot.series, MOST_POINTS // runs)),
        "system": list(_series(shot.system, SYSTEM_POINTS // runs)),
        "output": _output(shot.output),
        "displays": [_display(one) for one in shot.displays],
        "details": _details(shot.details or {}),
    }


def _series(every: Sequence[Series], points: int) -> Iterable[dict[str, Any]]:
    """Yield the metrics with steps and times (milliseconds) as differences, which take little room."""
    from mlwidgets.views.reduce import extremes

    most = max(20, min(MOST_OF_ONE, points // max(1, len(every))))
    for one in every:
        keep = extremes(one.values, most // 2)
        columns = {
            "steps": _differences(one.steps[keep]),
            "times": _differences(one.times[keep] * 1000),
            "values": _brief(one.values[keep], 6),
        }
        if len(keep) < one.n:
            columns["means"] = _brief(one.means[keep], 4)
        yield {**one.about(), **columns}


def _differences(column: Any) -> list[int]:
    whole = [round(value) for value in column.tolist()]
    return [after - before for before, after in zip([0, *whole], whole, strict=False)]


def _brief(column: Any, digits: int) -> list[float | None]:
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in column.tolist()]


def _output(output: Output) -> dict[str, Any]:
    from mlwidgets.views import terminal

    lines = output.lines[-OUTPUT_LINES:]
    while len(lines) > 1 and sum(len(text) for line in lines for text, _ in line) > OUTPUT_CHARACTERS:
        lines = lines[len(lines) // 4 or 1 :]
    return {"text": terminal.ansi(lines), "cut": output.cut or len(lines) < len(output.lines)}


def _display(display: Display) -> dict[str, Any]:
    """Return a display without pictures and HTML: the page shows them, and they are kept once."""
    mime = page_mime(display)
    data = {
        key: text_of(display.data[key]) for key in ("text/plain", "text/markdown", "text/latex") if key in display.data
    }
    return {"data": data, "metadata": display.metadata, "page": None if mime in data else mime}


def _details(details: dict[str, Any]) -> dict[str, Any] | None:
    """Return what somebody may know to whom the notebook is passed on, as far as it is short."""
    if not details:
        return None
    return {
        "code": details["code"] if len(details["code"]) <= MOST_CODE else "",
        "heading": details["heading"],
        "facts": [fact for fact in details["facts"] if fact[0] not in OWN_FACTS],
        "packages": [],
        "files": details["files"][:MOST_FILES],
        "folder": "",
    }
