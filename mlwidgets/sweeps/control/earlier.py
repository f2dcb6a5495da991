"""What a search learns from before it begins: results of earlier runs and sweeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlwidgets.errors import ParameterError, UnknownRun
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.trials import Trial, read_trials
from mlwidgets.sweeps.control.curves import followed
from mlwidgets.sweeps.control.limits import value_of
from mlwidgets.sweeps.definition import SweepDefinition
from mlwidgets.sweeps.space import Space


@dataclass(frozen=True)
class Earlier:
    """One result.

    Attributes
    ----------
    key
        Tells it from all others.
    run, name
        Of the run that it comes from; the run may have been deleted.
    params
        Those that are searched.
    values
        One for each objective.
    """

    key: str
    run: str | None
    name: str | None
    params: dict[str, Any]
    values: list[float]


def gather(folder: RunFolder, definition: SweepDefinition, space: Space) -> tuple[list[Earlier], list[str]]:
    """Return the results that fit the space, and a hint for each run of which something had to be left out.

    Parameters
    ----------
    folder
        Of the sweep, or of any run beside those that are named.
    """
    found: list[Earlier] = []
    hints: list[str] = []
    for run_id in definition.warm_start:
        run = Run(folder.path.parent / run_id)
        try:
            results = list(_results(run, definition))
        except UnknownRun as error:
            hints.append(f"nothing is learnt from {run_id!r}: {error}")
            continue
        fitting, reason = [], f"it has no result with a value of {definition.objectives[0].metric!r}"
        for result in results:
            known = {name: value for name, value in result.params.items() if name in space}
            try:
                space.to_study(known)
            except ParameterError as error:
                reason = str(error)
                continue
            fitting.append(Earlier(result.key, result.run, result.name, known, result.values))
        found += fitting
        if not fitting:
            hints.append(f"nothing is learnt from {run.name!r}: {reason}")
        elif len(fitting) < len(results):
            left_out = len(results) - len(fitting)
            hints.append(f"{left_out} of {len(results)} results of {run.name!r} are left out: {reason}")
    return found, hints


def _results(run: Run, definition: SweepDefinition) -> Iterator[Earlier]:
    if run.spec.sweep is None:
        values = _values(RunFolder(run.path), definition)
        if values is not None:
            yield Earlier(run.id, run.id, run.name, run.params, values)
        return
    theirs = SweepDefinition.from_json(run.spec.sweep)
    same = theirs.objectives == definition.objectives and theirs.value == definition.value
    for trial in read_trials(run.path):
        if trial.is_result:
            values = list(trial.values or ()) if same else _values_of(trial, run, definition)
            if values:
                name = trial.name or f"{run.name}-{trial.number}"
                yield Earlier(f"{run.id}/{trial.number}", trial.run, name, {**run.params, **trial.params}, values)


def _values_of(trial: Trial, run: Run, definition: SweepDefinition) -> list[float] | None:
    """Return what a trial of a sweep for something else came to."""
    return None if trial.run is None else _values(RunFolder(run.path.parent / trial.run), definition)


def _values(folder: RunFolder, definition: SweepDefinition) -> list[float] | None:
    """Return a run's value of each objective, None if one is lacking."""
    with followed(folder, [one.metric for one in definition.objectives]) as following:
        values = [
            value_of(points.values, definition.value, one.sign)
            for points, one in zip(following.points, definition.objectives, strict=True)
        ]
    return None if None in values else [value for value in values if value is not None]
