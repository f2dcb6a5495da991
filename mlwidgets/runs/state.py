"""What state a run is in, read from its folder; and the one place where an outcome is written."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import asdict, dataclass, fields
from typing import Any

from mlwidgets.errors import UnknownRun
from mlwidgets.runs.alive import holder
from mlwidgets.runs.folder import RunFolder, read_json, write_once
from mlwidgets.runs.journal import read_lines

SUBMITTED, RUNNING = "submitted", "running"
FINISHED, FAILED, STOPPED, KILLED, TIMEOUT = "finished", "failed", "stopped", "killed", "timeout"
END_STATES = frozenset({FINISHED, FAILED, STOPPED, KILLED, TIMEOUT})

START_GRACE = 60.0
"""Seconds that a submit may take from the run folder to the start of the supervisor."""


WAKE_GRACE = 86400.0
"""Seconds for which a supervisor's process that exists is believed to be about to speak: a laptop may have slept."""


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


def write_outcome(folder: RunFolder, outcome: Outcome) -> bool:
    """Record how the run ended, whole and once; return False if somebody had done so before."""
    return write_once(folder.outcome, json.dumps(asdict(outcome)).encode())


def read_outcome(folder: RunFolder, now: float | None = None) -> Outcome:
    """Return the run's state; never writes.

    A run whose processes died without a word is `killed`, whoever looks: the locks on ``alive`` tell.
    """
    recorded = _recorded(folder)
    if recorded is not None:
        return recorded
    # The locks are looked at before the events: a run that ends in between has its outcome by then.
    supervisor, worker = holder(folder.alive, "supervisor"), holder(folder.alive, "worker")
    events = {e["event"]: e for e in read_lines(folder.events) if e["event"] != "metric"}
    started = events["started"]["time"] if "started" in events else None
    # Seen from another PID namespace the holder's pid is 0: it lives all the same.
    if supervisor is not None or worker is not None:
        return Outcome(RUNNING if started else SUBMITTED, started_at=started)
    recorded = _recorded(folder)
    if recorded is not None:
        return recorded
    return _bereaved(folder, events, started, time.time() if now is None else now)


def _recorded(folder: RunFolder) -> Outcome | None:
    data = read_json(folder.outcome)
    if data is None or not isinstance(data.get("state"), str) or data["state"] not in END_STATES:
        return None
    times = (data.get("started_at"), data.get("ended_at"))
    if not all(t is None or (isinstance(t, int | float) and math.isfinite(t)) for t in times):
        return None
    return Outcome(**{f.name: data[f.name] for f in fields(Outcome) if f.name in data})


def _bereaved(folder: RunFolder, events: dict[str, Any], started: float | None, now: float) -> Outcome:
    """Say how a run without living processes ended that nobody wrote the outcome of."""
    end = events.get("end", {})
    if end.get("state") in END_STATES:
        return Outcome(end["state"], end.get("cause"), started, end["time"], error=end.get("error"))
    if "supervising" not in events:
        launched = events.get("submitted")
        born = launched["time"] if launched else _mtime(folder)
        patience = START_GRACE if launched is None else WAKE_GRACE if _exists(launched["supervisor"]) else 0.0
        if now - born < patience:
            return Outcome(SUBMITTED)
        return Outcome(KILLED, f"its supervisor never started; see {folder.supervisor_log}", None, born)
    # The supervisor touches ``alive`` every second; whatever was written last may be later than that.
    traces = (folder.alive, folder.metrics, folder.output, folder.events)
    last = max((p.stat().st_mtime for p in traces if p.exists()), default=now)
    last = max(last, started or last)
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
        try:
            write_outcome(folder, outcome)
        except OSError:
            return outcome
        return read_outcome(folder)
    return outcome


def _mtime(folder: RunFolder) -> float:
    try:
        return folder.spec.stat().st_mtime
    except OSError:
        return 0.0


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
