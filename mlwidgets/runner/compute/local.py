"""Workers on this machine, as child processes of the supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any

from mlwidgets.runner.compute.base import Compute, Worker
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.spec import RunSpec
from mlwidgets.tracking.active import VARIABLE

_PR_SET_CHILD_SUBREAPER = 36


class LocalWorker(Worker):
    """A child process that leads a session of its own.

    Parameters
    ----------
    spared
        Children of this process that were there before, and are none of the worker's.
    """

    def __init__(self, process: subprocess.Popen[bytes], spared: frozenset[int]) -> None:
        self._process = process
        self._spared = spared

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self._process.poll()

    def reap(self) -> None:
        """Take the exit status of orphans that this process has adopted, or they would stay as zombies."""
        import psutil

        with contextlib.suppress(psutil.Error):
            for child in psutil.Process().children():
                if child.pid in self._spared or child.pid == self.pid:
                    continue
                if child.status() == psutil.STATUS_ZOMBIE:
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(child.pid, os.WNOHANG)

    def interrupt(self) -> None:
        """Send SIGTERM, which the worker turns into KeyboardInterrupt."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the worker, its process group and all its descendants, those with a session of their own too."""
        import psutil

        doomed = self._descendants(psutil)
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        # Orphans of descendants that have ended in between are this process's children now.
        doomed += self._descendants(psutil)
        for process in doomed:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(doomed, timeout=3)

    def _descendants(self, psutil: Any) -> list[Any]:
        found: list[Any] = []
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process().children():
                if child.pid not in self._spared:
                    found += [*child.children(recursive=True), child]
        return found


class LocalCompute(Compute):
    """Starts workers with this process's interpreter and environment."""

    def __init__(self) -> None:
        _adopt_orphans()

    def start(self, folder: RunFolder, spec: RunSpec) -> LocalWorker:
        """Start a fresh Python process for the run."""
        environment = {**os.environ, VARIABLE: str(folder.path)}
        environment.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        import psutil

        spared = frozenset(child.pid for child in psutil.Process().children())
        with open(folder.output, "ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "mlwidgets.runner.worker", str(folder.path)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=spec.provenance.cwd if spec.provenance else None,
                env=environment,
                start_new_session=True,
            )
        return LocalWorker(process, spared)


def _adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that none escapes (prctl(2), Linux only)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
