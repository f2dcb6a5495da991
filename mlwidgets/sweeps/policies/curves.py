"""The three policies of the field: bandit, median stopping and truncation, as Azure's HyperDrive documents them.

Source: https://learn.microsoft.com/python/api/azureml-train-core/azureml.train.hyperdrive (`BanditPolicy`,
`MedianStoppingPolicy`, `TruncationSelectionPolicy`) and "Hyperparameter tuning a model",
https://learn.microsoft.com/azure/machine-learning/how-to-tune-hyperparameters.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from mlwidgets.errors import ParameterError
from mlwidgets.sweeps.policies.base import Curve, Policy, Why, comparable, number_text


@dataclass(frozen=True)
class Bandit(Policy):
    """Ends a trial that is too far from the best one.

    "Any run that doesn't fall within the slack factor or slack amount of the evaluation metric with respect to the best
    performing run will be terminated": with a factor of 0.2 and a best of 0.8, "this policy compares the value
    (Y + Y * 0.2) to 0.8, and if smaller, cancels the run", Y being the best that the run has reported. So the threshold
    is best / (1 + slack) where more is better, and best * (1 + slack) where less is. For a best below 0, where this
    would end the best trial itself, the same share of its size is allowed to the worse side.

    Parameters
    ----------
    slack
        The share of the best that is allowed.
    amount
        The distance from the best that is allowed, instead.
    """

    name: ClassVar[str] = "bandit"
    form: ClassVar[str] = "bandit:slack=0.1,every=1,delay=5 (amount=0.05 instead of slack)"
    slack: float | None = None
    amount: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.slack is None) == (self.amount is None):
            raise ParameterError("bandit takes either slack, a share of the best, or amount, a distance from it")
        self.check_at_least("slack", 0)
        self.check_at_least("amount", 0)

    def _judge(self, curves: Mapping[int, Curve], number: int, k: int) -> Why | None:
        merit, _ = self.best_of(curves, k)
        threshold, formula = self._threshold(self.sign * merit)
        value = self.sign * self.best_so_far(curves[number], k)
        # 0.6 is not below 0.8 - 0.2, whatever floats make of it.
        if self.merit(value) >= self.merit(threshold) or math.isclose(value, threshold, rel_tol=1e-12):
            return None
        said = self.said(curves[number], k, value, threshold)
        limit = number_text(threshold, value)
        rule = f"{said} is {self.worse()} {limit}, the best trial's {formula}"
        return self.why(curves, number, k, rule, value=value, threshold=threshold)

    def _threshold(self, best: float) -> tuple[float, str]:
        shown = number_text(best)
        if self.amount is not None:
            return best - self.sign * self.amount, f"{shown} {'-' if self.sign > 0 else '+'} {self.amount:g}"
        assert self.slack is not None
        if best >= 0 and self.sign > 0:
            return best / (1 + self.slack), f"{shown} / (1 + {self.slack:g})"
        if best >= 0:
            return best * (1 + self.slack), f"{shown} * (1 + {self.slack:g})"
        size = number_text(-best)
        if self.sign > 0:
            return best + best * self.slack / (
                1 + self.slack
            ), f"{shown} - {size} * {self.slack:g} / (1 + {self.slack:g})"
        return best - best * self.slack, f"{shown} + {size} * {self.slack:g}"


@dataclass(frozen=True)
class Median(Policy):
    """Ends a trial whose best is worse than the median of all trials' running averages.

    "A run will be canceled at interval N if its best primary metric reported up to interval N is worse than the median
    of the running averages for intervals 1:N across all runs." After Golovin et al., Google Vizier, KDD 2017.

    A trial that has ended before N is one of all: its average stands as it was at its end. Without those that were
    ended early the survivors would be compared with one another alone, and half of them end at each interval.
    """

    name: ClassVar[str] = "median"
    form: ClassVar[str] = "median:every=1,delay=5"

    def _judge(self, curves: Mapping[int, Curve], number: int, k: int) -> Why | None:
        averages = [self.average(c, k) for c in curves.values() if len(c.values) >= k or (c.ended and c.values)]
        median = statistics.median(averages)
        best = self.best_so_far(curves[number], k)
        # The average of equal values may differ from them in the last digit.
        if best >= median or math.isclose(best, median, rel_tol=1e-12):
            return None
        value = self.sign * best
        threshold = self.sign * median
        rule = (
            f"{self.said(curves[number], k, value, threshold)} is {self.worse()} {number_text(threshold, value)}, "
            f"the median of {len(averages)} trials' averages over intervals 1 to {k}"
        )
        return self.why(curves, number, k, rule, value=value, threshold=threshold)


@dataclass(frozen=True)
class Truncation(Policy):
    """Ends the given percentage of trials that are worst.

    "This policy periodically cancels the given percentage of runs that rank the lowest for their performance on the
    primary metric. [...] When ranking a relatively young run, the policy uses the corresponding (and earlier)
    performance of older runs for comparison." Trials that are as good as one another end together or not at all.

    Parameters
    ----------
    percent
        How many of the trials that got as far end, in percent, rounded down.
    finished
        Whether trials that have ended are ranked too: ``include``, or ``exclude`` (``exclude_finished_jobs``).
    """

    name: ClassVar[str] = "truncation"
    form: ClassVar[str] = "truncation:percent=20,every=1,delay=5,finished=include"
    percent: float
    finished: str = field(default="include", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.percent < 100:
            raise ParameterError(f"truncation: percent={self.percent:g} has to be between 0 and 100")
        if self.finished not in {"include", "exclude"}:
            raise ParameterError(f"truncation: finished={self.finished} has to be include or exclude")

    def judge(self, curves: Mapping[int, Curve], number: int, interval: int | None = None) -> Why | None:
        """Say whether a trial should end now."""
        if self.finished == "exclude":
            curves = {n: c for n, c in curves.items() if not c.ended or n == number}
        return super().judge(curves, number, interval)

    def _judge(self, curves: Mapping[int, Curve], number: int, k: int) -> Why | None:
        merits = sorted(self.best_so_far(c, k) for c in comparable(curves, k).values())
        own = self.best_so_far(curves[number], k)
        worst = math.floor(len(merits) * self.percent / 100)
        if sum(m <= own for m in merits) > worst:
            return None
        value, threshold = self.sign * own, self.sign * merits[worst - 1]
        side = "lowest" if self.sign > 0 else "highest"
        limit = number_text(threshold, value)
        rule = (
            f"{self.said(curves[number], k, value, threshold)} is at or {self.worse()} {limit}, "
            f"where the {side} {self.percent:g}% of {len(merits)} trials end"
        )
        return self.why(curves, number, k, rule, value=value, threshold=threshold)
