"""Processes that a run left behind when nobody was alive to end them: each bears the run's mark."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Container, Iterator
from hashlib import blake2b
from pathlib import Path

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import FOLDER_VARIABLE


def mark(folder: Path) -> str:
    """Return the name that a run's worker gives itself, and that all that are forked from it inherit.

    It has the 15 characters that Linux keeps of a process's name.
    """
    return "mlw" + blake2b(os.fsencode(folder), digest_size=6).hexdigest()


def put_mark(folder: Path) -> None:
    """Mark this process as one of the run's."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(mark(folder))


def leftovers(folder: Path) -> Iterator[int]:
    """Yield the pids of this user's processes that belong to the run.

    A process belongs to it that inherited its mark by a fork, its environment by an exec, or its standard output:
    what renames itself (as workers of a ``DataLoader`` do) after a fork from a warm process has nothing else.
    """
    name, variable = mark(folder), b"\0" + os.fsencode(f"{FOLDER_VARIABLE}={folder}") + b"\0"
    output = RunFolder(folder).output
    if sys.platform != "linux":
        yield from _elsewhere(folder)
        return
    for entry in os.listdir("/proc"):
        if not entry.isdecimal() or int(entry) == os.getpid():
            continue
        try:
            # Only one's own can be ended; and those of others cannot be looked into.
            if os.stat(f"/proc/{entry}").st_uid != os.geteuid() or is_zombie(int(entry)):
                continue
            comm = Path(f"/proc/{entry}/comm").read_text(errors="replace").rstrip("\n")
            if (
                comm == name
                or variable in b"\0" + Path(f"/proc/{entry}/environ").read_bytes()
                or any(_is_same(f"/proc/{entry}/fd/{stream}", output) for stream in (1, 2))
            ):
                yield int(entry)
        except OSError:
            continue


def _is_same(one: str, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def is_zombie(pid: int) -> bool:
    """Whether of a process only the exit status is left, which its parent has not taken; False where unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] in {"Z", "X"}
    except OSError:
        return False


def lives(pid: int) -> bool:
    """Whether a process exists that has not ended."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return not is_zombie(pid)


def _elsewhere(folder: Path) -> Iterator[int]:
    """Yield the processes whose environment, as ps shows it after the command, names the run."""
    command = ["ps", "-Eww", "-U", str(os.geteuid()), "-o", "pid=,command="]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return
    for line in listed.splitlines():
        pid, _, rest = line.strip().partition(" ")
        if f"{FOLDER_VARIABLE}={folder}" in rest and pid.isdecimal() and int(pid) != os.getpid():
            yield int(pid)


def sweep(folder: Path, but: Container[int] = ()) -> int:
    """End what the run left behind; return how many processes that were.

    It is looked again until nothing is found: a process may start another one while it is being killed.
    """
    ended = 0
    for _ in range(20):
        found = [pid for pid in leftovers(folder) if pid not in but]
        if not found:
            break
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                ended += 1
    return ended
