"""Libraries that this process has imported: they are asked, and never imported because of us."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def imported(name: str) -> Any:
    """Return a module if it is there, else None.

    While another thread is still importing it (a live view does so with numpy), that is waited for: half a module is
    in ``sys.modules`` already.
    """
    return importlib.import_module(name) if sys.modules.get(name) is not None else None
