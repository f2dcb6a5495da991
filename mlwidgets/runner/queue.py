"""Whose turn it is on this machine: a run's place in the queue, from its ticket to the slots that it holds.

There is no daemon. A run that waits *is* its supervisor, asleep in ``poll`` on the FIFO of whoever is ahead of it;
only the first in the queue watches those who hold slots.

Any process may die between any two lines, and its descriptors close one after the other: the mutex may be free
while a FIFO of the dead still looks alive. So whoever has to look again is woken *before* something is changed, and
then waits for the mutex.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlwidgets.errors import MlwidgetsError, ParameterError, StoreError, UnknownRun
from mlwidgets.runner import devices, nvml
from mlwidgets.runner.board import Board, QueueLocked, State
from mlwidgets.runner.entry import Entry, open_fifo
from mlwidgets.runner.need import NotToStart, Request, check, default_gpus, quarters
from mlwidgets.runner.places import share, startable
from mlwidgets.runs.store import name_now, name_of

__all__ = ["Grant", "NotToStart", "Request", "Ticket", "check", "default_gpus", "enter", "place"]

_FIRST_LOOK, _LAST_LOOK = 0.05, 2.0
"""Seconds after which to look whether a foreign program has left a GPU: the first time, and in the long run."""
_AFTER_LOOK = 0.5
"""Seconds after which to look again whether a run has ended that holds nothing on this machine to be watched."""


@dataclass(frozen=True)
class Grant:
    """What a run holds until supervisor and worker are both gone, or until `release`.

    ``fd`` is to be inherited by the worker: while any process has it open, the slots are taken.
    """

    gpus: tuple[str, ...]
    cpus: int
    fd: int | None
    _entry: Entry | None = field(default=None, repr=False, compare=False)
    _board: Board | None = field(default=None, repr=False, compare=False)
    _machine_has_gpus: bool = field(default=False, repr=False, compare=False)

    def release(self) -> None:
        """Give the slots back at once, whoever still has the descriptor open; again does nothing."""
        if self._entry is None or self._board is None or self._entry.fd is None:
            return
        with contextlib.suppress(StoreError), self._board.locked():
            for ticket in self._board.read().queue[:1]:
                self._board.wake(ticket.number)
            self._entry.remove()
        # Where the mutex was not to be had, all the same.
        self._entry.remove()

    def environment(self) -> dict[str, str]:
        """Return the environment variables that confine the worker to its GPUs."""
        if not self.gpus and not self._machine_has_gpus:
            return {}
        return {"CUDA_VISIBLE_DEVICES": ",".join(self.gpus)}


class Ticket:
    """A run's place in the queue. Made by `enter`; belongs to the process that made it.

    Register what `watched` returns with `select.poll`, sleep no longer than `patience`, then `attempt` again.
    """

    number: int

    def __init__(self, request: Request, number: int | None, avoid: Collection[str], fd: int | None = None) -> None:
        self._request = request
        self._avoid = frozenset(avoid)
        self._injected = devices.injected_mark()
        self._inventory = devices.inventory()
        self._entry: Entry | None = None
        self._watching: list[int] = []
        self._waits_for_run = request.after is not None
        self._foreign: dict[str, str] = {}
        self._looks = 0
        self._settled = False
        self._hindered = False
        self._submitted_at = time.time()
        self._needs_nothing = not request.gpus and not request.cpus
        self.number = number or 0
        if self._needs_nothing and not self._waits_for_run:
            return
        self._board = Board.open()
        if fd is not None:
            # Whoever submitted has taken the place, so that runs start in the order in which they were submitted.
            self._entry = Entry(self._board.tickets, self.number, fd)
            with contextlib.suppress(StoreError), self._board.locked():
                self._entry.write(self._data())
            return
        with self._board.locked() as mutex:
            state = self._board.read()
            taken = {t.number for t in state.waiting} | {h.number for h in state.holdings}
            if number is None or number in taken:
                self.number = self._board.next_number(mutex)
            if not self._waits_for_run:
                self._wake_next(state)
            self._put_up(mutex)

    def attempt(self) -> Grant | None:
        """Take the slots if it is this run's turn; otherwise note what to watch for.

        Raises
        ------
        NotToStart
            If its turn can never come.
        """
        if self._needs_nothing and not self._waits_for_run:
            return self._take_nothing()
        assert self._entry is not None, "the ticket was left, or its slots are taken"
        if self._nothing_happened():
            return None
        self._check_possible()
        self._settled = self._hindered = False
        self._entry.drain()
        try:
            return self._attempt()
        except QueueLocked:
            # Whoever holds the mutex may go on some day; `mlwidgets slots` names it.
            self._hindered = True
            return None

    def _attempt(self) -> Grant | None:
        if self._waits_for_run and not self._is_after_over():
            return None
        if self._needs_nothing:
            return self._take_nothing()
        # What foreign programs do is asked of the driver, which takes too long to hold the mutex meanwhile.
        asked: set[str] = set()
        self._foreign = {}
        while True:
            with self._board.locked() as mutex:
                state = self._read_with_own(mutex)
                plan = startable(state.queue, state.holdings, state.health)
                first = next(iter(plan), None)
                placement = plan[self.number] if first == self.number else ()
                free = self._free_gpus(state) if nvml.has_driver() else set()
                if asked.issuperset(free.intersection(placement)):
                    if first == self.number:
                        return self._take(placement, state, plan, mutex)
                    if self._wait(state, first):
                        self._settled = True
                        return None
                    continue
            asked |= free
            self._foreign = devices.foreign(free, [self._request.kernel_pid or 0])

    def watched(self) -> list[int]:
        """Return the descriptors to poll: the ticket's own first, for input; the others with an empty mask."""
        own = [] if self._entry is None or self._entry.fd is None else [self._entry.fd]
        return own + self._watching

    def patience(self) -> float | None:
        """Return the seconds after which to attempt again although nothing happened; None: never."""
        if self._needs_nothing and not self._waits_for_run:
            return 0.0
        if self._waits_for_run and not self._watching:
            return _AFTER_LOOK
        if self._hindered:
            return _LAST_LOOK
        if self._foreign:
            return min(_LAST_LOOK, _FIRST_LOOK * (1 << min(self._looks, 10)))
        # Elsewhere than on Linux, poll need not tell that a FIFO's reader has gone.
        return None if sys.platform == "linux" else _LAST_LOOK

    def leave(self) -> None:
        """Give the place up; again, or after the slots were taken, it does nothing."""
        self._watch(())
        if self._entry is not None:
            with contextlib.suppress(StoreError), self._board.locked():
                self._entry.remove()
            self._entry.remove()
            self._entry = None

    @property
    def fd(self) -> int | None:
        """The descriptor that keeps the place, None where there is nothing to wait for."""
        return None if self._entry is None else self._entry.fd

    def close_in_child(self) -> None:
        """Close the descriptors in a process to which the place does not belong, or no more."""
        self._watch(())
        if self._entry is not None:
            self._entry.close()
            self._entry = None

    def _nothing_happened(self) -> bool:
        """Return whether things are as they were at the last attempt, as far as it depends on others."""
        if not self._settled or self.patience() is not None or self._entry is None or self._entry.lost:
            return False
        if self._injected != devices.injected_mark():
            return False
        own, *others = self.watched()
        poll = select.poll()
        poll.register(own, select.POLLIN)
        for fd in others:
            poll.register(fd, 0)
        return not poll.poll(0)

    def _data(self) -> dict[str, Any]:
        return {
            "quarters": quarters(self._request.gpus),
            "cpus": self._request.cpus,
            "visible": [device.uuid for device in self._inventory.usable(self._request.gpus)],
            "places": self._inventory.cpus,
            "priority": self._request.priority,
            "eligible": not self._waits_for_run,
            "avoid": sorted(self._avoid),
            "foreign": self._foreign,
            "run": self._request.run,
            "name": self._request.name,
            "store": self._request.store,
            "pid": os.getpid(),
            "submitted_at": self._submitted_at,
            "after": self._request.after,
            "timeout": self._request.timeout,
        }

    def _put_up(self, mutex: int) -> None:
        """Show the ticket, also again where somebody has cleaned its files away."""
        before, self._entry = self._entry, self._board.put_up(self._board.tickets, self.number, self._data(), mutex)
        self.number = self._entry.number
        if before is not None:
            before.close()

    def _read_with_own(self, mutex: int) -> State:
        """Read the board, with this ticket as it is now."""
        assert self._entry is not None
        if self._entry.lost:
            self._put_up(mutex)
        state = self._board.read()
        own = next((ticket for ticket in state.waiting if ticket.number == self.number), None)
        data = self._data()
        said = () if own is None else (own.eligible, own.foreign, list(own.visible), own.places)
        if said != (data["eligible"], data["foreign"], data["visible"], data["places"]):
            self._entry.write(data)
            state = self._board.read()
        return state

    def _check_possible(self) -> None:
        self._injected = devices.injected_mark()
        # Whoever writes machine.json may make a mistake, or be about to: those who wait go by what was there.
        with contextlib.suppress(StoreError):
            self._inventory = devices.inventory()
        try:
            check(self._request.gpus, self._request.cpus, self._inventory)
        except ParameterError as error:
            self.leave()
            raise NotToStart(str(error)) from None

    def _is_after_over(self) -> bool:
        """Return whether the run that this one waits for has ended, and watch it if not."""
        after = str(self._request.after)
        with self._board.locked():
            state = self._board.read()
            fifos = [self._board.tickets / f"{t.number}.fifo" for t in state.waiting if self._is(t.run, t.store)]
            fifos += [self._board.holdings / f"{h.number}.fifo" for h in state.holdings if self._is(h.run, h.store)]
            self._watch(fifos)
        if self._watching:
            return False
        from mlwidgets.runs.folder import RunFolder
        from mlwidgets.runs.state import ENDINGS, FINISHED, settle

        folder = RunFolder(Path(self._request.store) / "runs" / after)
        try:
            outcome = settle(folder)
        except UnknownRun:
            self.leave()
            raise NotToStart(f"it was to run after {name_of(after)!r}, which was deleted") from None
        if not outcome.ended:
            return False
        if outcome.state != FINISHED:
            self.leave()
            raise NotToStart(f"it was to run after {name_now(folder)!r}, which {ENDINGS[outcome.state]}")
        if not self._needs_nothing:
            with self._board.locked() as mutex:
                self._wake_next(self._board.read())
                self._waits_for_run = False
                self._read_with_own(mutex)
        self._waits_for_run = False
        return True

    def _is(self, run: str, store: str) -> bool:
        return run == self._request.after and store == self._request.store

    def _free_gpus(self, state: State) -> set[str]:
        held = {uuid for holding in state.holdings for uuid in holding.gpus}
        return {device.uuid for device in self._inventory.gpus} - held

    def _take_nothing(self) -> Grant:
        self.leave()
        return Grant((), 0, None, _machine_has_gpus=bool(self._inventory.gpus))

    def _take(
        self, placement: tuple[str, ...], state: State, plan: Mapping[int, tuple[str, ...]], mutex: int
    ) -> Grant | None:
        """Hold the slots, then drop the ticket, which wakes the one behind."""
        assert self._entry is not None
        others = [ticket.number for ticket in state.queue if ticket.number != self.number]
        # The first of those who stay is to watch this holding too; the next that may start is told so.
        for number in {*others[:1], *[n for n in plan if n != self.number][:1]}:
            self._board.wake(number)
        data = {
            "gpus": share(quarters(self._request.gpus), placement),
            "cpus": self._request.cpus,
            "since": time.time(),
            "run": self._request.run,
            "name": self._request.name,
            "store": self._request.store,
            "pid": os.getpid(),
        }
        try:
            holding = self._board.put_up(self._board.holdings, self.number, data, mutex)
        except StoreError:
            # A full disk: there will be room again.
            self._hindered = True
            return None
        self._entry.remove()
        self._entry = None
        self._watch(())
        return Grant(placement, self._request.cpus, holding.fd, holding, self._board, bool(self._inventory.gpus))

    def _wait(self, state: State, first: int | None) -> bool:
        """Watch whoever is ahead, or those who hold slots; wake the one whose turn it is. Under the mutex.

        Returns False if one of them died after the board was read.
        """
        self._looks = self._looks + 1 if self._foreign else 0
        numbers = [ticket.number for ticket in state.queue]
        position = numbers.index(self.number)
        if position:
            watched = self._watch([self._board.tickets / f"{numbers[position - 1]}.fifo"])
        else:
            watched = self._watch([self._board.holdings / f"{holding.number}.fifo" for holding in state.holdings])
        if watched and first is not None:
            self._board.wake(first)
        return watched

    def _wake_next(self, state: State) -> None:
        """Tell the ticket behind this one who is ahead of it now. Under the mutex."""
        own = (-self._request.priority, self.number)
        behind = next((ticket for ticket in state.queue if ticket.order > own), None)
        if behind is not None:
            self._board.wake(behind.number)

    def _watch(self, fifos: Collection[Path]) -> bool:
        """Watch these instead of what was watched; return whether all their owners live."""
        for fd in self._watching:
            os.close(fd)
        self._watching = [fd for fd in map(open_fifo, fifos) if fd is not None]
        return len(self._watching) == len(fifos)


def enter(request: Request, *, number: int | None = None, avoid: Collection[str] = (), fd: int | None = None) -> Ticket:
    """Take a place in the machine's queue.

    Parameters
    ----------
    number
        The number of an earlier ticket of the same run, whose place it keeps.
    avoid
        GPUs to use only if no other is free.
    fd
        The descriptor that keeps the place with that number, inherited from the process that took it.

    Raises
    ------
    StoreError
        If the queue directory cannot be used.
    """
    return Ticket(request, number, avoid, fd)


def place(run: str) -> str | None:
    """Return a waiting run's place in the queue in words, None if it does not wait: ``3rd in the queue``."""
    from mlwidgets.runner.slots import place as in_words

    with contextlib.suppress(MlwidgetsError, OSError):
        return in_words(run)
    return None
