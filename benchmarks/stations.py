"""Stations: a subject of measurement in a process of its own, asked over a socket.

A peer's background threads, imports and garbage thus never weigh on another subject. A station answers requests one
by one; while it is not asked it does nothing of its own. The socket leaves its standard output to the peers.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.peers import NotInstalledError

ROOT = Path(__file__).resolve().parent.parent

#: What a station runs: made with the station's folder, then called with each request.
Handler = Callable[[Mapping[str, Any]], dict[str, Any]]


class StationError(Exception):
    """The subject raised; the message ends with its traceback."""


class Station:
    """A process that runs ``entry`` (``module:callable``) and answers requests.

    Parameters
    ----------
    entry
        Names a callable that takes the working folder and returns a `Handler`.
    folder
        The station's working folder.
    start
        Starts the process given its source code; a plain child process unless told otherwise.

    Raises
    ------
    NotInstalledError
        If the subject is not installed.
    StationError
        If it could not be made.
    """

    def __init__(
        self, entry: str, folder: Path, start: Callable[[str, Path], Any] | None = None, patience: float = 120
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        # The path of a Unix socket may have some 100 characters only.
        self._address = Path(tempfile.mkdtemp(prefix="bench-"), "s")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._address))
        listener.listen(1)
        listener.settimeout(patience)
        source = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
            f"from benchmarks.stations import serve\n"
            f"serve({entry!r}, {str(folder)!r}, {str(self._address)!r})\n"
        )
        try:
            self.process = (start or start_child)(source, folder)
            connection, _ = listener.accept()
        except TimeoutError as error:
            raise StationError(f"{entry} did not start within {patience:g} s; see {log_of(folder)}") from error
        finally:
            listener.close()
            self._address.unlink()
            self._address.parent.rmdir()
        connection.settimeout(600)
        self._lines = connection.makefile("rw", encoding="utf-8")
        connection.close()
        self.pid = int(self._answer()["pid"])

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and return the answer."""
        self.tell(**request)
        return self._answer()

    def tell(self, **request: Any) -> None:
        """Send a request without waiting for an answer."""
        try:
            self._lines.write(json.dumps(request) + "\n")
            self._lines.flush()
        except BrokenPipeError:
            pass  # the answer is missed in a moment, and says so

    def close(self) -> None:
        """Let the process end; one that does not within 30 s is ended."""
        try:
            self._lines.close()
        except OSError:
            pass
        try:
            self.process.wait(30)
        except (subprocess.TimeoutExpired, TimeoutError):
            (self.process.kill if isinstance(self.process, subprocess.Popen) else self.process.stop)()
            self.process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except ConnectionError:
            line = ""
        if not line:
            raise StationError(f"the station's process ended; see {log_of(self.folder)}")
        answer: dict[str, Any] = json.loads(line)
        if "missing" in answer:
            raise NotInstalledError(answer["missing"])
        if "error" in answer:
            raise StationError(answer["error"])
        return answer


def log_of(folder: Path) -> Path:
    """Return where a station's output goes: beside its folder, which holds the subject's files alone."""
    return folder.with_name(f"{folder.name}.log")


def start_child(source: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start a plain Python process for a station; what it prints goes to a file."""
    with open(log_of(folder), "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", source], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def serve(entry: str, folder: str, address: str) -> None:
    """Be a station: make the subject, then answer requests until the other side closes."""
    import traceback

    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    with connection.makefile("rw", encoding="utf-8") as lines:
        connection.close()

        def answer(message: Mapping[str, Any]) -> None:
            lines.write(json.dumps(message) + "\n")
            lines.flush()

        try:
            module, _, name = entry.partition(":")
            handler: Handler = getattr(importlib.import_module(module), name)(Path(folder))
            answer({"pid": os.getpid()})
            for line in lines:
                answer(handler(json.loads(line)))
        except NotInstalledError as error:
            answer({"missing": str(error)})
        except BrokenPipeError:
            pass
        except Exception:
            answer({"error": traceback.format_exc()})
        close = getattr(locals().get("handler"), "close", None)
        if close is not None:
            close()


def wait_until(condition: Callable[[], bool], patience: float, pause: float = 0.01) -> bool:
    """Return whether `condition` came true within `patience` seconds."""
    limit = time.monotonic() + patience
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(pause)
    return condition()
