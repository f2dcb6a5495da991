"""What views show of a run's checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwidgets.runs.checkpoints import best_of
from mlwidgets.views import format as fmt

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run


def read_kept(run: Run) -> dict[str, Any]:
    """Return what is kept of a run's training, fit for JSON.

    Returns
    -------
    dict
        ``judged``: what says how good one is, as ``max:val_accuracy``, or None; ``rows``: of each checkpoint its
        number, the epoch or step in words, its values, its bytes, and whether it is the best, the last or both.
    """
    found = run.checkpoints
    best = next(iter(best_of(found)), None)
    rows = []
    for one in found:
        marks = [word for word, is_so in (("best", one is best), ("last", one is found[-1])) if is_so]
        values = ", ".join(f"{name} {fmt.number(value)}" for name, value in one.values.items())
        rows.append([one.number, one.where, values, one.nbytes, " and ".join(marks)])
    return {"judged": best.best if best else None, "rows": rows}
