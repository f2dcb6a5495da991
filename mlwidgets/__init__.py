"""Put ``%%train`` on top of a cell: it becomes a tracked run, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Loaded before the function `runs` below is bound: importing the room afterwards would put it in the function's place.
import mlwidgets.runs as _room  # noqa: F401

if TYPE_CHECKING:
    import pandas as pd

    from mlwidgets.again import rerun, resume_run
    from mlwidgets.api import report, run, sweep, train
    from mlwidgets.runs.run import Run
    from mlwidgets.sweeps.space import (
        choice,
        lognormal,
        loguniform,
        normal,
        qlognormal,
        qloguniform,
        qnormal,
        quniform,
        randint,
        uniform,
    )
    from mlwidgets.sweeps.sweep import Sweep
    from mlwidgets.tracking import (
        check,
        checkpoint,
        log,
        log_confusion_matrix,
        log_histogram,
        log_image,
        log_table,
        resume,
        save,
    )

__all__ = [
    "Run",
    "Sweep",
    "__version__",
    "check",
    "checkpoint",
    "choice",
    "load_ipython_extension",
    "log",
    "log_confusion_matrix",
    "log_histogram",
    "log_image",
    "log_table",
    "lognormal",
    "loguniform",
    "normal",
    "qlognormal",
    "qloguniform",
    "qnormal",
    "quniform",
    "randint",
    "report",
    "rerun",
    "resume",
    "resume_run",
    "run",
    "runs",
    "runs_frame",
    "save",
    "sweep",
    "train",
    "uniform",
]

_WHERE = {
    "train": "mlwidgets.api",
    "report": "mlwidgets.api",
    "rerun": "mlwidgets.again",
    "resume_run": "mlwidgets.again",
    "run": "mlwidgets.api",
    "sweep": "mlwidgets.api",
    "Run": "mlwidgets.runs.run",
    "Sweep": "mlwidgets.sweeps.sweep",
    "check": "mlwidgets.tracking.checks",
    "checkpoint": "mlwidgets.tracking.checkpoints",
    "log": "mlwidgets.tracking",
    "log_confusion_matrix": "mlwidgets.tracking.confusion",
    "log_histogram": "mlwidgets.tracking.histogram",
    "log_image": "mlwidgets.tracking.image",
    "log_table": "mlwidgets.tracking.table",
    "resume": "mlwidgets.tracking.resuming",
    "save": "mlwidgets.tracking",
    **dict.fromkeys(
        ("choice", "uniform", "quniform", "loguniform", "qloguniform", "normal", "qnormal", "lognormal", "qlognormal"),
        "mlwidgets.sweeps.space",
    ),
    "randint": "mlwidgets.sweeps.space",
}


def runs(where: str | None = None, sort: str | None = None, *, reverse: bool = False) -> list[Run]:
    """Return the runs of the project, newest first.

    Parameters
    ----------
    where
        A condition: ``"lr < 1e-3 and state == 'finished'"``.
    sort
        What to sort by: ``"val_accuracy"``; the best first where its name tells what is better, else the smallest.
    reverse
        Turns the order around.

    Raises
    ------
    ParameterError
        If one of them cannot be read, or names what no run has.
    """
    from mlwidgets import api
    from mlwidgets.views.grouping import better

    return api.runs(where, sort, reverse=reverse, better=better)


def runs_frame(where: str | None = None, sort: str | None = None, *, reverse: bool = False) -> pd.DataFrame:
    """Return the runs as a DataFrame, one row each, as `runs` finds them: times, parameters, last values, tags."""
    from mlwidgets import api
    from mlwidgets.runs.frame import frame_of
    from mlwidgets.views.grouping import better

    return frame_of(api.summaries(where, sort, reverse=reverse, better=better))


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "__version__":
        from importlib.metadata import version

        return version("mlwidgets")
    if name in _WHERE:
        value = getattr(import_module(_WHERE[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'mlwidgets' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from mlwidgets.server.app import MlwidgetsApp

    return [{"module": "mlwidgets.server.app", "app": MlwidgetsApp}]


def load_ipython_extension(shell: Any) -> None:
    """Load the magics: ``%load_ext mlwidgets``."""
    from mlwidgets_magics import load

    load(shell)
