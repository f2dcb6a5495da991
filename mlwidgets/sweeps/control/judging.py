"""Which trials the policy ends: each logged value is judged once, in its order, so that the verdict is repeatable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mlwidgets.sweeps.policies import Curve, Policy, Why


class Judge:
    """Keeps the curves of all trials, and asks the policy after each new point.

    A curve ends at the point at which the policy has ended the trial, however far its process came before it
    noticed: what others are compared with does not depend on who was quicker.
    """

    def __init__(self, policy: Policy | None) -> None:
        self._policy = policy
        self._curves: dict[int, Curve] = {}

    def begin(self, number: int) -> None:
        """Begin the curve of a trial, or begin it anew."""
        if self._policy is not None:
            self._curves[number] = Curve([], [], False, None)

    def look(self, number: int, steps: Sequence[int], values: Sequence[float]) -> dict[str, Any] | None:
        """Judge what is new of a trial's curve; return why it is to end, if it is."""
        if self._policy is None:
            return None
        curve = self._curves[number]
        for place in range(len(curve.values), len(values)):
            curve.steps.append(steps[place])
            curve.values.append(values[place])
            why = self._policy.judge(self._curves, number)
            if why is not None:
                return _plain(why)
        return None

    def recall(self, number: int, steps: Sequence[int], values: Sequence[float], state: str, upto: int | None) -> None:
        """Take in the curve of a trial that has ended, as far as it counts."""
        if self._policy is not None:
            self._curves[number] = Curve(list(steps[:upto]), list(values[:upto]), True, state)

    def end(self, number: int, state: str) -> None:
        """Note how a trial ended."""
        curve = self._curves.get(number)
        if curve is not None:
            self._curves[number] = Curve(curve.steps, curve.values, True, state)

    def forget(self, number: int) -> None:
        """Leave a trial out that will begin anew."""
        self._curves.pop(number, None)


def _plain(why: Why) -> dict[str, Any]:
    """Return it fit for JSON, which knows no NaN."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in why.to_json().items()}
