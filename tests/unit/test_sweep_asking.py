"""A search that thinks for long holds up nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlwidgets.sweeps.control.asking import Asker
from mlwidgets.sweeps.definition import Objective, SweepDefinition
from mlwidgets.sweeps.search.study import Search
from mlwidgets.sweeps.space import Space
from tests.laws import soon

pytest.importorskip("torch")
pytest.importorskip("scipy")


def search(path: Path, sampler: str) -> Search:
    space = {"x": "uniform(0, 1)"}
    definition = SweepDefinition(space, (Objective("score"),), sampler=sampler, sampler_seed=3)
    return Search(path, definition, Space.parse(space))


def test_what_is_told_while_it_thinks_is_not_lost(tmp_path: Path) -> None:
    asker = Asker(search(tmp_path / "study.log", "gp"), "gp")
    for _ in range(11):
        assert soon(lambda: asker.ask() is not None, 60)
    running = asker.search.running
    assert sorted(running) == list(range(11))
    for number in range(10):
        asker.tell(number, [running[number]["x"]], "finished")
    assert asker.ask() is None
    assert asker.is_thinking
    assert not asker.exhausted, "it has no answer yet, which is no end"
    asker.tell(10, [0.5], "finished")
    late = asker.settle()
    assert late is not None
    assert late[0] == 11
    assert not asker.is_thinking
    assert asker.search.ended == set(range(11))
    number, other = asker.add({"x": 0.25}, "wish")
    assert (number, other) == (12, None)
    assert asker.add({"x": 0.25}, "wish") == (12, None), "the same wish adds one trial"


def test_a_quick_search_answers_at_once(tmp_path: Path) -> None:
    asker = Asker(search(tmp_path / "study.log", "random"), "random")
    assert asker.ask() is not None
    assert asker.settle() is None
    asker.tell(0, None, "killed")
    assert asker.search.ended == {0}
