"""What a search learns from before it begins: results of earlier runs and sweeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlwidgets.errors import ParameterError, UnknownRun
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import literal_text
from mlwidgets.runs.trials import TERMINATED, Trial, read_trials
from mlwidgets.sweeps.control.curves import followed
from mlwidgets.sweeps.control.limits import value_of
from mlwidgets.sweeps.definition import SweepDefinition
from mlwidgets.sweeps.space import Space

MOST_REASONS = MOST_NAMES = 3
"""That a hint has."""


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
        All, and those alone that are searched here once it is clear that they fit.
    values
        One for each objective.
    searched
        Names of the parameters that were searched there.
    """

    key: str
    run: str | None
    name: str | None
    params: dict[str, Any]
    values: list[float]
    searched: frozenset[str] = frozenset()


def gather(
    folder: RunFolder, definition: SweepDefinition, space: Space, fixed: Mapping[str, str]
) -> tuple[list[Earlier], list[str]]:
    """Return the results that fit the space, and hints that say of each run what had to be left out, and why.

    Parameters
    ----------
    folder
        Of the sweep, or of any run beside those that are named.
    fixed
        Texts of the parameters that all trials have: a result for another value of one that was searched is left out.
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
        unused: dict[str, list[str]] = {}
        before = len(found)
        for name, result in results:
            reason = result if isinstance(result, str) else _misfit(result, space, fixed)
            if isinstance(result, str) or reason is not None:
                unused.setdefault(str(reason), []).append(name)
            else:
                found.append(replace(result, params={n: v for n, v in result.params.items() if n in space}))
        reasons = "; ".join(f"{_some(names)}: {reason}" for reason, names in list(unused.items())[:MOST_REASONS])
        if len(unused) > MOST_REASONS:
            reasons += f"; and {len(unused) - MOST_REASONS} more reasons"
        if len(found) == before:
            hints.append(f"nothing is learnt from {run.name!r}: {reasons or 'it has no trials'}")
        elif unused:
            count = sum(map(len, unused.values()))
            hints.append(f"{count} of {len(results)} trials of {run.name!r} are not used: {reasons}")
    return found, hints


def _misfit(result: Earlier, space: Space, fixed: Mapping[str, str]) -> str | None:
    """Return why a result says nothing about this space, None if it does."""
    for name in sorted(result.searched & fixed.keys()):
        if name not in space and literal_text(result.params[name]) != fixed[name]:
            return f"{name} is {fixed[name]:.40} here, which was searched there"
    try:
        space.to_study({name: value for name, value in result.params.items() if name in space})
    except ParameterError as error:
        return str(error)
    return None


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def _results(run: Run, definition: SweepDefinition) -> Iterator[tuple[str, Earlier | str]]:
    """Yield what each trial of a run is called with its result, or why it has none."""
    lacking = f"no value of {definition.objectives[0].metric!r}"
    if run.spec.sweep is None:
        values = _values(RunFolder(run.path), definition)
        yield run.name, lacking if values is None else Earlier(run.id, run.id, run.name, run.params, values)
        return
    theirs = SweepDefinition.from_json(run.spec.sweep)
    same = theirs.objectives == definition.objectives and theirs.value == definition.value
    for trial in read_trials(run.path):
        name = trial.name or f"{run.name}-{trial.number}"
        if not trial.is_result:
            yield name, "ended early" if trial.state == TERMINATED else "did not finish"
            continue
        values = list(trial.values or ()) if same else _values_of(trial, run, definition)
        if not values:
            yield name, lacking
            continue
        params = {**run.params, **trial.params}
        yield name, Earlier(f"{run.id}/{trial.number}", trial.run, name, params, values, frozenset(trial.params))


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
