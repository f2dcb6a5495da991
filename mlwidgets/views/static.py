"""What runs leave in the notebook: a MIME bundle that needs no kernel and no script."""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlwidgets.views import terminal
from mlwidgets.views.changespage import kept
from mlwidgets.views.data import Output, Series, Snapshot, new_sweep, read_header, snapshot
from mlwidgets.views.media import media
from mlwidgets.views.page import page, page_mime, text_of
from mlwidgets.views.picture import PATIENCE, picture
from mlwidgets.views.summary import summary
from mlwidgets.views.sweepsaved import shortened, to_json

if TYPE_CHECKING:
    from mlwidgets.runs.displays import Display
    from mlwidgets.runs.run import Run
    from mlwidgets.views.sweepfeed import SweepShot
    from mlwidgets.views.terminal import Span

MIME = "application/vnd.mlwidgets.run+json"
FORMAT = 2
"""Raised when a reader of an older bundle could misread a newer one."""
BUDGET = 95_000
"""Bytes of a bundle as JSON, beside what the user's own displays take."""
SWEEP_BUDGET = 98_500
"""The same of a sweep, without its picture."""
FURTHER = 6000
"""Bytes more for each further run beside the first."""
MOST_PARAMS = 100
FEWEST_PARAMS = 12
"""Parameters of a run, and as many tags: where there is room for so many, and in any case."""
PARAM_CHARACTERS = 6000
FEWEST_PARAM_CHARACTERS = 1000
LONGEST_NAME = 100
LONGEST_TEXT = 1500
"""Characters of a note, a cause, a fact."""
MOST_UNNOTIFIED = 5
MOST_POINTS = 1000
"""Of all metrics of all runs together, where there is room for so many."""
FEWEST_POINTS = 4
MOST_SERIES = 200
FEWEST_SERIES = 12
"""Metrics of a run whose numbers are kept: where there is room for so many, and in any case."""
MOST_OF_ONE = 500
SYSTEM_POINTS = 240
OUTPUT_LINES = 150
SWEEP_SHARE = 0.25
"""Of the output and of its own metrics for a sweep, whose view tells more of each trial than they do."""
FEWEST_LINES = 20
"""Of each run, where there are several."""
OUTPUT_CHARACTERS = 8000
FEWEST_CHARACTERS = 500
"""Of the output, in any case."""
ERROR_CHARACTERS = 8000
FEWEST_ERROR_CHARACTERS = 1500
COARSE = 0.3
GAIN = 0.02
"""Where leaving out detail saves less than this part, a step of `COARSE` is tried, and then no more."""
LEAST = 0.01
"""Below this scale nothing more is left out."""
TEXT_SERIES = 40
"""Metrics that the plain text names."""
MOST_CODE = 4000
MOST_FILES = 50
FEWEST_FILES = 5
MEDIA_BYTES = 12_000
"""Of histograms, images, confusion matrices and tables, about, where there is room; the page holds them once more."""
TEXTS = ("text/plain", "text/markdown", "text/latex")
WIDGETS = "application/vnd.jupyter.widget-"
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
    png = picture(runs[0], patience) if len(runs) == 1 and runs[0].ended else None
    image = {"image/png": base64.b64encode(png).decode()} if png else {}
    shots = [snapshot(run) for run in runs]
    searched = any(shot.sweep for shot in shots)
    room = (
        # What a sweep keeps stands for hundreds of runs: its picture comes on top.
        (SWEEP_BUDGET + _size(image) if searched else BUDGET)
        + FURTHER * (len(runs) - 1)
        + sum(_size(_display(one)) + _size(one.data) for shot in shots for one in shot.displays)
    )
    scale, step, before = 1.0, 1.0, math.inf
    while True:
        shown = [media(run, round(min(1, 2 * scale) * MEDIA_BYTES) // len(runs)) for run in runs]
        data = {**_bundle(shots, shown, now, scale), **image}
        size = _size(data)
        saved_little = size > (1 - GAIN) * before
        if size <= room or scale < LEAST or (saved_little and step == COARSE):
            return data
        step = COARSE if saved_little else max(COARSE, 0.9 * room / size)
        scale, before = scale * step, size


def first_bundle(*runs: Run) -> dict[str, Any]:
    """Return what is known of runs without reading anything long."""
    now = time.time()
    shots = [Snapshot(read_header(run), [], Output([], cut=False), [], sweep=new_sweep(run, now)) for run in runs]
    return _bundle(shots, [{}] * len(runs), now, 1.0)


def _size(value: Any) -> int:
    return len(json.dumps(value))


def _shortened(shot: Snapshot, scale: float) -> Snapshot:
    """Return what a notebook keeps of a run beside numbers, displays and media: the end of the output and so on."""
    share = SWEEP_SHARE * scale if shot.sweep else scale
    lines = shot.output.lines[-max(FEWEST_LINES, round(OUTPUT_LINES * share)) :]
    most = max(FEWEST_CHARACTERS, round(OUTPUT_CHARACTERS * share))
    while len(lines) > 1 and sum(len(text) for line in lines for text, _ in line) > most:
        lines = lines[len(lines) // 4 or 1 :]
    whole = len(lines) == len(shot.output.lines)
    lines = [_cut(line, most) for line in lines]
    return replace(shot, header=_header(shot.header, scale), output=Output(lines, cut=shot.output.cut or not whole))


def _header(header: dict[str, Any], scale: float) -> dict[str, Any]:
    """Return a header whose ``hidden`` counts the parameters and tags that are left out."""
    most = max(FEWEST_PARAMS, round(MOST_PARAMS * scale))
    characters = max(FEWEST_PARAM_CHARACTERS, round(PARAM_CHARACTERS * scale))
    params, tags = (_first(header[key], most, characters) for key in ("params", "tags"))
    text = round(LONGEST_TEXT * max(0.2, scale))
    return {
        **header,
        "params": params,
        "tags": tags,
        "hidden": len(header["params"]) + len(header["tags"]) - len(params) - len(tags),
        "note": _begin(header["note"], text),
        "cause": header["cause"] and _begin(header["cause"], text),
        "error": header["error"]
        and _ends(header["error"], max(FEWEST_ERROR_CHARACTERS, round(ERROR_CHARACTERS * scale))),
        "unnotified": [_begin(problem, text) for problem in header["unnotified"][:MOST_UNNOTIFIED]],
    }


def _first(pairs: Sequence[Sequence[str]], most: int, characters: int) -> list[list[str]]:
    """Return at most so many names with their values, and no more of them than have so many characters together."""
    kept: list[list[str]] = []
    for name, value in pairs[:most]:
        characters -= len(name) + len(value)
        if kept and characters < 0:
            break
        kept.append([_begin(name, LONGEST_NAME), value])
    return kept


def _begin(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _ends(text: str, most: int) -> str:
    """Return a long text's first lines and, three times as many, its last ones."""
    if len(text) <= most:
        return text
    begin, end = text[: most // 4], text[-most * 3 // 4 :]
    first, last = begin.rpartition("\n")[0] or begin, end.partition("\n")[2] or end
    return f"{first}\n[…]\n{last}"


def _cut(line: list[Span], most: int) -> list[Span]:
    """Return the beginning of a line."""
    kept, room = [], most
    for text, style in line:
        if room > 0:
            kept.append((text[:room], style))
        room -= len(text)
    return kept


def _bundle(shots: Sequence[Snapshot], shown: Sequence[dict[str, Any]], now: float, scale: float) -> dict[str, Any]:
    """Return the bundle, with less detail the smaller `scale` is; 1 is all that a bundle ever has."""
    share = scale / len(shots)
    shots = [_shortened(shot, share) for shot in shots]
    numbers = [{**_numbers(shot, share), "media": one} for shot, one in zip(shots, shown, strict=True)]
    return {
        MIME: {"format": FORMAT, "time": round(now, 3), "runs": numbers},
        "text/html": "".join(page(shot, now, one, share) for shot, one in zip(shots, shown, strict=True)),
        "text/plain": "\n".join(summary(shot, now, round(TEXT_SERIES * scale)) for shot in shots),
    }


def _numbers(shot: Snapshot, scale: float) -> dict[str, Any]:
    kept = shot.series[: max(FEWEST_SERIES, round(MOST_SERIES * scale))]
    share = SWEEP_SHARE * scale if shot.sweep else scale
    return {
        "header": shot.header,
        "series": list(_series(kept, round(MOST_POINTS * share))),
        "hidden": len(shot.series) - len(kept),
        "system": list(_series(shot.system, round(SYSTEM_POINTS * share))),
        "output": {"text": terminal.ansi(shot.output.lines), "cut": shot.output.cut},
        "displays": [_display(one) for one in shot.displays],
        "details": _details(shot.details or {}, scale),
        **({"sweep": _sweep(shot.sweep, scale, shot.header["name"])} if shot.sweep else {}),
    }


def _sweep(shot: SweepShot, scale: float, name: str) -> dict[str, Any]:
    return to_json(shortened(shot, scale, name), shot, name)


def _series(every: Sequence[Series], points: int) -> Iterable[dict[str, Any]]:
    """Yield the metrics with steps and times (milliseconds) as differences, which take little room."""
    from mlwidgets.views.reduce import extremes

    most = max(FEWEST_POINTS, min(MOST_OF_ONE, points // max(1, len(every))))
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


def _display(display: Display) -> dict[str, Any]:
    """Return a display without pictures and HTML: the page shows them, and they are kept once."""
    mime = page_mime(display)
    data = {key: text_of(display.data[key]) for key in TEXTS if key in display.data}
    if mime == "text/plain":
        # What JupyterLab draws and no page does: JSON, Vega and so on. Widgets ended with the run's process.
        others = (key for key in display.data if key not in TEXTS and not key.startswith(WIDGETS))
        data.update({key: display.data[key] for key in others})
    return {"data": data, "metadata": display.metadata, "page": None if mime in data else mime}


def _details(details: dict[str, Any], scale: float) -> dict[str, Any] | None:
    """Return what somebody may know to whom the notebook is passed on, as far as it is short."""
    if not details:
        return None
    text = round(LONGEST_TEXT * max(0.2, scale))
    return {
        "code": details["code"] if len(details["code"]) <= MOST_CODE * scale else "",
        "heading": details["heading"],
        "facts": [[key, _begin(value, text)] for key, value in details["facts"] if key not in OWN_FACTS],
        "packages": [],
        "files": details["files"][: max(FEWEST_FILES, round(MOST_FILES * scale))],
        "folder": "",
        "changes": kept(details["changes"], scale),
        "checkpoints": details["checkpoints"],
    }
