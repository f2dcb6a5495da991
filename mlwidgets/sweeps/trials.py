"""The trials of a sweep. The reader lives on the ground floor, as the index of runs needs it too."""

from __future__ import annotations

from mlwidgets.runs.trials import Trial, TrialLog, best, front, read_log, read_trials, signs

__all__ = ["Trial", "TrialLog", "best", "front", "read_log", "read_trials", "signs"]
