"""What a user would use otherwise: which of it is here, in which version."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

#: Shown name of each peer, and the distribution that brings it.
DISTRIBUTIONS = {
    "TensorBoard": "tensorboard",
    "W&B": "wandb",
    "MLflow": "mlflow",
    "trackio": "trackio",
    "submitit": "submitit",
    "joblib/loky": "joblib",
    "papermill": "papermill",
    "nbconvert": "nbconvert",
    "jupyter-scheduler": "jupyter_scheduler",
    "APScheduler": "apscheduler",
    "Ray": "ray",
    "Optuna": "optuna",
    "nbdime": "nbdime",
    "jupytext": "jupytext",
}

#: Further distributions whose versions shape the figures.
BESIDE = ("mlwidgets", "numpy", "torch", "ipykernel", "IPython", "cloudpickle", "ipywidgets", "anywidget")


class NotInstalledError(Exception):
    """A peer is not installed; its rows say so."""


def version(distribution: str) -> str | None:
    """Return the installed version, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def load(module: str) -> Any:
    """Import and return a peer's module, which has no types of use to us.

    Raises
    ------
    NotInstalledError
        If it is not there.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise NotInstalledError(f"{error.name or module} is not installed") from error


def versions() -> dict[str, str]:
    """Return the versions of all that was compared."""
    names = (*BESIDE, *DISTRIBUTIONS.values())
    return {name: version(name) or "not installed" for name in names}
