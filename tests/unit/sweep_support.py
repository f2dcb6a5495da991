"""Real sweep folders for the tests of the views, written as the controller, supervisors and workers write them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlwidgets.runs.alive import hold
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import LineWriter, write_event
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import RunSpec, literal_text, new_run_id
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.sweeps.definition import Limits, Objective, SweepDefinition
from mlwidgets.tracking.log import MetricLog

SPACE = {"lr": "loguniform(1e-05, 0.1)", "keep": "uniform(0.5, 1.0)", "width": "choice(32, 64, 128)"}
POLICY = "bandit:slack=0.1,every=1,delay=5"


class SweepFolder:
    """A sweep whose events and trials a test writes one by one.

    Times are seconds after the sweep's beginning, which lies an hour back.
    """

    def __init__(
        self,
        parent: Path,
        name: str = "lenet-search",
        *,
        space: Mapping[str, str] | None = None,
        objectives: Sequence[tuple[str, str]] = (("val_accuracy", "maximize"),),
        policy: str | None = POLICY,
        limits: Limits | None = None,
        params: Mapping[str, Any] | None = None,
        resources: Mapping[str, Any] | None = None,
    ) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        self.begin = time.time() - 3600
        self.name = name
        self.definition = SweepDefinition(
            dict(SPACE if space is None else space),
            tuple(Objective(*one) for one in objectives),
            policy=policy,
            limits=limits or Limits(trials=20, concurrent=5),
            resources=dict(resources or {}),
        )
        texts = {key: literal_text(value) for key, value in (params or {}).items()}
        spec = RunSpec(
            new_run_id(name, self.begin), name, "train()\n", texts, submitted_at=self.begin,
            heading=f"%%sweep {name}", sweep=self.definition.to_json(),
        )  # fmt: skip
        self.folder = RunFolder.create(parent, spec)
        write_event(self.folder.events, "supervising", time=self.begin)
        write_event(self.folder.events, "started", time=self.begin)
        hold(self.folder.alive, "worker")
        self._events = LineWriter(self.folder.events)
        self._log = MetricLog(self.folder.metrics, self.folder.events)

    @property
    def run(self) -> Run:
        return Run(self.folder.path)

    def event(self, kind: str, at: float = 0.0, **fields: Any) -> None:
        self._events.write(kind, time=self.begin + at, **fields)

    def submit(self, number: int, params: Mapping[str, Any], at: float = 0.0, **fields: Any) -> str:
        """Say that a trial begins, and make its folder; return its run's id."""
        spec = RunSpec(
            new_run_id(f"{self.name}-{number}", self.begin + at), f"{self.name}-{number}", "train()\n",
            {key: literal_text(value) for key, value in params.items()}, submitted_at=self.begin + at,
            trial_of=self.folder.id, trial=number,
        )  # fmt: skip
        texts = {key: literal_text(value) for key, value in params.items()}
        said = {"number": number, "run": spec.id, "params": texts, "attempt": 1, "by": "sampler", **fields}
        self.event("trial", at, **said)
        folder = RunFolder.create(self.folder.path.parent, spec)
        write_event(folder.events, "supervising", time=self.begin + at)
        return spec.id

    def start(self, run: str, at: float = 0.0) -> None:
        """Have a trial's code begin; this process holds it alive."""
        folder = self.of(run)
        hold(folder.alive, "worker")
        write_event(folder.events, "started", time=self.begin + at)

    def log(self, run: str, values: Iterable[float], metric: str | None = None) -> None:
        folder = self.of(run)
        log = MetricLog(folder.metrics, folder.events)
        for value in values:
            log({metric or self.definition.objectives[0].metric: value})

    def end(
        self, number: int, run: str, state: str, values: Sequence[float] | None, at: float = 0.0,
        *, cause: str | None = None, why: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """End a trial's run, and say so."""
        folder = self.of(run)
        begun = Run(folder.path).started_at
        own = "stopped" if state == "terminated" else state
        write_outcome(folder, Outcome(own, cause, begun, self.begin + at, 0))
        self.event("trial_ended", at, number=number, run=run, state=state, values=values, cause=cause, why=why)

    def finish(self, state: str = "finished", at: float = 3000.0, cause: str | None = None) -> Run:
        """End the sweep."""
        write_outcome(self.folder, Outcome(state, cause, self.begin, self.begin + at, 0))
        return self.run

    def of(self, run: str) -> RunFolder:
        return RunFolder(self.folder.path.parent / run)

    def trial(
        self,
        number: int,
        params: Mapping[str, Any],
        curve: Sequence[float],
        *,
        state: str = "finished",
        begin: float = 0.0,
        took: float = 60.0,
        cause: str | None = None,
        why: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> str:
        """Write a whole trial; one in state running or waiting stays so."""
        run = self.submit(number, params, begin, **fields)
        if state == "waiting":
            return run
        self.start(run, begin)
        self.log(run, curve)
        if state == "running":
            return run
        values = [curve[-1]] if state in {"finished", "terminated"} and curve else None
        self.end(number, run, state, values, begin + took, cause=cause, why=why)
        if values and state == "finished":
            self._log({self.definition.objectives[0].metric: values[0]}, step=number + 1)
        return run


def curve(number: int, steps: int = 30) -> list[float]:
    """Return a learning curve that looks real, a little different for each number."""
    top = 0.7 + 0.29 * abs(math.sin(number * 1.7))
    return [top * (1 - math.exp(-(i + 1) / (4 + number % 5))) + 0.01 * math.sin(i * 2.1 + number) for i in range(steps)]


def sample(number: int) -> dict[str, Any]:
    """Return parameters out of `SPACE`, a little different for each number."""
    part = (number * 0.618033988749895) % 1
    return {
        "lr": 10 ** (-5 + 4 * part),
        "keep": 0.5 + 0.5 * ((number * 0.7548776662466927) % 1),
        "width": (32, 64, 128)[number % 3],
    }


def why(number: int, step: int, value: float, best: float) -> dict[str, Any]:
    """Return a reason as the bandit policy gives it."""
    return {
        "policy": POLICY, "rule": f"{value:.3f} is more than 10 % below the best {best:.3f} at interval {step + 1}",
        "metric": "val_accuracy", "interval": step + 1, "step": step, "value": value, "threshold": best / 1.1,
        "best": best, "best_trial": max(0, number - 1),
    }  # fmt: skip


def typical(
    parent: Path, trials: int = 20, steps: int = 30, *, going: bool = False, limits: Limits | None = None
) -> SweepFolder:
    """Write a sweep in which every third trial ended early and every tenth failed; `going`: it has not ended."""
    sweep = SweepFolder(parent, limits=limits or Limits(trials=trials + 4 * going, concurrent=3))
    for number in range(trials):
        values, begin = curve(number, steps), 20.0 * number
        if number % 10 == 7:
            cause = "ValueError: the learning rate is too high"
            sweep.trial(number, sample(number), values[:2], state="failed", begin=begin, took=5.0, cause=cause)
        elif number % 3 == 2:
            reason = why(number, steps // 3, values[steps // 3], 0.99)
            sweep.trial(
                number, sample(number), values[: steps // 3 + 1], state="terminated", begin=begin, took=20.0, why=reason
            )
        else:
            sweep.trial(number, sample(number), values, begin=begin)
    if going:
        for number, state in ((trials, "running"), (trials + 1, "running"), (trials + 2, "waiting")):
            part = [] if state == "waiting" else curve(number, steps)[: 4 + number % 5]
            sweep.trial(number, sample(number), part, state=state, begin=3540.0)
    else:
        sweep.event("importance", 2999.0, values={"lr": 0.71, "width": 0.2, "keep": 0.09})
        sweep.finish()
    return sweep
