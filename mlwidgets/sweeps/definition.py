"""What was asked of a sweep, beside what is asked of any run: fixed when it is submitted, kept in its spec."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

MAXIMIZE, MINIMIZE = "maximize", "minimize"
LAST, BEST = "last", "best"


@dataclass(frozen=True)
class Objective:
    """A metric that the code logs, and whether more of it is better."""

    metric: str
    direction: str = MAXIMIZE

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.direction == MAXIMIZE else -1


@dataclass(frozen=True)
class Limits:
    """When a sweep ends, or pauses.

    Parameters
    ----------
    trials
        How many there are in all; those of a warm start do not count.
    concurrent
        How many run at once, when the sweep begins; None: as many as this machine has room for.
    time
        Seconds from the first trial's start.
    gpu_hours
        Of all trials together.
    target
        A value of the objective that is good enough.
    patience
        Trials that may end one after the other without a better best.
    failures
        Trials in a row that fail of one cause before the sweep pauses.
    """

    trials: int = 20
    concurrent: int | None = None
    time: float | None = None
    gpu_hours: float | None = None
    target: float | None = None
    patience: int | None = None
    failures: int = 3


@dataclass(frozen=True)
class SweepDefinition:
    """Everything that was asked of one sweep. Its run spec holds the code, the fixed parameters and the inputs.

    Parameters
    ----------
    space
        What is searched: each name with its distribution as text, ``loguniform(1e-05, 0.1)``.
    objectives
        One; with several of them the sweep looks for the Pareto front.
    value
        Which of its logged values stands for a trial: ``last`` or ``best``.
    sampler
        Who chooses: random, grid, qmc, tpe, cmaes, gp.
    sampler_seed
        Makes the choices repeatable, whether the user gave a seed or not.
    policy
        Which trials end early, as text: ``bandit:slack=0.1,every=1,delay=5``.
    resources
        What each trial may use, as `mlwidgets.runs.spec.Resources` in JSON.
    warm_start
        Ids of earlier runs and sweeps of the same store that the search learns from.
    inputs
        Names that are sent beside those that the code is seen to read.
    modules
        Digest of the names of the modules that whoever submitted it had imported: warm processes that have them
        start the trials.
    repeats
        Trials that come first, each under its number: those of a sweep that this one does again. Each has ``number``,
        ``params`` as texts, ``by`` whom it was chosen, and ``run``, which it does again; a result that was learnt from
        has ``values`` and ``name`` too.
    """

    space: dict[str, str]
    objectives: tuple[Objective, ...]
    value: str = LAST
    sampler: str = "tpe"
    sampler_seed: int = 0
    policy: str | None = None
    limits: Limits = field(default_factory=Limits)
    resources: dict[str, Any] = field(default_factory=dict)
    warm_start: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    modules: str | None = None
    repeats: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it fit for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SweepDefinition:
        """Build from `to_json`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the data are no definition.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        given = {key: value for key, value in data.items() if key in known}
        given["objectives"] = tuple(Objective(**one) for one in data["objectives"])
        given["limits"] = Limits(**data.get("limits", {}))
        for name in ("warm_start", "inputs", "repeats"):
            given[name] = tuple(data.get(name, ()))
        return cls(**given)
