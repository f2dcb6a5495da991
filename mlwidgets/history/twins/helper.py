"""A process that has imported Jupytext already, so that a twin is written a few milliseconds after a save.

It reads one request a line and writes one answer a line; it ends where nobody can ask it any more.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Started by its path: a kernel or server may know mlwidgets by its ``sys.path`` alone.
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from mlwidgets.errors import TwinError
from mlwidgets.history.twins.results import Choice, Conflict, Synced

_IDLE = 1800.0
"""Seconds without a request after which the process ends; the next one starts it again."""


class Helper:
    """The process; it starts when it is first needed, again when it has died, and ends with whoever holds this.

    Its methods may be called from any thread, and wait for one another.
    """

    def __init__(self) -> None:
        self._door = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def sync(self, notebook: Path, *, choose: Choice | None = None) -> Synced:
        """Do what `mlwidgets.history.twins.syncing.sync` does, in the process."""
        return self._ask({"path": os.fspath(notebook), "choose": choose})

    def settle(self, notebook: Path, choices: Mapping[str, Choice]) -> Synced:
        """Do what `mlwidgets.history.twins.syncing.settle` does, in the process."""
        return self._ask({"path": os.fspath(notebook), "choices": dict(choices)})

    def start(self) -> None:
        """Let the process import Jupytext already; nothing waits for it."""
        with self._door, contextlib.suppress(OSError):
            self._started()

    def close(self) -> None:
        """End the process."""
        with self._door:
            process, self._process = self._process, None
            if process is not None:
                process.communicate()

    def _ask(self, request: dict[str, Any]) -> Synced:
        line = json.dumps(request).encode() + b"\n"
        problem = "the process that writes text twins ended early; save again"
        with self._door:
            # One that has ended since it was last asked is started again.
            for _ in range(2):
                try:
                    process = self._started()
                    assert process.stdin is not None
                    assert process.stdout is not None
                    process.stdin.write(line)
                    process.stdin.flush()
                    answer = process.stdout.readline()
                except OSError as error:
                    problem = f"the process that writes text twins: {error.strerror or error}"
                    answer = b""
                if answer.endswith(b"\n"):
                    return _read(json.loads(answer))
                self._end()
        return Synced(problem=problem)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            options = vars(subprocess)["_args_from_interpreter_flags"]()
            self._process = subprocess.Popen(
                [sys.executable, *options, "-P", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()
            with contextlib.suppress(OSError):
                process.communicate()


def _read(said: dict[str, Any]) -> Synced:
    conflicts = tuple(Conflict(**one) for one in said["conflicts"])
    twin = None if said["twin"] is None else Path(said["twin"])
    return Synced(said["changed"], conflicts, said["problem"], twin)


def _answer(request: dict[str, Any]) -> Synced:
    from mlwidgets.history.twins.syncing import settle, sync

    path = Path(request["path"])
    try:
        if "choices" in request:
            return settle(path, request["choices"])
        return sync(path, choose=request["choose"])
    except Exception as error:  # the next request is answered all the same
        return Synced(problem=f"{path}: {type(error).__name__}: {error}")


def main() -> None:
    """Answer requests until there is nobody who asks."""
    # What a library prints is no answer.
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    with contextlib.suppress(OSError):
        os.nice(5)
    from mlwidgets.history.twins.pairing import need_jupytext

    with contextlib.suppress(TwinError):
        need_jupytext()
    while select.select([sys.stdin], [], [], _IDLE)[0]:
        line = sys.stdin.buffer.readline()
        if not line:
            return
        said = dataclasses.asdict(_answer(json.loads(line)))
        said["twin"] = None if said["twin"] is None else os.fspath(said["twin"])
        answers.write(json.dumps(said).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
