"""The process that owns one run: waits its turn, starts the worker, watches it, and records how it ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runner import GRACE, SAVING_GRACE
from mlwidgets.runner.boot import python_command
from mlwidgets.runner.causes import OutOfMemory, describe_signal
from mlwidgets.runner.comparing import compare
from mlwidgets.runner.compute.base import Compute, Worker
from mlwidgets.runner.compute.local import LocalCompute
from mlwidgets.runner.health import device_error, report
from mlwidgets.runner.publishing import publish
from mlwidgets.runner.queue import Grant, NotToStart, Ticket, enter
from mlwidgets.runner.request import request_of
from mlwidgets.runner.sweeping import WINDING_DOWN, ItsSweep, Restarts
from mlwidgets.runner.tree import SUPERVISOR
from mlwidgets.runs.alive import hold
from mlwidgets.runs.checkpoints import numbered
from mlwidgets.runs.folder import RunFolder, flush_file
from mlwidgets.runs.journal import read_lines, write_event
from mlwidgets.runs.leftovers import sweep
from mlwidgets.runs.machine import boot_id, host
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.state import (
    ENDINGS,
    FAILED,
    FINISHED,
    KILLED,
    STOPPED,
    TIMEOUT,
    Outcome,
    read_events,
    write_outcome,
)
from mlwidgets.runs.stopping import cause_of, stop_trials

_RETRY_FOR = 600.0
_LOOK = 1.0
"""Seconds between two looks at a worker, which is also how often it is sampled."""
_BREATH = 0.02
"""Seconds that a worker has to start in."""
_LOOK_WAITING = 60.0
"""The same while the run waits its turn: whoever has news wakes this process."""


class Supervisor:
    """Takes one run from its folder to its outcome.

    Parameters
    ----------
    compute
        Where the worker runs.
    number, place
        Its number in the queue and the descriptor that keeps its place there, if whoever submitted it took one.
    """

    def __init__(
        self, folder: RunFolder, spec: RunSpec, compute: Compute, number: int = 0, place: int | None = None
    ) -> None:
        self._number = number
        self._place = place
        self._folder = folder
        self._spec = spec
        self._compute = compute
        self._ending: tuple[str, str] | None = None
        self._interrupted_at = 0.0
        self._asked_at = 0.0
        self._killed: float | None = None
        self._terminated = False
        self._its_sweep = ItsSweep(folder, spec)
        self._environment: subprocess.Popen[bytes] | None = None
        self._wake_read, self._wake_write = os.pipe()  # pipe2 is missing on macOS
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def run(self) -> Outcome:
        """Wait, start the worker, see it through, start it again if that was asked for; write the outcome."""
        self._listen()
        attempts = 1 + self._spec.resources.retries
        avoid: tuple[str, ...] = ()
        for attempt in range(1, attempts + 1):
            ticket = enter(
                request_of(self._folder, self._spec), number=self._number or None, avoid=avoid, fd=self._place
            )
            self._number, self._place = ticket.number, None
            grant = self._wait(ticket)
            if grant is None:
                state, cause = self._ending or (STOPPED, None)
                outcome = Outcome(state, cause, ended_at=time.time())
                break
            outcome = self._attempt(grant)
            failed = outcome.state in {FAILED, KILLED}
            if failed and self._ending is not None and self._ending[0] == TIMEOUT:
                # Its time was over when the code had failed already: it may be tried again.
                self._ending, self._interrupted_at, self._killed = None, 0.0, None
            device_failed = self._blames_device(grant, outcome)
            if not failed or attempt == attempts or self._wants_to_end():
                # The outcome is there before anybody else takes the slots.
                self._record(outcome)
                grant.release()
                break
            avoid = grant.gpus if device_failed else ()
            grant.release()
            self._begin_again(attempt + 1, attempts, outcome)
        if grant is None:
            self._record(outcome)
        # Nobody has to wait for the disk.
        for path in (self._folder.manifest, self._folder.outcome):
            flush_file(path)
        if self._environment is not None:
            self._environment.wait()
        return outcome

    def _wait(self, ticket: Ticket) -> Grant | None:
        """Wait for the slots; return None if the run is not to start any more."""
        try:
            while True:
                if self._wants_to_end():
                    return None
                if (grant := ticket.attempt()) is not None:
                    _tell(self._folder, "slots", gpus=list(grant.gpus), cpus=grant.cpus)
                    return grant
                self._compute.dismiss()
                if self._environment is None:
                    self._environment = self._gather_environment()
                if self._environment is not None:
                    self._environment.poll()
                with contextlib.suppress(OSError):
                    os.utime(self._folder.alive)
                patience = min(_LOOK_WAITING, self._its_sweep.patience)
                if (soon := ticket.patience()) is not None:
                    patience = min(patience, soon)
                self._sleep(patience, ticket.watched())
        except NotToStart as reason:
            self._ending = (STOPPED, f"not started: {reason}")
            return None
        finally:
            ticket.leave()

    def _attempt(self, grant: Grant) -> Outcome:
        """Run the worker once, from its start to the end of everything that it started.

        The worker of a sweep, which goes on where it was, is started again if it was killed.
        """
        restarts = Restarts(self._folder)
        winds_down = False
        while True:
            try:
                worker = self._compute.start(self._folder, self._spec, grant)
            except OSError as error:
                return Outcome(FAILED, f"the worker could not be started: {error}", ended_at=time.time())
            status, out_of_memory = self._see_through(worker, grant)
            goes_on = self._spec.sweep is not None and status < 0
            outcome = self._judge(status, out_of_memory)
            if goes_on and self._wants_to_end() and "end" not in read_events(self._folder):
                if winds_down or not self._folder.stop_request.exists():
                    return outcome
                # Once more: it finds the request, sees its trials to their ends and says how they were.
                winds_down, self._killed = True, None
                self._interrupted_at = time.monotonic()
                self._asked_at = self._asked_at or time.time()
                continue
            if not goes_on or outcome.state != KILLED:
                return outcome
            pause = restarts.pause()
            if pause is None:
                return replace(outcome, cause=f"{outcome.cause}, again and again before it had done anything")
            _tell(self._folder, "restarted", cause=outcome.cause)
            self._say(f"the sweep's controller was {outcome.cause}; it is started again\n")
            deadline = time.monotonic() + pause
            while (left := deadline - time.monotonic()) > 0 and not self._wants_to_end():
                self._sleep(left)

    def _see_through(self, worker: Worker, grant: Grant) -> tuple[int, str | None]:
        """Watch the worker to its end; return its exit status, and what the system says of memory."""
        # All else comes after it: the code has the processor first.
        self._sleep(_BREATH)
        if self._environment is None:
            self._environment = self._gather_environment()
        if self._environment is not None:
            worker.spare(self._environment.pid)
        from mlwidgets.runner.sampling import Sampler

        # A trial may be over before there is anything to sample.
        sampler = None if self._spec.trial_of else Sampler(self._folder, os.getpid(), grant.gpus)
        memory = OutOfMemory(worker.pid)
        looked = 0.0
        while (status := worker.poll()) is None:
            self._attend(worker)
            worker.reap()
            if self._environment is not None:
                self._environment.poll()
            if time.monotonic() - looked >= _LOOK:
                if sampler is not None:
                    sampler.sample()
                elif looked:
                    sampler = Sampler(self._folder, os.getpid(), grant.gpus)
                looked = time.monotonic()
                memory.look()
                with contextlib.suppress(OSError):
                    os.utime(self._folder.alive)
            self._sleep(self._patience())
        worker.kill()
        if sampler is not None:
            sampler.close()
        return status, memory.said()

    def _blames_device(self, grant: Grant, outcome: Outcome) -> bool:
        """Count how the GPUs did; return whether one of them is to blame for the end."""
        traceback_lines = (outcome.error or {}).get("traceback", [])
        text = "\n".join([outcome.cause or "", *map(str, traceback_lines)])
        with contextlib.suppress(OSError, MlwidgetsError):
            for sentence in report(grant.gpus, outcome.state, text):
                self._say(sentence)
        return outcome.state != FINISHED and device_error(text) is not None

    def _say(self, sentence: str) -> None:
        """Write something into the run's output."""
        with contextlib.suppress(OSError), open(self._folder.output, "a", encoding="utf-8") as output:
            output.write(f"\nmlwidgets: {sentence}\n")

    def _begin_again(self, number: int, of: int, before: Outcome) -> None:
        """Say that the run is to be tried again, where events and where output is read."""
        # Without it the end of the attempt before would be taken for that of the next.
        said = {"number": number, "of": of, "state": before.state, "cause": before.cause}
        self._insist(lambda: write_event(self._folder.events, "attempt", **said))
        self._say(f"attempt {number} of {of}; the one before {ENDINGS[before.state]}: {before.cause}\n")
        if numbered(self._folder.checkpoints) and not any(read_lines(self._folder.events, "resumed")):
            self._say(
                "the code keeps checkpoints and begins anew all the same; to go on from the last one put "
                "start = mlwidgets.resume(model, optimizer) before the loop over range(start, epochs)\n"
            )

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
        return _LOOK if timeout is None else min(_LOOK, max(0.01, timeout - self._running()))

    def _sleep(self, seconds: float, watched: Sequence[int] = ()) -> None:
        """Sleep until a signal comes or something happens to what is watched."""
        poller = select.poll()
        poller.register(self._wake_read, select.POLLIN)
        for place, fd in enumerate(watched):
            # The first one is written to; of the others only the end is waited for.
            poller.register(fd, 0 if place else select.POLLIN)
        poller.poll(seconds * 1000)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)

    def _gather_environment(self) -> subprocess.Popen[bytes] | None:
        """Start gathering what would take too long at submit, out of the worker's way; a trial has its sweep's."""
        if self._spec.trial_of is not None:
            return None
        cwd = self._spec.provenance.cwd if self._spec.provenance else "/"
        try:
            process = subprocess.Popen(
                python_command("mlwidgets.capture.provenance", str(self._folder.path), cwd),
                stdin=subprocess.DEVNULL,
                process_group=0,
            )
            os.setpriority(os.PRIO_PROCESS, process.pid, 10)
        except OSError:
            return None
        return process

    def _wants_to_end(self) -> bool:
        """Whether the run is to end: somebody asked for it, or the system asked this process."""
        if self._ending is None and self._folder.stop_request.exists():
            self._ending = (STOPPED, cause_of(self._folder))
        elif self._ending is None and self._terminated:
            self._ending = (STOPPED, "stopped by the system: its supervisor was told to end")
        elif self._ending is None and self._its_sweep.is_over():
            self._ending = (STOPPED, "stopped by the end of its sweep")
        return self._ending is not None

    def _attend(self, worker: Worker) -> None:
        """Interrupt the worker if somebody asked for it or its time is over; kill it if that does not help."""
        timeout = self._spec.resources.timeout
        if self._interrupted_at == 0.0:
            if not self._wants_to_end():
                if timeout is None or self._running() <= timeout:
                    return
                self._ending = (TIMEOUT, f"ran longer than its time-out of {timeout:g} s")
            self._interrupted_at = time.monotonic()
            self._asked_at = time.time()
            worker.interrupt()
            return
        if self._spec.sweep is not None:
            grace = WINDING_DOWN
        else:
            grace = SAVING_GRACE if "saving" in read_events(self._folder) else GRACE
        if time.monotonic() - self._interrupted_at > grace:
            self._killed = grace
            worker.kill()

    def _running(self) -> float:
        """Return for how long the code itself has been running."""
        started = read_events(self._folder).get("started")
        return 0.0 if started is None else time.time() - started["time"]

    def _judge(self, status: int, out_of_memory: str | None) -> Outcome:
        """Make an outcome of the worker's own word, its exit status and what was asked of it."""
        events = read_events(self._folder)
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

    def _record(self, outcome: Outcome) -> None:
        """Write the outcome."""
        if self._spec.sweep is not None:
            # The controller does so itself unless it was killed.
            stop_trials(self._folder, f"the end of sweep {self._spec.name}")
        self._insist(lambda: write_outcome(self._folder, outcome, flush=False))

    def _insist(self, write: Callable[[], object]) -> None:
        """Write; on a full disk wait for room, the folder's lock held, so that the state stays true."""
        deadline = time.monotonic() + _RETRY_FOR
        while True:
            try:
                write()
                return
            except FileNotFoundError:
                # Somebody deleted the run: there is nobody left to tell.
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1.0)


def _tell(folder: RunFolder, kind: str, **fields: Any) -> None:
    """Write an event; on a full disk the run goes on without."""
    with contextlib.suppress(OSError):
        write_event(folder.events, kind, **fields)


def supervise(
    folder: RunFolder,
    compute: Compute,
    number: int = 0,
    place: int | None = None,
    ready: Callable[[], None] = lambda: None,
) -> int:
    """Supervise a run to its end; return 0 if it finished.

    Parameters
    ----------
    number, place
        As `Supervisor` takes them.
    ready
        Called as soon as this process can be seen to be alive.
    """
    # Requests lie in the folder: a signal that comes before anybody listens only has to do no harm.
    for interruption in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(interruption, signal.SIG_IGN)
    try:
        hold(folder.alive, "supervisor")
    except BlockingIOError:
        # Whoever submitted the run was killed, did not know how far it had come, and did it again.
        ready()
        return 0
    if folder.outcome.exists() or "supervising" in read_events(folder):
        # It took so long to get here (a laptop slept) that somebody has given the run up, or it is a second one.
        ready()
        return 0
    write_event(folder.events, "supervising", pid=os.getpid(), host=host(), boot=boot_id())
    ready()
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(SUPERVISOR)
    try:
        outcome = Supervisor(folder, folder.read_spec(), compute, number, place).run()
    except Exception as error:  # nobody else would say that it was not killed from outside
        traceback.print_exc()
        sweep(folder.path)
        known = isinstance(error, MlwidgetsError)
        cause = str(error) if known else f"its supervisor failed ({error}); see {folder.supervisor_log}"
        outcome = Outcome(FAILED, cause, ended_at=time.time())
        with contextlib.suppress(OSError):
            write_outcome(folder, outcome)
    publish(folder)
    compare(folder)
    from mlwidgets.runner.notify import notify

    notify(folder, outcome)
    return 0 if outcome.state == FINISHED else 1


def main() -> None:
    """Supervise the run whose folder is the first argument; its place in the queue is named by what follows."""
    number, place = [*map(int, sys.argv[2:]), 0, 0][:2]
    sys.exit(supervise(RunFolder(Path(sys.argv[1])), LocalCompute(), number, place or None))


if __name__ == "__main__":
    main()
