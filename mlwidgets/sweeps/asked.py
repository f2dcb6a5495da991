"""From what a user asks of a sweep to its spec: checked before anything is started, each mistake in one line."""

from __future__ import annotations

import importlib.util
import json
import math
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace

from mlwidgets.errors import CaptureError, ParameterError
from mlwidgets.runner import warm
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import Resources, RunSpec
from mlwidgets.runs.store import RunStore
from mlwidgets.submit import Asked, capture, open_store
from mlwidgets.sweeps.control.earlier import gather
from mlwidgets.sweeps.definition import BEST, LAST, Limits, Objective, SweepDefinition
from mlwidgets.sweeps.policies import parse_policy
from mlwidgets.sweeps.search.samplers import check_sampler
from mlwidgets.sweeps.space import Distribution, Space
from mlwidgets.sweeps.space.values import word

LONGEST_NAME = 90
"""Characters of a sweep's name: its trials' names are longer."""


def capture_sweep(
    asked: Asked,
    *,
    space: Mapping[str, str | Distribution],
    maximize: str | Iterable[str] = (),
    minimize: str | Iterable[str] = (),
    limits: Limits,
    policy: str | None = None,
    sampler: str = "tpe",
    value: str = LAST,
    warm_start: str | Run | Iterable[str | Run] = (),
    all_of_grid: bool = False,
) -> tuple[RunStore, RunSpec]:
    """Check what is asked and freeze what the code reads; nothing is started.

    Parameters
    ----------
    all_of_grid
        Let a grid have as many trials as there are combinations.

    Raises
    ------
    CaptureError
        If something is wrong with what is asked, or the code cannot be sent as it is.
    UnknownRun
        If there is no such run to wait for or to learn from.
    StoreError
        If the store cannot be written.
    """
    if importlib.util.find_spec("optuna") is None:
        raise CaptureError("a sweep needs Optuna, which is not installed here: pip install optuna")
    searched = Space.parse(space)
    objectives = _objectives(maximize, minimize)
    _check(asked, searched, objectives, limits, value, policy)
    check_sampler(sampler, searched, objectives)
    if sampler == "grid" and all_of_grid:
        limits = replace(limits, trials=len(searched.grid()))
    examples = {dimension.name: dimension.args[0] for dimension in searched.dimensions}
    at_times = [d.name for d in searched.dimensions if d.when is not None and not d.distribution.otherwise]
    starts = tuple(_ids(warm_start))
    asked = replace(asked, inputs=tuple(asked.inputs))
    store, spec = capture(asked, examples, at_times)
    definition = SweepDefinition(
        space=searched.to_json(),
        objectives=objectives,
        value=value,
        sampler=sampler,
        sampler_seed=secrets.randbelow(2**32) if asked.seed is None else asked.seed,
        policy=policy,
        limits=limits,
        resources=asdict(replace(spec.resources, after=None)),
        warm_start=starts,
        inputs=tuple(asked.inputs),
        modules=store.put("\n".join(_modules(asked.seed)).encode()),
    )
    hints = list(spec.hints)
    if starts:
        hints += gather(RunFolder(store.runs / spec.id), definition, searched, spec.params)[1]
    own = Resources(gpus=0.0, cpus=0, priority=spec.resources.priority, after=spec.resources.after)
    # What the spec holds of it is what reading it gives.
    plain = json.loads(json.dumps(definition.to_json()))
    return store, replace(spec, resources=own, hints=tuple(hints), sweep=plain)


def _modules(seed: int | None) -> list[str]:
    """Return the names of the modules that are worth having in the processes that trials are forked from."""
    names = warm.worth_having()
    if seed is not None and "numpy" not in names and importlib.util.find_spec("numpy") is not None:
        # Seeding imports it.
        names += ["numpy", "numpy.random"]
    return names


def _names(metrics: str | Iterable[str]) -> tuple[str, ...]:
    return (metrics,) if isinstance(metrics, str) else tuple(metrics)


def _objectives(maximize: str | Iterable[str], minimize: str | Iterable[str]) -> tuple[Objective, ...]:
    most, least = _names(maximize), _names(minimize)
    names = (*most, *least)
    if not names:
        raise ParameterError("a sweep needs a metric that the code logs: --maximize val_accuracy, or --minimize loss")
    for name in names:
        if not isinstance(name, str) or not name:
            raise ParameterError(f"{name!r} is no metric's name")
        if names.count(name) > 1:
            raise ParameterError(f"metric {name!r} is asked for twice")
    return (*(Objective(name, "maximize") for name in most), *(Objective(name, "minimize") for name in least))


def _check(
    asked: Asked, space: Space, objectives: tuple[Objective, ...], limits: Limits, value: str, policy: str | None
) -> None:
    if asked.name is not None and len(asked.name) > LONGEST_NAME:
        raise ParameterError(f"a sweep's name has at most {LONGEST_NAME} characters, not {len(asked.name)}")
    for dimension in space.dimensions:
        if not dimension.name.isidentifier():
            raise ParameterError(f"{dimension.name!r} cannot be a parameter: it is no Python name")
        if dimension.only and dimension.when is None:
            fixed = f"{dimension.name}={word(dimension.only[0])}"
            raise ParameterError(
                f"{dimension.name}={dimension.text:.60} has one value only: give it as the fixed parameter {fixed:.60}"
            )
        if dimension.name in (asked.params or {}):
            raise ParameterError(f"parameter {dimension.name!r} is searched and fixed at once; drop one of both")
    if value not in {LAST, BEST}:
        raise ParameterError(f"the value of a trial is its {LAST} or its {BEST} one, not {value!r}")
    _check_limits(limits)
    if len(objectives) > 1:
        for what, given in (("a target", limits.target), ("a patience", limits.patience), ("early ends", policy)):
            if given is not None:
                raise ParameterError(f"{what} cannot be had with several objectives: which one would decide?")
    if policy is not None:
        parse_policy(policy, sign=objectives[0].sign)


def _check_limits(limits: Limits) -> None:
    counts = {
        "the number of trials": (limits.trials, 1),
        "the number of trials at once": (limits.concurrent, 1),
        "the patience": (limits.patience, 1),
        "the number of failures": (limits.failures, 0),
    }
    for what, (count, least) in counts.items():
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < least):
            raise ParameterError(f"{what} must be {least} or more, not {count}")
    for what, bound in (("time", limits.time), ("GPU hours", limits.gpu_hours)):
        if bound is not None and not bound > 0:
            raise ParameterError(f"the limit of {what} must be more than 0, not {bound:g}")
    if limits.target is not None and not math.isfinite(limits.target):
        raise ParameterError(f"the target must be a number, not {limits.target}")


def _ids(runs: str | Run | Iterable[str | Run]) -> Iterable[str]:
    """Return the ids of runs that exist, as named."""
    for run in (runs,) if isinstance(runs, str | Run) else runs:
        yield open_store().find(run).id if isinstance(run, str) else run.id
