"""The search of one sweep: asks for trials, is told their results, and keeps both in the sweep's folder."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from mlwidgets.runs.spec import literal_text, parse_literal
from mlwidgets.sweeps.definition import MAXIMIZE, MINIMIZE, SweepDefinition
from mlwidgets.sweeps.search.journal import PARAMS, StudyLog
from mlwidgets.sweeps.search.samplers import check_sampler, make_sampler
from mlwidgets.sweeps.space import GIVEN, Space

FINISHED, TERMINATED, FAILED = "finished", "terminated", "failed"
_DIRECTIONS = {MAXIMIZE: StudyDirection.MAXIMIZE, MINIMIZE: StudyDirection.MINIMIZE}
_ONLY_FINISHED = {"gp", "nsga2"}
"""Samplers that learn from finished trials only: to them a trial that was terminated has finished with what it had."""
_ONLY_VALUES = {*_ONLY_FINISHED, "cmaes"}
"""Samplers that learn nothing of a trial without a value: to them it has one worse than all so far."""
_KEY, _EARLIER, _STANDS_IN = "key", "earlier", "stands in"
_ENOUGH = 10
"""Trials from which the importance of a parameter can be told."""


class Search:
    """A study of Optuna under `path`, with one process that writes it.

    The process may be killed at any line: what it asks next after a restart is what it would have asked. For each trial
    the sampler is made anew, seeded by the sweep's seed and the trial's number, and sees nothing but the study.

    Parameters
    ----------
    path
        The study's log; made where there is none.
    definition
        The sweep's.
    space
        What is searched.

    Raises
    ------
    ParameterError
        If the sampler cannot search this space.
    """

    def __init__(self, path: Path, definition: SweepDefinition, space: Space) -> None:
        check_sampler(definition.sampler, space, definition.objectives)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._path = path
        self._definition = definition
        self._space = space
        self._several = len(definition.objectives) > 1
        self._grid = space.grid() if definition.sampler == "grid" else []
        self._lock = threading.RLock()
        self._log: StudyLog | None = None
        self._open()

    def _open(self) -> None:
        if self._log is not None:
            self._log.close()
        self._log = StudyLog(self._path)
        with _quiet(), self._log.step():
            storage = JournalStorage(self._log)
            studies = storage.get_all_studies()
            if not studies:
                directions = [_DIRECTIONS[o.direction] for o in self._definition.objectives]
                storage.create_new_study(directions, self._path.parent.name)
                studies = storage.get_all_studies()
            nothing = optuna.pruners.NopPruner()
            self._study = optuna.load_study(study_name=studies[0].study_name, storage=storage, pruner=nothing)

    def close(self) -> None:
        """Close the study's log."""
        if self._log is not None:
            self._log.close()
            self._log = None

    @property
    def running(self) -> dict[int, dict[str, Any]]:
        """Each trial that was asked for and has not ended, with its values."""
        return {t.number: _params(t) for t in self._trials(TrialState.RUNNING)}

    @property
    def waiting(self) -> list[int]:
        """Trials that were added and not asked for yet; they come first."""
        return [t.number for t in self._trials(TrialState.WAITING)]

    @property
    def ended(self) -> set[int]:
        """Numbers of all trials that have ended, with those taken over."""
        return {t.number for t in self._trials(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)}

    def ask(self) -> tuple[int, dict[str, Any]] | None:
        """Return the next trial's number and values; None where the grid has no more.

        Raises
        ------
        OSError
            If the log could not be written; nothing was asked then.
        """
        with self._step() as study:
            waiting = self._trials(TrialState.WAITING)
            if self._definition.sampler == "grid" and not waiting:
                point = self._next_of_grid()
                if point is None:
                    return None
                study.enqueue_trial(self._space.to_study(point))
            number = waiting[0].number if waiting else len(self._trials())
            earlier = [t for t in self._trials(TrialState.COMPLETE) if _EARLIER in t.user_attrs]
            objectives, seed = self._definition.objectives, self._definition.sampler_seed
            study.sampler = make_sampler(self._definition.sampler, self._space, objectives, seed, number, earlier)
            trial = study.ask()
            params = self._space.suggest(trial)
            trial.set_user_attr(PARAMS, _texts(params))
        return trial.number, params

    def tell(self, number: int, values: Sequence[float] | None, state: str, *, intervals: int = 1) -> None:
        """Say how a trial ended; once it has, nothing more is taken in.

        What is not finite counts as worse than everything: the sampler then avoids the region.

        Parameters
        ----------
        values
            One for each objective; of a terminated trial those that it had.
        state
            ``finished``, ``terminated``, or ``failed``: such a trial teaches the sampler nothing.
        intervals
            How many values a terminated trial had logged: samplers trust longer ones more.

        Raises
        ------
        KeyError
            If there is no such trial, or it was not asked for.
        OSError
            If the log could not be written; nothing was told then.
        """
        trials = self._trials()
        if not 0 <= number < len(trials) or trials[number].state == TrialState.WAITING:
            raise KeyError(f"no trial {number} was asked for")
        if trials[number].state.is_finished():
            return
        usable = list(values) if values is not None and all(map(math.isfinite, values)) else None
        stands_in = usable is None and state != FAILED and self._definition.sampler in _ONLY_VALUES
        usable = self._worse_than_all() if stands_in else usable
        with self._step() as study:
            if stands_in:
                study._storage.set_trial_user_attr(trials[number]._trial_id, _STANDS_IN, True)
            if state == FAILED:
                study.tell(number, state=TrialState.FAIL)
            elif usable is not None and (state == FINISHED or self._definition.sampler in _ONLY_FINISHED):
                study.tell(number, usable, TrialState.COMPLETE)
            else:
                if usable is not None and not self._several:
                    storage_id = trials[number]._trial_id
                    study._storage.set_trial_intermediate_value(storage_id, max(1, intervals), usable[0])
                study.tell(number, state=TrialState.PRUNED)

    def add(self, params: Mapping[str, Any], key: str | None = None) -> int:
        """Add a trial by hand that is asked for next; what `params` leaves out the sampler chooses.

        Parameters
        ----------
        key
            Of several calls with one key, as a restart makes them, only the first adds a trial.

        Raises
        ------
        ParameterError
            If a value is outside the space.
        OSError
            If the log could not be written.
        """
        found = self._with_key(key)
        if found is not None:
            return found
        inside = self._space.to_study(params, whole=False)
        with self._step() as study:
            study.enqueue_trial(inside, user_attrs={GIVEN: _texts(params), _KEY: key})
        return len(self._trials()) - 1

    def take_over(self, params: Mapping[str, Any], values: Sequence[float], key: str | None = None) -> int:
        """Add a trial that another run has been, with its result; parameters that are not searched here are left out.

        Raises
        ------
        ParameterError
            If a value is outside the space, or missing.
        OSError
            If the log could not be written.
        """
        found = self._with_key(key)
        if found is not None:
            return found
        params = {n: v for n, v in params.items() if n in self._space}
        inside = self._space.to_study(params)
        usable = all(map(math.isfinite, values))
        trial = create_trial(
            state=TrialState.COMPLETE if usable else TrialState.PRUNED,
            params=inside,
            distributions={n: self._space[n].of_optuna() for n in inside},
            values=list(values) if usable else None,
            user_attrs={PARAMS: _texts(params), _KEY: key, _EARLIER: True},
        )
        with self._step() as study:
            study.add_trial(trial)
        return len(self._trials()) - 1

    def skip(self, key: str) -> None:
        """Use up a number, once for each key: no trial ever has it.

        Raises
        ------
        OSError
            If the log could not be written.
        """
        if self._with_key(key) is None:
            with self._step() as study:
                study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={_KEY: key}))

    def importance(self) -> dict[str, float] | None:
        """Return each parameter's share of what makes a trial good, most important first; None for under 10 trials.

        By PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023, arXiv:2304.10255), over the trials that finished and,
        with one objective, those that were terminated: without them only good trials would be compared.
        """
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        with self._lock, _quiet():
            trials = [t for t in self._trials(TrialState.COMPLETE) if t.params]
            if not self._several:
                trials += _with_value(self._trials(TrialState.PRUNED), trials, self._definition.objectives[0].sign)
            if len(trials) < _ENOUGH or len({tuple(t.values) for t in trials}) == 1:
                return None
            study = optuna.create_study(directions=self._study.directions)
            study.add_trials(trials)
            # At least five trials are the good ones, and at most half.
            good = min(0.5, max(0.1, 5 / len(trials)))
            found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=good))
        return {name: float(share) for name, share in found.items() if math.isfinite(share)} or None

    def _worse_than_all(self) -> list[float] | None:
        """Return for each objective a value as much worse than the worst as that is than the best."""
        known = [t.values for t in self._trials(TrialState.COMPLETE) if _STANDS_IN not in t.user_attrs]
        found = []
        for objective, values in zip(self._definition.objectives, zip(*known, strict=True), strict=False):
            merits = [objective.sign * v for v in values]
            worst, best = min(merits), max(merits)
            found.append(objective.sign * (worst - ((best - worst) or abs(worst) or 1.0)))
        return found or None

    def _next_of_grid(self) -> dict[str, Any] | None:
        done = {frozenset(t.user_attrs.get(PARAMS, {}).items()) for t in self._trials()}
        return next((p for p in self._grid if frozenset(_texts(p).items()) not in done), None)

    def _with_key(self, key: str | None) -> int | None:
        return next((t.number for t in self._trials() if key is not None and t.user_attrs.get(_KEY) == key), None)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states or None)

    @contextmanager
    def _step(self) -> Iterator[optuna.Study]:
        """Change the study in one write; after an error the log is read again, without what was not written."""
        with self._lock, _quiet():
            assert self._log is not None, "the search is closed"
            try:
                with self._log.step():
                    yield self._study
            except BaseException:
                self._open()
                raise


def _texts(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: literal_text(value) for name, value in params.items()}


def _params(trial: FrozenTrial) -> dict[str, Any]:
    return {name: parse_literal(text) for name, text in trial.user_attrs[PARAMS].items()}


def _with_value(pruned: list[FrozenTrial], finished: list[FrozenTrial], sign: int) -> list[FrozenTrial]:
    """Return terminated trials as if their value were final; one without a value is as bad as the worst."""
    known = [t.value for t in (*finished, *pruned) if t.value is not None]
    if not known:
        return []
    worst = min(known) if sign > 0 else max(known)
    return [
        create_trial(value=worst if t.value is None else t.value, params=t.params, distributions=t.distributions)
        for t in pruned
        if t.params
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna's remarks on what is experimental to itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
