"""The trials of a sweep that is done again: each under its number with the parameters that it had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlwidgets.runs.spec import literal_text, parse_literal
from mlwidgets.sweeps.definition import Objective, SweepDefinition
from mlwidgets.sweeps.search.study import Search
from mlwidgets.sweeps.space import Space

SPACE = {
    "lr": "loguniform(1e-05, 0.1)",
    "width": "qloguniform(8, 512, 8)",
    "depth": "randint(1, 9)",
    "noise": "normal(0, 0.1)",
    "scale": "lognormal(0, 1)",
    "drop": "quniform(0, 0.5, 0.05)",
    "model": "choice('mlp', 'cnn')",
    "kernel": "choice(3, 5, 7).when(model='cnn')",
}


def search(path: Path, seed: int = 1, sampler: str = "tpe") -> Search:
    definition = SweepDefinition(SPACE, (Objective("score"),), sampler=sampler, sampler_seed=seed)
    return Search(path, definition, Space.parse(SPACE))


def ask(made: Search) -> tuple[int, dict[str, Any]]:
    found = made.ask()
    assert found is not None
    return found


def texts(params: dict[str, Any]) -> dict[str, str]:
    return {name: literal_text(value) for name, value in params.items()}


def test_every_parameter_comes_back_to_the_bit(tmp_path: Path) -> None:
    first, again = search(tmp_path / "first"), search(tmp_path / "again", seed=2)
    asked = {}
    for _ in range(25):
        number, params = ask(first)
        asked[number] = texts(params)
        first.tell(number, [float(number % 7)], "finished")
    for number, known in asked.items():
        again.add({name: parse_literal(text) for name, text in known.items()}, f"again/{number}")
    repeated = dict(ask(again) for _ in range(25))
    assert {number: texts(params) for number, params in repeated.items()} == asked
    assert ask(again)[0] == 25


def test_a_number_that_no_trial_had_is_passed_over_once(tmp_path: Path) -> None:
    path = tmp_path / "study"
    made = search(path)
    made.skip("none/0")
    made.add({"lr": 0.01}, "again/1")
    made.close()
    made = search(path)
    made.skip("none/0")
    assert made.add({"lr": 0.01}, "again/1") == 1
    number, params = ask(made)
    assert (number, params["lr"]) == (1, 0.01)
    assert ask(made)[0] == 2
