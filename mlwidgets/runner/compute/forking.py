"""Workers that are forked from a supervisor which has imported their libraries already (Linux)."""

from __future__ import annotations

import contextlib
import os
import signal
import site
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from mlwidgets.capture.variables import environment_of, same_shape
from mlwidgets.runner.boot import python_command
from mlwidgets.runner.compute.local import LocalCompute, LocalWorker, worker_environment, working_directory
from mlwidgets.runner.handover import receive, send
from mlwidgets.runner.queue import Grant
from mlwidgets.runner.shell import WorkerShell
from mlwidgets.runner.sweeping import WORKER_MODULE, module_of
from mlwidgets.runner.tree import children
from mlwidgets.runner.worker import work
from mlwidgets.runs.alive import forget_locks
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.spec import RunSpec


class Stamp:
    """What the imported modules looked like on the disk when they were imported.

    Parameters
    ----------
    package
        Look at this package and at where packages are installed alone, which takes a tenth of the time.
    """

    def __init__(self, package: str = "") -> None:
        modules = [m for name, m in sys.modules.copy().items() if name.startswith(package)]
        files = {getattr(module, "__file__", None) for module in modules}
        folders = (*site.getsitepackages(), site.getusersitepackages())
        self._seen = {path: _look(path) for path in (*filter(None, files), *folders)}

    def stale(self) -> bool:
        """Whether a fresh Python would import something else."""
        return any(_look(path) != seen for path, seen in self._seen.items())


def _look(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def fit_to_fork() -> bool:
    """Whether a child forked now would work: a single thread, and no GPU in use (CUDA does not survive a fork)."""
    if sys.platform != "linux" or len(os.listdir("/proc/self/task")) != 1:
        return False
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    return cuda is None or not cuda.is_initialized()


class Forked:
    """A child process that was forked, with the part of `subprocess.Popen` that its keeper needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self._take(os.WNOHANG)

    def wait(self) -> int:
        """Wait for the end; return the exit status."""
        status = self._take(0)
        assert status is not None
        return status

    def _take(self, options: int) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, options)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def send_signal(self, number: int, /) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


class ForkingCompute(LocalCompute):
    """Forks the first worker from this process, and starts others fresh: by then this process has done too much.

    Parameters
    ----------
    shell
        Gives the shell in which the worker executes, when it is needed.
    stamp
        Taken when the libraries were imported: where something has changed since, the worker makes itself fresh.
    """

    def __init__(self, shell: Callable[[], WorkerShell], stamp: Stamp) -> None:
        super().__init__()
        self._shell = shell
        self._stamp = stamp
        # The libraries were imported in this one, whatever it is by the time of the start.
        self._environment = dict(os.environ)
        self._waiting: tuple[int, socket.socket] | None = None
        self._used = self._announced = False

    def prepare(self, but: int | None = None) -> None:
        """Fork the worker, which waits to be told for which run.

        Parameters
        ----------
        but
            A descriptor that it is not to inherit.
        """
        ours, its = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            if but is not None:
                os.close(but)
            self._work(its)
        its.close()
        self._waiting, self._announced = (pid, ours), False

    def announce(self) -> None:
        """Let the waiting worker see whether it is stale, while this process is busy with the queue."""
        if self._waiting is not None and not self._announced:
            self._announced = True
            # If somebody killed it, that is seen when it is to start.
            with contextlib.suppress(OSError):
                self._waiting[1].sendall(b"?")

    def dismiss(self) -> None:
        """Let the waiting worker go: nobody knows how long the run has to wait for its slots."""
        if self._waiting is not None:
            pid, channel = self._waiting
            channel.close()
            os.waitpid(pid, 0)
            self._waiting = None

    def start(self, folder: RunFolder, spec: RunSpec, grant: Grant | None = None) -> LocalWorker:
        """Give the run to the forked process."""
        shaped = environment_of(spec, os.environ)
        fit = module_of(spec) == WORKER_MODULE and same_shape(shaped, self._environment) and fit_to_fork()
        if self._used or spec.resources.cold or not fit:
            self.dismiss()
            return super().start(folder, spec, grant)
        cwd = working_directory(spec) or os.getcwd()
        os.close(os.open(cwd, os.O_RDONLY | os.O_DIRECTORY))
        if self._waiting is None:
            self.prepare(None if grant is None else grant.fd)
        self.announce()
        assert self._waiting is not None
        (pid, channel), self._waiting, self._used = self._waiting, None, True
        spared = frozenset(children(os.getpid())) - {pid}
        environment = {**shaped, **worker_environment(folder, grant)}
        job = {"folder": str(folder.path), "cwd": cwd, "environment": environment}
        output = os.open(folder.output, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        slots = [] if grant is None or grant.fd is None else [grant.fd]
        try:
            with channel:
                send(channel, job, [output, *slots])
        except OSError:
            # Somebody killed it while it waited.
            os.waitpid(pid, 0)
            return super().start(folder, spec, grant)
        finally:
            os.close(output)
        return LocalWorker(folder, Forked(pid), spared)

    def _work(self, channel: socket.socket) -> NoReturn:
        """Become a worker, wait for the run, and execute it."""
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            forget_locks()
            try:
                stale = channel.recv(1) != b"" and self._stamp.stale()
                job, (output, *slots) = receive(channel)
            except (OSError, ValueError):
                # The supervisor needs no worker, or was killed while it was telling.
                os._exit(0)
            channel.close()
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.close(null)
            for name in ("stdin", "__stdin__"):
                setattr(sys, name, open(0, encoding="utf-8", closefd=False))  # noqa: SIM115 - for good
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            os.environ.clear()
            os.environ.update(job["environment"])
            os.chdir(job["cwd"])
            if stale:
                _become_fresh(job["folder"], slots)
            work(RunFolder(Path(job["folder"])), self._shell(), slots[0] if slots else None)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(1)


def _become_fresh(folder: str, slots: list[int]) -> NoReturn:
    """Go on as the process that `LocalCompute` would have started, with the same number."""
    for slot in slots:
        os.set_inheritable(slot, True)
    command = python_command(WORKER_MODULE, folder, *map(str, slots))
    os.execve(command[0], command, os.environ)  # noqa: S606
