"""What ended a process, in words."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path


def describe_signal(number: int, out_of_memory: str | None) -> str:
    """Say in words what ended a process; `out_of_memory` is what there is to say of memory, if anything."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if number == signal.SIGKILL and out_of_memory:
        return out_of_memory
    meaning = {
        "SIGKILL": "killed from outside (SIGKILL); the system does so too when memory runs out",
        "SIGSEGV": "crashed with a segmentation fault (SIGSEGV)",
        "SIGABRT": "aborted itself (SIGABRT)",
        "SIGBUS": "crashed with a bus error (SIGBUS); a full disk or shared memory can cause it",
        "SIGFPE": "crashed with an arithmetic error (SIGFPE)",
        "SIGILL": "crashed with an illegal instruction (SIGILL)",
    }
    return meaning.get(name, f"killed by {name}")


class OutOfMemory:
    """Tells whether the kernel has killed for memory moments ago.

    Parameters
    ----------
    pid
        The process that is watched.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._machine = _Recent(_MACHINE)
        self._group = _Recent(_counter_of(pid) or _MACHINE)

    def look(self) -> None:
        """Remember how many were killed until now, also in the control group that the process is in now."""
        counter = _counter_of(self._pid)
        if counter is not None and counter != self._group.counter:
            self._group = _Recent(counter)
        self._group.look()
        self._machine.look()

    def said(self) -> str | None:
        """Return what to say of a process that was killed just now, None if memory had nothing to do with it."""
        if self._group.rose():
            return "out of memory: the system killed it (SIGKILL)"
        if self._machine.rose():
            return "killed (SIGKILL) at a moment when the system killed for memory on this machine"
        return None


class _Recent:
    """Whether a counter rose since the last look but one: a worker's death wakes its supervisor at once."""

    def __init__(self, counter: _Counter) -> None:
        self.counter = counter
        self._before = self._now = counter.read()

    def look(self) -> None:
        self._before, self._now = self._now, self.counter.read()

    def rose(self) -> bool:
        return self.counter.read() > self._before


@dataclass(frozen=True)
class _Counter:
    """A file of the system with a line ``oom_kill N``."""

    path: Path

    def read(self) -> int:
        try:
            lines = self.path.read_text().splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


_MACHINE = _Counter(Path("/proc/vmstat"))


def _counter_of(pid: int) -> _Counter | None:
    """Return what counts in a process's own control group, which also counts what ran out on the whole machine."""
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    for group in groups:
        _, controllers, name = group.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base, file = ("memory", "memory.oom_control") if controllers else ("", "memory.events")
        counter = _Counter(Path("/sys/fs/cgroup", base, name.lstrip("/"), file))
        if counter.path.exists():
            return counter
    return None
