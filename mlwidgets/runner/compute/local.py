"""Workers on this machine, as child processes of the supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import Protocol

from mlwidgets.capture.variables import environment_of
from mlwidgets.runner.boot import python_command
from mlwidgets.runner.compute.base import Compute, Worker
from mlwidgets.runner.queue import Grant
from mlwidgets.runner.sweeping import module_of
from mlwidgets.runner.tree import children, descendants, is_supervisor
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import FOLDER_VARIABLE
from mlwidgets.runs.leftovers import lives, sweep
from mlwidgets.runs.spec import RunSpec

_PR_SET_CHILD_SUBREAPER = 36
_GONE_WITHIN = 3.0
"""Seconds that killed processes have to be gone; one that hangs in the kernel takes longer."""


class Child(Protocol):
    """A child process; `subprocess.Popen` is one."""

    @property
    def pid(self) -> int:
        """Process id."""

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal, unless it has ended."""

    def wait(self) -> int:
        """Wait for the end; return the exit status."""


class LocalWorker(Worker):
    """A child process that leads a session of its own.

    Parameters
    ----------
    spared
        Children of this process that were there before, and are none of the worker's.
    """

    def __init__(self, folder: RunFolder, process: Child, spared: frozenset[int]) -> None:
        self._folder = folder
        self._process = process
        self._spared = set(spared)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self._process.poll()

    def reap(self) -> None:
        """Take the exit status of orphans that this process has adopted, or they would stay as zombies."""
        for pid in children(os.getpid()):
            if pid not in self._spared and pid != self.pid:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def spare(self, pid: int) -> None:
        """Leave that child of this process alone."""
        self._spared.add(pid)

    def interrupt(self) -> None:
        """Send SIGTERM, which the worker turns into KeyboardInterrupt."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the worker, its process group and all its descendants, those with a session of their own too.

        Supervisors of other runs that the code submitted are spared, and what those started.
        """
        doomed = set(self._descendants())
        if self._process.poll() is None:
            # Once its status was taken the number may be another's.
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        # Orphans of descendants that have ended in between are this process's children now, and each may have
        # started another before it was killed.
        deadline = time.monotonic() + _GONE_WITHIN
        while (doomed := {pid for pid in {*doomed, *self._descendants()} if lives(pid)}) and (
            time.monotonic() < deadline
        ):
            for pid in doomed:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.reap()
            time.sleep(0.001)
        if sys.platform != "linux":
            # Nobody adopts orphans there.
            sweep(self._folder.path)

    def _descendants(self) -> list[int]:
        return descendants(os.getpid(), lambda pid: pid in self._spared or is_supervisor(pid))


class LocalCompute(Compute):
    """Starts workers with this process's interpreter and environment."""

    def __init__(self) -> None:
        _adopt_orphans()

    def start(self, folder: RunFolder, spec: RunSpec, grant: Grant | None = None) -> LocalWorker:
        """Start a fresh Python process for the run."""
        slots = None if grant is None else grant.fd
        arguments = [str(folder.path), *([] if slots is None else [str(slots)])]
        spared = frozenset(children(os.getpid()))
        own = worker_environment(folder, grant) if spec.sweep is None else _own_name(folder)
        with open(folder.output, "ab") as output:
            process = subprocess.Popen(
                python_command(module_of(spec), *arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=working_directory(spec),
                env={**environment_of(spec, os.environ), **own},
                start_new_session=True,
                pass_fds=() if slots is None else (slots,),
            )
        return LocalWorker(folder, process, spared)


def worker_environment(folder: RunFolder, grant: Grant | None) -> dict[str, str]:
    """Return the variables that a worker has beside those of its supervisor."""
    slots = {} if grant is None else grant.environment()
    return {**_own_name(folder), **figures_environment(), **slots}


def _own_name(folder: RunFolder) -> dict[str, str]:
    """Return the variable by which a process knows its run; a sweep's trials inherit all else from its controller."""
    return {FOLDER_VARIABLE: str(folder.path)}


def figures_environment() -> dict[str, str]:
    """Return the variable that makes figures displays; matplotlib reads it when it is imported."""
    return {"MPLBACKEND": os.environ.get("MPLBACKEND", "module://matplotlib_inline.backend_inline")}


def working_directory(spec: RunSpec) -> str | None:
    """Return where the code is to run."""
    return spec.provenance.cwd if spec.provenance else None


def _adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that none escapes (prctl(2), Linux only)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
