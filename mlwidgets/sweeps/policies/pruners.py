"""Optuna's pruners as policies: the same curves, the same reasons."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from mlwidgets.errors import ParameterError
from mlwidgets.sweeps.policies.base import Curve, Policy, Why, number_text

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial

    from mlwidgets.sweeps.policies.study import CurveStudy


@dataclass(frozen=True)
class OptunaPolicy(Policy):
    """A pruner of Optuna, fed from the curves: interval k is its step k."""

    _study: list[CurveStudy] = field(default_factory=list, init=False, repr=False, compare=False)

    def _judge(self, curves: Mapping[int, Curve], number: int, k: int) -> Why | None:
        from mlwidgets.sweeps.policies.study import CurveStudy

        with _quiet():
            if not self._study:
                self._study.append(CurveStudy(self.pruner(), self.sign, self.rungs()))
            study = self._study[0]
            trial, ends = study.judge(curves, number, k)
            return self.explain(study, trial, curves, k) if ends else None

    @abstractmethod
    def pruner(self) -> BasePruner:
        """Return Optuna's pruner."""

    def rungs(self) -> Callable[[int], bool] | None:
        """Return what says whether an interval is a rung; None if there are none."""
        return None

    @abstractmethod
    def explain(self, study: CurveStudy, trial: FrozenTrial, curves: Mapping[int, Curve], k: int) -> Why:
        """Say what the pruner does not: what the trial was compared with."""


@dataclass(frozen=True)
class Halving(OptunaPolicy):
    """Successive halving, asynchronous: of the trials that reach a rung the best 1 / `factor` go on.

    Rungs are at the intervals `first`, `first` * `factor`, `first` * `factor` ** 2 and so on. Li et al., A System for
    Massively Parallel Hyperparameter Tuning, MLSys 2020 (ASHA); Optuna's `SuccessiveHalvingPruner`.
    """

    name: ClassVar[str] = "halving"
    form: ClassVar[str] = "halving:first=1,factor=4"
    has_when: ClassVar[bool] = False
    first: int = 1
    factor: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_least("first", 1)
        self.check_at_least("factor", 2)

    def pruner(self) -> BasePruner:
        """Return Optuna's pruner."""
        from optuna.pruners import SuccessiveHalvingPruner

        return SuccessiveHalvingPruner(min_resource=self.first, reduction_factor=self.factor)

    def rungs(self) -> Callable[[int], bool]:
        """Return what says whether an interval is a rung."""
        return self._is_rung

    def _is_rung(self, interval: int) -> bool:
        rung = self.first
        while rung < interval:
            rung *= self.factor
        return rung == interval

    def explain(self, study: CurveStudy, trial: FrozenTrial, curves: Mapping[int, Curve], k: int) -> Why:
        """Say what the best at this rung have."""
        if not math.isfinite(curves[trial.number].values[k - 1]):
            best, _ = self.best_of(curves, k)
            rule = f"no finite value at interval {k}, which is a rung"
            return self.why(curves, trial.number, k, rule, value=math.nan, threshold=self.sign * best)
        rung = f"completed_rung_{len(trial.system_attrs) - 1}"
        own = self.sign * trial.system_attrs[rung]
        there = [self.sign * t.system_attrs[rung] for t in study.rivals(trial) if rung in t.system_attrs]
        ranked = sorted([*there, own], reverse=True)
        value, threshold = self.sign * own, self.sign * ranked[max(0, len(ranked) // self.factor - 1)]
        rule = (
            f"{number_text(value, threshold)} at interval {k} is {self.worse()} {number_text(threshold, value)}, "
            f"which the best 1/{self.factor} of the {len(ranked)} trials at this rung have"
        )
        return self.why(curves, trial.number, k, rule, value=value, threshold=threshold)


@dataclass(frozen=True)
class Hyperband(Halving):
    """Several successive halvings side by side, the later ones more patient; a trial's number says to which it belongs.

    Li et al., Hyperband, JMLR 2018; Optuna's `HyperbandPruner`. `last` is how many intervals a whole trial logs.
    """

    name: ClassVar[str] = "hyperband"
    form: ClassVar[str] = "hyperband:last=81,first=1,factor=3"
    factor: int = 3
    last: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.last is None:
            raise ParameterError("hyperband needs last, the intervals that a whole trial logs: hyperband:last=81")
        self.check_at_least("last", self.first * self.factor)

    def pruner(self) -> BasePruner:
        """Return Optuna's pruner."""
        from optuna.pruners import HyperbandPruner

        assert self.last is not None
        return HyperbandPruner(min_resource=self.first, max_resource=self.last, reduction_factor=self.factor)


@dataclass(frozen=True)
class Wilcoxon(OptunaPolicy):
    """Ends a trial whose values are significantly worse than the best finished trial's at the same intervals.

    A signed-rank test of the pairs: for values of the same kind at each interval, such as the folds of a
    cross-validation. Optuna's `WilcoxonPruner`; it needs scipy. `p` is the level of the test, `start` how many pairs
    there have to be.
    """

    name: ClassVar[str] = "wilcoxon"
    form: ClassVar[str] = "wilcoxon:p=0.1,start=4"
    p: float = 0.1
    start: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_least("start", 2)
        if importlib.util.find_spec("scipy") is None:
            raise ParameterError("the wilcoxon policy needs scipy: pip install scipy")
        if not 0 < self.p < 1:
            raise ParameterError(f"wilcoxon: p={self.p:g} has to be between 0 and 1")

    def pruner(self) -> BasePruner:
        """Return Optuna's pruner."""
        from optuna.pruners import WilcoxonPruner

        return WilcoxonPruner(p_threshold=self.p, n_startup_steps=self.start)

    def explain(self, study: CurveStudy, trial: FrozenTrial, curves: Mapping[int, Curve], k: int) -> Why:
        """Say the level, and both means."""
        from scipy.stats import wilcoxon

        best = study.best
        assert best is not None
        common = sorted(trial.intermediate_values.keys() & best.intermediate_values.keys())
        own = [trial.intermediate_values[i] for i in common]
        others = [best.intermediate_values[i] for i in common]
        pairs = [a - b for a, b in zip(own, others, strict=True)]
        found = wilcoxon(pairs, alternative="less" if self.sign > 0 else "greater", zero_method="zsplit").pvalue
        value, threshold = math.fsum(own) / len(own), math.fsum(others) / len(others)
        rule = (
            f"{number_text(value, threshold)} on average of {len(own)} intervals, where trial {best.number} has "
            f"{number_text(threshold, value)}, is worse by the signed-rank test, p = {found:.2g} < {self.p:g}"
        )
        return self.why(curves, trial.number, k, rule, value=value, threshold=threshold)


@dataclass(frozen=True)
class Percentile(OptunaPolicy):
    """Ends a trial whose best is not among the best `keep` percent of what finished trials had at this very interval.

    Optuna's `PercentilePruner`; `start` is how many trials have to finish before it ends any.
    """

    name: ClassVar[str] = "percentile"
    form: ClassVar[str] = "percentile:keep=25,start=5,every=1,delay=5"
    keep: float = 25.0
    start: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_least("start", 1)
        if not 0 < self.keep < 100:
            raise ParameterError(f"percentile: keep={self.keep:g} has to be between 0 and 100")

    def pruner(self) -> BasePruner:
        """Return Optuna's pruner."""
        from optuna.pruners import PercentilePruner

        return PercentilePruner(self.keep, n_startup_trials=self.start)

    def explain(self, study: CurveStudy, trial: FrozenTrial, curves: Mapping[int, Curve], k: int) -> Why:
        """Say the percentile."""
        import numpy as np

        there = [t.intermediate_values[k] for t in study.finished if k in t.intermediate_values]
        threshold = float(np.nanpercentile(there, 100 - self.keep if self.sign > 0 else self.keep))
        curve = curves[trial.number]
        value = self.sign * self.best_so_far(curve, k)
        rule = (
            f"{self.said(curve, k, value, threshold)} is {self.worse()} {number_text(threshold, value)}, "
            f"which the best {self.keep:g}% of {len(there)} finished trials had then"
        )
        return self.why(curves, trial.number, k, rule, value=value, threshold=threshold)


@dataclass(frozen=True)
class Patience(OptunaPolicy):
    """Ends a trial whose best of the last `intervals` intervals is worse than its best before; it looks at no other.

    Optuna's `PatientPruner`; a difference of up to `tolerance` is none.
    """

    name: ClassVar[str] = "patience"
    form: ClassVar[str] = "patience:intervals=5,tolerance=0.0"
    intervals: int = 5
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_least("intervals", 1)
        self.check_at_least("tolerance", 0)

    def pruner(self) -> BasePruner:
        """Return Optuna's pruner."""
        from optuna.pruners import PatientPruner

        return PatientPruner(None, self.intervals - 1, self.tolerance)

    def explain(self, study: CurveStudy, trial: FrozenTrial, curves: Mapping[int, Curve], k: int) -> Why:
        """Say the earlier best."""
        values = curves[trial.number].values
        before = self.best_so_far(Curve([], values[: k - self.intervals]), k)
        value = self.sign * max(map(self.merit, values[k - self.intervals : k]))
        threshold = self.sign * before
        rule = (
            f"{number_text(value, threshold)}, the best of the last {self.intervals} intervals, is {self.worse()} "
            f"{number_text(threshold, value)}, the best before them"
        )
        return self.why(curves, trial.number, k, rule, value=value, threshold=threshold)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna's remarks on what is experimental, and NumPy's on NaN, to themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
