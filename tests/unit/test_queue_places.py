"""Who may start: the rule beside brute force."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwidgets.runner.places import QUARTERS, Condition, Holding, Waiting, share, startable

GPUS = ("GPU-a", "GPU-b", "GPU-c")
CPUS = 6
Item = tuple[int, dict[str, int]]


def ticket(number: int, gpus: float = 0, cpus: int = 1, **rest: object) -> Waiting:
    ready = Waiting(number, round(gpus * QUARTERS), cpus, GPUS, CPUS)
    return replace(ready, **rest)  # type: ignore[arg-type]


def holding(number: int, *gpus: str, cpus: int = 1, each: int = QUARTERS) -> Holding:
    return Holding(number, dict.fromkeys(gpus, each), cpus)


def taken(items: list[Item]) -> dict[str, int]:
    total: dict[str, int] = {}
    for _, gpus in items:
        for uuid, quarters in gpus.items():
            total[uuid] = total.get(uuid, 0) + quarters
    return total


def placements(need: Waiting, others: list[Item]) -> Iterator[Item]:
    """Give every way in which a run could lie beside others."""
    if need.cpus and need.cpus + sum(cpus for cpus, _ in others) > need.places:
        return
    used = taken(others)
    each = min(need.quarters, QUARTERS)
    free = [u for u in need.visible if used.get(u, 0) + each <= QUARTERS]
    for chosen in itertools.combinations(free, need.width):
        yield need.cpus, share(need.quarters, chosen)


def layouts(needs: list[Waiting], others: list[Item]) -> Iterator[list[Item]]:
    """Give every way in which all of some runs could lie beside others, in their order."""
    if not needs:
        yield others
        return
    for item in placements(needs[0], others):
        yield from layouts(needs[1:], [*others, item])


def subsets(items: list) -> Iterator[list]:
    for size in range(len(items) + 1):
        yield from (list(c) for c in itertools.combinations(items, size))


def can_delay(blocked: list[Waiting], running: list[Item], new: Item) -> bool:
    """Say whether one of the blocked fits beside some of the others, but not together with the newcomer as well."""
    for position, one in enumerate(blocked):
        for there in subsets(running):
            for started in subsets(blocked[:position]):
                for layout in layouts(started, there):
                    if not any(True for _ in placements(one, layout)):
                        continue
                    if _lies_beside(layout, new, one) and not any(True for _ in placements(one, [*layout, new])):
                        return True
    return False


def _lies_beside(layout: list[Item], new: Item, one: Waiting) -> bool:
    """Say whether the newcomer, which runs already, and the others can be there at the same time."""
    used = taken([*layout, new])
    return all(q <= QUARTERS for q in used.values()) and sum(c for c, _ in [*layout, new]) <= one.places


whole = st.integers(0, 3).map(float)
shares = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 2.0])


@st.composite
def scenes(draw: st.DrawFn, gpus: st.SearchStrategy[float]) -> tuple[list[Waiting], list[Holding]]:
    running: list[Item] = []
    held: list[Holding] = []
    for number in range(draw(st.integers(0, 4))):
        fits = list(placements(ticket(number, draw(gpus), draw(st.integers(0, 3))), running))
        if fits:
            cpus, on = draw(st.sampled_from(fits))
            running.append((cpus, on))
            held.append(Holding(number, on, cpus))
    waiting = [
        ticket(10 + number, draw(gpus), draw(st.integers(0, CPUS)), priority=draw(st.sampled_from([0, 0, 0, 1])))
        for number in range(draw(st.integers(1, 4)))
    ]
    return waiting, held


def replay(waiting: list[Waiting], held: list[Holding]) -> Iterator[tuple[Waiting, tuple[str, ...] | None, list, list]]:
    """Give each ticket in order with what it got, and what was running and who was blocked before."""
    plan = startable(waiting, held)
    running: list[Item] = [(h.cpus, dict(h.gpus)) for h in held]
    blocked: list[Waiting] = []
    for one in sorted(waiting, key=lambda t: t.order):
        yield one, plan.get(one.number), list(running), list(blocked)
        if one.number in plan:
            running.append((one.cpus, share(one.quarters, plan[one.number])))
        else:
            blocked.append(one)


@settings(max_examples=500, deadline=None)
@given(scenes(shares))
def test_nobody_starts_who_does_not_fit_or_could_delay_one_ahead(scene: tuple[list[Waiting], list[Holding]]) -> None:
    for one, placement, running, blocked in replay(*scene):
        if placement is None:
            continue
        new = (one.cpus, share(one.quarters, placement))
        assert new in list(placements(one, running)) or (new[0], dict(sorted(new[1].items()))) in [
            (c, dict(sorted(g.items()))) for c, g in placements(one, running)
        ]
        assert not can_delay(blocked, running, new)


@settings(max_examples=500, deadline=None)
@given(scenes(whole))
def test_everybody_starts_who_fits_and_delays_nobody(scene: tuple[list[Waiting], list[Holding]]) -> None:
    for one, placement, running, blocked in replay(*scene):
        if placement is None:
            ways = list(placements(one, running))
            assert not ways or can_delay(blocked, running, ways[0])


@settings(max_examples=200, deadline=None)
@given(scenes(shares))
def test_the_first_that_fits_starts(scene: tuple[list[Waiting], list[Holding]]) -> None:
    for one, placement, running, blocked in replay(*scene):
        if not blocked:
            assert (placement is not None) == any(True for _ in placements(one, running))


def simulate(arrivals: list[tuple[float, Waiting, float]], backfill: bool) -> dict[int, float]:
    """Run a day of the machine; return when each run started."""
    events: list[tuple[float, int, int, object]] = []
    for serial, (time, one, length) in enumerate(arrivals):
        heapq.heappush(events, (time, 1, serial, (one, length)))
    waiting: list[Waiting] = []
    lengths: dict[int, float] = {}
    held: dict[int, Holding] = {}
    started: dict[int, float] = {}
    while events:
        now, kind, serial, what = heapq.heappop(events)
        if kind:
            waiting.append(what[0])  # type: ignore[index]
            lengths[what[0].number] = what[1]  # type: ignore[index]
        else:
            del held[serial]
        if events and events[0][0] == now and not events[0][1]:
            continue
        for one in list(waiting):
            gpus = startable(waiting if backfill else waiting[:1], held.values()).get(one.number)
            if gpus is None:
                if backfill:
                    continue
                break
            waiting.remove(one)
            held[one.number] = Holding(one.number, share(one.quarters, gpus), one.cpus)
            started[one.number] = now
            heapq.heappush(events, (now + lengths[one.number], 0, one.number, None))
    return started


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 20), whole, st.integers(1, CPUS), st.integers(1, 10)), min_size=1, max_size=12
    ).map(sorted)
)
def test_passing_delays_nobody_and_nobody_starves(day: list[tuple[int, float, int, int]]) -> None:
    arrivals = [
        (float(at), ticket(number, gpus, cpus), float(length)) for number, (at, gpus, cpus, length) in enumerate(day)
    ]
    strict, passing = simulate(arrivals, False), simulate(arrivals, True)
    assert strict.keys() == passing.keys() == set(range(len(day)))
    assert all(passing[number] <= strict[number] for number in strict)


def test_a_cpu_run_passes_those_who_wait_for_gpus() -> None:
    held = [holding(1, *GPUS, cpus=3)]
    assert startable([ticket(2, 1), ticket(3, 0, 1)], held) == {3: ()}
    # With 4 places it would take one that run 2 needs.
    assert startable([ticket(2, 1, cpus=4), ticket(3, 0, 3)], held) == {}


def test_a_small_run_does_not_push_a_big_one_back() -> None:
    held = [holding(1, "GPU-a"), holding(2, "GPU-b")]
    assert startable([ticket(3, 2), ticket(4, 1)], held) == {}
    # Either of the two leaves two free for run 3 if all three can never be free at once.
    assert startable([ticket(3, 3), ticket(4, 0)], held) == {4: ()}


def test_a_small_run_passes_where_the_big_one_cannot_use_the_room() -> None:
    held = [holding(1, "GPU-a", "GPU-b")]
    assert startable([ticket(3, 2), ticket(4, 1)], held) == {4: ("GPU-c",)}
    # A third that needs all three would have to wait for the newcomer.
    assert startable([ticket(3, 2), ticket(4, 3), ticket(5, 1)], held) == {}


def test_those_who_will_start_together_are_counted_together() -> None:
    held = [holding(1, cpus=5)]
    assert startable([ticket(2, 0, 3), ticket(3, 0, 3), ticket(4, 0, 1)], held) == {}
    assert startable([ticket(2, 0, 3), ticket(3, 0, 2), ticket(4, 0, 1)], held) == {4: ()}


def test_those_who_passed_already_are_counted() -> None:
    held = [holding(1, cpus=4)]
    assert startable([ticket(2, 0, 5), ticket(3, 0, 1), ticket(4, 0, 1)], held) == {3: ()}


def test_a_share_may_come_to_lie_on_a_gpu_in_use() -> None:
    held = [holding(1, "GPU-a"), holding(2, "GPU-b"), holding(3, "GPU-c", each=2), holding(4, "GPU-c", cpus=5, each=1)]
    share, small = ticket(5, 0.5, cpus=7, places=10), ticket(6, 0, places=10)
    # Beside runs 1, 2 and 3 there is room for run 5, and for nothing more.
    assert startable([share, small], held) == {}
    assert startable([replace(share, cpus=6), small], held) == {6: ()}


def test_what_the_machine_never_has_holds_nobody_up() -> None:
    assert startable([ticket(1, 3), ticket(2, 2)], [], {"GPU-b": Condition(3, "broken")}) == {2: ("GPU-a", "GPU-c")}
    assert startable([ticket(1, 0, cpus=99), ticket(2)], []) == {2: ()}


def test_a_gpu_in_foreign_hands_is_waited_for() -> None:
    first = ticket(1, 3, foreign={"GPU-b": "python (pid 1, anna)"})
    assert startable([first, ticket(2, 1)], []) == {}
    assert startable([first, ticket(2, 0)], []) == {2: ()}
    assert startable([replace(first, foreign={}), ticket(2, 1)], []) == {1: GPUS}


def test_priority_goes_first_and_equals_keep_their_order() -> None:
    waiting = [ticket(1, 1), ticket(2, 1, priority=5), ticket(3, 1, priority=5), ticket(4, 1, priority=-1)]
    assert list(startable(waiting, [])) == [2, 3, 1]
    assert list(startable([*waiting[:1], replace(waiting[1], eligible=False), *waiting[2:]], [])) == [3, 1, 4]


def test_shares_meet_on_one_gpu_and_whole_ones_get_the_rest() -> None:
    waiting = [ticket(1, 0.5), ticket(2, 1), ticket(3, 0.25), ticket(4, 0.5), ticket(5, 0.5)]
    assert startable(waiting, []) == {
        1: ("GPU-a",), 2: ("GPU-b",), 3: ("GPU-a",), 4: ("GPU-c",), 5: ("GPU-c",)
    }  # fmt: skip


def test_gpus_that_failed_or_are_to_be_avoided_come_last() -> None:
    health = {"GPU-a": Condition(2)}
    assert startable([ticket(1, 1)], [], health) == {1: ("GPU-b",)}
    assert startable([ticket(1, 1, avoid=frozenset({"GPU-b"}))], [], health) == {1: ("GPU-c",)}
    assert startable([ticket(1, 3, avoid=frozenset({"GPU-a"}))], [], health) == {1: ("GPU-b", "GPU-c", "GPU-a")}


def test_each_sees_only_its_own_gpus() -> None:
    left, right = ticket(1, 1, visible=("GPU-a",)), ticket(2, 1, visible=("GPU-b",))
    held = [holding(9, "GPU-a")]
    assert startable([left, right], held) == {2: ("GPU-b",)}
    assert startable([ticket(1, 2, visible=("GPU-a", "GPU-b")), right], held) == {}
    assert startable([ticket(1, 2, visible=("GPU-a", "GPU-b")), ticket(3, 1, visible=("GPU-c",))], held) == {
        3: ("GPU-c",)
    }


@pytest.mark.parametrize("count", [250])
def test_a_long_queue_is_decided_quickly_enough_to_hold_the_mutex(count: int) -> None:
    """Not timed: a rule that is exponential in the length of the queue would not come back at all."""
    held = [Holding(n, {f"GPU-{n}": 4}, 1) for n in range(8)]
    visible = tuple(f"GPU-{n}" for n in range(8))
    waiting = [
        Waiting(10 + n, (4, 8, 2, 16, 0)[n % 5], 1 + n % 7, visible if n % 3 else visible[:4], 128)
        for n in range(count)
    ]
    assert startable(waiting, held).keys() <= {t.number for t in waiting}
