"""What a reader would look for in a run's curves: its best epoch, and where it only learns by heart.

``labextension/views/insight.ts`` is the same rule for whoever looks on; both are tested on the same cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.naming import place

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

NOISE = 0.1
"""A rise above the best of less than this part of all improvement is noise."""
FEWEST = 3
"""Values after the best that it takes to see a turn."""
MOST_EPOCHS = 1000
"""Values that may be one of each epoch: of more than that each is rather one of a batch."""
_NEAR = 5
"""Values whose middle stands for one: a single one may be noise."""


@dataclass(frozen=True)
class Best:
    """Where a metric was best. ``unit`` is ``epoch`` where it is logged once for each step, else ``step``."""

    metric: str
    value: float
    step: int
    unit: str

    def __str__(self) -> str:
        return f"best {self.metric} {self.value:.4g} at {self.unit} {self.step}"


@dataclass(frozen=True)
class Overfitting:
    """Validation that gets worse while training goes on getting better.

    Attributes
    ----------
    metric, training
        The metrics of validation and of training.
    since
        The step at which validation was best.
    unit
        As of `Best`.
    best, now
        Its value then, and the middle of its last three.
    """

    metric: str
    training: str
    since: int
    unit: str
    best: float
    now: float


@dataclass(frozen=True)
class Insight:
    """What a run's curves tell: where what it is judged by was best, and what gets worse."""

    best: Best | None
    overfitting: tuple[Overfitting, ...]

    def lines(self) -> list[str]:
        """Return it in words."""
        turns: dict[str, list[str]] = {}
        for one in self.overfitting:
            turns.setdefault(f"{one.unit} {one.since}", []).append(f"{one.metric} {one.best:.4g} → {one.now:.4g}")
        return [
            *([str(self.best)] if self.best else []),
            *(
                f"validation has been getting worse since {since} ({', '.join(values)}) while training got better"
                for since, values in turns.items()
            ),
        ]

    def to_json(self) -> dict[str, Any]:
        """Return it fit for JSON."""
        return {
            "best": None if self.best is None else dict(vars(self.best)),
            "overfitting": [dict(vars(one)) for one in self.overfitting],
        }


def insight(lines: Mapping[str, tuple[ArrayLike, ArrayLike]], judged: str | None = None) -> Insight:
    """Return what curves tell.

    Parameters
    ----------
    lines
        Steps and values of each metric, in the order in which they first appeared.
    judged
        The metric that says how good the run is, where somebody has said so, as `mlwidgets.runs.checkpoints` writes
        it: ``max:val_accuracy``. Else it is the first one of validation whose name tells what is better, else of test,
        else the first whose name does, if that is not of training.
    """
    sorted_lines = {name: _sorted(*line) for name, line in lines.items()}
    turns = []
    for name, line in sorted_lines.items():
        where = place(name)
        if where.role == "validation" and where.better:
            partner = next((one for one in lines if _trains(one, where.group)), None)
            since = None if partner is None else overfitting_from(line, sorted_lines[partner], where.better)
            if partner is not None and since is not None:
                best, finite = best_point(line, where.better), line[1][_finite(line[1])]
                assert best is not None
                now = _median(finite[-FEWEST:])
                turns.append(Overfitting(name, partner, int(since), unit_of(line[0]), best[1], now))
    return Insight(_best(sorted_lines, judged), tuple(turns))


Line = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
"""Steps in ascending order, and values."""


def _best(lines: Mapping[str, Line], judged: str | None) -> Best | None:
    kind, _, name = (judged or "").partition(":")
    better = 1 if kind == "max" else -1
    if name not in lines:
        order = {"validation": 0, "test": 1, "": 2}
        known = [(order[where.role], one, where.better) for one in lines if (where := place(one)).role in order]
        _, name, better = min((one for one in known if one[2]), default=(0, "", 0), key=lambda one: one[0])
    found = best_point(lines[name], better) if name in lines else None
    return None if found is None else Best(name, found[1], int(found[0]), unit_of(lines[name][0]))


def best_point(line: Line, better: int) -> tuple[float, float] | None:
    """Return step and value of the lowest or the highest point; None where there is nothing to choose."""
    import numpy as np

    steps, values = line
    finite = np.flatnonzero(_finite(values))
    if better == 0 or len(values) < 2 or not len(finite):
        return None
    at = int(finite[np.argmax(values[finite] * better)])
    return float(steps[at]), float(values[at])


def overfitting_from(validation: Line, training: Line, better: int) -> float | None:
    """Return the step from which on validation gets worse while training goes on getting better, None if it does not.

    Validation has to have lost a tenth of what it had gained, and training must not have come to a halt.
    """
    best = best_point(validation, better)
    steps, values = validation
    finite = _finite(values)
    if best is None or not _side_by_side(validation, training):
        return None
    after = values[finite & (steps > best[0])]
    if len(after) < FEWEST:
        return None
    gained = abs(best[1] - float(values[finite][0]))
    if (best[1] - _median(after[-FEWEST:])) * better <= NOISE * gained:
        return None
    before, last = _near(training, best[0]), _near(training, float("inf"))
    return best[0] if before is not None and last is not None and (last - before) * better > 0 else None


def _trains(name: str, group: str) -> bool:
    where = place(name)
    return where.group == group and where.role in {"", "train"}


def _side_by_side(a: Line, b: Line) -> bool:
    """Whether two lines run along the same steps: one may count batches and the other epochs."""
    ends = [float(line[0][-1]) if len(line[0]) else 0.0 for line in (a, b)]
    return min(ends) > max(ends) / 2


def _near(line: Line, step: float) -> float | None:
    """Return the middle of the values up to a step."""
    steps, values = line
    found = values[_finite(values) & (steps <= step)][-_NEAR:]
    return _median(found) if len(found) else None


def unit_of(steps: ArrayLike) -> str:
    """Return what the steps of a metric count: what is logged at each of them is logged once an epoch."""
    import numpy as np

    found = np.asarray(steps)
    each = 0 < len(found) <= MOST_EPOCHS and bool(np.all(np.diff(np.unique(found)) == 1))
    return "epoch" if each else "step"


def _median(values: NDArray[np.float64]) -> float:
    import numpy as np

    return float(np.sort(values)[len(values) // 2])


def _finite(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    import numpy as np

    return np.isfinite(values)


def _sorted(steps: ArrayLike, values: ArrayLike) -> Line:
    import numpy as np

    x, y = np.asarray(steps, np.float64), np.asarray(values, np.float64)
    order = np.argsort(x, kind="stable")
    return x[order], y[order]
