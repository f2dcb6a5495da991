"""What a notebook keeps of a sweep: the best trials and the newest, in few bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlwidgets.runs.state import FINISHED
from mlwidgets.runs.trials import SAMPLER
from mlwidgets.views.sweep import Row, short
from mlwidgets.views.sweepfeed import SweepShot
from mlwidgets.views.sweepnumbers import Curve

BYTES = 63_500
"""Of a sweep as JSON, about, where there is room for so many."""
MOST_TRIALS = 200
FEWEST_TRIALS = 20
ENOUGH = 0.75
"""Of the trials for whose sake texts are not shortened further."""
NEWEST = 0.1
"""Of the trials, which are kept though they are none of the best."""
MOST_OF_ONE = 40
FEWEST_OF_ONE = 5
"""Points of a curve."""
CURVE_BYTES, POINT_BYTES = 45, 10
MOST_PARAMS, FEW_PARAMS, FEWEST_PARAMS = 40, 12, 6
"""Parameters of a sweep."""
MOST_CHOICES = 40
LONGEST_TEXT, SHORT_TEXT, SHORTEST_TEXT = 200, 100, 40
"""Characters of a value, a rule, a cause."""
DIGITS = 4


def shortened(shot: SweepShot, scale: float, sweep: str) -> SweepShot:
    """Return the part of a sweep that a notebook keeps, with less detail the smaller `scale` is; 1 is the most.

    Parameters
    ----------
    sweep
        Its name.
    """
    room = BYTES * scale
    told = {one.number: one.n for one in shot.curves}
    for text, params in ((LONGEST_TEXT, MOST_PARAMS), (SHORT_TEXT, FEW_PARAMS), (SHORTEST_TEXT, FEWEST_PARAMS)):
        brief = _with_less_text(shot, text, params)
        rows = _kept(brief, MOST_TRIALS)
        size = len(json.dumps([_brief_row(one, brief, sweep, told.get(one["number"], 0)) for one in rows]))
        each = size / max(1, len(rows))
        most_rows = int(room / (each + CURVE_BYTES + FEWEST_OF_ONE * POINT_BYTES))
        # A reason that is cut off says nothing: rather fewer trials, if only a few.
        if most_rows >= ENOUGH * len(rows):
            break
    rows = _kept(brief, max(FEWEST_TRIALS, min(MOST_TRIALS, most_rows)))
    kept = {one["number"] for one in rows}
    curves = [one for one in shot.curves if one.number in kept]
    left = (room - each * len(rows)) / max(1, len(curves))
    most = max(FEWEST_OF_ONE, min(MOST_OF_ONE, int((left - CURVE_BYTES) / POINT_BYTES)))
    return replace(brief, rows=rows, curves=[thinned(one, most) for one in curves])


def _with_less_text(shot: SweepShot, text: int, params: int) -> SweepShot:
    space = [_dimension(one, text) for one in shot.about["space"][:params]]
    names = {one["name"] for one in space}
    rows = [_row(one, names, text) for one in shot.rows]
    shares = sorted((shot.importance or {}).items(), key=lambda one: -one[1])[:params]
    importance = None if shot.importance is None else dict(shares)
    return replace(shot, about={**shot.about, "space": space}, rows=rows, importance=importance)


def thinned(curve: Curve, most: int) -> Curve:
    """Return some `most` points of a curve at even distances, its lowest and its highest value among them.

    Of hundreds of curves beside each other the course is seen: both ends of each neighbourhood would be a zigzag.
    """
    import numpy as np

    if len(curve.values) <= most:
        return curve
    keep = np.linspace(0, len(curve.values) - 1, most - 1).round().astype(np.intp)
    finite = np.flatnonzero(np.isfinite(curve.values))
    if len(finite):
        values = curve.values[finite]
        keep = np.unique([*keep, finite[values.argmin()], finite[values.argmax()]])
    return replace(curve, steps=curve.steps[keep], values=curve.values[keep])


def _kept(shot: SweepShot, most: int) -> list[Row]:
    """Return the best trials and the newest, by their numbers."""
    if len(shot.rows) <= most:
        return shot.rows
    numbers = {one["number"] for one in shot.rows[-max(1, round(NEWEST * most)) :]}
    for one in sorted(shot.rows, key=lambda one: goodness(one, shot.sign), reverse=True):
        if len(numbers) == most:
            break
        numbers.add(one["number"])
    return [one for one in shot.rows if one["number"] in numbers]


def goodness(one: Row, sign: int) -> tuple[bool, float, int]:
    """Return what ranks a trial: those that finished before others, by value, then by number."""
    value = one["values"][0] if one["values"] else None
    good = sign * value if isinstance(value, int | float) else -math.inf
    return one["state"] == FINISHED and good > -math.inf, good, -one["number"]


def _dimension(one: Mapping[str, Any], text: int) -> dict[str, Any]:
    choices = one["choices"] and [short(choice, text) for choice in one["choices"][:MOST_CHOICES]]
    return {
        **one,
        "text": short(one["text"], text),
        "choices": choices,
        "when": one["when"] and short(one["when"], text),
    }


def _row(one: Row, names: set[str], text: int) -> Row:
    params = {name: short(v, text) if isinstance(v, str) else v for name, v in one["params"].items() if name in names}
    why = one["why"] and {**one["why"], "rule": short(one["why"]["rule"] or "", text)}
    return {**one, "params": params, "cause": one["cause"] and short(one["cause"], text), "why": why}


def to_json(shot: SweepShot, whole: SweepShot, sweep: str) -> dict[str, Any]:
    """Return it fit for JSON.

    What a row does not say is: ``state`` finished, ``name`` the sweep's with the number, ``best`` its first value,
    ``submitted`` what ``started`` is, ``reports`` what its curve says, ``attempts`` 1, ``by`` the sampler; in ``why``,
    ``policy`` and ``metric`` those of the sweep; all else null, and ``cause`` where there is a ``why``. A curve does
    not say ``n`` where it has all points, and its steps are differences.

    Parameters
    ----------
    whole
        The sweep before it was shortened.
    sweep
        Its name.
    """
    told = {one.number: one.n for one in shot.curves}
    kept = {one["number"] for one in shot.rows}
    return {
        "about": shot.about,
        "status": {
            **shot.status,
            "front": [n for n in shot.status["front"] if n in kept],
        },
        "trials": [_brief_row(one, shot, sweep, told.get(one["number"], 0)) for one in shot.rows],
        "curves": [_brief_curve(one) for one in shot.curves],
        "importance": shot.importance and {name: _brief(share) for name, share in shot.importance.items()},
        "hidden": len(whole.rows) - len(shot.rows),
        "hidden_params": len(whole.about["space"]) - len(shot.about["space"]),
    }


def _brief_row(one: Row, shot: SweepShot, sweep: str, reports: int) -> Row:
    usual = {
        "state": FINISHED,
        "name": f"{sweep}-{one['number']}",
        "best": one["values"][0] if one["values"] else None,
        "reports": reports,
        "attempts": 1,
        "by": SAMPLER,
    }
    if one["started"] is not None:
        usual["submitted"] = one["submitted"]
    said = {key: value for key, value in one.items() if value is not None and value != usual.get(key)}
    said["params"] = {name: _brief(value) for name, value in one["params"].items()}
    for key in ("submitted", "started", "ended"):
        if said.get(key) is not None:
            said[key] = round(said[key], 1)
    if "values" in said:
        said["values"] = [_brief(value) for value in said["values"]]
    if "best" in said:
        said["best"] = _brief(said["best"])
    if "why" in said:
        said.pop("cause", None)
        known = {"policy": shot.about["policy"], "metric": shot.metrics[0]}
        said["why"] = {
            key: _brief(value) for key, value in said["why"].items() if value is not None and value != known.get(key)
        }
    return said


def _brief_curve(one: Curve) -> dict[str, Any]:
    steps = [round(step) for step in one.steps.tolist()]
    return {
        "number": one.number,
        **({"n": one.n} if one.n != len(steps) else {}),
        "steps": [after - before for before, after in zip([0, *steps], steps, strict=False)],
        "values": brief(one.values.tolist()),
    }


def brief(values: Sequence[float]) -> list[float | None]:
    """Return numbers with few digits; what is not finite is None."""
    return [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in values]


def _brief(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) and math.isfinite(value) else value
