"""How much memory the processes of a run take up together, when some share theirs."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import NamedTuple

from mlwidgets.runner.tree import content

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SHARE_OF_TIME = 0.002
_ADVANCE = 0.02


class _Fork(NamedTuple):
    """A process that shares its parent's memory until either writes: what was its own, when all of it was `size`."""

    image: tuple[int, int]
    own: int
    size: int


class LinuxMemory:
    """Adds up memory in bytes: what each process has for itself, plus the largest part that one shares with others.

    A forked child (a worker of a data loader) counts all that its parent has as its own too. What really is its own
    only ``smaps_rollup`` tells, at some milliseconds for each GB: one process is looked at per call, as long as that
    takes no more than 0.2 % of a core, and its growth since then is added.
    """

    def __init__(self) -> None:
        self._forks: dict[int, _Fork] = {}
        self._turns: list[int] = []
        self._began = time.monotonic()
        self._spent = 0.0

    def read(self, images: Mapping[int, tuple[int, int]], parents: Mapping[int, int]) -> int:
        """Return the memory of the processes in `images`, which tell forks from programs.

        Parameters
        ----------
        images
            What a program's start gives each process anew: addresses of its code and its stack.
        parents
            Each process's parent.
        """
        sizes: dict[int, int] = {}
        shared = 0
        for pid in images:
            with contextlib.suppress(OSError, ValueError):
                _, resident, common = content(f"/proc/{pid}/statm").split()[:3]
                sizes[pid] = int(resident) - int(common)
                shared = max(shared, int(common))
        forks = {}
        for pid, size in sizes.items():
            known = self._forks.get(pid)
            if known is not None and known.image == images[pid]:
                forks[pid] = known
            elif images.get(parents[pid]) == images[pid]:
                forks[pid] = _Fork(images[pid], 0, size)
        self._forks = forks
        self._look(sizes)
        own = sum(size for pid, size in sizes.items() if pid not in forks)
        grown = sum(max(0, fork.own + sizes[pid] - fork.size) for pid, fork in self._forks.items())
        return (own + grown + shared) * _PAGE

    def _look(self, sizes: Mapping[int, int]) -> None:
        """Find out what the next fork has for itself, if there is time for that."""
        begin = time.thread_time()
        if not self._forks or self._spent > _ADVANCE + _SHARE_OF_TIME * (time.monotonic() - self._began):
            return
        self._turns = [pid for pid in self._turns if pid in self._forks] or list(self._forks)
        pid = self._turns.pop()
        with contextlib.suppress(OSError, ValueError, KeyError):
            values = dict(line.split(b":") for line in content(f"/proc/{pid}/smaps_rollup").splitlines()[1:])
            own = sum(int(values[key].split()[0]) for key in (b"Private_Clean", b"Private_Dirty"))
            self._forks[pid] = self._forks[pid]._replace(own=own * 1024 // _PAGE, size=sizes[pid])
        self._spent += time.thread_time() - begin
