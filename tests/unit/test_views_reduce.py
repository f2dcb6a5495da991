from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlwidgets.views.reduce import extremes

floats = st.floats(allow_nan=True, allow_infinity=True, width=64)
columns = hnp.arrays(np.float64, st.integers(0, 400), elements=floats)


@given(columns, st.integers(1, 40))
def test_no_extreme_is_lost(values: np.ndarray, buckets: int) -> None:
    kept = values[extremes(values, buckets)]
    finite, finite_kept = values[np.isfinite(values)], kept[np.isfinite(kept)]
    assert len(finite_kept) > 0 or len(finite) == 0
    if len(finite):
        assert finite_kept.min() == finite.min()
        assert finite_kept.max() == finite.max()


@given(columns, st.integers(1, 40))
def test_each_neighbourhood_keeps_its_own_extremes_and_gaps(values: np.ndarray, buckets: int) -> None:
    kept = extremes(values, buckets)
    width = max(1, -(-len(values) // buckets))
    for start in range(0, len(values), width):
        group = values[start : start + width]
        of_it = values[kept[(kept >= start) & (kept < start + width)]]
        finite = group[np.isfinite(group)]
        if len(finite):
            assert finite.max() in of_it
            assert finite.min() in of_it
        if len(finite) < len(group):
            assert not np.isfinite(of_it).all()


@given(columns, st.integers(1, 40))
def test_the_result_is_short_ordered_and_holds_both_ends(values: np.ndarray, buckets: int) -> None:
    kept = extremes(values, buckets)
    assert len(kept) <= max(2 * buckets, 3 * buckets + 2)
    assert (np.diff(kept) > 0).all()
    if len(values):
        assert kept[0] == 0
        assert kept[-1] == len(values) - 1


def test_short_columns_keep_everything() -> None:
    assert extremes(np.arange(20.0), 10).tolist() == list(range(20))
    assert extremes(np.empty(0), 10).tolist() == []


def test_one_spike_among_a_million_survives() -> None:
    values = np.zeros(1_000_000)
    values[123_457] = 1.0
    values[765_432] = math.inf
    kept = extremes(values, 300)
    assert 123_457 in kept
    assert 765_432 in kept
    assert len(kept) < 1000
