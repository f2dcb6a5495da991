"""What state a run is in, read from its folder; and the one place where an outcome is written."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, fields
from typing import Any

from mlwidgets.errors import UnknownRun
from mlwidgets.runs.alive import holder
from mlwidgets.runs.folder import RunFolder, read_json, write_once
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.leftovers import lives, sweep
from mlwidgets.runs.machine import host
from mlwidgets.runs.stopping import ELSEWHERE, REBOOTED, place_of, stop_trials

SUBMITTED, RUNNING = "submitted", "running"
FINISHED, FAILED, STOPPED, KILLED, TIMEOUT = "finished", "failed", "stopped", "killed", "timeout"
END_STATES = frozenset({FINISHED, FAILED, STOPPED, KILLED, TIMEOUT})
ENDINGS = {
    FINISHED: "finished",
    FAILED: "failed",
    STOPPED: "was stopped",
    KILLED: "was killed",
    TIMEOUT: "ran out of time",
}
"""What a run in each end state did, in words."""

START_GRACE = 60.0
"""Seconds that a submit may take from the run folder to the start of the supervisor."""

ABANDONED = 0.9
"""The same where whoever submitted the run is gone: what it started last may be about to speak."""

WAKE_GRACE = 86400.0
"""Seconds for which a supervisor's process that exists is believed to be about to speak: a laptop may have slept."""

SILENCE = 120.0
"""Seconds without a sign of life after which a run on another machine is said to be silent."""

LOST = 86400.0
"""Seconds without a sign of life after which a run on another machine is taken for dead."""


@dataclass(frozen=True)
class Outcome:
    """How a run is or ended: its state, why, and when. Times in Unix seconds."""

    state: str
    cause: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    exit_status: int | None = None
    error: dict[str, Any] | None = None

    @property
    def ended(self) -> bool:
        """Whether this is an end state."""
        return self.state in END_STATES


def write_outcome(folder: RunFolder, outcome: Outcome, *, flush: bool = True) -> bool:
    """Record how the run ended, whole and once; return False if somebody had done so before."""
    return write_once(folder.outcome, json.dumps(asdict(outcome)).encode(), flush=flush)


def read_events(folder: RunFolder) -> dict[str, dict[str, Any]]:
    """Return the last event of each kind that tells of processes; of workers' that of the present attempt alone."""
    events: dict[str, dict[str, Any]] = {}
    for event in read_lines(folder.events, *_OF_PROCESSES):
        if event["event"] == "attempt":
            for kind in ("started", "saving", "end"):
                events.pop(kind, None)
        events[event["event"]] = event
    return events


_OF_PROCESSES = ("submitted", "supervising", "slots", "attempt", "started", "saving", "end")


def read_outcome(folder: RunFolder, now: float | None = None) -> Outcome:
    """Return the run's state; never writes.

    A run whose processes died without a word is `killed`, whoever looks: the locks on ``alive`` tell.
    """
    recorded = _recorded(folder)
    if recorded is not None:
        return recorded
    events = read_events(folder)
    now = time.time() if now is None else now
    for _ in range(_LOOKS):
        # Whoever wrote these events held a lock by then: one that is free now is that of a dead process.
        supervisor, worker = holder(folder.alive, "supervisor"), holder(folder.alive, "worker")
        started = events["started"]["time"] if "started" in events else None
        place = place_of(events.get("supervising", {}))
        # Seen from another PID namespace the holder's pid is 0: it lives all the same. Locks that a restart of the
        # machine has outlived are somebody else's.
        if place != REBOOTED and (supervisor is not None or worker is not None):
            return Outcome(RUNNING if started else SUBMITTED, started_at=started)
        # A run that ended in between has its outcome by now.
        recorded = _recorded(folder)
        if recorded is not None:
            return recorded
        before, events = events, read_events(folder)
        if events == before:
            break
        # One that began in between is looked at again.
    if place == ELSEWHERE and "end" not in events:
        return _far_away(folder, str(events["supervising"]["host"]), started, now)
    return _bereaved(folder, events, started, now, rebooted=place == REBOOTED)


_LOOKS = 10


def _far_away(folder: RunFolder, where: str, started: float | None, now: float) -> Outcome:
    """Say how a run on another machine is, whose locks may not reach this one: by the signs of life it gives."""
    silent = now - _last_sign(folder, now)
    if silent > LOST:
        return Outcome(KILLED, f"no sign of life from {where} for a day", started, now - silent)
    cause = f"no sign of life from {where} for {silent:.0f} s" if silent > SILENCE else None
    return Outcome(RUNNING if started else SUBMITTED, cause, started_at=started)


def _last_sign(folder: RunFolder, otherwise: float) -> float:
    """Return when the run last wrote something: its supervisor touches ``alive`` every second."""
    traces = (folder.alive, folder.metrics, folder.output, folder.events)
    return max((p.stat().st_mtime for p in traces if p.exists()), default=otherwise)


def _recorded(folder: RunFolder) -> Outcome | None:
    data = read_json(folder.outcome)
    if data is None or not isinstance(data.get("state"), str) or data["state"] not in END_STATES:
        return None
    times = (data.get("started_at"), data.get("ended_at"))
    if not all(t is None or (isinstance(t, int | float) and math.isfinite(t)) for t in times):
        return None
    return Outcome(**{f.name: data[f.name] for f in fields(Outcome) if f.name in data})


def _bereaved(
    folder: RunFolder, events: dict[str, Any], started: float | None, now: float, *, rebooted: bool
) -> Outcome:
    """Say how a run without living processes ended that nobody wrote the outcome of."""
    end = events.get("end", {})
    if end.get("state") in END_STATES:
        return Outcome(end["state"], end.get("cause"), started, end["time"], error=end.get("error"))
    if "supervising" not in events:
        launched = events.get("submitted")
        born = launched["time"] if launched else _mtime(folder)
        cause = f"its supervisor never started; see {folder.supervisor_log}"
        if launched is not None:
            place, there = place_of(launched), launched.get("host", host())
            if place == REBOOTED:
                patience, cause = 0.0, "the machine was restarted"
            elif place == ELSEWHERE or there != host():
                # A container has another name, and its processes have other pids.
                patience = START_GRACE
            else:
                patience = WAKE_GRACE if lives(launched["supervisor"]) else 0.0
        elif _submitter_lives(folder):
            patience = START_GRACE
        else:
            patience, cause = ABANDONED, "whoever submitted it ended before its supervisor could start"
        if now - born < patience:
            return Outcome(SUBMITTED)
        return Outcome(KILLED, cause, None, born)
    last = max(_last_sign(folder, now), started or 0.0)
    if rebooted:
        return Outcome(KILLED, "the machine was restarted", started, last)
    what = "supervisor and worker were" if started else "the supervisor was"
    return Outcome(KILLED, f"{what} killed from outside, or the machine went down", started, last)


def settle(folder: RunFolder) -> Outcome:
    """Return the run's state, and record the end of a run whose processes died before they could.

    Raises
    ------
    UnknownRun
        If the run folder is gone.
    """
    outcome = read_outcome(folder)
    if outcome.ended and not folder.outcome.exists():
        if not folder.path.exists():
            raise UnknownRun(f"run {folder.id!r} is gone: its folder {folder.path} was deleted")
        # Nobody else is left to do it, and what is said to have ended must not go on.
        sweep(folder.path)
        try:
            if write_outcome(folder, outcome):
                # Whatever of the run begins from now on sees that it is over; a worker may just have begun.
                sweep(folder.path)
                # Where it was a sweep, its trials are runs of their own, which go on without it.
                stop_trials(folder, "the end of its sweep")
        except OSError:
            return outcome
        return read_outcome(folder)
    return outcome


def _mtime(folder: RunFolder) -> float:
    try:
        return folder.spec.stat().st_mtime
    except OSError:
        return 0.0


def _submitter_lives(folder: RunFolder) -> bool:
    """Whether the process that made this folder may still start its supervisor."""
    provenance = (read_json(folder.spec) or {}).get("provenance")
    if not isinstance(provenance, dict) or provenance.get("host") != host():
        return True
    pid = provenance.get("kernel_pid")
    return not isinstance(pid, int) or lives(pid)
