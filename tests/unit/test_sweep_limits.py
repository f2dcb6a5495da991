"""When a sweep ends, rests, and how many trials it runs at once."""

from __future__ import annotations

from typing import Any

import pytest

from mlwidgets.runner.devices import Device, Inventory
from mlwidgets.runs.spec import Resources
from mlwidgets.runs.trials import Trial
from mlwidgets.sweeps.control.limits import bests, reached, repeated_failure, room, used_up, value_of
from mlwidgets.sweeps.definition import Limits, Objective

NAN, INF = float("nan"), float("inf")


def ended(*values: float | None, state: str = "finished", cause: str | None = None) -> list[Trial]:
    return [
        Trial(
            n, f"r{n}", {}, "sampler", 0.0, state=state, values=None if v is None else [v], cause=cause, ended=1.0 + n
        )
        for n, v in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("values", "which", "sign", "expected"),
    [
        ([1.0, 3.0, 2.0], "last", 1, 2.0),
        ([1.0, 3.0, 2.0], "best", 1, 3.0),
        ([1.0, 3.0, 2.0], "best", -1, 1.0),
        ([1.0, NAN], "last", 1, None),
        ([1.0, INF], "last", 1, None),
        ([1.0, NAN, INF], "best", 1, 1.0),
        ([NAN], "best", 1, None),
        ([], "last", 1, None),
        ([], "best", 1, None),
    ],
)
def test_the_value_that_stands_for_a_trial(values: list[float], which: str, sign: int, expected: float | None) -> None:
    assert value_of(values, which, sign) == expected


@pytest.mark.parametrize(
    ("gpus", "cpus", "expected"),
    [
        (0, 1, 8),
        (0, 3, 2),
        (1, 1, 3),
        (2, 1, 1),
        (0.25, 1, 8),
        (0.5, 1, 6),
        (0.75, 1, 3),
        (0.25, 0, 12),
        (0, 0, 8),
        (4, 1, 1),
    ],
)
def test_room_on_the_machine(gpus: float, cpus: int, expected: int) -> None:
    machine = Inventory(tuple(Device(f"GPU-{n}", "x") for n in range(3)), 8)
    assert room(Resources(gpus=gpus, cpus=cpus), machine) == expected


def test_the_best_at_each_end() -> None:
    trials = ended(1.0, None, 3.0, 2.0, 3.0)
    assert [one.number if one else None for one in bests(trials, 1)] == [0, 0, 2, 2, 2]
    assert [one.number if one else None for one in bests(trials, -1)] == [0, 0, 0, 0, 0]
    assert bests(ended(1.0, state="terminated"), 1) == [None]


@pytest.mark.parametrize(
    ("limits", "direction", "values", "expected"),
    [
        ({"target": 2.0}, "maximize", [1.0, 2.0], "target 2 reached by trial 1: m 2"),
        ({"target": 2.0}, "maximize", [1.0, 1.9], None),
        ({"target": 2.0}, "minimize", [3.0, 2.0], "target 2 reached by trial 1: m 2"),
        ({"target": 2.0}, "minimize", [3.0, 2.1], None),
        ({"target": 0.0}, "maximize", [0.0], "target 0 reached by trial 0: m 0"),
        ({"target": 0.0}, "maximize", [], None),
        ({"patience": 2}, "maximize", [1.0, 0.5, 0.6], "no better m in 2 trials"),
        ({"patience": 2}, "maximize", [1.0, 0.5, 2.0, 1.0], None),
        ({"patience": 2}, "maximize", [1.0, 1.0], None),
        ({"patience": 2}, "maximize", [None, None, None], None),
        ({"patience": 1}, "minimize", [1.0, 1.0], "no better m in 1 trials"),
        ({}, "maximize", [1.0] * 50, None),
    ],
)
def test_reasons_to_end(limits: dict[str, Any], direction: str, values: list[Any], expected: str | None) -> None:
    assert reached(Limits(**limits), Objective("m", direction), ended(*values)) == expected


def test_failed_trials_do_not_try_the_patience() -> None:
    trials = [*ended(1.0), *ended(None, None, None, state="failed")]
    assert reached(Limits(patience=2), Objective("m"), trials) is None


def test_used_up() -> None:
    assert used_up(Limits(), 1e9, 1e9) is None
    assert used_up(Limits(time=5.0), 4.9, 0.0) is None
    assert used_up(Limits(time=5.0), 5.0, 0.0) == "its time of 5 s is over"
    assert used_up(Limits(gpu_hours=0.5), 0.0, 1799.0) is None
    assert used_up(Limits(gpu_hours=0.5), 0.0, 1800.0) == "its 0.5 GPU hours are used up"


def test_failures_of_one_cause() -> None:
    def failed(cause: str, state: str = "failed") -> Trial:
        return Trial(0, "r", {}, "sampler", 0.0, state=state, cause=cause)

    same = [failed("ValueError: bad 1 at 0x7f00"), failed("ValueError: bad 2.5e-3 at 0x1")]
    assert repeated_failure(same, 2) == "2 trials in a row failed of one cause: ValueError: bad 2.5e-3 at 0x1"
    assert repeated_failure(same, 3) is None
    assert repeated_failure([*same, failed("ValueError: worse")], 2) is None
    assert repeated_failure([*same, *ended(1.0)], 2) is None
    assert repeated_failure([failed("x"), failed("x", "killed")], 2) is None
    assert repeated_failure([failed("x", "timeout"), failed("x", "timeout")], 2) is not None
    assert repeated_failure([failed("x", "stopped")] * 5, 2) is None, "somebody wanted it so"
    assert repeated_failure(same, 0) is None
    assert repeated_failure([failed("y")], 1) == "a trial failed: y"
