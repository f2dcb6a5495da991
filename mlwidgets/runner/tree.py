"""The processes that a process has started, and those that they have."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

SUPERVISOR = "mlwidgets-run"
"""The name of a supervisor's process, by which the end of one run spares the runs that it submitted."""

WARM = "mlwidgets-warm"
"""The name of a warm process, which serves all runs of its user. What is forked from it takes another one at once."""

SUPERVISOR_MODULE = "mlwidgets.runner.supervisor"


def content(path: str) -> bytes:
    """Return what a small file of ``/proc`` holds."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 65536)
    finally:
        os.close(fd)


def children(pid: int) -> list[int]:
    """Return the pids of a process's children; none if it is gone.

    Linux tells them for each thread of the parent, without a look at every process of the machine.
    """
    if sys.platform != "linux":
        import psutil

        try:
            return [child.pid for child in psutil.Process(pid).children()]
        except psutil.Error:
            return []
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        # A thread that ends meanwhile hides none of the others' children.
        with contextlib.suppress(OSError):
            found += map(int, content(f"/proc/{pid}/task/{thread}/children").split())
    return found


def descendants(pid: int, spared: Callable[[int], bool] = lambda _: False) -> list[int]:
    """Return the pids of all processes below `pid`, but for the spared ones and what is below them."""
    found: list[int] = []
    parents = [pid]
    while parents:
        fresh = [child for child in children(parents.pop()) if child not in found and not spared(child)]
        found += fresh
        parents += fresh
    return found


def name_of(pid: int) -> str:
    """Return a process's name, "" if it is gone."""
    if sys.platform != "linux":
        import psutil

        try:
            return str(psutil.Process(pid).name())
        except psutil.Error:
            return ""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").rstrip("\n")
    except OSError:
        return ""


def is_supervisor(pid: int) -> bool:
    """Whether a process supervises a run, or forks such processes.

    A supervisor that has just been started fresh is known by its command only.
    """
    if name_of(pid) in {SUPERVISOR, WARM}:
        return True
    if sys.platform != "linux":
        import psutil

        try:
            return SUPERVISOR_MODULE in psutil.Process(pid).cmdline()
        except psutil.Error:
            return False
    try:
        return SUPERVISOR_MODULE.encode() in content(f"/proc/{pid}/cmdline").split(b"\0")
    except OSError:
        return False
