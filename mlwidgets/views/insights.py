"""What the curves of a run tell, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwidgets.runs.insight import insight

if TYPE_CHECKING:
    from mlwidgets.views.data import Snapshot


def insight_lines(shot: Snapshot) -> list[str]:
    """Return what the curves of a run on show tell, in sentences; a sweep's are those of its trials."""
    if shot.sweep is not None:
        return []
    judged = ((shot.details or {}).get("checkpoints") or {}).get("judged")
    return insight({one.name: (one.steps, one.values) for one in shot.series}, judged).lines()
