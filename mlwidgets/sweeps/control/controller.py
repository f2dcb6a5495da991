"""The process that leads a sweep: asks the search, starts trials, watches them, ends the poor ones, stops in time.

It is the only writer of the study. Everything that it decides is in the sweep's folder before it is done, so that it
may be killed at any line: the one that is started in its place goes on where this one was.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runner import warm
from mlwidgets.runner.notify import notify
from mlwidgets.runs.alive import hold, holder
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import LineWriter, write_event
from mlwidgets.runs.leftovers import put_mark, sweep
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.state import FAILED, KILLED, STOPPED, Outcome, read_events, write_outcome
from mlwidgets.runs.stopping import cause_of, stop_trials
from mlwidgets.sweeps.control.insisting import insist
from mlwidgets.sweeps.control.wake import Wake
from mlwidgets.sweeps.definition import SweepDefinition


def control(folder: RunFolder) -> None:
    """Lead the sweep to its end, and say how it ended as a worker does."""
    wake = Wake()
    put_mark(folder.path)
    try:
        hold(folder.alive, "worker")
    except BlockingIOError:
        return
    if folder.outcome.exists():
        return
    events = LineWriter(folder.events)
    said = read_events(folder)
    if "end" in said:
        # It was killed after its last word.
        _end(folder, said)
        return
    if "started" not in said:
        with contextlib.suppress(OSError):
            events.write("started", pid=os.getpid())
    error: dict[str, Any] | None = None
    try:
        # Only now: the search takes long to import, and whoever asks this process to end is heard already.
        _warm_up(folder)
        from mlwidgets.sweeps.control.leading import Leader

        state, cause = Leader(folder, wake).run()
    except Exception as problem:  # whatever it is has to reach the user
        traceback.print_exc()
        line = f"{type(problem).__name__}: {problem}".splitlines()[0]
        state, cause = FAILED, str(problem) if isinstance(problem, MlwidgetsError) else f"its controller failed: {line}"
        told = traceback.format_exc().splitlines()
        error = {"ename": type(problem).__name__, "evalue": str(problem), "traceback": told, "exception": None}
        stop_trials(folder, f"the end of sweep {_name(folder)}")
    if not folder.path.exists():
        return
    asked = folder.stop_request.exists()
    if (wake.names or asked) and state in {STOPPED, KILLED}:
        state, cause = (
            (STOPPED, cause_of(folder)) if asked else (KILLED, f"interrupted from outside by {wake.names[0]}")
        )
    insist(lambda: write_event(folder.events, "end", state=state, cause=cause, error=error))
    _end(folder, read_events(folder))


def _warm_up(folder: RunFolder) -> None:
    """Let a process import what the notebook has imported, from which the trials are forked."""
    spec = folder.read_spec()
    definition = SweepDefinition.from_json(spec.sweep or {})
    if definition.modules is not None:
        names = ObjectStore(folder.store / "objects").read(definition.modules).decode().split()
        warm.stand_in(names)
        if names and not definition.resources.get("cold"):
            warm.prepare()


def _end(folder: RunFolder, said: dict[str, dict[str, Any]]) -> None:
    """Record the outcome if the supervisor is dead, who would do so."""
    if holder(folder.alive, "supervisor") is not None:
        return
    sweep(folder.path)
    started = said.get("started", {}).get("time")
    end = said["end"]
    outcome = Outcome(end["state"], end["cause"], started, end["time"], None, end["error"])
    write_outcome(folder, outcome)
    notify(folder, outcome)


def _name(folder: RunFolder) -> str:
    return folder.id[16:-5]


def main() -> None:
    """Lead the sweep whose folder is the first argument."""
    control(RunFolder(Path(sys.argv[1])))
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    # What takes its libraries apart is of no use to anybody.
    os._exit(0)


if __name__ == "__main__":
    main()
