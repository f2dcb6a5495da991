from __future__ import annotations

import json
import math
import re
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwidgets.errors import ParameterError
from mlwidgets.runs.spec import (
    Frozen,
    FrozenName,
    Provenance,
    Resources,
    RunSpec,
    check_name,
    literal_text,
    new_run_id,
    parse_literal,
)
from mlwidgets.runs.store import name_of

TEXT = st.text(max_size=10)
FROZEN = st.builds(
    Frozen,
    stream=TEXT,
    buffers=st.lists(TEXT, max_size=3).map(tuple),
    names=st.lists(st.builds(FrozenName, TEXT, TEXT, TEXT), max_size=2).map(tuple),
    nbytes=st.integers(0),
)
SPECS = st.builds(
    RunSpec,
    id=TEXT,
    name=TEXT,
    code=TEXT,
    params=st.dictionaries(TEXT, TEXT, max_size=3),
    seed=st.none() | st.integers(0, 2**32 - 1),
    inputs=st.none() | FROZEN,
    ambient=st.none() | FROZEN,
    modules=st.lists(st.fixed_dictionaries({"name": TEXT, "package": st.booleans()}), max_size=2).map(tuple),
    imports=st.lists(TEXT, max_size=2).map(tuple),
    unsent=st.dictionaries(TEXT, TEXT, max_size=2),
    results=st.none() | st.lists(TEXT, max_size=3).map(tuple),
    resources=st.builds(Resources, st.none() | st.floats(0.1, 1e6)),
    provenance=st.none()
    | st.builds(Provenance, TEXT, TEXT, TEXT, TEXT, TEXT, st.none() | TEXT, st.none() | st.integers()),
    tags=st.dictionaries(TEXT, TEXT, max_size=2),
    note=TEXT,
    heading=st.none() | TEXT,
    execution_count=st.none() | st.integers(),
    submitted_at=st.floats(0, 2e9),
)


@settings(max_examples=100, deadline=None)
@given(SPECS)
def test_a_spec_survives_json(spec: RunSpec) -> None:
    data = json.loads(json.dumps(spec.to_json()))
    assert "code" not in data
    assert RunSpec.from_json(data, spec.code) == spec


def test_fields_of_a_later_version_are_passed_over() -> None:
    spec = RunSpec(id="a", name="a", code="x")
    assert RunSpec.from_json({**spec.to_json(), "later": 1}, "x") == spec


@pytest.mark.parametrize("data", [{}, {"id": "x"}, {"id": "x", "name": "y", "resources": {"unknown": 1}}])
def test_what_is_no_spec(data: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        RunSpec.from_json(data, "")


LITERALS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda part: (
        st.lists(part, max_size=3)
        | st.lists(part, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), part, max_size=3)
        | st.sets(st.integers() | st.text(max_size=3), max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(LITERALS)
def test_literals_survive_as_text(value: Any) -> None:
    back = parse_literal(json.loads(json.dumps(literal_text(value))))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, -0.0, 1e-3, 10**30, 1 + 2j])
def test_numbers(value: Any) -> None:
    assert repr(parse_literal(literal_text(value))) == repr(value)


@pytest.mark.parametrize(
    ("value", "text"), [(np.float64(0.1), "0.1"), (np.int32(3), "3"), (np.bool_(True), "True"), (np.array(2.5), "2.5")]
)
def test_numpy_scalars_are_numbers(value: Any, text: str) -> None:
    assert literal_text(value) == text


class Broken:
    def __repr__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(("value", "text"), [(10**5000, "<int>"), (Broken(), "<Broken>")], ids=["int", "repr"])
def test_values_without_a_text(value: Any, text: str) -> None:
    assert literal_text(value) == text
    with pytest.raises(ValueError, match="not a Python literal"):
        parse_literal(text)


@pytest.mark.parametrize("text", ["adam", "f(1)", "1 +", "", "[nan]", "x.y", "lambda: 1", "(" * 500, "os.system('x')"])
def test_what_is_no_literal(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_literal(text)


@pytest.mark.parametrize("name", ["lenet", "a", "LeNet-5_v2.1", "0", "x" * 100])
def test_names(name: str) -> None:
    assert check_name(name) == name
    run_id = new_run_id(name)
    assert name_of(run_id) == name
    assert re.fullmatch(r"\d{8}-\d{6}-.*-[a-z0-9]{4}", run_id)


@pytest.mark.parametrize("name", ["", "-x", ".x", "a b", "a/b", "ü", "x" * 101, "a\n", ".."])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ParameterError, match="cannot be a run's name"):
        check_name(name)


def test_ids_sort_by_time() -> None:
    ids = [new_run_id("x", now) for now in (0, 3600 * 24, 1.7e9, 1.8e9)]
    assert ids == sorted(ids)


def test_ids_of_one_second_sort() -> None:
    ids = [new_run_id("x", 1.8e9 + number / 900) for number in range(900)]
    assert len({run_id[:15] for run_id in ids}) == 1
    assert ids == sorted(ids)


def test_ids_made_one_after_the_other_sort() -> None:
    made = [(time.time(), new_run_id("x"), time.time()) for _ in range(50)]
    for number, (_, first, end) in enumerate(made):
        # The first that began so much later that the fractions of the second differ.
        later = next((run_id for begin, run_id, _ in made[number + 1 :] if begin - end > 1 / 900), "99")
        assert first < later
    assert [i[:-2] for _, i, _ in made] == sorted(i[:-2] for _, i, _ in made)


def test_ids_sort_when_summer_time_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    try:
        before, after = 1792889999.5, 1792890000.5
        assert time.localtime(before)[3:6] == (2, 59, 59)
        assert time.localtime(after)[3:6] == (2, 0, 0)
        assert new_run_id("x", before) < new_run_id("x", after)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "change",
    [
        {"name": 7}, {"id": None}, {"note": []}, {"heading": 1}, {"params": []}, {"params": None},
        {"params": {"lr": 0.1}}, {"tags": "text"}, {"tags": {"a": None}}, {"unsent": {"a": 1}},
        {"submitted_at": "now"}, {"submitted_at": None}, {"submitted_at": True}, {"submitted_at": math.nan},
        {"submitted_at": math.inf}, {"submitted_at": 1e300}, {"submitted_at": 10**400}, {"submitted_at": -1},
    ],
)  # fmt: skip
def test_fields_of_another_type(change: dict[str, Any]) -> None:
    data = {**RunSpec(id="a", name="a", code="x").to_json(), **change}
    with pytest.raises(ValueError, match="in the spec is no"):
        RunSpec.from_json(data, "x")


@pytest.mark.parametrize("data", [[], None, 7, "text"])
def test_a_spec_is_an_object(data: Any) -> None:
    with pytest.raises(ValueError, match="no JSON object"):
        RunSpec.from_json(data, "x")
