"""What code inside a run calls: `log`, `save`, `check`, `checkpoint`, `resume`, and `log_…` for what is no number."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlwidgets.tracking.log import log
from mlwidgets.tracking.save import save

if TYPE_CHECKING:
    from mlwidgets.tracking.checkpoints import checkpoint
    from mlwidgets.tracking.checks import check
    from mlwidgets.tracking.confusion import log_confusion_matrix
    from mlwidgets.tracking.histogram import log_histogram
    from mlwidgets.tracking.image import log_image
    from mlwidgets.tracking.resuming import resume
    from mlwidgets.tracking.table import log_table

__all__ = [
    "check",
    "checkpoint",
    "log",
    "log_confusion_matrix",
    "log_histogram",
    "log_image",
    "log_table",
    "resume",
    "save",
]

_WHERE = {
    "check": "mlwidgets.tracking.checks",
    "checkpoint": "mlwidgets.tracking.checkpoints",
    "log_confusion_matrix": "mlwidgets.tracking.confusion",
    "log_histogram": "mlwidgets.tracking.histogram",
    "log_image": "mlwidgets.tracking.image",
    "log_table": "mlwidgets.tracking.table",
    "resume": "mlwidgets.tracking.resuming",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'mlwidgets.tracking' has no attribute {name!r}")
