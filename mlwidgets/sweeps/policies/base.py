"""What every policy has in common: the curves it looks at, when it looks, and how it says why a trial ends."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mlwidgets.errors import ParameterError

NEVER = -math.inf
"""The merit of a value that is not finite: worse than every number."""
_WHEN = ("every", "delay")


@dataclass
class Curve:
    """What one trial has logged of the objective's metric. Interval k is the k-th value, counted from 1.

    Parameters
    ----------
    steps, values
        One for each interval, in order; more may be appended, but none changed.
    ended
        Whether nothing more comes.
    state
        How it ended: ``finished``, ``terminated`` or another.
    times
        When each value was logged, in seconds of any one clock, where that is known.
    began
        When the trial began, by the same clock.
    """

    steps: list[int]
    values: list[float]
    ended: bool = False
    state: str | None = None
    times: list[float] | None = None
    began: float | None = None
    known: dict[int, tuple[list[float], list[float]]] = field(default_factory=dict, repr=False, compare=False)
    """By sign: the best merit up to each value, and the sum of all. Kept as later verdicts ask for each."""


@dataclass(frozen=True)
class Why:
    """Why a policy ends a trial.

    Parameters
    ----------
    policy
        Its text.
    rule
        One sentence for people.
    interval, step
        Where the trial was judged.
    value
        What was judged; NaN if the trial has no finite value.
    threshold
        What it was compared with: drawn as a line on the trial's curve.
    best, best_trial
        The best of all trials up to this interval, and whose it is.
    """

    policy: str
    rule: str
    metric: str
    interval: int
    step: int
    value: float
    threshold: float
    best: float
    best_trial: int | None

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in the events of a sweep."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Policy(ABC):
    """A rule that ends poor trials early.

    It is applied at each interval that is a multiple of `every` and not before `delay`, as Azure's HyperDrive does:
    "the policy applies every multiple of evaluation_interval that is greater than or equal to delay_evaluation", and
    "each time the training script logs the primary metric counts as one interval"
    (https://learn.microsoft.com/python/api/azureml-train-core/azureml.train.hyperdrive.banditpolicy).

    A trial is compared with those that have got as far as itself, each by its first k values only, and with finished
    ones that logged fewer: what they had at the end stands. A verdict depends on the curves alone, so it is the same
    after a restart. A value that is not finite is worse than every number.

    Parameters
    ----------
    sign
        1 where more of the metric is better, -1 where less is.
    metric
        Its name, for the reasons.
    """

    name: ClassVar[str]
    form: ClassVar[str]
    has_when: ClassVar[bool] = True
    """Whether `every` and `delay` are for the user to set."""
    sign: int = field(default=1, kw_only=True)
    metric: str = field(default="", kw_only=True)
    every: int = field(default=1, kw_only=True)
    delay: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        self.check_at_least("every", 1)
        self.check_at_least("delay", 0)

    @property
    def text(self) -> str:
        """What `parse_policy` reads back."""
        options = {o.name: getattr(self, o.name) for o in self.options()}
        return f"{self.name}:" + ",".join(
            f"{n}={str(v).removesuffix('.0')}" for n, v in options.items() if v is not None
        )

    @classmethod
    def options(cls) -> list[dataclasses.Field[Any]]:
        """Return what its text may set, those of all policies last."""
        fields = [f for f in dataclasses.fields(cls) if f.init and f.name not in {"sign", "metric"}]
        return [f for f in fields if f.name not in _WHEN] + [f for f in fields if f.name in _WHEN and cls.has_when]

    def judge(self, curves: Mapping[int, Curve], number: int, interval: int | None = None) -> Why | None:
        """Say whether a trial should end now.

        Parameters
        ----------
        curves
            Of all trials, by number.
        number
            The trial to judge.
        interval
            Judge it as it was after this one of its intervals; None for the last.
        """
        curve = curves[number]
        k = len(curve.values) if interval is None else interval
        if k < 1 or k < self.delay or k % self.every:
            return None
        if self.best_so_far(curve, k) == NEVER:
            best, _ = self.best_of(curves, k)
            if best == NEVER:
                return None
            rule = f"no finite value in {k} intervals, where the best trial has {number_text(self.sign * best)}"
            return self.why(curves, number, k, rule, value=math.nan, threshold=self.sign * best)
        return self._judge(curves, number, k)

    @abstractmethod
    def _judge(self, curves: Mapping[int, Curve], number: int, k: int) -> Why | None:
        """Judge a trial with a finite value at interval k, which is one where the policy applies."""

    def merit(self, value: float) -> float:
        """Return a value so that more is better."""
        return self.sign * value if math.isfinite(value) else NEVER

    def best_so_far(self, curve: Curve, k: int) -> float:
        """Return the merit of a trial's best value in intervals 1 to k."""
        bests = self._bests_and_sums(curve)[0]
        return bests[min(k, len(bests)) - 1] if bests and k else NEVER

    def average(self, curve: Curve, k: int) -> float:
        """Return the mean merit of a trial's values in intervals 1 to k, or to its last; `NEVER` if one of them is."""
        sums = self._bests_and_sums(curve)[1]
        count = min(k, len(sums))
        return sums[count - 1] / count if count else NEVER

    def _bests_and_sums(self, curve: Curve) -> tuple[list[float], list[float]]:
        bests, sums = curve.known.setdefault(self.sign, ([], []))
        for place in range(len(bests), len(curve.values)):
            merit = self.merit(curve.values[place])
            bests.append(max(merit, bests[-1]) if bests else merit)
            sums.append(merit + sums[-1] if sums else merit)
        return bests, sums

    def best_of(self, curves: Mapping[int, Curve], k: int) -> tuple[float, int | None]:
        """Return the merit of the best trial up to interval k, and its number; the first of equals."""
        there = [(self.best_so_far(curve, k), -number) for number, curve in comparable(curves, k).items()]
        merit, number = max(there, default=(NEVER, 0))
        return (merit, -number) if merit > NEVER else (NEVER, None)

    def why(
        self, curves: Mapping[int, Curve], number: int, k: int, rule: str, *, value: float, threshold: float
    ) -> Why:
        """Return the reason for a verdict, with the best trial of that moment."""
        best, best_trial = self.best_of(curves, k)
        step = curves[number].steps[k - 1]
        best = self.sign * best if best > NEVER else math.nan
        return Why(self.text, rule, self.metric, k, step, value, threshold, best, best_trial)

    def worse(self) -> str:
        """Return where poor values lie: below or above."""
        return "below" if self.sign > 0 else "above"

    def said(self, curve: Curve, k: int, value: float, against: float) -> str:
        """Return a trial's best value as the beginning of a sentence, with enough digits to tell it from another."""
        text = number_text(value, against)
        if curve.values[k - 1] == value:
            return f"{text} at interval {k}"
        return f"{text}, the best of {k} intervals,"

    def check_at_least(self, name: str, least: float) -> None:
        """Raise ParameterError if an option is too small."""
        value = getattr(self, name)
        if value is not None and not value >= least:
            raise ParameterError(f"{self.name}: {name}={value} has to be at least {least}")


def comparable(curves: Mapping[int, Curve], k: int) -> dict[int, Curve]:
    """Return the trials that reached interval k, and those that finished before."""
    return {n: c for n, c in curves.items() if len(c.values) >= k or (c.state == "finished" and c.values)}


def number_text(value: float, against: float | None = None) -> str:
    """Return a number with four digits, or as many as tell it from another."""
    for digits in range(4, 17):
        text = f"{value:.{digits}g}"
        if against is None or value == against or text != f"{against:.{digits}g}":
            return text
    return repr(value)
