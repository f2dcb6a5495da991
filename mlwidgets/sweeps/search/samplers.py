"""Who chooses a trial's values: Optuna's samplers, made anew for each trial so that a restart changes nothing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import ParameterError
from mlwidgets.sweeps.definition import Objective
from mlwidgets.sweeps.space import Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

SAMPLERS = {
    "tpe": "learns which values are good from the trials that have ended; the default",
    "random": "draws every value from its distribution",
    "grid": "every combination once, in order",
    "qmc": "spreads the trials more evenly than random does",
    "cmaes": "moves a cloud of trials towards better ones; for numbers, from some hundred trials on",
    "gp": "models the objective; the best use of few, long trials, and takes a second to choose",
    "nsga2": "crosses the best trials; for several objectives and many trials",
}
_NEEDS = {"qmc": ("scipy",), "cmaes": ("cmaes",), "gp": ("scipy", "torch")}
_WARM = 10
"""Trials that were taken over from which CMA-ES can tell where to begin."""


def check_sampler(sampler: str, space: Space, objectives: Sequence[Objective]) -> None:
    """Check that a sampler can search this space here.

    Conditional parameters are drawn at random by ``cmaes``, ``gp`` and ``nsga2``, choices by ``cmaes`` too.

    Raises
    ------
    ParameterError
        If it cannot, does not exist, or needs a library that is not there.
    """
    if sampler not in SAMPLERS:
        raise ParameterError(f"there is no sampler {sampler!r}: there are {', '.join(SAMPLERS)}")
    missing = [name for name in _NEEDS.get(sampler, ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise ParameterError(f"the {sampler} sampler needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    if sampler == "grid":
        space.grid()
    if sampler == "cmaes" and len(objectives) > 1:
        raise ParameterError("the cmaes sampler has one objective; for several use tpe, gp or nsga2")
    if sampler == "cmaes" and not _together(space, choices=False):
        raise ParameterError("the cmaes sampler searches numbers without conditions, and there is none; use tpe")


def make_sampler(
    sampler: str, space: Space, objectives: Sequence[Objective], seed: int, number: int, earlier: list[FrozenTrial]
) -> BaseSampler:
    """Make the sampler for one trial.

    Parameters
    ----------
    seed
        The sweep's; with the trial's number it fixes all that is random.
    number
        The trial's.
    earlier
        Trials that were taken over from other runs.
    """
    import numpy as np
    from optuna import samplers

    own = int(np.random.SeedSequence([abs(seed), number]).generate_state(1)[0])
    if sampler == "qmc":
        # The sequence's own scrambling is one for the whole sweep.
        independent = samplers.RandomSampler(seed=own)
        qmc = _knowing(samplers.QMCSampler, space.of_optuna())
        return qmc(
            scramble=True, seed=abs(seed) % 2**32, independent_sampler=independent, warn_independent_sampling=False
        )
    if sampler == "tpe":
        if len(objectives) > 1:
            return samplers.TPESampler(seed=own, constant_liar=True)
        if any(d.when for d in space.dimensions):
            return samplers.TPESampler(seed=own, constant_liar=True, multivariate=True, group=True)
        tpe = _knowing(samplers.TPESampler, _together(space))
        return tpe(seed=own, constant_liar=True, multivariate=True)
    if sampler == "cmaes":
        known = _together(space, choices=False)
        # CMA-ES learns only from trials that it chose itself; those of others tell it where to begin.
        begin = earlier if len(earlier) >= _WARM and len(known) == len(space.dimensions) else None
        cmaes = _knowing(samplers.CmaEsSampler, known)
        return cmaes(seed=own, consider_pruned_trials=True, source_trials=begin, warn_independent_sampling=False)
    if sampler == "gp":
        return _knowing(samplers.GPSampler, _together(space))(seed=own, warn_independent_sampling=False)
    if sampler == "nsga2":
        return _knowing(samplers.NSGAIISampler, _together(space))(seed=own)
    return samplers.RandomSampler(seed=own)


def _together(space: Space, *, choices: bool = True) -> dict[str, BaseDistribution]:
    """Return the dimensions that every trial has, and that have more than one value: those a model can be made of."""
    found = {
        d.name: d.of_optuna() for d in space.dimensions if d.when is None and (choices or d.kind != "choice")
    }  # fmt: skip
    return {name: one for name, one in sorted(found.items()) if not one.single()}


def _knowing(kind: Any, known: dict[str, BaseDistribution]) -> Callable[..., BaseSampler]:
    """Return a kind of sampler that knows the space, where Optuna's own works it out from all trials each time."""

    class Knowing(kind):
        def infer_relative_search_space(self, study: object, trial: object) -> dict[str, BaseDistribution]:
            return known

    return Knowing
