"""What code inside a run calls: `log` and `save`."""

from __future__ import annotations

from mlwidgets.tracking.log import log
from mlwidgets.tracking.save import save

__all__ = ["log", "save"]
