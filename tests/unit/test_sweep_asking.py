"""A search that thinks for long holds up nobody."""

from __future__ import annotations

import resource
from importlib.util import find_spec
from pathlib import Path

import pytest

from mlwidgets.sweeps.control.asking import Asker
from mlwidgets.sweeps.definition import Objective, SweepDefinition
from mlwidgets.sweeps.search.study import Search
from mlwidgets.sweeps.space import Space
from tests.laws import soon

pytestmark = pytest.mark.skipif(not (find_spec("torch") and find_spec("scipy")), reason="the gp sampler needs both")


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


def test_what_a_full_disk_keeps_from_being_told_is_told_before_the_next_question(tmp_path: Path) -> None:
    log = tmp_path / "study.log"
    asker = Asker(search(log, "tpe"), "tpe")
    assert asker.ask() is not None
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 20, hard))
    try:
        asker.tell(0, [0.5], "finished")
        with pytest.raises(OSError, match=r"space|large"):
            asker.ask()
        assert asker.search.ended == set()
        assert not asker.exhausted
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    answer = asker.ask()
    assert answer is not None
    assert answer[0] == 1
    assert asker.search.ended == {0}


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_a_trial_that_diverged_is_worse_than_all(tmp_path: Path, sampler: str) -> None:
    asker = Asker(search(tmp_path / "study.log", sampler), sampler)
    bad = []
    for _ in range(40):
        answer = asker.ask()
        assert answer is not None
        number, params = answer
        x = params["x"]
        bad.append(x > 0.5)
        asker.tell(number, [float("nan") if x > 0.5 else 1.0], "finished")
    assert any(bad[:10])
    assert sum(bad[20:]) <= 5, "it stays away from there"


def test_a_quick_search_answers_at_once(tmp_path: Path) -> None:
    asker = Asker(search(tmp_path / "study.log", "random"), "random")
    assert asker.ask() is not None
    assert asker.settle() is None
    asker.tell(0, None, "killed")
    assert asker.search.ended == {0}
