"""What a user holds of a sweep: a run whose trials are runs."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import ParameterError, ResultNotAvailable, RunFailed
from mlwidgets.runner import devices
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.outline import ending, number_planned
from mlwidgets.runs.result import Result
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import Resources, literal_text
from mlwidgets.runs.trials import OPEN, WARM_START, Trial, TrialLog, best, front, read_log
from mlwidgets.sweeps.control.curves import followed
from mlwidgets.sweeps.control.limits import room
from mlwidgets.sweeps.definition import SweepDefinition
from mlwidgets.sweeps.narrowed import Narrowed
from mlwidgets.sweeps.requests import ask
from mlwidgets.sweeps.space import Space
from mlwidgets.sweeps.table import table_of
from mlwidgets.sweeps.waiting import own_pause

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

        Columns are ``trial`` (the number, from 0), ``state`` (``earlier`` of a result that was learnt from), the
        searched parameters, the objectives' values, ``best`` (the best value that the trial logged), ``started`` (UTC,
        to the second), ``seconds``, ``run`` (id) and ``why`` (the cause of an end other than finishing). With several
        objectives those of the Pareto front come first.
        """
        log = self._log()
        return table_of(self.path.parent, self.definition, self._sorted(log), over=self.ended)

    @property
    def gave_up(self) -> str | None:
        """Why it has paused itself, None if it has not; nothing happens any more then unless somebody asks for it."""
        return None if self.ended else own_pause(RunFolder(self.path))

    def wait(self, timeout: float | None = None) -> Sweep:
        """Block until the sweep has ended; return it.

        Raises
        ------
        RunFailed
            If it has paused itself because of failures. It stays paused until `resume` or `stop`; one that a person
            has paused is waited for.
        TimeoutError
            If it goes on after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        log = TrialLog(RunFolder(self.path).events)
        pause = 0.005
        while not self.ended:
            log.advance()
            if log.paused is not None and (why := self.gave_up) is not None:
                raise RunFailed(
                    f"sweep {self.name!r} has paused itself: {why}; mend that and resume {self.name}, or stop it"
                )
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"sweep {self.name!r} is still {self.state} after {timeout:g} s")
            time.sleep(pause)
            pause = min(0.1, pause * 1.5)
        return self

    @property
    def runs(self) -> list[Run]:
        """The trials' runs, in the order of their numbers, without those that were deleted or learnt from."""
        trials = self._log().trials
        ids = [trials[number].run for number in sorted(trials) if trials[number].by != WARM_START]
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
        if found is None or found.run is None:
            raise ResultNotAvailable(f"no trial of sweep {self.name!r} has finished; it is {self.state}")
        return self._run(found.run)

    @property
    def front(self) -> list[Run]:
        """The runs that no other one surpasses in all objectives (the Pareto front), best in the first one first."""
        found = front(self._log().trials.values(), self._signs)
        return [self._run(one.run) for one in found if one.run is not None]

    @property
    def result(self) -> Result:
        """Nothing: the results are those of its trials.

        Raises
        ------
        ResultNotAvailable
            In any case; it says where to look.
        """
        where = ".front" if len(self._signs) > 1 else ".best.result"
        raise ResultNotAvailable(f"sweep {self.name!r} has no result of its own: its trials have; look at its {where}")

    @property
    def importance(self) -> dict[str, float]:
        """How much of the result each parameter explains, the most important first.

        Raises
        ------
        ResultNotAvailable
            If nobody can tell: with several objectives, or after too few trials.
        """
        shares = self._log().importance
        if not shares:
            few = "that takes 10 trials or more, with different values"
            why = "it has several objectives" if len(self._signs) > 1 else few
            raise ResultNotAvailable(f"the importance of the parameters of sweep {self.name!r} is not known: {why}")
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
        """Run `n` trials fewer at once than do now, and from now on, as `set_concurrent` does with ``now``.

        Raises
        ------
        ParameterError
            If no trial would be left, or `n` is no number above 0.
        """
        # Fewer may be running than are allowed: taking from that number would free nothing.
        now = min(self.concurrent, max(1, sum(trial.state == OPEN for trial in self._log().trials.values())))
        if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n < now:
            most = "" if now == 1 else "give back 1, or " if now == 2 else f"give back 1 to {now - 1}, or "
            raise ParameterError(f"sweep {self.name!r} runs {now} at once and cannot give back {n}: {most}pause() it")
        self._ask("concurrent", fewer=n, now=True)

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
            raise ParameterError(
                f"sweep {self.name!r} has ended; another one with --warm-start {self.name} (in Python "
                f"warm_start={self.name!r}) goes on from what it learned"
            )
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
        return Narrowed(name or f"{self.name}-narrow", space, self, self.definition)

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
            if trial.run is None or trial.by == WARM_START or not trial.is_over:
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
            own = [one for one in log.trials.values() if one.by != WARM_START]
            planned = number_planned(self.definition.limits.trials, own)
            about = f", {sum(one.is_over for one in own)} of {planned} trials ended"
            outcome = self.outcome
            for said in (self.paused, ending(outcome.state, outcome.cause)):
                about += f", {said}" if said else ""
            return text.replace("<Run ", "<Sweep ", 1)[:-1] + about + ">"
        except Exception:  # as with any run: a list shows all of them
            return text


def _at_least_one(most: int) -> int:
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise ParameterError(f"a sweep runs 1 trial at once or more, not {most}; pause() it, or stop() it")
    return most
