"""The warm process itself: imports what a notebook has imported, and forks supervisors until nobody asks any more."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any, NoReturn

from mlwidgets.runner import notify, sampling, supervisor, warm  # noqa: F401 - the supervisor samples and notifies
from mlwidgets.runner.compute.forking import ForkingCompute, Stamp, fit_to_fork
from mlwidgets.runner.handover import receive, send
from mlwidgets.runner.shell import WorkerShell, blank_shell
from mlwidgets.runner.tree import SUPERVISOR, WARM
from mlwidgets.runner.worker import Worker  # noqa: F401 - so that workers have it
from mlwidgets.runs.folder import RunFolder, read_json, write_whole

_LOOK_AFTER = 60.0
"""Seconds after which it makes sure that it can still be reached."""


_BREATH = 0.05
"""Seconds that a run has to start before the next one is prepared."""


class WarmServer:
    """Serves one key in one directory."""

    def __init__(self, where: Path, key: str, modules: list[str], shell: WorkerShell) -> None:
        self._where = where
        self._key = key
        self._modules = modules
        self._shell = shell
        self._stamp = Stamp()
        self._own = Stamp("mlwidgets")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._path = where / f"{key}.sock"
        self._spare: socket.socket

    def serve(self, lock: int) -> None:
        """Answer until nobody has asked for `warm.IDLE` seconds, or what was imported is stale."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._listener.bind(str(self._path))
        self._listener.listen(256)
        write_whole(self._where / f"{self._key}.json", warm.describe(self._key, self._modules))
        warm.end_those_within(self._where, self._key, set(self._modules))
        self._spare = self._fork_spare(lock)
        # The system takes the exit statuses of the supervisors: each records its own end.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        inode = _inode(self._path)
        asked = time.monotonic()
        while time.monotonic() - asked < warm.IDLE and _inode(self._path) == inode:
            ready, _, _ = select.select([self._listener], [], [], _LOOK_AFTER)
            if ready:
                asked = time.monotonic()
                connection, _ = self._listener.accept()
                with connection:
                    if not self._answer(connection, lock):
                        return
        self._leave(lock)

    def _leave(self, lock: int) -> None:
        """Make room for another one: whoever asks from now on finds nobody."""
        for suffix in ("json", "sock", "modules", "log"):
            with contextlib.suppress(OSError):
                (self._where / f"{self._key}.{suffix}").unlink()
        self._listener.close()
        self._spare.close()
        os.close(lock)

    def _answer(self, connection: socket.socket, lock: int) -> bool:
        """Do what is asked; return False if this process is to end."""
        connection.settimeout(warm.ANSWER_WITHIN)
        try:
            request, descriptors = receive(connection)
        except (OSError, ValueError):
            # Whoever asked has gone, or asks in another language: it will start a fresh process.
            return True
        ending = "end" in request
        if ending or self._own.stale() or not fit_to_fork():
            self._leave(lock)
            with contextlib.suppress(OSError):
                connection.sendall(b'{"end": true}' if ending else b'{"stale": true}')
            return False
        with contextlib.suppress(OSError), self._spare:
            # The supervisor that was forked beforehand answers; if somebody killed it, nobody does.
            send(self._spare, request, [connection.fileno(), *descriptors])
        for descriptor in descriptors:
            os.close(descriptor)
        connection.close()
        # The run that starts now has the processor first, unless another one is waiting already.
        select.select([self._listener], [], [], _BREATH)
        if self._stamp.stale():
            # Its worker has found out for itself.
            self._leave(lock)
            return False
        self._spare = self._fork_spare(lock)
        return True

    def _fork_spare(self, lock: int) -> socket.socket:
        """Fork a supervisor that waits to be told of its run, so that nobody has to wait for the fork."""
        ours, its = socket.socketpair()
        if os.fork() == 0:
            self._listener.close()
            os.close(lock)
            ours.close()
            self._supervise(its)
        its.close()
        return ours

    def _supervise(self, channel: socket.socket) -> NoReturn:
        """Become a supervisor, wait for the run, and see it through."""
        status = 0
        try:
            os.setsid()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # The end of a run spares supervisors, also those that its code is about to need.
            Path("/proc/self/comm").write_text(SUPERVISOR)
            compute = ForkingCompute(lambda: self._shell, self._stamp)
            compute.prepare(channel.fileno())
            try:
                request, descriptors = receive(channel)
            except (OSError, ValueError):
                # The warm process ends, or was killed while it was telling.
                os._exit(0)
            channel.close()
            compute.announce()
            status = _supervise(request, compute, *descriptors)
        except BaseException:
            status = 1
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            # What the imported libraries do at an exit is for processes that have used them.
            os._exit(status)


def _supervise(request: dict[str, Any], compute: ForkingCompute, connection: int, place: int | None = None) -> int:
    """Supervise a run in the environment of whoever submitted it, who waits for a word."""
    folder = RunFolder(Path(request["folder"]))
    log = os.open(folder.supervisor_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(request["environment"])

    def ready() -> None:
        with contextlib.suppress(OSError):
            os.write(connection, json.dumps({"pid": os.getpid()}).encode())
        os.close(connection)

    return supervisor.supervise(folder, compute, request["number"], place, ready)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def import_all(names: list[str], without: set[str]) -> tuple[list[str], set[str]]:
    """Import modules; return the top-level names that are there now, and those whose import started a thread."""
    threaded: set[str] = set()
    there: dict[str, None] = {}
    for name in names:
        top = name.partition(".")[0]
        if top in without:
            continue
        before = _threads()
        # A library that cannot be imported here is imported by those who need it, or fails them as it would inline.
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(name)
            there[top] = None
        if _threads() > before:
            _settle_threads()
            if _threads() > before:
                threaded.add(top)
    return list(there), threaded


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _settle_threads() -> None:
    """Fork once: the thread pools of numerical libraries are made for it and end here, other threads do not."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def main() -> None:
    """Serve the key that is the second argument in the directory that is the first, without what follows."""
    where, key, without = Path(sys.argv[1]), sys.argv[2], set(sys.argv[3:])
    lock = os.open(where / f"{key}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    Path("/proc/self/comm").write_text(WARM)
    # What one that was killed said of itself is not to be taken for this one, which imports first.
    (where / f"{key}.json").unlink(missing_ok=True)
    wanted: Any = read_json(where / f"{key}.modules") or {}
    modules, threaded = import_all(wanted.get("names", []), without)
    shell = blank_shell()
    with contextlib.suppress(Exception):
        # Every kernel has this extension unless somebody has taken it out, and it takes its time.
        extensions: Any = shell.extension_manager
        extensions.load_extension("storemagic")
    # What the first cell of a shell makes Python import and compile is there already in all that are forked.
    shell.transform_cell("pass")  # type: ignore[no-untyped-call]
    _settle_threads()
    if not fit_to_fork():
        suspects = threaded - without
        if not suspects:
            print("some library has started threads or uses a GPU since its import: no warm starts", file=sys.stderr)
            sys.exit(1)
        os.execv(sys.executable, [sys.executable, "-P", *sys.argv[:1], __name__, *sys.argv[1:], *suspects])  # noqa: S606
    gc.collect()
    gc.freeze()
    WarmServer(where, key, modules, shell).serve(lock)


if __name__ == "__main__":
    main()
