"""A study's log on disk: Optuna's journal format, with a single writer that leaves no step of a search half done."""

from __future__ import annotations

import errno
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend
from optuna.storages.journal._storage import JournalOperation as Op
from optuna.trial import TrialState

PARAMS = "params"
"""User attribute of a trial: what the sampler chose, as text. The last thing written of a trial that begins."""


class StudyLog(BaseJournalBackend):
    """A file in the format of Optuna's `JournalFileBackend`, without its lock file.

    There is one writer, and it holds no lock that a kill would leave behind. All lines of one step (a trial that is
    asked for, or ends) go out in one write; where even that was cut, by a full disk or a machine that lost power,
    what is there of the step is cut off when the log is opened, as if it had never begun.

    Parameters
    ----------
    path
        The file; made where there is none. After an error it has to be opened again.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        data = path.read_bytes()
        logs, size = _whole_steps(data)
        self._unread = deque(logs)
        if size < len(data):
            os.ftruncate(self._fd, size)
        self._held: list[bytes] | None = None

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield what was not read yet: the storage that reads is the only one, and never goes back."""
        while self._unread:
            yield self._unread.popleft()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append, or hold back until the step is over."""
        lines = [json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs]
        if self._held is None:
            self._write(lines)
        else:
            self._held += lines
        # What is read is what a restart would read, a tuple has become a list in it.
        self._unread += map(json.loads, lines)

    @contextmanager
    def step(self) -> Iterator[None]:
        """Hold all lines back until the end, then write them at once; none after an error."""
        self._held = []
        try:
            yield
            self._write(self._held)
        finally:
            self._held = None

    def _write(self, lines: Iterable[bytes]) -> None:
        data = b"".join(lines)
        if os.write(self._fd, data) < len(data):
            raise OSError(errno.ENOSPC, "no space left on device for the study's log")


def _whole_steps(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the lines up to the last one that ends a step, and how many bytes they take."""
    logs: list[dict[str, Any]] = []
    whole = size = at = 0
    for line in data.splitlines(keepends=True):
        try:
            log = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            log = None
        if not isinstance(log, dict):
            break
        logs.append(log)
        at += len(line)
        if _ends_a_step(log):
            whole, size = len(logs), at
    return logs[:whole], size


def _ends_a_step(log: dict[str, Any]) -> bool:
    op = log["op_code"]
    if op == Op.CREATE_TRIAL:
        return bool(log.get("state", TrialState.RUNNING) != TrialState.RUNNING)
    if op == Op.SET_TRIAL_STATE_VALUES:
        return TrialState(log["state"]).is_finished()
    return bool(op == Op.CREATE_STUDY or (op == Op.SET_TRIAL_USER_ATTR and PARAMS in log["user_attr"]))
