"""What the processes of a run use: added up over a process tree, from outside.

Counters only grow and keep what processes used that have ended. On Linux the tree is followed downwards from its root,
which costs the same however many other processes the machine has.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NamedTuple, Protocol

from mlwidgets.runner.memory import LinuxMemory
from mlwidgets.runner.tree import SUPERVISOR, children, content

_TICK = os.sysconf("SC_CLK_TCK")
_LOOKS = 3
_OTHER = SUPERVISOR.encode()


class Usage(NamedTuple):
    """What a process tree uses, its root left out.

    Attributes
    ----------
    cpu
        Seconds of processor time since the tree was first looked at.
    memory
        Bytes in use now; what processes share is counted once.
    disk
        Bytes read from and written to storage since then; None where the system has no count.
    """

    cpu: float
    memory: int
    disk: tuple[int, int] | None


class Tree(Protocol):
    """A process and its descendants."""

    def read(self) -> Usage:
        """Return what the descendants use.

        Raises
        ------
        OSError, ValueError
            If the root is gone or the system does not tell.
        """


class _Process(NamedTuple):
    """One process: its parent, start, program (where its code and stack lie), ticks of its own and of its children."""

    name: bytes
    parent: int
    started: int
    image: tuple[int, int]
    own: int
    reaped: int


class LinuxTree:
    """Descendants of `root` as ``/proc`` tells of them.

    A process's counters hold those of the children that it has waited for, so that the sum over the living, and over
    what the root has waited for, is that of all. A child whose exit status nobody took is counted until it goes. Runs
    that this run has submitted are other runs: they are left out, also when they end.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._memory = LinuxMemory()
        self._known: dict[int, _Process] = {}
        self._cpu = self._read = self._written = 0
        self._total = 0
        self._disk: tuple[int, int] | None = None
        self._others: dict[int, tuple[int, int, int]] = {}

    def read(self) -> Usage:
        """Return what the descendants use."""
        first = not self._known
        known = self._look()
        found = {pid: one for pid, one in known.items() if pid != self._root and one.name != _OTHER}
        self._leave_out([pid for pid in known if pid != self._root and pid not in found], known)
        root = known[self._root]
        total = root.reaped + sum(p.own + p.reaped for p in found.values())
        lived = 0
        for pid, process in found.items():
            before = self._known.get(pid)
            if before is not None and before.started == process.started:
                lived += process.own - before.own
        disk = self._storage(list(found))
        if not first:
            # The sum falls when somebody outside the tree takes an exit status, or nobody does.
            self._cpu += max(total - self._total, lived)
            if disk is not None and self._disk is not None:
                self._read += max(0, disk[0] - self._disk[0])
                self._written += max(0, disk[1] - self._disk[1])
        self._known, self._total, self._disk = known, total, disk
        images, parents = {p: one.image for p, one in found.items()}, {p: one.parent for p, one in found.items()}
        counted = None if disk is None else (self._read, self._written)
        return Usage(self._cpu / _TICK, self._memory.read(images, parents), counted)

    def _leave_out(self, pids: list[int], known: dict[int, _Process]) -> None:
        """Take note of other runs' counters: what one has used is its parent's, too, as soon as it ends."""
        for pid in self._others.keys() - known.keys():
            ticks, read, written = self._others[pid]
            self._total += ticks
            if self._disk is not None:
                self._disk = (self._disk[0] + read, self._disk[1] + written)
        self._others = {}
        for pid in pids:
            disk = (0, 0)
            with contextlib.suppress(OSError, ValueError):
                disk = _io(f"/proc/{pid}/io")
            self._others[pid] = (known[pid].own + known[pid].reaped, *disk)

    def _look(self) -> dict[int, _Process]:
        """Walk the tree, again if a process ended meanwhile: its time is its parent's then, which was read before."""
        before = self._known
        for _ in range(_LOOKS):
            found = self._walk()
            if before.keys() <= found.keys():
                break
            before = found
        return found

    def _walk(self) -> dict[int, _Process]:
        found = {self._root: _stat(self._root)}
        ahead = children(self._root)
        while ahead:
            pid = ahead.pop()
            if pid not in found:
                with contextlib.suppress(OSError, ValueError):
                    found[pid] = _stat(pid)
                    if found[pid].name != _OTHER:
                        ahead += children(pid)
        return found

    def _storage(self, members: list[int]) -> tuple[int, int] | None:
        """Return bytes read and written by the living, those they have waited for, and those the root has."""
        try:
            read, written = _io(f"/proc/{self._root}/io")
            for thread in os.listdir(f"/proc/{self._root}/task"):
                own_read, own_written = _io(f"/proc/{self._root}/task/{thread}/io")
                read, written = read - own_read, written - own_written
        except (OSError, ValueError):
            return None
        for pid in members:
            with contextlib.suppress(OSError, ValueError):
                more_read, more_written = _io(f"/proc/{pid}/io")
                read, written = read + more_read, written + more_written
        return read, written


def _stat(pid: int) -> _Process:
    data = content(f"/proc/{pid}/stat")
    # The second field, the command in parentheses, may hold blanks and parentheses.
    name, _, rest = data.partition(b"(")[2].rpartition(b") ")
    fields = rest.split()
    parent, user, system, children_user, children_system, started, code, stack = (
        int(fields[at]) for at in (1, 11, 12, 13, 14, 19, 23, 25)
    )
    return _Process(name, parent, started, (code, stack), user + system, children_user + children_system)


def _io(path: str) -> tuple[int, int]:
    values = dict(line.split(b": ") for line in content(path).splitlines())
    return int(values[b"read_bytes"]), int(values[b"write_bytes"])


class PortableTree:
    """Descendants of `root` as psutil finds them; what processes used that have ended is known up to the last look."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._known: dict[tuple[int, float], float] = {}
        self._disk: dict[tuple[int, float], tuple[int, int]] = {}
        self._first = True
        self._cpu = 0.0
        self._read = self._written = 0

    def read(self) -> Usage:
        """Return what the descendants use."""
        import psutil

        cpu: dict[tuple[int, float], float] = {}
        disk: dict[tuple[int, float], tuple[int, int]] = {}
        own = shared = 0
        try:
            members = psutil.Process(self._root).children(recursive=True)
        except psutil.Error as error:
            raise OSError(str(error)) from error
        for process in members:
            with contextlib.suppress(psutil.Error), process.oneshot():
                key = (process.pid, process.create_time())
                times, memory = process.cpu_times(), process.memory_info()
                common = getattr(memory, "shared", 0)
                cpu[key] = times.user + times.system
                own += memory.rss - common
                shared = max(shared, common)
                if hasattr(process, "io_counters"):
                    counters = process.io_counters()
                    disk[key] = (counters.read_bytes, counters.write_bytes)
        if not self._first:
            self._cpu += sum(max(0.0, time - self._known.get(key, 0.0)) for key, time in cpu.items())
            for key, (read, written) in disk.items():
                before = self._disk.get(key, (0, 0))
                self._read += max(0, read - before[0])
                self._written += max(0, written - before[1])
        self._first, self._known, self._disk = False, cpu, disk
        counted = (self._read, self._written) if hasattr(psutil.Process, "io_counters") else None
        return Usage(self._cpu, own + shared, counted)


def process_tree(root: int) -> Tree:
    """Return the tree below `root`, read in the way that this system offers."""
    if sys.platform == "linux" and os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return LinuxTree(root)
    return PortableTree(root)
