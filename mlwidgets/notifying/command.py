"""Commands of the user's own: told on standard input and in the environment."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlwidgets.notifying.patience import Problem, one_line

SECONDS = 60.0
_MOST = 8000
"""Characters of a variable: a system has room for some 100,000 in all."""


def execute(command: str, data: bytes, variables: Mapping[str, Any], cwd: Path) -> Problem | None:
    """Run a shell command; what it leaves running in the background when it ends is left alone.

    Parameters
    ----------
    data
        Its standard input.
    variables
        What its environment has beside that of this process.
    """
    given = {name: "" if value is None else _clean(str(value))[:_MOST] for name, value in variables.items()}
    with _scratch() as file:
        file.write(data)
        file.flush()
        file.seek(0)
        process = subprocess.Popen(  # noqa: S602 (the user's own command, as in a Makefile)
            command,
            shell=True,
            stdin=file,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **given},
            start_new_session=True,
        )
    said = _Tail(process)
    try:
        status = process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return Problem(f"killed: it had not ended after {SECONDS:g} s", temporary=False, final=True)
    if status == 0:
        return None
    ended = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    last = said.last_line()
    return Problem(f"{ended}: {last}" if last else ended, temporary=False, final=True)


class _Tail:
    """Reads what a process writes to its standard error, and keeps the end of it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        self._pipe = process.stderr
        self._end = b""
        self._thread = threading.Thread(target=self._read, name="mlwidgets-notify", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._pipe:
            while data := os.read(self._pipe.fileno(), 65536):
                self._end = (self._end + data)[-4096:]

    def last_line(self) -> str:
        # A process in the background may hold the pipe open.
        self._thread.join(0.2)
        lines = self._end.decode(errors="replace").split("\n")
        return next((one_line(line) for line in reversed(lines) if line.strip()), "")


def _scratch() -> Any:
    """Return a file that is gone when it is closed; in memory where the system has that: the disk may be full."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("mlwidgets-notify"), "w+b")
    import tempfile

    return tempfile.TemporaryFile()


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "")
