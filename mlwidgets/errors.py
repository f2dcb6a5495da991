"""Every error that mlwidgets raises on purpose, under one root."""

from __future__ import annotations

from collections.abc import Sequence


class MlwidgetsError(Exception):
    """Root of all errors: one line that says what is wrong, where, and what to do."""


class StoreError(MlwidgetsError):
    """The store cannot be used: not private, not writable, full, or of a newer version."""


class UnknownRun(MlwidgetsError):
    """No run of that name or id is in the store."""


class CaptureError(MlwidgetsError):
    """The cell cannot be sent off as it is; nothing was started."""


class MissingName(CaptureError):
    """The cell reads a name that the notebook does not have."""


class CannotSend(CaptureError):
    """A value that the cell reads cannot leave this process."""


class ParameterError(CaptureError):
    """A parameter that would have no effect, or is not a Python literal."""


class ResultNotAvailable(MlwidgetsError):
    """The run left no such result; the message says why and where the logs are."""


class RunFailed(MlwidgetsError):
    """The run did not finish; the message names its state, cause and logs."""


class CannotRerun(MlwidgetsError):
    """The run cannot be done again as it was; one line for each reason, and nothing was started.

    Attributes
    ----------
    problems
        The reasons.
    forcible
        Whether it can be done again all the same.
    """

    def __init__(self, name: str, problems: Sequence[str], *, forcible: bool, goes_on: bool = False) -> None:
        go_on = "--force (force=True) runs it all the same"
        if len(problems) == 1:
            reasons = f" {problems[0]}{f'; {go_on}' if forcible else ''}"
        else:
            reasons = "".join(f"\n  - {problem}" for problem in problems) + (f"\n{go_on}" if forcible else "")
        super().__init__(f"{name} cannot {'go on' if goes_on else 'be run again'}:{reasons}")
        self.problems = list(problems)
        self.forcible = forcible


class CheckFailed(MlwidgetsError):
    """A required check did not pass; the message says which, and what was found."""


class NotebookError(MlwidgetsError):
    """The file holds no notebook that can be read; it is left as it is."""


class HistoryError(MlwidgetsError):
    """The notebook's history cannot be written or read; the notebook itself is left as it is."""


class UnknownSnapshot(HistoryError):
    """No snapshot of that id, name or run is in the notebook's history."""


class TwinError(HistoryError):
    """A notebook and its text twin cannot be paired or made to say the same; both are left as they are."""


class ScheduleError(MlwidgetsError):
    """A schedule that cannot be kept as it is asked for, or is not there; nothing was changed."""


class UnknownSchedule(ScheduleError):
    """No schedule of that name or id is in the store."""
