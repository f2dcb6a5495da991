"""Starts a run's supervisor, so that it outlives whoever starts it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading

from mlwidgets.capture.variables import environment_of
from mlwidgets.runner import warm
from mlwidgets.runner.boot import python_command
from mlwidgets.runner.queue import Ticket, enter
from mlwidgets.runner.request import request_of
from mlwidgets.runner.tree import SUPERVISOR_MODULE
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import FOLDER_VARIABLE, write_event
from mlwidgets.runs.machine import boot_id, host
from mlwidgets.runs.spec import RunSpec

_BREATH = 0.2
"""Seconds that a run has to start before the next one is prepared."""


def launch(folder: RunFolder, spec: RunSpec, *, prepare: bool = True) -> bool:
    """Take the run's place in the queue and start its supervisor in a session of its own; return at once.

    Parameters
    ----------
    prepare
        Let a warm process be there for the next run.

    Returns
    -------
    bool
        Whether the start was a warm one.

    Raises
    ------
    OSError
        If no process can be started.
    StoreError
        If there can be no queue.
    """
    environment = environment_of(spec, os.environ)
    environment.pop(FOLDER_VARIABLE, None)
    cold = spec.resources.cold
    ticket = enter(request_of(folder, spec))
    _places.add(ticket)
    try:
        pid = warmed = None if cold else warm.start(folder, environment, ticket.number, ticket.fd)
        if pid is None:
            pid = _start_fresh(folder, environment, ticket.number, ticket.fd)
    finally:
        # The supervisor has inherited it; and if there is none, whoever is behind must not wait for it.
        _places.discard(ticket)
        ticket.close_in_child()
    if prepare and not cold:
        # The run has the processor first.
        later = threading.Timer(_BREATH, warm.prepare)
        later.daemon = True
        later.start()
    with contextlib.suppress(OSError):
        # On a full disk the supervisor runs all the same, and its lock tells of it.
        write_event(folder.events, "submitted", supervisor=pid, host=host(), boot=boot_id())
    return warmed is not None


_places: set[Ticket] = set()
"""Places taken for supervisors that do not have them yet."""


def _forget_places() -> None:
    """Close them in a forked child, which would keep the queue waiting."""
    for ticket in _places:
        ticket.close_in_child()
    _places.clear()


os.register_at_fork(after_in_child=_forget_places)


def _start_fresh(folder: RunFolder, environment: dict[str, str], number: int, place: int | None) -> int:
    """Start the supervisor in a fresh Python process; return its pid."""
    arguments = [str(folder.path), *([] if place is None else [str(number), str(place)])]
    with open(folder.supervisor_log, "ab") as log:
        process = subprocess.Popen(
            python_command(SUPERVISOR_MODULE, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment,
            start_new_session=True,
            pass_fds=() if place is None else (place,),
        )
    # Somebody has to take the exit status, or the dead supervisor would look alive as a zombie.
    threading.Thread(target=process.wait, name=f"mlwidgets-{folder.id}", daemon=True).start()
    return process.pid
