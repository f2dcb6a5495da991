"""The search space: its text, its errors, and the way of its values to a study and back."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwidgets.errors import ParameterError
from mlwidgets.runs.spec import literal_text
from mlwidgets.sweeps.space import (
    GIVEN,
    Distribution,
    Space,
    choice,
    lognormal,
    loguniform,
    normal,
    parse_dimension,
    qlognormal,
    qloguniform,
    qnormal,
    quniform,
    randint,
    uniform,
)

pytestmark = pytest.mark.unit
optuna.logging.set_verbosity(optuna.logging.ERROR)


def study_of(seed: int = 0) -> optuna.Study:
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))


def draw(text: str | Distribution, count: int = 300, seed: int = 0) -> list[Any]:
    space = Space.parse({"x": text})
    study = study_of(seed)
    return [space.suggest(study.ask())["x"] for _ in range(count)]


def given_back(space: Space, params: dict[str, Any]) -> dict[str, Any]:
    study = study_of()
    study.enqueue_trial(space.to_study(params), user_attrs={GIVEN: {n: literal_text(v) for n, v in params.items()}})
    return space.suggest(study.ask())


# Distributions of every kind, with arguments that people and machines write.
NUMBERS = st.one_of(
    st.integers(-1000, 1000),
    st.floats(-1e6, 1e6).map(lambda x: round(x, 4)),
    st.floats(-1e3, 1e3, allow_subnormal=False),
)
ABOVE_ZERO = st.one_of(st.integers(1, 1000), st.floats(1e-6, 1e4))
LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def ordered(numbers: st.SearchStrategy[Any], make: Callable[..., Distribution]) -> st.SearchStrategy[Distribution]:
    pairs = st.tuples(numbers, numbers).filter(lambda p: p[0] != p[1]).map(sorted)
    return pairs.map(lambda p: make(*p))


def with_q(numbers: st.SearchStrategy[Any], make: Callable[..., Distribution]) -> st.SearchStrategy[Distribution]:
    def build(parts: tuple[Any, Any, Any]) -> Distribution | None:
        try:
            return make(*sorted(parts[:2]), parts[2])
        except ParameterError:
            return None

    return st.tuples(numbers, numbers, ABOVE_ZERO).map(build).filter(lambda d: d is not None)  # type: ignore[return-value]


SIGMAS = st.floats(1e-3, 5.0)
DISTRIBUTIONS = st.one_of(
    st.lists(LITERALS, min_size=2, max_size=5, unique_by=literal_text).map(lambda v: choice(*v)),
    ordered(NUMBERS, uniform),
    ordered(ABOVE_ZERO, loguniform),
    with_q(NUMBERS, quniform),
    with_q(ABOVE_ZERO, qloguniform),
    st.tuples(NUMBERS, ABOVE_ZERO).map(lambda a: normal(*a)),
    st.tuples(st.floats(-5, 5), SIGMAS).map(lambda a: lognormal(*a)),
    st.tuples(NUMBERS, ABOVE_ZERO, ABOVE_ZERO).map(lambda a: qnormal(*a)),
    st.tuples(st.floats(-5, 5), SIGMAS, ABOVE_ZERO).map(lambda a: qlognormal(*a)),
    ordered(st.integers(-(10**9), 10**9), randint),
    st.integers(1, 100).map(randint),
)


@given(DISTRIBUTIONS)
def test_text_comes_back(distribution: Distribution) -> None:
    dimension = parse_dimension("x", str(distribution))
    assert dimension is not None
    assert literal_text(dimension.args) == literal_text(distribution.args)
    assert dimension.text == str(distribution)


@given(DISTRIBUTIONS, DISTRIBUTIONS, LITERALS, st.lists(LITERALS, min_size=2, max_size=4, unique_by=literal_text))
def test_text_with_a_condition_comes_back(one: Distribution, two: Distribution, other: Any, values: list[Any]) -> None:
    space = Space.parse(
        {
            "way": choice(*values),
            "one": one.when(way=tuple(values[:-1]), otherwise=other),
            "two": two.when(way=(values[0],)),
        }
    )
    assert Space.parse(space.to_json()).to_json() == space.to_json()


@settings(deadline=None)
@given(DISTRIBUTIONS, st.integers(0, 2**31))
def test_every_value_is_inside_and_comes_back_the_same(distribution: Distribution, seed: int) -> None:
    space = Space.parse({"x": distribution})
    value = space.suggest(study_of(seed).ask())["x"]
    kind, args = distribution.kind, distribution.args
    if kind == "choice":
        assert literal_text(value) in map(literal_text, args)
    elif kind == "randint":
        assert isinstance(value, int)
        assert (args[0] if len(args) == 2 else 0) <= value <= (args[1] if len(args) == 2 else args[0] - 1)
    elif "normal" not in kind:
        assert args[0] <= value <= args[1]
    else:
        x = value - args[0] if "log" not in kind else (math.log(value) - args[0] if value else 0)
        if len(args) == 2:
            assert abs(x) <= 6.001 * args[1]
        assert "log" not in kind or value >= 0
    if kind.startswith("q"):
        assert round(value / args[2]) * args[2] == pytest.approx(value, rel=1e-12)
    again = given_back(space, {"x": value})["x"]
    assert literal_text(again) == literal_text(value)
    assert space.suggest(study_of(seed).ask())["x"] == value


@given(st.floats(-4, 4), st.sampled_from([normal(0, 1), normal(0.3, 2.5)]))
def test_a_normal_value_given_by_hand_is_the_very_same(value: float, distribution: Distribution) -> None:
    assert given_back(Space.parse({"x": distribution}), {"x": value}) == {"x": value}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("randint(3)", {0, 1, 2}),
        ("randint(2, 4)", {2, 3, 4}),
        ("quniform(0, 1, 0.25)", {0.0, 0.25, 0.5, 0.75, 1.0}),
        ("quniform(0.1, 0.45, 0.1)", {0.1, 0.2, 0.3, 0.4}),
        ("quniform(16, 65, 16)", {16, 32, 48, 64}),
        ("qloguniform(1, 35, 10)", {10, 20, 30}),
        ("choice(1, True, 1.0, '1')", None),
    ],
)
def test_discrete_values(text: str, values: set[Any] | None) -> None:
    found = draw(text)
    if values is None:
        assert set(map(literal_text, found)) == {"1", "True", "1.0", "'1'"}
        return
    assert set(found) == values
    assert {type(v) for v in found} == {type(next(iter(values)))}
    assert [p["x"] for p in Space.parse({"x": text}).grid()] == sorted(values)


def test_a_list_as_the_only_value() -> None:
    assert draw("choice([3, 4],)", 2) == [[3, 4], [3, 4]]
    assert Space.parse({"x": "choice([3, 4],)"}).to_json() == {"x": "choice([3, 4],)"}


def test_quotes_in_texts() -> None:
    values = ("it's", 'say "no", then (go', "both ' and \", here", "back\\", "")
    assert parse_dimension("x", str(choice(*values))) == parse_dimension("x", choice(*values))


def test_a_condition_on_the_other_value_of_a_parameter() -> None:
    space = Space.parse(
        {
            "way": "choice(1, 2)",
            "how": "choice(x, y).when(way=1, otherwise=z)",
            "lr": "uniform(0, 1).when(how=(x, z))",
        }
    )
    for params in ({"way": 2, "how": "z", "lr": 0.5}, {"way": 1, "how": "x", "lr": 0.5}, {"way": 1, "how": "y"}):
        assert given_back(space, params) == params
    with pytest.raises(ParameterError, match="lr is searched only where"):
        space.to_study({"way": 1, "how": "y", "lr": 0.5})


def test_the_shapes_are_those_of_the_definitions() -> None:
    normals = draw("normal(10, 2)", 2000)
    assert statistics.fmean(normals) == pytest.approx(10, abs=0.2)
    assert statistics.stdev(normals) == pytest.approx(2, rel=0.06)
    logs = [math.log(x) for x in draw("lognormal(1, 0.5)", 2000)]
    assert statistics.fmean(logs) == pytest.approx(1, abs=0.05)
    assert statistics.stdev(logs) == pytest.approx(0.5, rel=0.06)
    spread = [math.log10(x) for x in draw("loguniform(1e-5, 1e-1)", 2000)]
    assert np.histogram(spread, bins=4, range=(-5, -1))[0] == pytest.approx([500] * 4, rel=0.15)
    rounded = draw("qnormal(0, 3, 1)", 2000)
    assert all(isinstance(v, int) for v in rounded)
    assert statistics.stdev(rounded) == pytest.approx(math.sqrt(9 + 1 / 12), rel=0.06)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("uniform(1, 0)", "low 1 is above high 0; write uniform(0, 1)"),
        ("uniform(1, 1)", "nothing to search"),
        ("uniform(0)", "uniform with 1 value; write uniform(low, high)"),
        ("uniform(0, 1, 2)", "uniform with 3 values; write uniform(low, high)"),
        ("uniform(0, 1, step=2)", "uniform has no 'step'; write uniform(low, high)"),
        ("uniform(0, low=1)", "uniform with 2 values; write uniform(low, high)"),
        ("uniform(0, inf)", "inf is not finite"),
        ("uniform(0, nan)", "nan is not finite"),
        ("uniform(0, True)", "True is no number"),
        ("uniform(0, one)", "'one' is no number"),
        ("loguniform(-5, -1)", "loguniform(0.006738, 0.3679) here"),
        ("qloguniform(-3, 2, 1)", "qloguniform(0.04979, 7.389, 1) here"),
        ("loguniform(0, 1)", "takes bounds above 0"),
        ("loguniform(1, -1)", "takes bounds above 0"),
        ("quniform(0, 1, 0)", "q is 0 and has to be above 0"),
        ("quniform(0, 1, -2)", "q is -2 and has to be above 0"),
        ("quniform(0.1, 0.2, 0.3)", "no multiple of 0.3 lies between 0.1 and 0.2"),
        ("quniform(5, 1, 1)", "write quniform(1, 5, 1)"),
        ("quniform(0, 1e300, 1e-300)", "too small"),
        ("normal(0, 0)", "sigma is 0"),
        ("qnormal(0, 1, 0)", "q is 0"),
        ("lognormal(0, 200)", "overflows"),
        ("randint(5, 1)", "write randint(1, 5)"),
        ("randint(0)", "has no value"),
        ("randint(1.5, 3)", "randint takes integers"),
        ("randint(0, 10000000000000000000000)", "up to 2**53"),
        ("choice()", "has no value to choose from"),
        ("choice(a, 'a')", "has 'a' twice"),
        ("choice([32, 64])", "write choice(32, 64)"),
        ("choice(true, false)", "write True for true"),
        ("choice(2**10)", "2**10 is no Python literal"),
        ("choice(a,,b)", "missing between two commas"),
        ("choice({1, 2}, 3)", "{1, 2} is no Python literal"),
        ("choice(a, b", "not closed"),
        ("choice(a, 'b)", "not closed"),
        ("uniform(0, 1) + 1", "is not understood"),
        ("uniform(0, 1).when()", "needs a condition"),
        ("uniform(0, 1).when(otherwise=3)", "needs a condition"),
        ("uniform(0, 1).when(sgd)", "is no condition"),
        ("uniform(0, 1).when(a=1, a=2)", "has a twice"),
        ("uniform(0, 1).when(a=())", "never holds"),
        ("uniform(0, 1).when(a=1).when(b=1)", "all conditions into one when"),
        ("unifrom(0, 1)", "no distribution unifrom; write uniform(low, high)"),
        ("log_uniform(1, 2)", "write loguniform(low, high)"),
        ("choice([inf], 1)", "[inf] is no Python literal"),
    ],
)
def test_errors_name_the_parameter_and_say_what_to_write(text: str, says: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse_dimension("rate", text)
    message = str(caught.value)
    assert message.startswith("parameter rate=")
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["32", "sgd", "uniform", "foo(1)", "(1, 2)", "'uniform(0, 1)'", "[uniform(0, 1)]", ""])
def test_what_is_no_distribution(text: str) -> None:
    assert parse_dimension("x", text) is None


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ({}, "nothing to search"),
        ({"x": "3"}, "parameter x=3 is no distribution"),
        ({"x": "uniform(0, 1).when(y=1)"}, "when(y=...) needs a choice of this search; there is none"),
        ({"x": "uniform(0, 1).when(y=1)", "y": "uniform(0, 1)", "z": "choice(1, 2)"}, "there is z"),
        ({"x": "uniform(0, 1).when(y=3)", "y": "choice(1, 2)"}, "cannot be 3: it is one of 1, 2"),
        ({"x": "uniform(0, 1).when(y=(1, 1.0))", "y": "choice(1, 2)"}, "cannot be 1.0: it is one of 1, 2"),
        ({"x": "uniform(0, 1).when(y=None)", "y": "choice(1, 2)"}, "cannot be None"),
        ({"x": "choice(1, 2).when(x=1)"}, "circle: x -> x"),
        ({"x": "choice(1, 2).when(y=1)", "y": "choice(1, 2).when(x=1)"}, "circle: x -> y -> x"),
    ],
)
def test_what_does_not_fit_together(space: dict[str, str], says: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Space.parse(space)
    assert says in str(caught.value)


NESTED = Space.parse(
    {
        "decay": "uniform(0, 1).when(nesterov=True, otherwise=0.0)",
        "nesterov": "choice(True, False).when(optimizer=(sgd, asgd))",
        "optimizer": "choice(adam, sgd, asgd)",
        "lr": "loguniform(1e-5, 0.1)",
    }
)


def test_conditions() -> None:
    study = study_of()
    seen = set()
    for _ in range(200):
        trial = study.ask()
        params = NESTED.suggest(trial)
        seen.add((params["optimizer"], params.get("nesterov")))
        assert ("nesterov" in params) == (params["optimizer"] != "adam")
        assert ("nesterov" in trial.params) == ("nesterov" in params)
        assert ("decay" in trial.params) == (params.get("nesterov") is True)
        assert params.get("nesterov") is True or params["decay"] == 0.0
        assert list(params) == [n for n in ("decay", "nesterov", "optimizer", "lr") if n in params]
        assert given_back(NESTED, params) == params
    assert seen == {("adam", None), ("sgd", True), ("sgd", False), ("asgd", True), ("asgd", False)}


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"lr": 0.01, "optimizer": "adam", "momentum": 1}, "'momentum' is not searched: the parameters are decay"),
        ({"lr": 0.01}, "'optimizer' is missing"),
        ({"lr": 1.0, "optimizer": "adam"}, "parameter lr=1.0 is outside loguniform(1e-05, 0.1)"),
        ({"lr": "fast", "optimizer": "adam"}, "parameter lr=fast is outside"),
        ({"lr": math.nan, "optimizer": "adam"}, "parameter lr=nan is outside"),
        ({"lr": True, "optimizer": "adam"}, "parameter lr=True is outside"),
        ({"lr": 0.01, "optimizer": "lion"}, "parameter optimizer=lion is outside choice(adam, sgd, asgd)"),
        ({"lr": 0.01, "optimizer": "adam", "nesterov": True}, "nesterov is searched only where optimizer=(sgd, asgd)"),
        ({"lr": 0.01, "optimizer": "adam", "decay": 0.5}, "decay is searched only where nesterov=True"),
        ({"lr": 0.01, "optimizer": "sgd", "nesterov": 1}, "parameter nesterov=1 is outside"),
    ],
)
def test_values_by_hand_have_to_be_of_the_space(params: dict[str, Any], says: str) -> None:
    with pytest.raises(ParameterError) as caught:
        NESTED.to_study(params)
    assert says in str(caught.value)


def test_some_values_by_hand_leave_the_rest_to_the_sampler() -> None:
    assert NESTED.to_study({"lr": 0.01}, whole=False) == {"lr": 0.01}
    with pytest.raises(ParameterError, match="searched only where nesterov=True; give those too"):
        NESTED.to_study({"decay": 0.5}, whole=False)
    assert NESTED.to_study({"optimizer": "adam", "lr": 1e-5, "decay": 0.0}) == {"optimizer": "'adam'", "lr": 1e-5}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("quniform(0, 1, 0.1)", 0.25),
        ("randint(5)", 2.5),
        ("randint(5)", 5),
        ("normal(0, 1)", 7.0),
        ("qnormal(0, 1, 1)", 9),
        ("lognormal(0, 1)", 0.0),
        ("lognormal(0, 1)", -1.0),
        ("qlognormal(0, 1, 2)", 1),
        ("qlognormal(5, 0.1, 1)", 0),
    ],
)
def test_values_between_the_values_are_outside(text: str, value: float) -> None:
    with pytest.raises(ParameterError, match="is outside"):
        Space.parse({"x": text}).to_study({"x": value})


def test_numbers_of_another_type_count() -> None:
    assert given_back(Space.parse({"x": "choice(32, 64, True)"}), {"x": 64.0}) == {"x": 64}
    assert given_back(Space.parse({"x": "randint(0, 9)"}), {"x": np.float64(3.0)}) == {"x": 3}
    assert Space.parse({"x": choice(np.int64(3), 4)}).to_json() == {"x": "choice(3, 4)"}


def test_grid() -> None:
    space = Space.parse(
        {"momentum": "choice(0.5, 0.9).when(optimizer=sgd)", "optimizer": "choice(adam, sgd)", "n": "randint(2)"}
    )
    assert space.grid() == [
        {"optimizer": "adam", "n": 0},
        {"optimizer": "adam", "n": 1},
        {"momentum": 0.5, "optimizer": "sgd", "n": 0},
        {"momentum": 0.5, "optimizer": "sgd", "n": 1},
        {"momentum": 0.9, "optimizer": "sgd", "n": 0},
        {"momentum": 0.9, "optimizer": "sgd", "n": 1},
    ]  # fmt: skip
    for point in space.grid():
        assert given_back(space, point) == point


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ({"x": "uniform(0, 1)"}, "parameter x=uniform(0, 1) cannot be counted: a grid takes choice, randint"),
        ({"x": "qnormal(0, 1, 1)"}, "cannot be counted"),
        ({"x": "randint(1000000000)"}, "has over 100,000 values"),
        ({"x": "randint(1000)", "y": "randint(1000)"}, "over 100,000 combinations"),
    ],
)
def test_what_has_no_grid(space: dict[str, str], says: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Space.parse(space).grid()
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("loguniform(1e-5, 0.1)", (1e-5, 0.1, True, False, None)),
        ("uniform(0, 1)", (0.0, 1.0, False, False, None)),
        ("quniform(1, 9, 4)", (4, 8, False, True, None)),
        ("quniform(1, 9, 0.5)", (1.0, 9.0, False, False, None)),
        ("qloguniform(5, 99, 10)", (10, 90, True, True, None)),
        ("randint(4)", (0, 3, False, True, None)),
        ("normal(1, 2)", (-5.0, 7.0, False, False, None)),
        ("qnormal(1, 2, 1)", (-5, 7, False, True, None)),
        ("choice(a, 'b c', 1)", (None, None, False, False, ["'a'", "'b c'", "1"])),
    ],
)
def test_what_a_view_asks(text: str, about: tuple[Any, ...]) -> None:
    dimension = Space.parse({"x": text})["x"]
    assert (dimension.low, dimension.high, dimension.log, dimension.integer, dimension.choices) == about
