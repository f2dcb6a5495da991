"""What a view says of a sweep: what was asked, each trial, how far it is, what early termination saved."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runs.outline import COUNTED, number_ended, number_planned
from mlwidgets.runs.state import RUNNING
from mlwidgets.runs.trials import GIVEN_BACK, WAITING, WARM_START, Trial, best, front
from mlwidgets.sweeps.definition import SweepDefinition
from mlwidgets.sweeps.space.text import parse_distribution
from mlwidgets.views.format import json_number
from mlwidgets.views.sweeppace import remaining, saved

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run

LONGEST_VALUE = 200
LONGEST_TEXT = 500
"""Characters of a parameter and of a cause."""
MOST_PARAMS = 200
BELL = 3
"""Standard deviations that an axis shows to each side."""
_HIGHEST_EXPONENT = 700.0
WHY = ("policy", "rule", "metric", "interval", "step", "value", "threshold", "best", "best_trial")

Row = dict[str, Any]


def definition_of(run: Run) -> SweepDefinition | None:
    """Return what was asked of a sweep; None for any other run, and where the definition cannot be read."""
    if run.spec.sweep is None:
        return None
    try:
        found = SweepDefinition.from_json(run.spec.sweep)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return found if found.objectives else None


def about(asked: SweepDefinition) -> dict[str, Any]:
    """Return what was asked, fit for JSON."""
    limits = asked.limits
    return {
        "objectives": [{"metric": one.metric, "direction": one.direction} for one in asked.objectives],
        "value": asked.value,
        "space": [_dimension(name, text) for name, text in asked.space.items()],
        "sampler": asked.sampler,
        "policy": asked.policy and short(asked.policy, LONGEST_TEXT),
        "limits": {
            "trials": limits.trials,
            "concurrent": limits.concurrent,
            "time": limits.time,
            "gpu_hours": limits.gpu_hours,
            "target": json_number(limits.target),
            "patience": limits.patience,
            "failures": limits.failures,
        },
        "resources": {"gpus": asked.resources.get("gpus", 0), "cpus": asked.resources.get("cpus", 1)},
    }


def _dimension(name: str, text: str) -> dict[str, Any]:
    """Return one searched parameter with the bounds of an axis that shows it.

    Of a normal distribution those are three standard deviations away. A value belongs to the choice that has its text
    in JavaScript.
    """
    said: dict[str, Any] = {
        "name": name, "kind": text.partition("(")[0].strip(), "text": text, "low": None, "high": None,
        "log": False, "integer": False, "choices": None, "when": None,
    }  # fmt: skip
    try:
        found = parse_distribution(text)
    except MlwidgetsError:
        found = None
    if found is None:
        return said
    kind, args = found.kind, found.args
    said.update(kind=kind, when=found.condition or None)
    if kind == "choice":
        return {**said, "choices": [script_text(plain(value)) for value in args]}
    low, high = (0, args[0] - 1) if len(args) == 1 else args[:2]
    if "normal" in kind:
        low, high = low - BELL * high, low + BELL * high
    if "lognormal" in kind:
        low, high = math.exp(low), math.exp(min(high, _HIGHEST_EXPONENT))
    integer = kind == "randint" or (kind.startswith("q") and all(isinstance(one, int) for one in args[2:]))
    return {**said, "low": low, "high": high, "log": "log" in kind, "integer": integer}


def script_text(value: Any) -> str:
    """Return what JavaScript's ``String`` makes of a value that came as JSON."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if not isinstance(value, float):
        return str(value)
    if value == 0:
        return "0"
    if 1e-6 <= abs(value) < 1e21:
        from decimal import Decimal

        text = format(Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"


def row(trial: Trial, sweep: str, state: str, *, started: float | None, ended: float | None) -> Row:
    """Return a trial fit for JSON, without what its curve tells.

    Parameters
    ----------
    sweep
        The sweep's name.
    state
        As it is counted.
    started, ended
        When its run did, as far as that is known; Unix seconds.
    """
    return {
        "number": trial.number,
        "run": trial.run,
        "name": trial.name or f"{sweep}-{trial.number}",
        "state": WAITING if state == GIVEN_BACK else state,
        "params": {name: plain(value) for name, value in list(trial.params.items())[:MOST_PARAMS]},
        "values": _numbers(trial.values),
        "best": None,
        "reports": 0,
        "submitted": trial.submitted,
        "started": started,
        "ended": ended,
        "cause": trial.cause and short(trial.cause, LONGEST_TEXT),
        "why": _why(trial.why),
        "attempts": trial.attempts,
        "by": trial.by,
    }


def plain(value: object) -> Any:
    """Return a parameter's value as JSON can carry it and a person can compare it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return json_number(value)
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    return short(value if isinstance(value, str) else repr(value), LONGEST_VALUE)


def _numbers(values: Sequence[float] | None) -> list[Any] | None:
    return None if values is None else [json_number(one) for one in values]


def _why(said: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if said is None:
        return None
    return {key: short(v, LONGEST_TEXT) if isinstance(v := said.get(key), str) else _figure(v) for key in WHY}


def _figure(value: Any) -> Any:
    if isinstance(value, float):
        return json_number(value)
    return value if isinstance(value, int) else None


def short(text: str, most: int) -> str:
    """Return the beginning of a text, on one line."""
    text = " ".join(text.split()) if "\n" in text else text
    return text if len(text) <= most else text[: most - 1] + "…"


def status(
    asked: SweepDefinition,
    trials: Mapping[int, Trial],
    rows: Mapping[int, Row],
    counts: Mapping[str, int],
    *,
    paused: str | None,
    concurrent: int | None,
    begun: float | None,
    now: float,
    ended: bool,
) -> dict[str, Any]:
    """Return how far a sweep is, fit for JSON.

    Parameters
    ----------
    rows
        One for each trial, with what its curve tells.
    counts
        The sweep's own trials by state.
    begun
        When its first trial did, Unix seconds.
    """
    signs = [one.sign for one in asked.objectives]
    found = best(trials.values(), signs[0]) if len(signs) == 1 else None
    concurrent = concurrent or asked.limits.concurrent or max(1, counts[RUNNING] + counts[WAITING])
    own = [one for one in rows.values() if one["by"] != WARM_START]
    planned = number_planned(asked.limits.trials, trials.values())
    left = None if ended or paused is not None else remaining(asked, own, counts, concurrent, begun, now, planned)
    return {
        "paused": None if ended or paused is None else reason(paused),
        "concurrent": concurrent,
        "counts": dict(counts),
        "planned": planned,
        "best": found and {"number": found.number, "run": found.run, "values": _numbers(found.values)},
        "front": [one.number for one in front(trials.values(), signs)] if len(signs) > 1 else [],
        "remaining": left,
        "at": now,
        "saved": saved(own) if asked.policy else None,
    }


def reason(paused: str) -> str:
    """Return why a sweep rests, as it is said after the word itself."""
    return short(paused.removeprefix("paused "), LONGEST_TEXT)


def empty_status(asked: SweepDefinition, now: float) -> dict[str, Any]:
    """Return what `status` says before anything is known."""
    counts = dict.fromkeys(COUNTED, 0)
    return status(asked, {}, {}, counts, paused=None, concurrent=None, begun=None, now=now, ended=False)


def progress_of(said: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a sweep's progress as runs have it, of what `status` gave."""
    planned, done = said["planned"], number_ended(said["counts"])
    if not planned:
        return None
    label = f"{done} of {planned} trials"
    return {"fraction": min(1.0, done / planned), "label": label, "remaining": said["remaining"], "at": said["at"]}


def better(values: Iterable[float], sign: int) -> float | None:
    """Return the best of the finite values."""
    finite = [one for one in values if math.isfinite(one)]
    return max(finite, key=lambda one: sign * one, default=None)
