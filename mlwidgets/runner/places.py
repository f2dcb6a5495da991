"""Who may start now, and on which GPUs: pure functions over what the queue directory holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

QUARTERS = 4
"""A GPU is shared in quarters; a run that asks for whole GPUs takes all four of each."""


@dataclass(frozen=True)
class Waiting:
    """A ticket: one run that waits, and what it needs.

    Parameters
    ----------
    quarters
        Quarters of GPUs: a multiple of four for whole GPUs, 1 to 3 for a share of one.
    visible
        The GPUs that it may use, by UUID, best first.
    places
        The CPU places of the machine as this run's process sees it.
    avoid
        GPUs that it takes only if no other is free.
    foreign
        What it found other programs doing on GPUs that are free by the queue's books.
    """

    number: int
    quarters: int
    cpus: int
    visible: tuple[str, ...] = ()
    places: int = 1
    priority: int = 0
    eligible: bool = True
    avoid: frozenset[str] = frozenset()
    foreign: Mapping[str, str] = field(default_factory=dict)
    run: str = ""
    name: str = ""
    store: str = ""
    pid: int = 0
    uid: int = 0
    submitted_at: float = 0.0
    after: str | None = None

    @property
    def order(self) -> tuple[int, int]:
        """What tickets are sorted by."""
        return (-self.priority, self.number)

    @property
    def width(self) -> int:
        """On how many GPUs it runs."""
        return -(-self.quarters // QUARTERS)


@dataclass(frozen=True)
class Holding:
    """What one running run holds: quarters by the UUID of the GPU, and CPU places."""

    number: int
    gpus: Mapping[str, int]
    cpus: int
    since: float = 0.0
    run: str = ""
    name: str = ""
    store: str = ""
    pid: int = 0
    uid: int = 0


@dataclass(frozen=True)
class Condition:
    """What is known of one GPU's health: runs in a row that failed with a device error, and why it is out of use."""

    failures: int = 0
    drained: str | None = None
    by: str = ""
    since: float = 0.0


def startable(
    waiting: Iterable[Waiting], holdings: Iterable[Holding], health: Mapping[str, Condition] | None = None
) -> dict[int, tuple[str, ...]]:
    """Return which tickets may start now, in their order, with the GPUs that each gets.

    Strictly in order; behind one that is blocked, only those start that cannot delay it, nor anyone else who is
    ahead of them, whichever of the runs that hold something now or start before it end first.
    """
    health = health or {}
    closed = frozenset(uuid for uuid, condition in health.items() if condition.drained is not None)
    machine = _Machine(holdings, health, closed)
    queue = sorted((ticket for ticket in waiting if ticket.eligible), key=lambda ticket: ticket.order)
    placements: dict[int, tuple[str, ...]] = {}
    ahead: _Ahead | None = None
    for ticket in queue:
        placement = machine.place(ticket)
        if placement is not None and (ahead is None or not ahead.delayed_by(ticket.cpus, placement)):
            placements[ticket.number] = placement
            machine.take(ticket, placement)
            if ahead is not None:
                ahead.started(ticket.cpus, placement)
        else:
            if ahead is None:
                ahead = _Ahead(machine.holdings, queue, closed)
            ahead.blocked(ticket)
    return placements


def share(quarters: int, placement: Collection[str]) -> dict[str, int]:
    """Return how many quarters are taken of each GPU of a placement."""
    return {uuid: min(quarters, QUARTERS) for uuid in placement}


class _Machine:
    """What is taken at the moment."""

    def __init__(self, holdings: Iterable[Holding], health: Mapping[str, Condition], closed: Collection[str]) -> None:
        self._health = health
        self._closed = closed
        self.holdings = list(holdings)
        self._cpus = sum(holding.cpus for holding in self.holdings)
        self._taken: dict[str, int] = {}
        for holding in self.holdings:
            self._book(holding.gpus)

    def _book(self, gpus: Mapping[str, int]) -> None:
        for uuid, quarters in gpus.items():
            self._taken[uuid] = self._taken.get(uuid, 0) + quarters

    def place(self, ticket: Waiting) -> tuple[str, ...] | None:
        """Return the GPUs on which a run would start now, or None if it does not fit."""
        if self._cpus + ticket.cpus > ticket.places and ticket.cpus:
            return None
        each = min(ticket.quarters, QUARTERS)
        fitting = [
            uuid
            for uuid in ticket.visible
            if self._taken.get(uuid, 0) + each <= QUARTERS and uuid not in self._closed and uuid not in ticket.foreign
        ]
        if len(fitting) < ticket.width:
            return None
        # A share goes where least is left, so that whole GPUs stay free; the sort keeps the order of equals.
        fitting.sort(
            key=lambda u: (u in ticket.avoid, -self._taken.get(u, 0), self._health.get(u, Condition()).failures)
        )
        return tuple(fitting[: ticket.width])

    def take(self, ticket: Waiting, placement: tuple[str, ...]) -> None:
        """Count what a run that starts takes."""
        gpus = share(ticket.quarters, placement)
        self._cpus += ticket.cpus
        self._book(gpus)
        self.holdings.append(Holding(ticket.number, gpus, ticket.cpus))


class _Sums:
    """Every amount that some of a group of runs can take together: of CPU places, and of the GPUs of one list.

    ``rows[g]`` has bit ``c`` set if some of them can take ``c`` CPU places and touch ``g`` of the GPUs. How many
    GPUs a run touches may be uncertain, as shares may meet on one GPU: then every number in between is counted.
    """

    __slots__ = ("mask", "rows")

    def __init__(self, gpus: int, cpus: int) -> None:
        self.mask = (1 << (cpus + 1)) - 1
        self.rows = [0] * (gpus + 1)
        self.rows[0] = 1

    def copy(self) -> _Sums:
        other = _Sums.__new__(_Sums)
        other.mask, other.rows = self.mask, self.rows.copy()
        return other

    def add(self, cpus: int, fewest: int, most: int) -> None:
        rows = self.rows.copy()
        for touched, row in enumerate(self.rows):
            moved = (row << cpus) & self.mask
            if moved:
                for gpus in range(touched + fewest, min(touched + most, len(rows) - 1) + 1):
                    rows[gpus] |= moved
        self.rows = rows


class _Ahead:
    """Those who are blocked, and whether one behind them could make one of them wait longer.

    A blocked run is safe from one that starts before it if there is no group of others, out of those that hold
    something now and those that are blocked ahead of it, beside which it would fit alone but not together with the
    newcomer. Any of those others may be running, ended or not started at the moment when its turn comes.
    """

    def __init__(self, holdings: Sequence[Holding], queue: Sequence[Waiting], closed: Collection[str]) -> None:
        self._holdings = list(holdings)
        self._closed = closed
        self._most_cpus = max((ticket.places for ticket in queue), default=0)
        self._sums: dict[tuple[str, ...], _Sums] = {}
        self._queued: list[Waiting] = []
        self._safe: dict[tuple[int, int, int, tuple[str, ...]], _Sums] = {}
        # Programs outside the queue may end like holdings do.
        taken = {uuid for holding in holdings for uuid in holding.gpus}
        foreign = {uuid for ticket in queue for uuid in ticket.foreign} - taken
        self._holdings += [Holding(0, {uuid: QUARTERS}, 0) for uuid in sorted(foreign)]

    def _usable(self, ticket: Waiting) -> tuple[str, ...]:
        return tuple(sorted(set(ticket.visible).difference(self._closed))) if ticket.quarters else ()

    def _add_queued(self, sums: _Sums, usable: tuple[str, ...], ticket: Waiting) -> None:
        theirs = self._usable(ticket)
        common = len(set(theirs).intersection(usable))
        fewest = max(0, ticket.width - (len(theirs) - common))
        # A share may lie on a GPU that is counted already.
        shared = ticket.quarters % QUARTERS != 0
        sums.add(ticket.cpus, 0 if shared else min(fewest, common), min(ticket.width, common))

    def _add_placed(self, sums: _Sums, usable: tuple[str, ...], cpus: int, gpus: Mapping[str, int]) -> None:
        common = [quarters for uuid, quarters in gpus.items() if uuid in usable]
        sums.add(cpus, sum(quarters == QUARTERS for quarters in common), len(common))

    def _sums_over(self, usable: tuple[str, ...]) -> _Sums:
        sums = self._sums.get(usable)
        if sums is None:
            sums = self._sums[usable] = _Sums(len(usable), self._most_cpus)
            for holding in self._holdings:
                self._add_placed(sums, usable, holding.cpus, holding.gpus)
            for ticket in self._queued:
                self._add_queued(sums, usable, ticket)
        return sums

    def blocked(self, ticket: Waiting) -> None:
        """Note one that is blocked, behind all that were noted before."""
        usable = self._usable(ticket)
        # Of two that need the same, the later has more of the others ahead of it: what is safe for it is for both.
        self._safe[ticket.quarters, ticket.cpus, ticket.places, usable] = self._sums_over(usable).copy()
        self._queued.append(ticket)
        for gpus, sums in self._sums.items():
            self._add_queued(sums, gpus, ticket)

    def started(self, cpus: int, placement: tuple[str, ...]) -> None:
        """Note one that starts all the same: it is one more that may still run when their turn comes."""
        gpus = dict.fromkeys(placement, 1)
        self._holdings.append(Holding(0, gpus, cpus))
        for usable, sums in self._sums.items():
            self._add_placed(sums, usable, cpus, gpus)
        for (_, _, _, usable), sums in self._safe.items():
            self._add_placed(sums, usable, cpus, gpus)

    def delayed_by(self, cpus: int, placement: tuple[str, ...]) -> bool:
        """Return whether a run that starts now, on these GPUs, may delay one of those who are blocked."""
        return any(_delays(need, sums, cpus, placement) for need, sums in self._safe.items())


def _delays(need: tuple[int, int, int, tuple[str, ...]], sums: _Sums, cpus: int, placement: tuple[str, ...]) -> bool:
    """Return whether beside some of the others the blocked run fits, but not together with the newcomer."""
    quarters, own_cpus, places, usable = need
    room = places - own_cpus if own_cpus else sums.mask.bit_length() - 1
    width = -(-quarters // QUARTERS)
    if room < 0 or width > len(usable):
        return False
    touching = sum(uuid in usable for uuid in placement) if quarters else 0
    free = len(usable) - width
    # A share that fits on a GPU in use does so beside other shares, which may be counted as no GPU at all.
    for touched, row in enumerate(sums.rows[: free + 1]):
        fits = row & ((1 << (room + 1)) - 1)
        if not fits:
            continue
        if touching and touched > free - touching:
            return True
        if own_cpus and cpus and fits >> max(0, room - cpus + 1):
            return True
    return False
