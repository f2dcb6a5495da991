"""What a user holds of a sweep: a run whose trials are runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import ParameterError, ResultNotAvailable
from mlwidgets.runner import devices
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import Resources, literal_text
from mlwidgets.runs.trials import Trial, TrialLog, best, front, read_log
from mlwidgets.sweeps.control.curves import followed
from mlwidgets.sweeps.control.limits import room
from mlwidgets.sweeps.definition import SweepDefinition
from mlwidgets.sweeps.requests import ask
from mlwidgets.sweeps.space import Space

if TYPE_CHECKING:
    import pandas as pd

    from mlwidgets.sweeps.policies import Replay


class Sweep(Run):
    """A search over parameters: one run that leads, and a run for each trial.

    It holds no state of its own but the run folder's path, as any `Run`.
    """

    @cached_property
    def definition(self) -> SweepDefinition:
        """What was asked of the search."""
        return SweepDefinition.from_json(self.spec.sweep or {})

    @cached_property
    def space(self) -> Space:
        """What is searched."""
        return Space.parse(self.definition.space)

    @property
    def _signs(self) -> list[int]:
        return [one.sign for one in self.definition.objectives]

    def _log(self) -> TrialLog:
        return read_log(self.path)

    def _run(self, run_id: str) -> Run:
        return Run(self.path.parent / run_id, self._opener)

    def _sorted(self, log: TrialLog) -> list[Trial]:
        """Return the trials, those with the best values first; what has none comes last, in order."""
        trials = [log.trials[number] for number in sorted(log.trials)]
        if len(self._signs) > 1:
            optimal = front(trials, self._signs)
            return [*optimal, *(one for one in trials if one not in optimal)]
        sign = self._signs[0]
        return sorted(trials, key=lambda one: (not one.is_result, -sign * (one.values or [0.0])[0], one.number))

    @property
    def trials(self) -> pd.DataFrame:
        """One row for each trial, sorted by the objective, the best first.

        Columns are ``trial`` (the number, from 0), ``state``, the searched parameters, the objectives' values, ``best``
        (the best value that the trial logged), ``started`` (UTC), ``seconds``, ``run`` (id) and ``why`` (the cause of
        an end other than finishing). With several objectives those of the Pareto front come first.
        """
        import pandas as pd

        log = self._log()
        rows = [self._row(trial, over=self.ended) for trial in self._sorted(log)]
        names = [*self.definition.space, *(one.metric for one in self.definition.objectives)]
        columns = ["trial", "state", *dict.fromkeys(names), "best", "started", "seconds", "run", "why"]
        frame = pd.DataFrame(rows, columns=columns)
        frame["started"] = pd.to_datetime(frame["started"], unit="s", utc=True)
        return frame

    def _row(self, trial: Trial, *, over: bool) -> dict[str, Any]:
        first = self.definition.objectives[0]
        row: dict[str, Any] = {"trial": trial.number, "state": trial.state, "run": trial.run, "why": trial.cause}
        row |= trial.params
        row |= {one.metric: value for one, value in zip(self.definition.objectives, trial.values or [], strict=False)}
        folder = None if trial.run is None else RunFolder(self.path.parent / trial.run)
        if folder is None or not folder.path.exists():
            return row
        outcome = self._run(folder.id).outcome
        if not trial.is_over:
            # A sweep that was killed has not taken note of these ends.
            row["state"] = outcome.state if over or outcome.started_at else "waiting"
            row["why"] = outcome.cause
        row["started"] = outcome.started_at
        if outcome.started_at is not None and outcome.ended_at is not None:
            row["seconds"] = outcome.ended_at - outcome.started_at
        with followed(folder, [first.metric]) as following:
            upto = (trial.why or {}).get("interval")
            values = following.points[0].values[:upto]
        row["best"] = max(values, key=lambda value: first.sign * value, default=None)
        return row

    @property
    def runs(self) -> list[Run]:
        """The trials' runs, in the order of their numbers; those that were deleted are left out."""
        trials = self._log().trials
        ids = [trials[number].run for number in sorted(trials)]
        return [self._run(run) for run in ids if run is not None and os.path.exists(self.path.parent / run)]

    @property
    def best(self) -> Run:
        """The run with the best value of all that finished.

        Raises
        ------
        ResultNotAvailable
            If none has finished yet, or there are several objectives: see `front`.
        """
        if len(self._signs) > 1:
            raise ResultNotAvailable(
                f"sweep {self.name!r} has several objectives, and no single best run: look at its .front"
            )
        found = best(self._log().trials.values(), self._signs[0])
        if found is None:
            raise ResultNotAvailable(f"no trial of sweep {self.name!r} has finished; it is {self.state}")
        if found.run is None:
            raise ResultNotAvailable(
                f"the best result of sweep {self.name!r} is {found.name!r}, which it learnt from; it has no run here"
            )
        return self._run(found.run)

    @property
    def front(self) -> list[Run]:
        """The runs that no other one surpasses in all objectives (the Pareto front), best in the first one first."""
        found = front(self._log().trials.values(), self._signs)
        return [self._run(one.run) for one in found if one.run is not None]

    @property
    def importance(self) -> dict[str, float]:
        """How much of the result each parameter explains, the most important first; empty as long as nobody knows."""
        shares = self._log().importance or {}
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    @property
    def paused(self) -> str | None:
        """Why the sweep starts no trials at the moment, None if it does."""
        return None if self.ended else self._log().paused

    @property
    def concurrent(self) -> int:
        """How many trials run at once. Setting it takes nothing from those that run: see `give_back`."""
        asked = self._log().concurrent or self.definition.limits.concurrent
        return asked or room(Resources(**self.definition.resources), devices.inventory())

    @concurrent.setter
    def concurrent(self, most: int) -> None:
        self.set_concurrent(most)

    def set_concurrent(self, most: int, *, now: bool = False) -> None:
        """Run so many trials at once; with `now` those beyond, which have come the least far, begin anew later.

        Raises
        ------
        ParameterError
            If no trial would be left.
        """
        self._ask("concurrent", n=_at_least_one(most), now=now)

    def give_back(self, n: int = 1) -> None:
        """Run `n` trials fewer at once, from now on, as `set_concurrent` does with ``now``."""
        self.set_concurrent(self.concurrent - n, now=True)

    def pause(self) -> None:
        """Start no more trials until `resume`; those that run go on."""
        self._ask("pause")

    def resume(self) -> None:
        """Start trials again."""
        self._ask("resume")

    def add(self, params: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Have a trial with these parameters run next, beside those that were planned; the search chooses the rest.

        Raises
        ------
        ParameterError
            If a value is outside the search space.
        """
        params = {**(params or {}), **more}
        self.space.to_study(params, whole=False)
        self._ask("add", params={name: literal_text(value) for name, value in params.items()})

    def _ask(self, what: Any, **about: Any) -> None:
        if self.ended:
            raise ParameterError(f"sweep {self.name!r} has ended; start another one, with warm_start={self.name!r}")
        ask(RunFolder(self.path), what, **about)

    def narrow(self, name: str | None = None) -> Narrowed:
        """Propose the next, smaller search around the good region.

        Parameters
        ----------
        name
            Of the next sweep.

        Returns
        -------
        Narrowed
            Shown as the line of a ``%%sweep``; ``.space`` is for `mlwidgets.sweep`.

        Raises
        ------
        ParameterError
            If there are several objectives, or too few trials have finished.
        """
        from mlwidgets.sweeps.search.narrow import narrow

        if len(self._signs) > 1:
            raise ParameterError(f"sweep {self.name!r} has several objectives: there is no one good region")
        trials = [one for one in self._log().trials.values() if one.is_result]
        values = [(one.params, (one.values or [0.0])[0]) for one in trials]
        space = narrow(self.space, values, self._signs[0])
        return Narrowed(name or f"{self.name}-narrow", space, self)

    def replay(self, policy: str) -> Replay:
        """Return what a policy would have ended in this sweep, when and why, and what it would have saved.

        Raises
        ------
        ParameterError
            If there is no such policy.
        """
        from mlwidgets.sweeps.policies import Curve, parse_policy, replay

        first = self.definition.objectives[0]
        curves = {}
        for number, trial in sorted(self._log().trials.items()):
            if trial.run is None or not trial.is_over:
                continue
            with followed(RunFolder(self.path.parent / trial.run), [first.metric]) as following:
                points, began = following.points[0], following.started_at
                curves[number] = Curve(points.steps, points.values, True, trial.state, points.times, began)
        rule = parse_policy(policy, sign=first.sign, metric=first.metric)
        return replay(rule, curves, value=self.definition.value)

    @property
    def restarts(self) -> int:
        """How often its controller was killed and started again."""
        from mlwidgets.runs.journal import read_lines

        return sum(event["event"] == "restarted" for event in read_lines(RunFolder(self.path).events))

    def __repr__(self) -> str:
        text = super().__repr__()
        try:
            log = self._log()
            ended = sum(one.is_over for one in log.trials.values())
            about = f", {ended} of {self.definition.limits.trials} trials ended"
            if self.paused:
                about += f", {self.paused}"
            return text.replace("<Run ", "<Sweep ", 1)[:-1] + about + ">"
        except Exception:  # as with any run: a list shows all of them
            return text


class Narrowed:
    """A proposal for the next search: its line, and its space."""

    def __init__(self, name: str, space: dict[str, str], before: Sweep) -> None:
        self.name = name
        self.space = space
        self._before = before

    def __repr__(self) -> str:
        definition, spec = self._before.definition, self._before.spec
        words = [f"--{one.direction} {one.metric}" for one in definition.objectives]
        words.append(f"--trials {definition.limits.trials}")
        if definition.limits.concurrent:
            words.append(f"--concurrent {definition.limits.concurrent}")
        if definition.policy:
            words.append(f"--stop {definition.policy}")
        if spec.seed is not None:
            words.append(f"--seed {spec.seed}")
        words.append(f"--warm-start {self._before.name}")
        words += [f"{name}={text}" for name, text in spec.params.items()]
        words += [f"{name}={text}" for name, text in self.space.items()]
        return f"%%sweep {self.name} {' '.join(words)}"


def _at_least_one(most: int) -> int:
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise ParameterError(f"a sweep runs 1 trial at once or more, not {most}; pause() it, or stop() it")
    return most
