"""The small process that owns one run: starts the worker, watches it, and records how it ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mlwidgets.runner import GRACE, SAVING_GRACE
from mlwidgets.runner.compute.base import Compute, Worker
from mlwidgets.runner.compute.local import LocalCompute
from mlwidgets.runs.alive import hold
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines, write_event
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.state import FAILED, FINISHED, KILLED, STOPPED, TIMEOUT, Outcome, write_outcome

_RETRY_FOR = 600.0


class Supervisor:
    """Takes one run from its folder to its outcome.

    Parameters
    ----------
    compute
        Where the worker runs.
    """

    def __init__(self, folder: RunFolder, spec: RunSpec, compute: Compute) -> None:
        self._folder = folder
        self._spec = spec
        self._compute = compute
        self._ending: tuple[str, str] | None = None
        self._interrupted_at = 0.0
        self._asked_at = 0.0
        self._killed: float | None = None
        self._terminated = False
        self._wake_read, self._wake_write = os.pipe()  # pipe2 is missing on macOS
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def run(self) -> Outcome:
        """Start the worker, see it through, and write the outcome."""
        self._listen()
        oom_before = _oom_kills()
        environment = self._gather_environment()
        try:
            worker = self._compute.start(self._folder, self._spec)
        except OSError as error:
            return self._record(Outcome(FAILED, f"the worker could not be started: {error}", ended_at=time.time()))
        while (status := worker.poll()) is None:
            self._attend(worker)
            worker.reap()
            if environment is not None:
                environment.poll()
            with contextlib.suppress(OSError):
                os.utime(self._folder.alive)
            self._sleep(self._patience())
        worker.kill()
        outcome = self._record(self._judge(status, _oom_kills() > oom_before))
        if environment is not None:
            environment.wait()
        return outcome

    def _listen(self) -> None:
        """Let signals end the sleep: a worker's death, a request, and the system's wish that this process ends."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note_signal)

    def _note_signal(self, number: int, _frame: Any) -> None:
        if number in {signal.SIGTERM, signal.SIGINT}:
            self._terminated = True

    def _patience(self) -> float:
        """Return for how long nothing needs to be looked at; a signal ends the sleep before that."""
        timeout = self._spec.resources.timeout
        if self._ending is not None:
            return 0.1
        return 1.0 if timeout is None else min(1.0, max(0.01, timeout - self._running()))

    def _sleep(self, seconds: float) -> None:
        select.select([self._wake_read], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)

    def _gather_environment(self) -> subprocess.Popen[bytes] | None:
        """Start gathering what would take too long at submit, out of the worker's way."""
        cwd = self._spec.provenance.cwd if self._spec.provenance else "/"
        command = [sys.executable, "-P", "-m", "mlwidgets.capture.provenance", str(self._folder.path), cwd]
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
            os.setpriority(os.PRIO_PROCESS, process.pid, 10)
        except OSError:
            return None
        return process

    def _attend(self, worker: Worker) -> None:
        """Interrupt the worker if somebody asked for it or its time is over; kill it if that does not help."""
        timeout = self._spec.resources.timeout
        if self._ending is None:
            if self._folder.stop_request.exists():
                by = self._folder.stop_request.read_text(errors="replace") or "user"
                self._ending = (STOPPED, f"stopped by {by}")
            elif self._terminated:
                self._ending = (STOPPED, "stopped by the system: its supervisor was told to end")
            elif timeout is not None and self._running() > timeout:
                self._ending = (TIMEOUT, f"ran longer than its time-out of {timeout:g} s")
            else:
                return
            self._interrupted_at = time.monotonic()
            self._asked_at = time.time()
            worker.interrupt()
            return
        grace = SAVING_GRACE if "saving" in self._said() else GRACE
        if time.monotonic() - self._interrupted_at > grace:
            self._killed = grace
            worker.kill()

    def _said(self) -> dict[str, dict[str, Any]]:
        """Return what the worker has told so far, the last of each kind."""
        return {e["event"]: e for e in read_lines(self._folder.events) if e["event"] in {"started", "saving", "end"}}

    def _running(self) -> float:
        """Return for how long the code itself has been running."""
        started = self._said().get("started")
        return 0.0 if started is None else time.time() - started["time"]

    def _judge(self, status: int, out_of_memory: bool) -> Outcome:
        """Make an outcome of the worker's own word, its exit status and what was asked of it."""
        events = self._said()
        started = events["started"]["time"] if "started" in events else None
        ended = events["end"]["time"] if "end" in events else time.time()
        state, cause, error = KILLED, None, None
        if "end" in events:
            state, cause, error = (events["end"][k] for k in ("state", "cause", "error"))
            done = events.get("saving", events["end"])["time"]
            if self._ending is not None and (state in {STOPPED, KILLED} or self._asked_at < done):
                # Also where the code swallowed the interrupt or made another error of it.
                state, cause = self._ending
        elif self._ending is not None:
            state, cause = self._ending
            if self._killed is not None:
                cause += f"; killed, as it had not ended {self._killed:g} s after it was interrupted"
        elif status < 0:
            cause = describe_signal(-status, out_of_memory)
        elif status == 0 and "saving" in events:
            state, cause = FINISHED, "its end could not be recorded"
        else:
            state = FAILED
            cause = f"its process exited with status {status} before the code had ended"
            if started is None:
                cause = f"the worker could not start; see {self._folder.output}"
        return Outcome(state, cause, started, ended, status, error)

    def _record(self, outcome: Outcome) -> Outcome:
        """Write the outcome; on a full disk wait for room, the folder's lock held, so that the state stays true."""
        deadline = time.monotonic() + _RETRY_FOR
        while True:
            try:
                write_outcome(self._folder, outcome)
                return outcome
            except FileNotFoundError:
                # Somebody deleted the run: there is nobody left to tell.
                return outcome
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1.0)


def describe_signal(number: int, out_of_memory: bool) -> str:
    """Say in words what ended a process."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if number == signal.SIGKILL and out_of_memory:
        return "out of memory: the system killed it (SIGKILL)"
    meaning = {
        "SIGKILL": "killed from outside (SIGKILL); the system does so too when memory runs out",
        "SIGSEGV": "crashed with a segmentation fault (SIGSEGV)",
        "SIGABRT": "aborted itself (SIGABRT)",
        "SIGBUS": "crashed with a bus error (SIGBUS); a full disk or shared memory can cause it",
        "SIGFPE": "crashed with an arithmetic error (SIGFPE)",
        "SIGILL": "crashed with an illegal instruction (SIGILL)",
    }
    return meaning.get(name, f"killed by {name}")


def _oom_kills() -> int:
    """Return how many processes the kernel has killed for memory, on this machine and in this cgroup."""
    total = 0
    for path in ("/proc/vmstat", "/sys/fs/cgroup/memory.events"):
        try:
            lines = Path(path).read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return total


def main() -> None:
    """Supervise the run whose folder is the first argument."""
    # Requests lie in the folder: a signal that comes before anybody listens only has to do no harm.
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    folder = RunFolder(Path(sys.argv[1]))
    hold(folder.alive, "supervisor")
    if folder.outcome.exists():
        # It took so long to get here (a laptop slept) that somebody has given the run up.
        return
    write_event(folder.events, "supervising", pid=os.getpid())
    outcome = Supervisor(folder, folder.read_spec(), LocalCompute()).run()
    sys.exit(0 if outcome.state == FINISHED else 1)


if __name__ == "__main__":
    main()
