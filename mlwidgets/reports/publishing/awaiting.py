"""Waits for an edition without making it: pages are made by other processes than the one that a user works in."""

from __future__ import annotations

import time

from mlwidgets.errors import MlwidgetsError
from mlwidgets.reports.publishing.editions import Edition, Report
from mlwidgets.runs.alive import holder
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.store import RunStore

PATIENCE = 600.0
"""Seconds for which the supervisor of a run is waited for."""


def await_edition(folder: RunFolder) -> Edition | None:
    """Return the edition of a run that has ended as soon as it is there; None where it could not be published.

    Its supervisor makes it; where that was killed, this process does.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        # Seen first: who has gone by now may have spoken before.
        waiting = holder(folder.alive, "supervisor") is not None and time.monotonic() < deadline
        told = list(read_lines(folder.events, "published"))
        if told or not waiting:
            break
        time.sleep(0.05)
    name = (folder.read_spec().report or {}).get("publish")
    try:
        edition = Report(RunStore(folder.store), name).find(folder.id) if told and isinstance(name, str) else None
    except MlwidgetsError:
        edition = None
    if edition is not None:
        return edition
    from mlwidgets.reports.publishing.publish import publish

    return publish(folder)
