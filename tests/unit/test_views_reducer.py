from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlwidgets.views.reduce import INDEX, STEP, TIME, VALUE, Points, Reducer
from mlwidgets.views.tracks import Sent

floats = st.floats(allow_nan=True, allow_infinity=True, width=64)
pieces = st.lists(hnp.arrays(np.float64, st.integers(0, 60), elements=floats), max_size=12)


def fill(reducer: Reducer, parts: list[np.ndarray]) -> np.ndarray:
    for part in parts:
        indices = np.arange(reducer.count, reducer.count + len(part))
        reducer.append(indices * 3, indices + 0.5, part)
    return np.concatenate(parts) if parts else np.empty(0)


@given(pieces, st.integers(1, 20))
def test_each_neighbourhood_keeps_its_extremes_and_gaps(parts: list[np.ndarray], capacity: int) -> None:
    reducer = Reducer(capacity)
    values = fill(reducer, parts)
    rows = reducer.points().rows
    index = rows[:, INDEX].astype(int)
    assert np.array_equal(rows[:, VALUE], values[index], equal_nan=True)
    assert np.array_equal(rows[:, STEP], index * 3)
    assert np.array_equal(rows[:, TIME], index + 0.5)
    assert (np.diff(index) > 0).all()
    assert -(-len(values) // reducer.width) <= capacity
    for start in range(0, len(values), reducer.width):
        group = values[start : start + reducer.width]
        kept = rows[(index >= start) & (index < start + reducer.width), VALUE]
        finite = group[np.isfinite(group)]
        if len(finite):
            assert finite.max() in kept
            assert finite.min() in kept
        if len(finite) < len(group):
            assert not np.isfinite(kept).all()
    if len(values):
        assert index[0] == 0
        assert index[-1] == len(values) - 1


@given(pieces, st.integers(1, 20))
def test_many_appends_leave_what_one_leaves(parts: list[np.ndarray], capacity: int) -> None:
    at_once, in_parts = Reducer(capacity), Reducer(capacity)
    fill(at_once, [np.concatenate(parts)] if parts else [])
    fill(in_parts, parts)
    assert np.array_equal(at_once.points().rows, in_parts.points().rows, equal_nan=True)


@given(pieces, st.integers(1, 20))
def test_what_is_sent_bit_by_bit_adds_up_to_the_whole(parts: list[np.ndarray], capacity: int) -> None:
    reducer = Reducer(capacity)
    sent = Sent()
    known = Points(np.empty((0, 4)), np.empty(0))
    for part in parts:
        fill(reducer, [part])
        keep, points = sent.next(reducer)
        known = Points(
            np.concatenate([known.rows[:keep], points.rows]), np.concatenate([known.means[:keep], points.means])
        )
        assert np.array_equal(known.rows, reducer.points().rows, equal_nan=True)
        assert np.array_equal(known.means, reducer.points().means, equal_nan=True)


def test_means_are_those_of_the_neighbourhood() -> None:
    reducer = Reducer(2)
    fill(reducer, [np.array([0.0, 4.0, math.nan, 2.0]), np.array([10.0, 20.0])])
    assert reducer.width == 4
    assert reducer.points().means.tolist() == [2.0, 2.0, 2.0, 15.0, 15.0]


def test_one_spike_among_a_million_survives_every_merge() -> None:
    reducer = Reducer(300)
    values = np.zeros(1_000_000)
    values[123_457], values[765_432] = 1.0, math.inf
    fill(reducer, np.array_split(values, 77))
    rows = reducer.points().rows
    assert {123_457, 765_432} <= set(rows[:, INDEX].astype(int).tolist())
    assert len(rows) < 1000
