"""Remembers which cells this kernel executes, so that a run knows what came before it."""

from __future__ import annotations

from typing import Any

from mlwidgets.capture import executed
from mlwidgets_magics.sending import cell_id


def remember(shell: Any) -> None:
    """Begin with the cells that were executed already: only the last one, which executes now, has an id still."""
    sources = shell.history_manager.input_hist_raw
    for count, source in enumerate(sources):
        if source.strip():
            executed.here.add(cell_id(shell) if count == len(sources) - 1 else None, count, source)

    def before_a_cell(info: Any) -> None:
        # The number that it will have in `In`; some versions of IPython have counted on by now, others have not.
        if info.store_history and info.raw_cell:
            known = info.cell_id if isinstance(info.cell_id, str) else None
            executed.here.add(known, len(shell.history_manager.input_hist_raw), info.raw_cell)

    shell.events.register("pre_run_cell", before_a_cell)
