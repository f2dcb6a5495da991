from __future__ import annotations

import copy
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from mlwidgets.capture.merge import merge


@dataclass
class Config:
    lr: float = 0.1
    steps: list[int] = field(default_factory=list)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ([1, 2], [1, 2, 3]),
        ([1, 2, 3], []),
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}),
        ({1, 2}, {2, 3}),
        ({"a": [1]}, {"a": [1, 2]}),
        (np.zeros(3), np.arange(3.0)),
        (Config(0.1, [1]), Config(0.2, [1, 2])),
    ],
)
def test_content_is_taken_over_in_place(mine: Any, theirs: Any) -> None:
    theirs_before = copy.deepcopy(theirs)
    assert merge(mine, theirs) is mine
    assert np.array_equal(mine, theirs_before) if isinstance(mine, np.ndarray) else mine == theirs_before


def test_inner_objects_stay_who_they_are() -> None:
    inner, config = [1], Config(0.1)
    mine = {"a": inner, "b": (config,), "c": config, "gone": 1}
    merge(mine, {"a": [1, 2], "b": (Config(0.3),), "c": Config(0.2), "new": inner})
    assert mine["a"] is inner
    assert inner == [1, 2]
    assert mine["c"] is config
    assert config.lr == 0.2
    assert set(mine) == {"a", "b", "c", "new"}


def test_order_of_keys() -> None:
    mine = {"a": 1, "b": 2}
    merge(mine, {"b": 2, "a": 1})
    assert list(mine) == ["b", "a"]


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (1, 2),
        ("a", "b"),
        ([1], (1,)),
        (np.zeros(2), np.zeros(3)),
        (np.zeros(2), np.zeros(2, "f4")),
        (None, 1),
        ({}, []),
    ],
)
def test_what_does_not_fit_is_replaced(mine: Any, theirs: Any) -> None:
    assert merge(mine, theirs) is theirs


def test_arrays_that_cannot_be_written() -> None:
    mine = np.zeros(2)
    mine.flags.writeable = False
    theirs = np.ones(2)
    assert merge(mine, theirs) is theirs
    assert mine.tolist() == [0, 0]


def test_views_see_the_change() -> None:
    base = np.zeros((4, 4))
    view = base[1]
    merge(base, np.ones((4, 4)))
    assert view.tolist() == [1] * 4


def test_circles() -> None:
    mine: list[Any] = [1]
    mine.append(mine)
    theirs: list[Any] = [2]
    theirs.append(theirs)
    assert merge(mine, theirs) is mine
    assert mine[0] == 2
    assert mine[1] is mine


def test_generators_of_random_numbers_go_on() -> None:
    for make, draw in (
        (random.Random, lambda g: g.random()),
        (np.random.default_rng, lambda g: g.random()),
        (np.random.RandomState, lambda g: g.rand()),
    ):
        mine, theirs = make(0), make(0)
        draw(theirs)
        expected = draw(copy.deepcopy(theirs))
        assert merge(mine, theirs) is mine
        assert draw(mine) == expected


def test_deques_and_others_with_their_own_pickling() -> None:
    mine, theirs = deque([1]), deque([1, 2])
    assert list(merge(mine, theirs)) == [1, 2]


class TestTorch:
    @pytest.fixture
    def torch(self) -> Any:
        return pytest.importorskip("torch")

    def test_tensors(self, torch: Any) -> None:
        mine = torch.zeros(3, requires_grad=True)
        view = mine.detach()[1:]
        theirs = torch.arange(3.0, requires_grad=True)
        theirs.grad = torch.ones(3)
        assert merge(mine, theirs) is mine
        assert view.tolist() == [1, 2]
        assert mine.grad.tolist() == [1, 1, 1]
        assert merge(torch.zeros(2), theirs) is theirs

    def test_modules_and_their_optimizers(self, torch: Any) -> None:
        def train(model: Any, optimizer: Any, steps: int) -> None:
            for _ in range(steps):
                optimizer.zero_grad()
                model(torch.ones(1, 2)).sum().backward()
                optimizer.step()

        torch.manual_seed(0)
        mine = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2, momentum=None), torch.nn.Linear(2, 1))
        mine.eval()
        optimizer = torch.optim.Adam(mine.parameters())
        there, there_optimizer = copy.deepcopy((mine, optimizer))
        train(there, there_optimizer, 3)
        weight = mine[0].weight
        came, came_optimizer = copy.deepcopy((there, there_optimizer))
        assert merge(mine, came) is mine
        assert merge(optimizer, came_optimizer) is optimizer
        assert mine[0].weight is weight
        train(mine, optimizer, 2)
        train(there, there_optimizer, 2)
        for one, other in zip(mine.state_dict().values(), there.state_dict().values(), strict=True):
            assert one.equal(other)
        assert not mine.training

    def test_another_architecture(self, torch: Any) -> None:
        mine, theirs = torch.nn.Linear(2, 2), torch.nn.Linear(3, 2)
        before = mine.weight.clone()
        assert merge(mine, theirs) is theirs
        assert mine.weight.equal(before)

    def test_mode_and_plain_attributes(self, torch: Any) -> None:
        mine, theirs = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
        theirs.eval()
        theirs.note = "trained"
        merge(mine, theirs)
        assert (mine.training, mine.note) == (False, "trained")

    def test_generators(self, torch: Any) -> None:
        mine, theirs = torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)
        expected = torch.rand(
            2, generator=copy.deepcopy(theirs) if hasattr(theirs, "__deepcopy__") else theirs.clone_state()
        )
        merge(mine, theirs)
        assert torch.rand(2, generator=mine).equal(expected)
