"""Asking a run to stop: a request in its folder, and a signal to whoever lives there to read it."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from mlwidgets.runs.alive import holder
from mlwidgets.runs.folder import RunFolder, read_json, write_whole
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.machine import boot_id, host

EARLY = "ended early: "
"""What the word of whoever ends a trial early begins with; the cause of the end is the word itself."""
HERE, REBOOTED, ELSEWHERE = "here", "rebooted", "elsewhere"


def place_of(supervising: dict[str, Any]) -> str:
    """Say where a supervisor was started, seen from here and now, by the event that tells of it."""
    boot = supervising.get("boot")
    if not boot or not boot_id() or boot == boot_id():
        return HERE
    return REBOOTED if supervising.get("host") == host() else ELSEWHERE


def is_supervised_here(folder: RunFolder) -> bool:
    """Whether pids that the run's locks tell are those of this machine."""
    told = [event for event in read_lines(folder.events) if event["event"] == "supervising"]
    return place_of(told[-1] if told else {}) == HERE


def ask_to_stop(folder: RunFolder, by: str) -> None:
    """Leave the request and wake the run's supervisor; where that is dead, interrupt the worker.

    Raises
    ------
    OSError
        If the request cannot be left in the run folder.
    """
    try:
        write_whole(folder.stop_request, by.encode())
    except OSError:
        # On a full disk there is room for a name at least: an empty request says no more than that.
        folder.stop_request.touch()
    if not is_supervised_here(folder):
        # Whoever supervises it there finds the request.
        return
    with contextlib.suppress(ProcessLookupError):
        supervisor = holder(folder.alive, "supervisor")
        if supervisor:
            os.kill(supervisor, signal.SIGUSR1)
            return
        worker = holder(folder.alive, "worker")
        if worker:
            os.kill(worker, signal.SIGTERM)


def cause_of(folder: RunFolder) -> str:
    """Return why a run that was asked to stop did."""
    try:
        by = folder.stop_request.read_text(errors="replace") or "user"
    except OSError:
        by = "user"
    return by if by.startswith(EARLY) else f"stopped by {by}"


def trials_of(folder: RunFolder) -> list[RunFolder]:
    """Return the folders beside this one in which the runs of a sweep's trials are; none of any other run."""
    told = [event.get("run") for event in read_lines(folder.events) if event["event"] == "trial"]
    # An id that is no folder's name must lead nowhere else.
    ids = [run for run in told if isinstance(run, str) and run and os.sep not in run and run[0] != "."]
    found = [RunFolder(folder.path.parent / run) for run in dict.fromkeys(ids)]
    # Events may name any run: a trial says itself whose it is.
    return [one for one in found if (read_json(one.spec) or {}).get("trial_of") == folder.id]


def stop_trials(folder: RunFolder, by: str) -> int:
    """Ask all trials of a sweep to stop that go on; return how many were asked."""
    going = [one for one in trials_of(folder) if one.path.exists() and not one.outcome.exists()]
    for trial in going:
        with contextlib.suppress(OSError):
            ask_to_stop(trial, by)
    return len(going)
