"""The kernel in which a view is shown, where there is one."""

from __future__ import annotations

import sys
from typing import Any


def kernel() -> Any:
    """Return the kernel in which this runs, or None in a terminal and outside IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None)


def belong_to_no_cell() -> None:
    """Cut this thread's messages loose from the cell that happens to be executing.

    With ipykernel 7 this also keeps the Stop button alive while a cell runs: the kernel routes what a browser sends
    to a widget into the shell whose cell the widget last spoke for.
    """
    found = kernel()
    if found is None:
        return
    set_display_parent = getattr(found.shell.display_pub, "set_thread_parent", None)
    if set_display_parent is not None:
        set_display_parent({})
    shell_parent: Any = getattr(found, "_shell_parent", None)
    if hasattr(shell_parent, "set"):
        shell_parent.set({})
