"""What a policy would have done to trials that have ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mlwidgets.sweeps.policies.base import NEVER, Curve, Policy, Why


@dataclass(frozen=True, repr=False)
class Replay:
    """The outcome of a replay.

    Parameters
    ----------
    policy
        Its text.
    trials
        How many were replayed.
    ended
        Why each trial would have ended that did not, or not so early, by number.
    intervals, intervals_saved
        How many there were in all, and how many would not have been computed.
    seconds, seconds_saved
        The same in seconds of all trials together; None where the times are not known.
    best, best_value
        The best trial and its value; None and NaN where no trial has one.
    kept, kept_value
        The best of the trials that would have gone on.
    """

    policy: str
    trials: int = 0
    ended: dict[int, Why] = field(default_factory=dict)
    intervals: int = 0
    intervals_saved: int = 0
    seconds: float | None = None
    seconds_saved: float | None = None
    best: int | None = None
    best_value: float = math.nan
    kept: int | None = None
    kept_value: float = math.nan

    @property
    def share(self) -> float:
        """The share of the computing that would have been saved, of the time where that is known: 0 to 1."""
        if self.seconds and self.seconds_saved is not None:
            return self.seconds_saved / self.seconds
        return self.intervals_saved / self.intervals if self.intervals else 0.0

    @property
    def best_lost(self) -> bool:
        """Whether the policy would have ended the best trial."""
        return self.best is not None and self.best != self.kept

    def __repr__(self) -> str:
        if not self.ended:
            return f"{self.policy} would have ended none of {self.trials} trials"
        saved = f"{self.intervals_saved} of {self.intervals} intervals"
        if self.seconds and self.seconds_saved is not None:
            saved += f", {self.seconds_saved:.3g} of {self.seconds:.3g} s"
        many = f"{len(self.ended)} of {self.trials} trials"
        lines = [f"{self.policy} would have ended {many} early and saved {saved} ({self.share:.0%})"]
        if self.best_lost:
            left = "" if self.kept is None else f"; the best that is left: trial {self.kept}, {self.kept_value:.4g}"
            lines.append(f"it would have lost the best: trial {self.best}, {self.best_value:.4g}{left}")
        elif self.best is not None:
            lines.append(f"the best would have gone on: trial {self.best}, {self.best_value:.4g}")
        return "\n".join([*lines, *(f"  trial {number}: {why.rule}" for number, why in self.ended.items())])


def replay(policy: Policy, curves: Mapping[int, Curve], *, value: str = "last") -> Replay:
    """Let a policy judge trials that have ended, interval by interval, as if they ran again.

    The order is that of time where all curves have times; without them all trials begin at once and log at the same
    pace. What a trial would have done with the time that was saved is not known.

    Parameters
    ----------
    value
        Which of a trial's values is its result: ``last`` or ``best``.
    """
    timed = all(c.times is not None and len(c.times) == len(c.values) for c in curves.values())
    seen = {n: Curve([], []) for n in curves}
    ended: dict[int, Why] = {}
    for _, k, number in sorted(_moments(curves, timed=timed)):
        curve, now = curves[number], seen[number]
        if number in ended:
            continue
        now.steps.append(curve.steps[k - 1])
        now.values.append(curve.values[k - 1])
        last = k == len(curve.values)
        why = None if last else policy.judge(seen, number)
        if why is not None:
            ended[number] = why
            now.ended, now.state = True, "terminated"
        elif last and curve.ended:
            now.ended, now.state = True, curve.state
    result = Replay(policy.text, len(curves), dict(sorted(ended.items())))
    return _with_best(_with_savings(result, curves, timed=timed), policy, curves, value)


def _moments(curves: Mapping[int, Curve], *, timed: bool) -> list[tuple[float, int, int]]:
    moments = []
    for number, curve in curves.items():
        times = curve.times if timed and curve.times is not None else range(1, len(curve.values) + 1)
        moments += [(float(t), k, number) for k, t in enumerate(times, start=1)]
    return moments


def _with_savings(result: Replay, curves: Mapping[int, Curve], *, timed: bool) -> Replay:
    saved = {n: len(curves[n].values) - why.interval for n, why in result.ended.items()}
    result = replace(result, intervals=sum(len(c.values) for c in curves.values()), intervals_saved=sum(saved.values()))
    if not timed:
        return result
    seconds = rest = 0.0
    for number, curve in curves.items():
        if not curve.times:
            continue
        seconds += curve.times[-1] - (curve.times[0] if curve.began is None else curve.began)
        if number in result.ended:
            rest += curve.times[-1] - curve.times[result.ended[number].interval - 1]
    return replace(result, seconds=seconds, seconds_saved=rest)


def _with_best(result: Replay, policy: Policy, curves: Mapping[int, Curve], value: str) -> Replay:
    merits = {}
    for number, curve in curves.items():
        last = policy.merit(curve.values[-1]) if curve.values else NEVER
        merit = policy.best_so_far(curve, len(curve.values)) if value == "best" else last
        if merit > NEVER and (not curve.ended or curve.state == "finished"):
            merits[number] = merit
    kept = {n: m for n, m in merits.items() if n not in result.ended}
    if merits:
        best = max(merits, key=lambda n: (merits[n], -n))
        result = replace(result, best=best, best_value=policy.sign * merits[best])
    if kept:
        best = max(kept, key=lambda n: (kept[n], -n))
        result = replace(result, kept=best, kept_value=policy.sign * kept[best])
    return result
