"""The search of a sweep: what it asks after kills and restarts, what it is told, and what is in its log."""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from mlwidgets.errors import ParameterError
from mlwidgets.sweeps.definition import MINIMIZE, Objective, SweepDefinition
from mlwidgets.sweeps.search.samplers import SAMPLERS, check_sampler
from mlwidgets.sweeps.search.study import Search
from mlwidgets.sweeps.space import Space

pytestmark = pytest.mark.unit

PLAIN = {
    "lr": "loguniform(1e-5, 0.1)",
    "keep": "uniform(0.5, 1.0)",
    "width": "choice(32, 64, 128)",
    "layers": "randint(1, 9)",
    "noise": "normal(0, 0.1)",
}
NESTED = {
    "optimizer": "choice(adam, sgd)",
    "momentum": "uniform(0, 0.99).when(optimizer=sgd, otherwise=0.0)",
    "nesterov": "choice(True, False).when(optimizer=sgd)",
    "lr": "loguniform(1e-5, 0.1)",
    "size": "quniform(16, 128, 16)",
}
COUNTED = {"optimizer": "choice(adam, sgd)", "momentum": "choice(0.5, 0.9).when(optimizer=sgd)", "n": "randint(3)"}
ACCURACY = (Objective("accuracy"),)
Open = Callable[[], Search]


def opener(
    path: Path, space: dict[str, str], sampler: str, seed: int = 7, objectives: tuple[Objective, ...] = ACCURACY
) -> Open:
    definition = SweepDefinition(space, objectives, sampler=sampler, sampler_seed=seed)
    path.mkdir(exist_ok=True)
    return lambda: Search(path / "study.log", definition, Space.parse(space))


def score(params: dict[str, Any]) -> float:
    """How good values are: the best learning rate is 1e-3, the best width 64."""
    near = -abs(math.log10(params.get("lr", 1e-3)) + 3)
    return near - params.get("momentum", 0.5) / 10 + 0.5 * (params.get("width") == 64) - params.get("n", 0)


def conduct(open_search: Open, trials: int, *, reopen: bool, at_once: int = 3) -> list[dict[str, Any]]:
    """Run a search with several trials at once, of which one in five fails and one in four is terminated."""
    search = open_search()
    asked: dict[int, dict[str, Any]] = {}
    told = 0
    while told < trials:
        while len(asked) < trials and len(asked) - told < at_once:
            answer = search.ask()
            assert answer is not None
            asked[answer[0]] = answer[1]
            if reopen:
                search.close()
                search = open_search()
        assert search.running == {n: p for n, p in asked.items() if n >= told}
        state = "failed" if told % 5 == 4 else "terminated" if told % 4 == 3 else "finished"
        search.tell(told, None if state == "failed" else [score(asked[told])], state, intervals=3)
        told += 1
        if reopen:
            search.close()
            search = open_search()
        assert search.ended == set(range(told))
    search.close()
    return list(asked.values())


CASES = [(s, space) for s in SAMPLERS if s != "grid" for space in ("plain", "nested")]


@pytest.mark.parametrize(("sampler", "kind"), CASES)
def test_restarts_change_no_choice(sampler: str, kind: str, tmp_path: Path) -> None:
    space = PLAIN if kind == "plain" else NESTED
    # The samplers that learn begin to after 10 finished trials, and a generation of CMA-ES is of 8.
    trials = 17 if sampler == "gp" else 60 if sampler == "nsga2" else 30
    whole = conduct(opener(tmp_path / "whole", space, sampler), trials, reopen=False)
    assert conduct(opener(tmp_path / "again", space, sampler), trials, reopen=True) == whole
    assert (
        conduct(opener(tmp_path / "other", space, sampler, seed=8), trials // 3, reopen=False) != whole[: trials // 3]
    )
    texts = [json.dumps(p) for p in whole]
    assert len(set(texts)) == trials
    inside = Space.parse(space)
    for params in whole:
        inside.to_study(params)


@pytest.mark.parametrize("sampler", ["tpe", "qmc", "cmaes", "nsga2"])
def test_a_step_that_was_cut_never_began(sampler: str, tmp_path: Path) -> None:
    open_search = opener(tmp_path / "sweep", NESTED, sampler)
    log = tmp_path / "sweep" / "study.log"
    search = open_search()
    for _ in range(20):
        number, params = search.ask() or (0, {})
        search.tell(number, [score(params)], "finished")
    for step in ("ask", "add", "tell"):
        before = log.read_bytes()
        running, ended, waiting = search.running, search.ended, search.waiting
        answer = search.ask() if step == "ask" else None
        if step == "add":
            search.add({"lr": 0.01})
        if step == "tell":
            search.tell(max(running), [math.nan], "terminated")
        after = log.read_bytes()
        assert after.startswith(before)
        cuts = range(len(before), len(after), 1 + (len(after) - len(before)) // 40)
        for cut in [*cuts, len(after) - 1]:
            log.write_bytes(after[:cut])
            again = open_search()
            assert (again.running, again.ended, again.waiting) == (running, ended, waiting)
            assert log.read_bytes() == before
            assert step != "ask" or again.ask() == answer
            again.close()
        log.write_bytes(after)
    assert open_search().waiting == search.waiting == [21]


CONDUCTED = """
import sys
from pathlib import Path
from mlwidgets.sweeps.definition import Objective, SweepDefinition
from mlwidgets.sweeps.search.study import Search
from mlwidgets.sweeps.space import Space

space = {"lr": "loguniform(1e-5, 0.1)", "width": "choice(32, 64)"}
definition = SweepDefinition(space, (Objective("a"),), sampler="tpe", sampler_seed=1)
search = Search(Path(sys.argv[1]), definition, Space.parse(space))
print("open", flush=True)
while len(search.ended) < 150:
    if not search.running:
        search.ask()
    for number, params in search.running.items():
        search.tell(number, [params["lr"]], "finished")
"""


def test_kills_change_no_choice(tmp_path: Path) -> None:
    def choices(name: str, *, kill: bool) -> list[Any]:
        path = tmp_path / name / "study.log"
        path.parent.mkdir()
        for attempt in range(100):
            process = subprocess.Popen([sys.executable, "-c", CONDUCTED, str(path)], stdout=subprocess.PIPE)
            assert process.stdout is not None
            assert process.stdout.readline() == b"open\n"
            if kill and attempt < 4:
                time.sleep(0.05 + 0.01 * attempt)
                process.send_signal(signal.SIGKILL)
            process.stdout.close()
            if process.wait() == 0:
                lines = map(json.loads, path.read_text().splitlines())
                return [line["user_attr"]["params"] for line in lines if "params" in line.get("user_attr", {})]
        raise AssertionError("the search never ended")

    whole = choices("whole", kill=False)
    assert len(whole) == 150
    assert choices("killed", kill=True) == whole


def test_optuna_reads_the_log(tmp_path: Path) -> None:
    conduct(opener(tmp_path / "sweep", NESTED, "tpe"), 12, reopen=True)
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "sweep" / "study.log"))
    study = optuna.load_study(study_name="sweep", storage=optuna.storages.JournalStorage(backend))
    states = [t.state.name for t in study.trials]
    assert (states.count("COMPLETE"), states.count("PRUNED"), states.count("FAIL")) == (7, 3, 2)
    assert study.direction.name == "MAXIMIZE"


def test_tell_counts_once(tmp_path: Path) -> None:
    open_search = opener(tmp_path / "sweep", PLAIN, "random")
    search = open_search()
    search.ask()
    search.tell(0, [0.5], "finished")
    size = (tmp_path / "sweep" / "study.log").stat().st_size
    search.tell(0, [0.9], "finished")
    search.tell(0, None, "failed")
    open_search().tell(0, None, "failed")
    assert (tmp_path / "sweep" / "study.log").stat().st_size == size
    with pytest.raises(KeyError):
        search.tell(1, [0.5], "finished")
    search.add({})
    with pytest.raises(KeyError):
        search.tell(1, [0.5], "finished")


@pytest.mark.parametrize("values", [[math.nan], [math.inf], [-math.inf], None])
@pytest.mark.parametrize("state", ["finished", "terminated"])
def test_a_result_that_is_no_number_is_a_warning_to_the_sampler(
    values: list[float] | None, state: str, tmp_path: Path
) -> None:
    avoided = 0
    for seed in range(3):
        search = opener(tmp_path / str(seed), {"x": "uniform(0, 1)", "y": "uniform(0, 1)"}, "tpe", seed)()
        for i in range(40):
            number, params = search.ask() or (0, {})
            diverges = params["x"] > 1 / 3
            avoided += i >= 20 and not diverges
            search.tell(number, values if diverges else [params["y"]], state if diverges else "finished")
        assert search.ended == set(range(40))
    assert avoided > 30  # of 60, where 20 would be chance


@pytest.mark.parametrize(("sampler", "seeds", "trials"), [("cmaes", [0, 1, 2], 60), ("gp", [1], 18)])
def test_other_samplers_are_warned_too(sampler: str, seeds: list[int], trials: int, tmp_path: Path) -> None:
    diverged = 0
    for seed in seeds:
        search = opener(tmp_path / str(seed), {"x": "uniform(0, 1)", "y": "uniform(0, 1)"}, sampler, seed)()
        for i in range(trials):
            number, params = search.ask() or (0, {})
            diverges = params["x"] > 1 / 3
            diverged += diverges and i >= trials // 2
            search.tell(number, [math.nan if diverges else params["y"]], "finished")
    assert diverged / (len(seeds) * trials / 2) < 0.4  # where two thirds would be chance


def test_what_a_study_holds_of_trials_without_a_good_end(tmp_path: Path) -> None:
    held = {}
    for sampler in ("tpe", "cmaes", "nsga2"):
        search = opener(tmp_path / sampler, {"x": "uniform(0, 1)", "y": "uniform(0, 1)"}, sampler)()
        ends: list[tuple[list[float] | None, str]] = [
            ([math.nan], "finished"), ([3.0], "finished"), ([1.0], "finished"), ([2.5], "terminated"),
            ([math.nan], "finished"), (None, "terminated"), ([-math.inf], "terminated"), (None, "failed"),
        ]  # fmt: skip
        for values, state in ends:
            number, _ = search.ask() or (0, {})
            search.tell(number, values, state, intervals=4)
        search.close()
        backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / sampler / "study.log"))
        study = optuna.load_study(study_name=sampler, storage=optuna.storages.JournalStorage(backend))
        held[sampler] = [(t.state.name[0], t.value, t.intermediate_values) for t in study.trials]
    done: list[Any] = [("C", 3.0, {}), ("C", 1.0, {})]
    assert held["tpe"] == [("P", None, {}), *done, ("P", 2.5, {4: 2.5}), *[("P", None, {})] * 3, ("F", None, {})]
    # One step further down than from the best to the worst; nothing is known to be worse than before there is a value.
    worse = [("C", -1.0, {}), *[("P", -1.0, {4: -1.0})] * 2]
    assert held["cmaes"] == [("P", None, {}), *done, ("P", 2.5, {4: 2.5}), *worse, ("F", None, {})]
    assert held["nsga2"] == [("P", None, {}), *done, ("C", 2.5, {}), *[("C", -1.0, {})] * 3, ("F", None, {})]


def test_learning(tmp_path: Path) -> None:
    def best(sampler: str, seed: int) -> float:
        search = opener(tmp_path / f"{sampler}{seed}", PLAIN, sampler, seed)()
        found = []
        for _ in range(40):
            number, params = search.ask() or (0, {})
            found.append(score(params))
            search.tell(number, [found[-1]], "finished")
        return sum(found[-10:]) / 10

    random = sum(best("random", seed) for seed in range(4)) / 4
    for sampler in ("tpe", "cmaes"):
        assert sum(best(sampler, seed) for seed in range(4)) / 4 > random + 0.3


def test_added_trials_come_first_and_as_given(tmp_path: Path) -> None:
    open_search = opener(tmp_path / "sweep", {**NESTED, "noise": "normal(0, 0.1)"}, "tpe")
    search = open_search()
    search.ask()
    assert search.add({"lr": 0.02}, key="wish-1") == 1
    assert search.add({"optimizer": "sgd", "momentum": 0.3, "noise": 0.21}, key="wish-2") == 2
    assert search.add({"lr": 0.02}, key="wish-1") == 1
    search = open_search()
    assert search.waiting == [1, 2]
    assert search.add({"lr": 0.02}, key="wish-1") == 1
    number, params = search.ask() or (0, {})
    assert (number, params["lr"]) == (1, 0.02)
    assert set(params) >= {"optimizer", "momentum", "lr", "size", "noise"}
    number, params = search.ask() or (0, {})
    assert (number, params["optimizer"], params["momentum"], params["noise"]) == (2, "sgd", 0.3, 0.21)
    assert open_search().running[2] == params
    assert search.ask() is not None
    for wrong in ({"lr": 1.0}, {"momentum": 0.3}, {"speed": 1}):
        with pytest.raises(ParameterError):
            search.add(wrong)
    assert search.waiting == []


def test_the_sampler_learns_from_trials_that_were_taken_over(tmp_path: Path) -> None:
    for sampler in ("tpe", "cmaes"):
        space = {"x": "uniform(0, 1)", "y": "uniform(0, 1)"}
        open_search = opener(tmp_path / sampler, space, sampler)
        search = open_search()
        for i in range(30):
            x = i / 30
            found = search.take_over({"x": x, "y": x, "epochs": 10}, [-((x - 0.9) ** 2)], key=f"run-{i}")
            assert found == i
            assert search.take_over({"x": x, "y": x}, [0.0], key=f"run-{i}") == i
        search = open_search()
        assert (search.ended, search.running) == (set(range(30)), {})
        late = [(search.ask() or (0, {}))[1]["x"] for _ in range(8)]
        assert sum(abs(x - 0.9) < 0.25 for x in late) >= 6
    with pytest.raises(ParameterError, match="'y' is missing"):
        search.take_over({"x": 0.5}, [1.0])
    with pytest.raises(ParameterError, match="outside"):
        search.take_over({"x": 0.5, "y": 3}, [1.0])
    assert search.take_over({"x": 0.5, "y": 0.5}, [math.nan]) in search.ended


def test_grid_is_every_combination_once(tmp_path: Path) -> None:
    open_search = opener(tmp_path / "sweep", COUNTED, "grid")
    grid = Space.parse(COUNTED).grid()
    assert len(grid) == 9
    search = open_search()
    by_hand = search.add(grid[4])
    asked: list[tuple[int, dict[str, Any]]] = []
    while (answer := search.ask()) is not None:
        asked.append(answer)
        search.tell(answer[0], None, "failed")
        search.close()
        search = open_search()
    assert asked[0] == (by_hand, grid[4])
    assert [p for _, p in asked[1:]] == [p for p in grid if p != grid[4]]
    assert [n for n, _ in asked] == list(range(9))
    assert search.ask() is None
    assert search.add(grid[0]) == 9
    assert search.ask() == (9, grid[0])


TWO = (Objective("accuracy"), Objective("latency", MINIMIZE))


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe", "nsga2", "grid", "gp"])
def test_several_objectives(sampler: str, tmp_path: Path) -> None:
    space = COUNTED if sampler == "grid" else NESTED
    found = []
    for name in ("whole", "again"):
        open_search = opener(tmp_path / name, space, sampler, objectives=TWO)
        search = open_search()
        for i in range(13 if sampler == "gp" else 9 if sampler == "grid" else 30):
            number, params = search.ask() or (0, {})
            found.append(params)
            values = [score(params), params.get("size", 1) / 10]
            search.tell(number, [math.nan, 1.0] if i == 4 else values, "terminated" if i == 3 else "finished")
            search = open_search() if name == "again" else search
        importance = search.importance()
        assert sampler in {"grid", "gp"} or (importance is not None and set(importance) == set(NESTED))
    assert found[: len(found) // 2] == found[len(found) // 2 :]


def test_importance(tmp_path: Path) -> None:
    open_search = opener(tmp_path / "sweep", PLAIN, "random")
    search = open_search()
    for i in range(40):
        number, params = search.ask() or (0, {})
        assert search.importance() is None or i >= 10
        value = score({"lr": params["lr"]})
        search.tell(number, [value], "finished" if value > -0.3 else "terminated")
    # Few finished, so that it is told from the others, too.
    assert sum(t.state.name == "COMPLETE" for t in search._trials()) < 10
    found = search.importance()
    assert found is not None
    assert next(iter(found)) == "lr"
    assert set(found) == set(PLAIN)
    assert sum(found.values()) == pytest.approx(1)
    assert found["lr"] > 0.5
    assert open_search().importance() == found


def test_importance_of_a_level_objective(tmp_path: Path) -> None:
    search = opener(tmp_path / "sweep", PLAIN, "random")()
    for _ in range(12):
        number, _ = search.ask() or (0, {})
        search.tell(number, [1.0], "finished")
    assert search.importance() is None


@pytest.mark.parametrize(
    ("sampler", "space", "objectives", "says"),
    [
        ("bayes", PLAIN, ACCURACY, "no sampler 'bayes': there are tpe, random, grid"),
        ("grid", PLAIN, ACCURACY, "parameter lr=loguniform(1e-05, 0.1) cannot be counted"),
        ("cmaes", PLAIN, TWO, "the cmaes sampler has one objective; for several use tpe, gp or nsga2"),
        ("cmaes", COUNTED | {"n": "choice(1, 2)"}, ACCURACY, "searches numbers without conditions"),
    ],
)
def test_samplers_that_cannot(
    sampler: str, space: dict[str, str], objectives: tuple[Objective, ...], says: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        check_sampler(sampler, Space.parse(space), objectives)
    assert says in str(caught.value)


def test_a_sampler_whose_library_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in {"scipy", "torch"} else found(name))
    with pytest.raises(ParameterError, match="the gp sampler needs scipy and torch: pip install scipy torch"):
        check_sampler("gp", Space.parse(PLAIN), ACCURACY)
    check_sampler("tpe", Space.parse(PLAIN), ACCURACY)


def test_one_number_only(tmp_path: Path) -> None:
    for sampler in sorted(set(SAMPLERS) - {"gp", "grid"}):
        found = conduct(opener(tmp_path / sampler, {"lr": "loguniform(1e-5, 0.1)"}, sampler), 15, reopen=False)
        assert len({p["lr"] for p in found}) == 15


def test_a_full_disk(tmp_path: Path) -> None:
    log = tmp_path / "sweep" / "study.log"
    open_search = opener(tmp_path / "sweep", PLAIN, "tpe")
    search = open_search()
    for _ in range(12):
        number, params = search.ask() or (0, {})
        search.tell(number, [score(params)], "finished")
    before = log.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 1, 300):
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, hard))
        try:
            with pytest.raises(OSError, match=r"space|large"):
                search.ask()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (search.running, len(search.ended)) == ({}, 12)
        assert log.read_bytes() == before
    answer = search.ask()
    log.write_bytes(before)
    assert open_search().ask() == answer


def test_an_ask_that_fails_never_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_search = opener(tmp_path / "sweep", PLAIN, "tpe")
    search = open_search()
    search.ask()
    before = (tmp_path / "sweep" / "study.log").read_bytes()
    suggest = Space.suggest

    def fail(self: Space, trial: optuna.Trial) -> dict[str, Any]:
        suggest(self, trial)
        raise RuntimeError("in the middle")

    with monkeypatch.context() as patched:
        patched.setattr(Space, "suggest", fail)
        with pytest.raises(RuntimeError):
            search.ask()
    assert (tmp_path / "sweep" / "study.log").read_bytes() == before
    assert set(search.running) == {0}
    assert search.ask() is not None
    assert set(search.running) == set(open_search().running) == {0, 1}


def test_qmc_is_even(tmp_path: Path) -> None:
    search = opener(tmp_path / "sweep", {"x": "uniform(0, 1)"}, "qmc")()
    # Of the first 16 points of the sequence each sixteenth of the range has one.
    assert sorted(int(16 * (search.ask() or (0, {}))[1]["x"]) for _ in range(16)) == list(range(16))


def test_each_step_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = opener(tmp_path / "sweep", NESTED, "cmaes")()
    for _ in range(3):
        number, params = search.ask() or (0, {})
        search.tell(number, [score(params)], "finished")
    writes: list[int] = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: writes.append(len(data)) or write(fd, data))
    number, params = search.ask() or (0, {})
    search.tell(number, [1.0], "terminated", intervals=4)
    search.add({"lr": 0.01})
    search.take_over({"optimizer": "adam", "lr": 0.01, "size": 16}, [1.0])
    assert len(writes) == 4
