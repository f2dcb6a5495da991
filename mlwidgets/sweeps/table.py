"""The trials of a sweep as a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.outline import WORDS
from mlwidgets.runs.state import settle
from mlwidgets.runs.trials import WARM_START, Trial
from mlwidgets.sweeps.control.curves import followed
from mlwidgets.sweeps.definition import SweepDefinition

if TYPE_CHECKING:
    import pandas as pd

EARLIER = "earlier"
"""State of what a sweep has learnt from, beside its own trials."""


def table_of(runs: Path, definition: SweepDefinition, trials: Iterable[Trial], *, over: bool) -> pd.DataFrame:
    """Return one row for each trial, in the given order.

    Parameters
    ----------
    runs
        The folder of all run folders.
    over
        Whether the sweep has ended.
    """
    import pandas as pd

    rows = [_row(trial, runs, definition, over=over) for trial in trials]
    names = [*definition.space, *(one.metric for one in definition.objectives)]
    columns = ["trial", "state", *dict.fromkeys(names), "best", "started", "seconds", "run", "why"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["started"] = pd.to_datetime(frame["started"].astype("float64").round(), unit="s", utc=True)
    return frame


def _row(trial: Trial, runs: Path, definition: SweepDefinition, *, over: bool) -> dict[str, Any]:
    first = definition.objectives[0]
    state = EARLIER if trial.by == WARM_START else WORDS.get(trial.state, trial.state)
    row: dict[str, Any] = {"trial": trial.number, "state": state, "run": trial.run, "why": trial.cause}
    row |= trial.params
    row |= {one.metric: value for one, value in zip(definition.objectives, trial.values or [], strict=False)}
    folder = None if trial.run is None else RunFolder(runs / trial.run)
    if folder is None or not folder.path.exists():
        return row
    outcome = settle(folder)
    if not trial.is_over:
        # A sweep that was killed has not taken note of these ends.
        row["state"] = outcome.state if over or outcome.started_at else "waiting"
        row["why"] = outcome.cause
    row["started"] = outcome.started_at
    if outcome.started_at is not None and outcome.ended_at is not None:
        row["seconds"] = outcome.ended_at - outcome.started_at
    with followed(folder, [first.metric]) as following:
        upto = (trial.why or {}).get("interval")
        values = following.points[0].values[:upto]
    row["best"] = max(values, key=lambda value: first.sign * value, default=None)
    return row
