"""The kernel's side of JupyterLab's run view: whoever opens a comm to it hears how the named runs are.

JupyterLab's extension does so for each run that goes on, and for outputs whose widget is gone: after a restart of the
kernel, a reload of the page, or a night in which nobody looked.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from mlwidgets.views.feed import feed_of
from mlwidgets.views.kernel import belong_to_no_cell

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run

TARGET = "mlwidgets"

logger = logging.getLogger("mlwidgets.views")
_known: dict[str, Run] = {}
_listening = False


def listen(*runs: Run) -> None:
    """Answer from now on; `runs` are known here wherever their store is."""
    global _listening
    _known.update({run.id: run for run in runs})
    if not _listening:
        from comm import get_comm_manager

        get_comm_manager().register_target(TARGET, _opened)
        _listening = True


def _opened(comm: Any, message: dict[str, Any]) -> None:
    ids = [str(one) for one in message["content"]["data"].get("runs", [])]
    # In a thread of its own: this one has the kernel's cells to execute, and finding runs reads the disk.
    threading.Thread(target=_answer, args=(comm, ids), name="mlwidgets attach", daemon=True).start()


def _answer(comm: Any, ids: list[str]) -> None:
    belong_to_no_cell()
    try:
        runs = [_find(one) for one in ids]
        if not runs or any(run is None for run in runs):
            comm.send({"type": "unknown"})
            return
        feed = feed_of(*[run for run in runs if run is not None])

        def tell(kind: str, what: Any) -> None:
            comm.send({"type": kind, "model" if kind == "live" else "data": what})

        comm.on_close(lambda _message: feed.leave(tell))
        feed.listen(tell, keeps=True)
    except Exception:
        logger.debug("runs %s could not be shown again", ids, exc_info=True)


def _find(run_id: str) -> Run | None:
    """Return a run of this kernel or of the project around it."""
    from mlwidgets import api
    from mlwidgets.errors import MlwidgetsError

    if run_id not in _known:
        try:
            found = api.run(run_id)
        except MlwidgetsError:
            return None
        if found.id != run_id:
            return None
        _known[run_id] = found
    return _known[run_id]
