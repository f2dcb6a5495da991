"""Who holds what on this machine, who waits and why: for people to read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mlwidgets.runner import devices
from mlwidgets.runner.board import Board, State
from mlwidgets.runner.places import QUARTERS, Condition, Holding, Waiting, startable
from mlwidgets.runs.annotations import name_of_trial, read_annotations
from mlwidgets.runs.folder import ANNOTATIONS, RunFolder, read_json
from mlwidgets.runs.store import name_now, name_of


@dataclass(frozen=True)
class Running:
    """A run that holds slots. ``gpus`` are shares (1 for a whole one) by UUID; ``since`` in Unix seconds."""

    number: int
    run: str
    name: str
    user: str
    pid: int
    store: str
    gpus: Mapping[str, float]
    cpus: int
    since: float


@dataclass(frozen=True)
class Waits:
    """A run that waits: its place from 1 (0 while it waits for another run), what it needs, and why it waits."""

    place: int
    number: int
    run: str
    name: str
    user: str
    pid: int
    store: str
    gpus: float
    cpus: int
    priority: int
    submitted_at: float
    after: str | None
    need: str
    why: str


@dataclass(frozen=True)
class GPU:
    """One device: ``held`` is the share that is taken, ``drained`` why it is out of use, ``foreign`` who else uses it.

    ``failures`` counts the runs in a row that ended with a device error on it; ``memory`` is in bytes.
    """

    index: int
    uuid: str
    name: str
    memory: int
    held: float
    holders: tuple[str, ...]
    drained: str | None
    failures: int
    foreign: str | None


@dataclass(frozen=True)
class Overview:
    """The machine at one moment."""

    gpus: tuple[GPU, ...]
    cpus: int
    cpus_held: int
    running: tuple[Running, ...]
    waiting: tuple[Waits, ...]


def overview(*, foreign: bool = True) -> Overview:
    """Return who holds what and who waits.

    Parameters
    ----------
    foreign
        Ask the driver for other programs on free GPUs, which takes a moment.

    Raises
    ------
    StoreError
        If the queue directory cannot be used.
    """
    state = _read()
    has = devices.inventory()
    held = {uuid for holding in state.holdings for uuid in holding.gpus}
    used = {uuid: use for ticket in state.waiting for uuid, use in ticket.foreign.items()}
    if foreign:
        used = devices.foreign([gpu.uuid for gpu in has.gpus if gpu.uuid not in held])
    uids = {ticket.uid for ticket in state.waiting} | {holding.uid for holding in state.holdings}
    users = {uid: devices.user_name(uid) for uid in uids}
    running = tuple(
        Running(h.number, h.run, _name_now(h), users[h.uid], h.pid, h.store, _shares(h.gpus), h.cpus, h.since)
        for h in state.holdings
    )
    labels = {gpu.uuid: f"GPU {index}" for index, gpu in enumerate(has.gpus)}
    plan = startable(state.queue, state.holdings, state.health)
    places = {ticket.number: place for place, ticket in enumerate(state.queue, 1)}
    waiting = tuple(
        Waits(
            places.get(t.number, 0),
            t.number,
            t.run,
            _name_now(t),
            users[t.uid],
            t.pid,
            t.store,
            t.quarters / QUARTERS,
            t.cpus,
            t.priority,
            t.submitted_at,
            t.after,
            describe_need(t.quarters, t.cpus),
            _why(t, state, plan, labels),
        )
        for t in sorted(state.waiting, key=lambda t: (not t.eligible, t.order))
    )
    gpus = tuple(_gpu(index, gpu, running, state.health, used) for index, gpu in enumerate(has.gpus))
    return Overview(gpus, has.cpus, sum(h.cpus for h in state.holdings), running, waiting)


def place(run: str) -> str | None:
    """Return in words what a run waits for, None if it does not wait: ``3rd in the queue: waits for 2 GPUs``."""
    state = _read()
    ticket = next((t for t in state.waiting if t.run == run), None)
    if ticket is None:
        return None
    plan = startable(state.queue, state.holdings, state.health)
    why = _why(ticket, state, plan, {})
    if not ticket.eligible:
        return why
    return f"{ordinal(state.queue.index(ticket) + 1)} in the queue: {why}"


def ordinal(number: int) -> str:
    """Return a number as a place: ``3rd``."""
    end = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{end}"


def describe_need(quarters: int, cpus: int) -> str:
    """Return in words what a run asks for; the one CPU place beside GPUs goes without saying."""
    words = []
    if quarters:
        gpus = quarters / QUARTERS
        words.append("1 GPU" if gpus == 1 else f"{gpus:g} GPUs" if gpus > 1 else f"{gpus:g} of a GPU")
    if cpus > 1 or not quarters:
        words.append("1 CPU place" if cpus == 1 else f"{cpus} CPU places")
    return " and ".join(words)


def _read() -> State:
    board = Board.open()
    with board.locked():
        return board.read()


def _shares(gpus: Mapping[str, int]) -> dict[str, float]:
    return {uuid: quarters / QUARTERS for uuid, quarters in gpus.items()}


def _is_own(one: Waiting | Holding) -> bool:
    """Whether a run is this user's: what others name as theirs is not opened."""
    return one.uid == os.getuid()


def _name_now(one: Waiting | Holding) -> str:
    """Return what a run is called by now; that of another user goes by the name of its submit."""
    if not _is_own(one):
        return one.name
    runs = f"{one.store}/runs"
    # There may be thousands, of which most were given nothing.
    if os.access(f"{runs}/{one.run}/{ANNOTATIONS}", os.F_OK):
        given = read_annotations(RunFolder(Path(runs, one.run))).name
        if given is not None:
            return given
    if not one.name.rpartition("-")[2].isdecimal():
        return one.name
    try:
        sweep, number = _trial_of(runs, one.run)
    except FileNotFoundError:
        return one.name
    return (name_of_trial(Path(runs), sweep, number) if sweep is not None else None) or one.name


@lru_cache(maxsize=4096)
def _trial_of(runs: str, run: str) -> tuple[str | None, int | None]:
    """Return the sweep whose trial a run is, and its number there: a spec never changes once it is there."""
    spec = read_json(RunFolder(Path(runs, run)).spec)
    if spec is None:
        raise FileNotFoundError(run)
    sweep, number = spec.get("trial_of"), spec.get("trial")
    return (sweep, number) if isinstance(sweep, str) and isinstance(number, int) else (None, None)


def _gpu(
    index: int,
    device: devices.Device,
    running: tuple[Running, ...],
    health: Mapping[str, Condition],
    used: Mapping[str, str],
) -> GPU:
    condition = health.get(device.uuid, Condition())
    holders = [run for run in running if device.uuid in run.gpus]
    drained = condition.drained
    if drained is not None and condition.by:
        drained += f" (by {condition.by})"
    return GPU(
        index,
        device.uuid,
        device.name,
        device.memory,
        sum((run.gpus[device.uuid] for run in holders), 0.0),
        tuple(run.name for run in holders),
        drained,
        condition.failures,
        None if holders else used.get(device.uuid),
    )


def _why(ticket: Waiting, state: State, plan: Mapping[int, tuple[str, ...]], labels: Mapping[str, str]) -> str:
    if not ticket.eligible:
        after = RunFolder(Path(ticket.store, "runs", ticket.after or ""))
        return f"waits for {name_now(after) if _is_own(ticket) else name_of(after.id)} to end"
    if ticket.number in plan:
        return "starts now"
    reason = f"waits for {describe_need(ticket.quarters, ticket.cpus)}"
    usable = [uuid for uuid in ticket.visible if uuid not in _drained(state)]
    if ticket.quarters and len(usable) < ticket.width:
        drained = len(ticket.visible) - len(usable)
        verb = "is" if drained == 1 else "are"
        return f"{reason}: {drained} of {len(ticket.visible)} {verb} out of use, see `mlwidgets slots`"
    if ticket.foreign:
        uuid, use = next(iter(ticket.foreign.items()))
        return f"{reason}: {labels.get(uuid, uuid)} is used by {use}"
    if ticket.number in startable([ticket], state.holdings, state.health):
        return f"{reason}: there is room, but it would delay those ahead of it"
    return reason


def _drained(state: State) -> set[str]:
    return {uuid for uuid, condition in state.health.items() if condition.drained is not None}
