"""What somebody who looks at a sweep may ask of it: pause, resume, another number of trials at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from mlwidgets.errors import ParameterError
from mlwidgets.runs.folder import RunFolder

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run

MOST_AT_ONCE = 1000


def steer(run: Run, request: dict[str, Any], by: str = "user") -> None:
    """Leave a wish for the sweep's controller.

    Parameters
    ----------
    request
        ``ask``: pause, resume or concurrent; with the last ``n``, and ``now`` if trials too many are to give their
        slots back at once.
    by
        Who asks.

    Raises
    ------
    ParameterError
        If that is no such wish, or the run is no sweep, or has ended.
    StoreError
        If it cannot be left in the sweep's folder.
    """
    from mlwidgets.sweeps.requests import ask

    what, about = _wish(request)
    if run.spec.sweep is None:
        raise ParameterError(f"run {run.name!r} is no sweep")
    if run.ended:
        raise ParameterError(f"sweep {run.name!r} has ended")
    ask(RunFolder(run.path), what, by, **about)


def _wish(request: dict[str, Any]) -> tuple[Literal["pause", "resume", "concurrent"], dict[str, Any]]:
    what, most = request.get("ask"), request.get("n")
    if what == "pause":
        return "pause", {}
    if what == "resume":
        return "resume", {}
    if what != "concurrent":
        raise ParameterError("a sweep can be asked to 'pause', to 'resume', and how many trials run at once")
    if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= MOST_AT_ONCE:
        raise ParameterError(f"how many trials run at once is a whole number from 1 to {MOST_AT_ONCE}")
    return "concurrent", {"n": most, "now": request.get("now") is True}
