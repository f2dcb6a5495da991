"""A process is killed at each line of `checkpoint` and `resume`: there is always a whole last checkpoint."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import Any

import pytest

from mlwidgets.runs.checkpoints import read_checkpoints
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import FOLDER_VARIABLE, write_event
from mlwidgets.runs.run import Run
from mlwidgets.tracking import checkpoint, log, resume

WATCHED = (
    "tracking/checkpoints.py",
    "tracking/resuming.py",
    "runs/checkpoints.py",
    "tracking/log.py",
    "runs/superseded.py",
)
EPOCHS = 4
STRIDE = 13
"""Lines between two kills: small, and prime to the lines of an epoch."""


def train() -> None:
    """Log the sum of what came before: whatever is lost or done twice can be seen."""
    total = {"sum": 0.0}
    start = resume(total)
    for epoch in range(start, EPOCHS):
        total["sum"] += 2**epoch
        log(sum=total["sum"])
        checkpoint(total, epoch=epoch, val_loss=-epoch)


def killed_at(lines: int, work: Callable[[], None]) -> bool:
    """Do it in a child that is killed after so many lines; return whether it came to its end before."""
    pid = os.fork()
    if not pid:
        left = lines

        def trace(frame: FrameType, kind: str, _: Any) -> Any:
            nonlocal left
            if not frame.f_code.co_filename.endswith(WATCHED):
                return None
            if kind == "line":
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.stderr = open(os.devnull, "w")
        sys.settrace(trace)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_killed_at_each_line(new_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("log", "media"):
        monkeypatch.setattr(import_module(f"mlwidgets.tracking.{name}"), "_active", None)
    folder = new_run()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder.path))
    lines, done = 0, False
    while not done:
        shutil.rmtree(folder.checkpoints, ignore_errors=True)
        for path in (folder.metrics, folder.events):
            path.write_bytes(b"")
        # The second attempt is killed in `resume` or soon after it.
        done = attempt(folder, lines)
        attempt(folder, lines % 149)
        assert attempt(folder, sys.maxsize)
        column = Run(folder.path).columns()["sum"]
        assert column.steps.tolist() == list(range(EPOCHS))
        assert column.values.tolist() == [2.0 ** (epoch + 1) - 1 for epoch in range(EPOCHS)]
        # Who was killed after the last one was in its place has left the one before, too.
        assert [one.number for one in read_checkpoints(folder.checkpoints)][-2:] in ([EPOCHS], [EPOCHS - 1, EPOCHS])
        lines += STRIDE
    assert lines > 500


def attempt(folder: RunFolder, lines: int) -> bool:
    """Train for so many lines, make sure that no checkpoint is lost, and return whether the training has ended."""
    before = read_checkpoints(folder.checkpoints)
    write_event(folder.events, "started", pid=os.getpid())
    done = killed_at(lines, train)
    found = read_checkpoints(folder.checkpoints)
    assert [one.load()["total"]["sum"] for one in found] == [2.0**one.next - 1 for one in found]
    if before:
        assert found[-1].number >= before[-1].number
    return done
