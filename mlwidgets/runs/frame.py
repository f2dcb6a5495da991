"""A list of runs as a DataFrame."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.index import RunSummary
from mlwidgets.runs.operands import param_of

if TYPE_CHECKING:
    import pandas as pd


def frame_of(summaries: Sequence[RunSummary]) -> pd.DataFrame:
    """Return one row for each run, indexed by its id, in the order given.

    Columns are ``name``, ``state``, ``cause``, ``submitted``, ``started``, ``ended`` (UTC), ``elapsed`` (seconds),
    ``notebook``, ``note``, ``pinned``, ``sweep`` and ``trial`` of a trial, and one each for parameters, last values of
    metrics and tags: ``params.lr``, ``metrics.loss``, ``tags.owner``. What a run does not have is missing.
    """
    import pandas as pd

    now = time.time()
    rows = [_row(one, now) for one in summaries]
    index = pd.Index([one.id for one in summaries], name="id", dtype="object")
    fixed = list(_row(_NOBODY, now))
    groups = ("params.", "metrics.", "tags.")
    more = [name for group in groups for name in dict.fromkeys(n for row in rows for n in row if n.startswith(group))]
    frame = pd.DataFrame({name: [row.get(name) for row in rows] for name in (*fixed, *more)}, index=index)
    for name in ("submitted", "started", "ended"):
        frame[name] = pd.to_datetime(pd.to_numeric(frame[name]), unit="s", utc=True, errors="coerce")
    return frame.astype(dict.fromkeys(("elapsed", *(n for n in more if n.startswith("metrics."))), "float64"))


_NOBODY = RunSummary("", "", "", None, 0.0, None, None, {}, {}, None, {})


def _row(run: RunSummary, now: float) -> dict[str, Any]:
    begin = run.started_at
    return {
        "name": run.name,
        "state": run.state,
        "cause": run.cause,
        "submitted": run.submitted_at,
        "started": begin,
        "ended": run.ended_at,
        "elapsed": math.nan if begin is None else max(0.0, (run.ended_at or now) - begin),
        "notebook": run.notebook,
        "note": run.note,
        "pinned": run.pinned,
        "sweep": run.trial_of,
        "trial": run.trial,
        **{f"params.{name}": param_of(text) for name, text in run.params.items()},
        **{f"metrics.{name}": value for name, value in run.metrics.items()},
        **{f"tags.{name}": text for name, text in run.tags.items()},
    }
