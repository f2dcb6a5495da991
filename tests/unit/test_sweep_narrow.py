"""The smaller space around the trials that did best."""

from __future__ import annotations

import math
import random
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwidgets.errors import ParameterError
from mlwidgets.sweeps.narrowed import settle
from mlwidgets.sweeps.search.narrow import narrow
from mlwidgets.sweeps.space import Space

pytestmark = pytest.mark.unit
optuna.logging.set_verbosity(optuna.logging.ERROR)


def draw(space: Space, count: int, seed: int = 0) -> list[dict[str, Any]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [space.suggest(study.ask()) for _ in range(count)]


def narrowed(text: str, good: list[Any]) -> str:
    """Narrow one dimension where `good` are the values of the best quarter, of 4 times as many trials."""
    space = Space.parse({"x": text})
    rest = draw(space, 3 * len(good))
    trials = [({"x": v}, 10.0 + i) for i, v in enumerate(good)] + [(p, -float(i)) for i, p in enumerate(rest)]
    random.Random(0).shuffle(trials)
    found = narrow(space, trials, 1)
    assert narrow(space, [(p, -v) for p, v in trials], -1) == found
    return found["x"]


@pytest.mark.parametrize(
    ("text", "good", "found"),
    [
        # The region is 0.4 wide, a tenth of which is 0.04.
        ("uniform(0, 1)", [0.3, 0.4, 0.5, 0.6, 0.7], "uniform(0.26, 0.74)"),
        ("uniform(0, 1)", [0.0, 0.1, 0.2, 0.3, 0.4], "uniform(0.0, 0.44)"),
        ("uniform(-100, 100)", [60, 70, 80, 90, 100.0], "uniform(56.0, 100.0)"),
        # A fiftieth of the old distance at each side, at least.
        ("uniform(0, 1)", [0.5] * 5, "uniform(0.48, 0.52)"),
        ("uniform(5000, 5001)", [5000.5] * 5, "uniform(5000.48, 5000.52)"),
        # Two orders of magnitude, and a tenth of them more: 10**-4.2 and 10**-1.8.
        ("loguniform(1e-6, 1)", [1e-4, 3e-4, 1e-3, 3e-3, 1e-2], "loguniform(6.3e-05, 0.0159)"),
        ("randint(0, 1000)", [400, 410, 440, 480, 500], "randint(380, 520)"),
        ("randint(4)", [0, 0, 0, 1, 1], "randint(0, 2)"),
        ("quniform(0, 128, 16)", [32, 48, 64, 64, 64], "quniform(16, 80, 16)"),
        ("quniform(0, 1, 0.1)", [0.3, 0.4, 0.5, 0.5, 0.5], "quniform(0.2, 0.6, 0.1)"),
        ("qloguniform(1, 1000, 1)", [10, 20, 50, 80, 100], "qloguniform(7, 126, 1)"),
        ("choice(sgd, adam, 3, None)", ["adam", None, None, "adam", None], "choice(adam, None)"),
        ("choice([1, 2], [3])", [[3], [3], [3], [3], [3]], "choice([3],)"),
        # Mean 3, standard deviation the root of 2, a fifth wider.
        ("normal(0, 10)", [1.0, 2.0, 3.0, 4.0, 5.0], "normal(3.0, 1.7)"),
        ("qnormal(0, 10, 1)", [1, 2, 3, 4, 5], "qnormal(3.0, 1.7, 1)"),
        ("lognormal(0, 3)", [math.exp(v) for v in (0.0, 0.5, 1.0, 1.5, 2.0)], "lognormal(1.0, 0.849)"),
        # A sixth of what is left up to six standard deviations.
        ("normal(0, 1)", [5.5, 5.6, 5.7, 5.8, 5.9], "normal(5.7, 0.05)"),
        ("normal(1000, 0.01)", [1000.001, 1000.002, 1000.003, 1000.004, 1000.005], "normal(1000.003, 0.0017)"),
    ],
)
def test_around_the_good(text: str, good: list[Any], found: str) -> None:
    assert narrowed(text, good) == found


def test_conditions_stay() -> None:
    space = Space.parse(
        {
            "momentum": "uniform(0, 1).when(optimizer=(sgd, asgd), otherwise=0.0)",
            "optimizer": "choice(adam, sgd, asgd)",
            "beta": "uniform(0.9, 1).when(optimizer=adam)",
            "eps": "choice(1, 2, 3).when(optimizer=adam, otherwise=9)",
        }
    )
    good = [{"optimizer": "sgd", "momentum": 0.5 + i / 100} for i in range(5)]
    bad = [({"optimizer": "adam", "beta": 0.95, "eps": 1}, 0.0)] * 15
    found = narrow(space, [(p, 1.0) for p in good] + bad, 1)
    assert found == {
        "momentum": "uniform(0.48, 0.56).when(optimizer=sgd, otherwise=0.0)",
        "optimizer": "choice(sgd)",
        "eps": "choice(9)",
    }
    mixed = [({"optimizer": "adam", "beta": 0.95, "eps": 1, "momentum": 0.0}, 2.0)] * 2 + [(p, 1.0) for p in good[:3]]
    found = narrow(space, mixed + bad, 1)
    assert found == {
        # What a parameter has where it is not searched is no sign of where it is good.
        "momentum": "uniform(0.48, 0.54).when(optimizer=sgd, otherwise=0.0)",
        "optimizer": "choice(adam, sgd)",
        "beta": "uniform(0.948, 0.952).when(optimizer=adam)",
        "eps": "choice(1).when(optimizer=adam, otherwise=9)",
    }


def test_how_many_are_good() -> None:
    space = Space.parse({"x": "uniform(0, 100)"})
    for count, good in [(5, 5), (19, 5), (24, 6), (40, 10)]:
        # Trial i has the value i, and the i-th best result.
        found = Space.parse(narrow(space, [({"x": float(i)}, i) for i in range(count)], -1))
        assert found["x"].args == (0.0, pytest.approx(good - 1 + max(0.1 * (good - 1), 2), abs=0.1))


def test_results_that_are_no_numbers_do_not_count() -> None:
    space = Space.parse({"x": "uniform(0, 100)"})
    trials = [({"x": 50.0}, math.nan), ({"x": 60.0}, math.inf), *(({"x": float(i)}, 1.0) for i in range(5))]
    assert narrow(space, trials, 1) == {"x": "uniform(0.0, 6.0)"}
    with pytest.raises(ParameterError, match="4 trials have a result: narrowing takes at least 5"):
        narrow(space, trials[:6], 1)


def test_what_has_one_good_value_is_fixed() -> None:
    space = {
        "optimizer": "choice(sgd)",
        "momentum": "uniform(0.4, 0.5).when(optimizer=sgd, otherwise=0.0)",
        "width": "randint(8, 8)",
        "depth": "choice(1, 2).when(optimizer=sgd)",
        "extra": "choice(9).when(depth=2)",
    }
    left, settled = settle(Space.parse(space))
    assert settled == {"optimizer": "sgd", "width": 8}
    assert left == {"momentum": "uniform(0.4, 0.5)", "depth": "choice(1, 2)", "extra": "choice(9).when(depth=2)"}
    Space.parse(left)
    with pytest.raises(ParameterError, match=r"the good trials all have a=1, b='x': there is nothing left to search"):
        settle(Space.parse({"a": "choice(1)", "b": "choice(x)"}))


SPACE = Space.parse(
    {
        "a": "uniform(-1e3, 7)",
        "b": "loguniform(1e-8, 1e3)",
        "c": "choice(1, 2.5, x, None, [1, 2])",
        "d": "quniform(0, 1, 0.05).when(c=(x, None), otherwise=0)",
        "e": "qloguniform(1, 1e6, 3).when(c=x)",
        "f": "randint(-5, 100)",
        "g": "normal(3, 0.5)",
        "h": "qlognormal(0, 1, 0.5).when(c=(1, 2.5), k=True)",
        "k": "choice(True, False).when(c=(1, 2.5, x))",
    }
)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(5, 40), st.sampled_from([1, -1]))
def test_what_is_proposed_lies_inside_and_holds_the_good(seed: int, count: int, sign: int) -> None:
    rng = random.Random(seed)
    trials = [(p, rng.gauss(0, 1)) for p in draw(SPACE, count, seed)]
    found = Space.parse(narrow(SPACE, trials, sign))
    for params in draw(found, 10, seed):
        for name, value in params.items():
            if SPACE.active(SPACE[name], params):
                SPACE[name].encode(value)
    ranked = sorted(trials, key=lambda t: -sign * t[1])
    for params, _ in ranked[: max(5, math.ceil(count / 4))]:
        for name in found.to_json():
            if name in params and "normal" not in found[name].kind and SPACE.active(SPACE[name], params):
                found[name].encode(params[name])
    again = narrow(found, [(p, v) for p, v in trials if all(n in p or found[n].when for n in found.to_json())], sign)
    Space.parse(again)
    left, settled = settle(Space.parse(again))
    assert left.keys() | settled.keys() == again.keys()
    Space.parse(left)
