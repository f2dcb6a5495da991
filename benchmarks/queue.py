"""Figure: what it costs to wait for one's turn on a machine, and how soon the next starts when a slot is free."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, Row, Spread, Unit, at_most, ratios
from benchmarks.ours import store_in
from benchmarks.peers import NotInstalledError, load
from benchmarks.stations import ROOT, Station, wait_until

CROWD = 200
HOLD = 0.02
MEMORY_LIMIT, NEXT_LIMIT = 15.0, 50.0

_QUEUED = """
import os, select, sys, time
from mlwidgets.runner.queue import Request, enter
ticket = enter(Request("bench", "bench", "/", 0, 1))
while True:
    grant = ticket.attempt()
    if grant:
        break
    if not told:
        told = os.write(log, b"waits\\n")
    poll = select.poll()
    for place, fd in enumerate(ticket.watched()):
        poll.register(fd, 0 if place else select.POLLIN)
    poll.poll()
os.write(log, f"starts {time.monotonic()}\\n".encode())
time.sleep(float(sys.argv[2]))
os.write(log, f"frees {time.monotonic()}\\n".encode())
grant.release()
"""
_LOCKED = """
import fcntl, os, sys, time
lock = os.open(sys.argv[1] + ".lock", os.O_RDWR | os.O_CREAT)
os.write(log, b"waits\\n")
fcntl.flock(lock, fcntl.LOCK_EX)
os.write(log, f"starts {time.monotonic()}\\n".encode())
time.sleep(float(sys.argv[2]))
os.write(log, f"frees {time.monotonic()}\\n".encode())
fcntl.flock(lock, fcntl.LOCK_UN)
"""
_HEAD = """
import os, sys
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
told = 0
"""


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    crowd, rounds, idle = (40, 1, 5.0) if quick else (CROWD, 3, 30.0)
    figure = Figure(
        "queue",
        "Waiting for one's turn",
        f"{crowd} of each wait for the one slot of a machine of their own. *Memory*: the proportional share (PSS) of "
        f"one that waits, {idle:g} s after the last has come. *Processor*: what one uses in those seconds, as a share "
        "of one core. *Next start*: from the moment at which the slot's holder lets go, or dies, until the next says "
        "that it holds it; every one holds it for a moment. For real runs: from the end of a run's code, through "
        "everything that has to be written, to the first line of the next run's code. The comparison is a bare "
        "`fcntl.flock`: it knows neither order, nor numbers of slots, nor who waits.",
    )
    for number in range(rounds):
        for subject, program in (("queue", _QUEUED), ("lock", _LOCKED)):
            waited = _wait_in_line(scratch / f"{subject}-{number}", program, crowd, idle)
            _keep(subject, waited)
    _figures(figure, "queue", "`mlwidgets.runner.queue`, a Python process each")
    _figures(figure, "lock", "`fcntl.flock`, a Python process each", against="queue")
    try:
        load("mlwidgets")
        with Station("benchmarks.queue:Runs", scratch / "runs") as station:
            _keep("runs", station.ask(crowd=crowd, idle=idle))
    except NotInstalledError as error:
        figure.rows.append(Row("real runs", "ms", None, note=str(error)))
    else:
        _figures(figure, "runs", "real runs, each its supervisor")
    _targets(figure)
    return figure


_measured: dict[str, dict[str, list[list[float]]]] = {}
"""What each subject took, round by round."""
_WHAT: dict[str, tuple[str, Unit]] = {
    "memory": ("memory", "MB"),
    "processor": ("processor", "%"),
    "next": ("next start", "ms"),
}


def _keep(subject: str, measured: Mapping[str, list[float]]) -> None:
    for what, values in measured.items():
        _measured.setdefault(subject, {}).setdefault(what, []).append(values)


def _figures(figure: Figure, subject: str, title: str, against: str = "") -> None:
    for what, (name, unit) in _WHAT.items():
        ratio = ratios(_medians(subject, what), _medians(against, what)) if against else None
        row = Row(f"{name}: {title}", unit, _spread(subject, what), ratio)
        figure.rows.append(row)


def _spread(subject: str, what: str) -> Spread:
    """Return the spread over all processes of all rounds."""
    return Spread.of([value for values in _measured[subject][what] for value in values])


def _medians(subject: str, what: str) -> list[float]:
    """Return the median over the processes of each round."""
    return [statistics.median(values) for values in _measured[subject][what]]


def _targets(figure: Figure) -> None:
    memory = _spread("runs", "memory") if "runs" in _measured else None
    figure.targets.append(at_most(f"a waiting run under {MEMORY_LIMIT:g} MB", MEMORY_LIMIT, "MB", memory))
    text = f"the next start within {NEXT_LIMIT:g} ms of a free slot"
    figure.targets.append(at_most(text, NEXT_LIMIT, "ms", _spread("queue", "next")))
    used = _spread("runs" if "runs" in _measured else "queue", "processor")
    figure.targets.append(at_most("nobody who waits polls: under 0.1 % of a core", 0.1, "%", used))


def _wait_in_line(folder: Path, program: str, crowd: int, idle: float) -> dict[str, list[float]]:
    """Have a crowd of processes wait for one slot; return what each cost, and what each start took."""
    folder.mkdir(parents=True)
    queue = folder / "queue"
    queue.mkdir()
    (queue / "machine.json").write_text(json.dumps({"cpus": 1, "gpus": []}))
    log = folder / "log"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLWIDGETS_QUEUE": str(queue)}

    def start(hold: float) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _HEAD + program, str(log), str(hold)]
        return subprocess.Popen(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL)

    def told(word: str) -> int:
        return log.read_text().count(word) if log.exists() else 0

    processes = [start(86400)]
    try:
        _until(lambda: told("starts") == 1)
        for number in range(crowd):
            processes.append(start(HOLD))
            # As many at a time as there are processors: the crowd is to come, not to fight for them.
            _until(lambda least=number - 4: told("waits") >= least)  # type: ignore[misc]
        _until(lambda: told("waits") >= crowd)
        waiting = [process.pid for process in processes[1:]]
        measured = _idle_costs(waiting, idle)
        freed = time.monotonic()
        processes[0].send_signal(signal.SIGKILL)
        _until(lambda: told("frees") == crowd)
        events = [line.split() for line in log.read_text().splitlines() if line != "waits"][1:]
        moments = sorted(float(moment) for _, moment in events)
        starts, ends = moments[0::2], [freed, *moments[1::2]]
        measured["next"] = [(start - end) * 1e3 for start, end in zip(starts, ends, strict=False)]
        return measured
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _until(condition: Callable[[], bool]) -> None:
    if not wait_until(condition, 300):
        raise TimeoutError("the crowd did not come to its end within 300 s")


def _idle_costs(pids: list[int], seconds: float) -> dict[str, list[float]]:
    """Return what processes that only wait cost: megabytes, and percent of a core."""
    time.sleep(2)
    before = [_processor_time(pid) for pid in pids]
    time.sleep(seconds)
    after = [_processor_time(pid) for pid in pids]
    used = [(late - early) / seconds * 100 for early, late in zip(before, after, strict=True)]
    return {"memory": [_proportional_memory(pid) for pid in pids], "processor": used}


def _processor_time(pid: int) -> float:
    """Return the processor time of a process so far, in seconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _proportional_memory(pid: int) -> float:
    """Return the memory of a process in megabytes, what it shares counted in proportion."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


class Runs:
    """Real runs that wait for each other: a station."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        queue = folder / "queue"
        queue.mkdir(parents=True)
        (queue / "machine.json").write_text(json.dumps({"cpus": 1, "gpus": []}))
        os.environ |= {
            "MLWIDGETS_QUEUE": str(queue),
            "MLWIDGETS_WARM": str(folder / "warm"),
            "MLWIDGETS_STORE": str(store_in(folder)),
        }

    def __call__(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Submit a crowd behind a run that holds the slot, look at them, and let them go."""
        import mlwidgets
        from mlwidgets.runner.slots import overview

        go = self._folder / "go"
        code = f"import os, time\nwhile not os.path.exists({str(go)!r}):\n    time.sleep(0.01)"
        first = mlwidgets.train(code, name="first", namespace={})
        _until(lambda: first.state == "running")
        crowd = range(int(request["crowd"]))
        runs = [first, *(mlwidgets.train("", name="next", namespace={}) for _ in crowd)]
        _until(lambda: len(overview().waiting) == len(runs) - 1)
        measured = _idle_costs([run.pid for run in overview().waiting], float(request["idle"]))
        go.touch()
        for run in runs:
            run.wait()
        ended = [run.ended_at or 0.0 for run in runs]
        started = [run.started_at or 0.0 for run in runs[1:]]
        measured["next"] = [(start - end) * 1e3 for start, end in zip(sorted(started), sorted(ended), strict=False)]
        return measured
