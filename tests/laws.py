"""What has to be true of a run whatever was done to it; and a run's code that keeps books of its own about itself.

The books lie outside the run folder and are written by the code alone, so that they tell when the run folder lies.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlwidgets import api
from mlwidgets.errors import ResultNotAvailable
from mlwidgets.runner.board import Board
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines, read_records
from mlwidgets.runs.leftovers import leftovers
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import FAILED, FINISHED, KILLED, STOPPED, TIMEOUT, Outcome
from mlwidgets.views.data import read_header

CODE = r"""
import fcntl, os, signal, subprocess, time
from mlwidgets import log

def note(name, text=''):
    with open(os.path.join(books, name), 'a') as file:
        file.write(f'{text}\n')

def me():
    with open('/proc/self/stat') as file:
        return f"{os.getpid()} {file.read().rpartition(')')[2].split()[19]}"

def take_places():
    free = cpus
    for _ in range(3):
        for name in sorted(os.listdir(places)):
            if free:
                place = os.open(os.path.join(places, name), os.O_RDWR)
                try:
                    fcntl.lockf(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    free -= 1
                except BlockingIOError:
                    os.close(place)
        if not free:
            return
        time.sleep(0.02)
    note('over')

SLEEP = 'echo "$$ $(cut -d" " -f22 /proc/$$/stat)" >> "$0/pids"; exec sleep 600'

def start(kind):
    if kind == 'forked':
        if not os.fork():
            os.setsid()
            if not os.fork():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                note('pids', me())
                time.sleep(600)
            os._exit(0)
        os.wait()
    elif kind == 'session':
        subprocess.Popen(['sh', '-c', SLEEP, books], start_new_session=True)
    elif kind == 'deaf':
        subprocess.Popen(['sh', '-c', "trap '' TERM INT; " + SLEEP, books])
    elif kind == 'clean':
        subprocess.Popen(['/bin/sh', '-c', SLEEP, books], env={'PATH': '/bin:/usr/bin'}, start_new_session=True)

note('pids', me())
note('attempts')
with open(os.path.join(books, 'attempts')) as file:
    attempt = len(file.readlines())
take_places()
for kind in daemons:
    start(kind)
logged = os.open(os.path.join(books, 'logged'), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
try:
    for i in range(steps):
        value = attempt * 1_000_000 + i
        log(x=value)
        os.write(logged, b'%d\n' % value)
        print('at', value)
        time.sleep(pause)
    while held and not os.path.exists(os.path.join(books, 'go')):
        time.sleep(pause)
    if attempt <= failures:
        note('raised')
        raise ValueError('as planned')
    answer = [attempt, steps]
    note('reached')
except KeyboardInterrupt:
    note('interrupted')
    while deaf:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass
    raise
finally:
    note('cleaned')
"""


@dataclass(frozen=True)
class Work:
    """What one run is to do, in ``CODE``'s terms: seconds of `pause` after each of its steps.

    One that is `held` ends when there is a file ``go`` among its books.
    """

    name: str
    steps: int
    pause: float
    cpus: int = 1
    gpus: float = 0.0
    priority: int = 0
    retries: int = 0
    failures: int = 0
    timeout: float | None = None
    daemons: tuple[str, ...] = ()
    deaf: bool = False
    held: bool = False
    cold: bool = False
    after: str | None = None

    def submit(self, books: Path, places: Path) -> Run:
        """Send it off; its books are in `books`, the locks of the machine's CPU places in `places`."""
        return api.train(
            CODE,
            name=self.name,
            namespace={},
            params={
                "books": str(books),
                "places": str(places),
                "cpus": self.cpus,
                "steps": self.steps,
                "pause": self.pause,
                "daemons": list(self.daemons),
                "failures": self.failures,
                "deaf": self.deaf,
                "held": self.held,
            },
            outputs=["answer"],
            cpus=self.cpus,
            gpus=self.gpus,
            priority=self.priority,
            retries=self.retries,
            timeout=self.timeout,
            cold=self.cold,
            after=self.after,
        )


@dataclass
class Deeds:
    """What was done to one run: the roles of its processes that were killed, and what it was asked."""

    killed: set[str] = field(default_factory=set)
    stopped: bool = False
    terminated: bool = False


class Books:
    """What the code noted of itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lines(self, name: str) -> list[str]:
        """Return the whole lines of one of its notes."""
        try:
            return (self.folder / name).read_text().split("\n")[:-1]
        except FileNotFoundError:
            return []

    def has(self, name: str) -> bool:
        """Whether it noted that at all."""
        return bool(self.lines(name))

    def living(self) -> list[int]:
        """Return the processes that still live, of all that noted themselves."""
        pairs = [line.split() for line in self.lines("pids")]
        return [int(pid) for pid, started in pairs if start_of(int(pid)) == started]


def start_of(pid: int) -> str | None:
    """Return when a process started, in the system's ticks; None if it is gone or only its exit status is left."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in {"Z", "X"} else rest[18]


def soon(condition: Callable[[], object], seconds: float = 60) -> bool:
    """Wait until it is so; return whether it became so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def broken_laws(run: Run, work: Work, books: Books, deeds: Deeds) -> Iterator[str]:
    """Yield what is not as it has to be with a run that has ended."""
    outcome = run.outcome
    yield from _wrong_end(outcome, work, books, deeds)
    yield from _wrong_views(run, outcome)
    yield from _wrong_records(run, work, books)
    yield from _wrong_result(run, outcome, books)
    if books.has("over"):
        yield "its code ran while the places that it was given were taken"
    if not soon(lambda: not books.living()):
        yield f"still running: {[(pid, command(pid)) for pid in books.living()]}"
    if not soon(lambda: not list(leftovers(run.path))):
        yield f"left behind: {[(pid, command(pid)) for pid in leftovers(run.path)]}"
    if not soon(lambda: run.id not in on_board()):
        yield "it still holds slots or a place in the queue"


def command(pid: int) -> str:
    """Return a process's command line, for people."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "gone"


def named_in_commands(folder: Path) -> list[int]:
    """Return the processes whose command names a run folder: those that start cold do."""
    found = [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]
    return [pid for pid in found if str(folder) in command(pid) and start_of(pid)]


def on_board() -> set[str]:
    """Return the ids of all runs that hold slots or wait."""
    board = Board.open()
    with board.locked():
        state = board.read()
    return {one.run for one in (*state.waiting, *state.holdings)}


def _wrong_end(outcome: Outcome, work: Work, books: Books, deeds: Deeds) -> Iterator[str]:
    """Compare how it is said to have ended with what the code and the tormentor know."""
    state, cause = outcome.state, outcome.cause or ""
    raised, attempts = len(books.lines("raised")), len(books.lines("attempts"))
    said = f"{state} ({cause})"
    if state != FINISHED and not cause:
        yield f"{said}: no cause"
    if attempts > 1 + work.retries:
        yield f"{said}: {attempts} attempts, {1 + work.retries} were asked for"
    allowed = {
        FINISHED: books.has("reached"),
        FAILED: raised > 0 or "spare" in deeds.killed,
        STOPPED: deeds.stopped or deeds.terminated or (work.after is not None and cause.startswith("not started: ")),
        KILLED: bool(deeds.killed),
        TIMEOUT: work.timeout is not None,
    }
    if not allowed[state]:
        yield f"{said}: nothing that was done explains it"
    if state == FAILED and raised and "as planned" not in cause:
        yield f"{said}: the code raised something else"
    touched = deeds.killed or deeds.stopped or deeds.terminated or work.after is not None
    if not touched and state == FAILED and raised != 1 + work.retries:
        yield f"{said}: {raised} attempts failed, {1 + work.retries} were to be made"
    if not touched and work.timeout is None:
        planned = FAILED if work.failures > work.retries else FINISHED
        if state != planned:
            yield f"{said}: it was to be {planned}"
    if deeds.stopped and not deeds.killed and not deeds.terminated and state == KILLED:
        yield f"{said}: it was stopped"


def _wrong_views(run: Run, outcome: Outcome) -> Iterator[str]:
    """Ask everybody who shows a state."""
    folder = RunFolder(run.path)
    if not folder.outcome.exists():
        yield "ended without outcome.json"
    if (shown := read_header(run)["state"]) != outcome.state:
        yield f"the header says {shown}, the run {outcome.state}"
    listed = [summary.state for summary in api.summaries() if summary.id == run.id]
    if listed != [outcome.state]:
        yield f"the list says {listed}, the run {outcome.state}"
    if log := folder.supervisor_log.read_text(errors="replace") if folder.supervisor_log.exists() else "":
        yield f"its supervisor complains: {log}"


def _wrong_records(run: Run, work: Work, books: Books) -> Iterator[str]:
    """Every `log` that returned is there, in order, and at most one more of each attempt."""
    values = [int(value) for value in read_records(run.path / "metrics.bin")["value"]]
    logged = [int(line) for line in books.lines("logged")]
    if lost := sorted(set(logged) - set(values)):
        yield f"{len(lost)} records were lost, the first is {lost[0]}"
    if values != sorted(set(values)):
        yield "records are not in order, or there twice"
    if len(values) - len(logged) > max(1, len(books.lines("attempts"))):
        yield f"{len(values)} records, but only {len(logged)} were logged"
    numbers = [event["number"] for event in read_lines(run.path / "events.jsonl") if event["event"] == "attempt"]
    if numbers != list(range(2, 2 + len(numbers))) or len(numbers) > work.retries:
        yield f"the attempts are said to be {numbers}"


def _wrong_result(run: Run, outcome: Outcome, books: Books) -> Iterator[str]:
    try:
        result = run.result
        # After the end that it was given it may have been interrupted before it had bound anything.
        if outcome.state == FINISHED or "answer" in result:
            attempt, _ = result["answer"]
            if attempt != len(books.lines("attempts")):
                yield f"the result is that of attempt {attempt}"
    except ResultNotAvailable as error:
        if outcome.state == FINISHED:
            yield f"finished without a result: {error}"
