"""Who of a run's two processes is alive: one byte of the file ``alive`` is locked by each.

POSIX record locks are used because they vanish with the process and are not inherited by forked children, which
would otherwise keep a dead run "alive". Their one trap, that closing *any* descriptor of the file drops the lock,
is avoided by never opening a file that this process holds.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from pathlib import Path
from typing import Literal

Role = Literal["supervisor", "worker"]
_BYTE: dict[Role, int] = {"supervisor": 0, "worker": 1}
_held: dict[tuple[str, Role], int] = {}


def hold(path: Path, role: Role) -> None:
    """Lock `role`'s byte until this process ends.

    Raises
    ------
    BlockingIOError
        If another process holds it.
    """
    shared = _held_descriptor(path)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) if shared is None else shared
    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _BYTE[role])
    _held[str(path), role] = fd


def forget_locks() -> None:
    """Let go, in a forked child, of what its parent holds: the locks themselves were not inherited."""
    for fd in set(_held.values()):
        os.close(fd)
    _held.clear()


def holder(path: Path, role: Role) -> int | None:
    """Return the pid of the process that lives as `role`, 0 if it cannot be seen from here, or None.

    A process that holds any byte of the file itself cannot probe it, so it is told its own pid for its own role
    and, for the other role, what a probe through the held descriptor says.
    """
    shared = _held_descriptor(path)
    if shared is not None and (shared, role) in {(fd, own) for (_, own), fd in _held.items()}:
        return os.getpid()
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC) if shared is None else shared
    except OSError:
        return None
    try:
        return _probe(fd, _BYTE[role])
    finally:
        if shared is None:
            os.close(fd)


def _held_descriptor(path: Path) -> int | None:
    """Return this process's descriptor of the file, under whatever name it was opened; None if it holds none."""
    for (name, _), fd in _held.items():
        if name == str(path):
            return fd
    try:
        status = os.stat(path) if _held else None
    except OSError:
        return None
    return next((fd for fd in _held.values() if status and os.path.samestat(os.fstat(fd), status)), None)


def _probe(fd: int, byte: int) -> int | None:
    """Ask the kernel who holds a lock on `byte` (fcntl(2), F_GETLK)."""
    if sys.platform == "darwin":
        layout = "@qqihh"
        packed = struct.pack(layout, byte, 1, 0, fcntl.F_WRLCK, os.SEEK_SET)
        _, _, pid, found, _ = struct.unpack(layout, fcntl.fcntl(fd, fcntl.F_GETLK, packed))
    else:
        layout = "@hhqqi0q"
        packed = struct.pack(layout, fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        found, _, _, _, pid = struct.unpack(layout, fcntl.fcntl(fd, fcntl.F_GETLK, packed))
    # Of a process on another machine some file systems tell a negative number, which kill(2) takes for a group.
    return None if found == fcntl.F_UNLCK else max(0, int(pid))
