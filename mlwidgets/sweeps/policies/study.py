"""An Optuna study that holds nothing but the curves: what a pruner asks for."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from typing import Any

import optuna
from optuna.pruners import BasePruner, HyperbandPruner
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from mlwidgets.sweeps.policies.base import Curve


class _Storage(InMemoryStorage):
    """Trials as the curves have them, without the one that is judged: its own values are what it is compared by."""

    def __init__(self) -> None:
        super().__init__()
        self.trials: dict[int, FrozenTrial] = {}
        self.judged: FrozenTrial | None = None

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return all others."""
        hidden = None if self.judged is None else self.judged.number
        return [t for n, t in self.trials.items() if n != hidden and (states is None or t.state in states)]

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """Return the best of those that finished."""
        trials = self.get_all_trials(study_id, states=(TrialState.COMPLETE,))
        if not trials:
            raise ValueError("no trial has finished")
        sign = 1 if self.get_study_directions(study_id)[0] == StudyDirection.MAXIMIZE else -1
        return max(trials, key=lambda t: (sign * (t.value or 0.0), -t.number))

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Note what the pruner notes of the trial that is judged."""
        assert self.judged is not None
        self.judged.system_attrs[key] = value


class CurveStudy:
    """What a pruner sees, built from the curves alone: a restart builds the same.

    Parameters
    ----------
    is_rung
        For a pruner that halves: whether an interval is one where it does. It notes what a trial had there, so it
        has to be asked on the way, too; others only at the end.
    """

    def __init__(self, pruner: BasePruner, sign: int, is_rung: Callable[[int], bool] | None) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._pruner = pruner
        self._is_rung = is_rung
        self._storage = _Storage()
        direction = StudyDirection.MAXIMIZE if sign > 0 else StudyDirection.MINIMIZE
        # Hyperband deals the trials out by the study's name and their number.
        self._storage.create_new_study([direction], "policy")
        self._study = optuna.load_study(study_name="policy", storage=self._storage, pruner=pruner)

    def judge(self, curves: Mapping[int, Curve], number: int, k: int) -> tuple[FrozenTrial, bool]:
        """Return the trial as it was at interval k, with what the pruner noted, and whether it ends."""
        for other, curve in curves.items():
            if other != number:
                self._bring_up_to_date(other, curve)
        for gone in [n for n in self._storage.trials if n not in curves]:
            del self._storage.trials[gone]
        trial, ends = self._storage.trials.get(number), False
        known = len(trial.intermediate_values) if trial else 0
        if trial is None or known >= k or not _goes_on(trial, curves[number]):
            trial, known = _new(number), 0
        for interval in range(known + 1, k + 1):
            ends = self._advance(trial, curves[number].values, interval, decide=interval == k)
        # It goes on from here at the next interval.
        self._storage.trials[number] = trial
        return trial, ends

    @property
    def finished(self) -> list[FrozenTrial]:
        """The trials that finished."""
        return self._storage.get_all_trials(0, states=(TrialState.COMPLETE,))

    @property
    def best(self) -> FrozenTrial | None:
        """The best of them."""
        return self._storage.get_best_trial(0) if self.finished else None

    def rivals(self, trial: FrozenTrial) -> list[FrozenTrial]:
        """Return the other trials that compete with one: all, or those of its bracket."""
        others = [t for t in self._storage.get_all_trials(0) if t.number != trial.number]
        if not isinstance(self._pruner, HyperbandPruner):
            return others
        bracket = self._pruner._get_bracket_id(self._study, trial)
        return [t for t in others if self._pruner._get_bracket_id(self._study, t) == bracket]

    def _bring_up_to_date(self, number: int, curve: Curve) -> None:
        trial = self._storage.trials.get(number)
        known = len(trial.intermediate_values) if trial else 0
        if trial is None or not _goes_on(trial, curve):
            trial = self._storage.trials[number] = _new(number)
            known = 0
        for interval in range(known + 1, len(curve.values) + 1):
            self._advance(trial, curve.values, interval)
        if curve.ended and trial.state == TrialState.RUNNING:
            last = trial.intermediate_values.get(len(curve.values), math.nan)
            trial.state = {"finished": TrialState.COMPLETE, "terminated": TrialState.PRUNED}.get(
                curve.state or "", TrialState.FAIL
            )
            if math.isfinite(last):
                trial.value = last
            elif trial.state == TrialState.COMPLETE:
                trial.state = TrialState.FAIL

    def _advance(self, trial: FrozenTrial, values: list[float], interval: int, *, decide: bool = False) -> bool:
        """Give a trial its next value and ask the pruner, which notes what it has seen."""
        value = values[interval - 1]
        trial.intermediate_values[interval] = value if math.isfinite(value) else math.nan
        if not (decide if self._is_rung is None else self._is_rung(interval)):
            return False
        self._storage.judged = trial
        try:
            return self._pruner.prune(self._study, trial)
        finally:
            self._storage.judged = None


def _goes_on(trial: FrozenTrial, curve: Curve) -> bool:
    """Whether a curve continues what a trial has: one that was given back begins again."""
    known = len(trial.intermediate_values)
    if known > len(curve.values) or (
        trial.state != TrialState.RUNNING and (known < len(curve.values) or not curve.ended)
    ):
        return False
    last = curve.values[known - 1] if known else math.nan
    return known == 0 or trial.intermediate_values[known] == last or not math.isfinite(last)


def _new(number: int) -> FrozenTrial:
    trial = create_trial(state=TrialState.RUNNING)
    trial.number = trial._trial_id = number
    return trial
