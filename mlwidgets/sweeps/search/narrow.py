"""The next, smaller search: the space around the trials that did best."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlwidgets.errors import ParameterError
from mlwidgets.runs.spec import literal_text
from mlwidgets.sweeps.space import Dimension, Distribution, Space

FEWEST = 5
"""Trials that make a region."""
_SHARE = 4
"""The best 1 / 4 of all trials are the good ones."""
_PAD = 0.1
"""What is added at each side, as a share of the region."""
_LEAST_PAD = 0.02
"""The same as a share of the old bounds' distance, at least."""


def narrow(space: Space, trials: Sequence[tuple[Mapping[str, Any], float]], sign: int) -> dict[str, str]:
    """Propose the space around the good region.

    The good trials are the best quarter, and at least five. Bounds close around their values on the distribution's own
    scale (orders of magnitude for the log forms), a tenth of the region wider at each side, never beyond the old ones.
    Of a choice those values stay that good trials have. A normal form stays one, with the mean and the standard
    deviation of the good values. Conditions stay; a parameter whose condition cannot hold any more is left out, or
    fixed at its other value.

    Parameters
    ----------
    trials
        Values and result of each trial that has one.
    sign
        1 where a greater result is better, -1 where a smaller one is.

    Returns
    -------
    dict
        Each name with its distribution's text, as the line of a new sweep takes it.

    Raises
    ------
    ParameterError
        If fewer than five trials have a result.
    """
    ranked = sorted((t for t in trials if math.isfinite(t[1])), key=lambda t: -sign * t[1])
    if len(ranked) < FEWEST:
        have = "1 trial has" if len(ranked) == 1 else f"{len(ranked)} trials have"
        raise ParameterError(f"{have} a result: narrowing takes at least {FEWEST}")
    good = [params for params, _ in ranked[: max(FEWEST, math.ceil(len(ranked) / _SHARE))]]
    found: dict[str, Distribution] = {}
    for dimension in space.ordered:
        values = [p[dimension.name] for p in good if dimension.name in p and space.active(dimension, p)]
        narrower = _around(dimension, values) if values else dimension.distribution
        kept = _with_conditions(narrower, found)
        if kept is not None:
            found[dimension.name] = kept
    return Space.parse({d.name: found[d.name] for d in space.dimensions if d.name in found}).to_json()


def _around(dimension: Dimension, values: Sequence[Any]) -> Distribution:
    """Return the distribution around values, without a change to its conditions."""
    distribution = dimension.distribution
    if dimension.kind == "choice":
        there = set(map(literal_text, values))
        return replace(distribution, args=tuple(v for v in distribution.args if literal_text(v) in there))
    if "normal" in dimension.kind:
        return replace(distribution, args=_bell(dimension, values))
    low, high = _region(dimension, [float(v) for v in values])
    if dimension.kind in {"uniform", "loguniform"}:
        return replace(distribution, args=(low, high)) if low < high else distribution
    # Among what can be counted, the bounds are values themselves.
    first, last = dimension.nearest(low, up=False), dimension.nearest(high, up=True)
    return replace(distribution, args=(first, last, *distribution.args[2:]))


def _region(dimension: Dimension, values: Sequence[float]) -> tuple[float, float]:
    old_low, old_high = dimension.low, dimension.high
    assert old_low is not None
    assert old_high is not None
    to, back = (math.log, math.exp) if dimension.log else (float, float)
    low, high = to(min(values)), to(max(values))
    pad = max(_PAD * (high - low), _LEAST_PAD * (to(old_high) - to(old_low)))
    low, high = back(low - pad), back(high + pad)
    # Three digits of what matters: of the bound itself where its order of magnitude does, of the distance elsewhere.
    scale = (low, high) if dimension.log else (high - low, high - low)
    return max(old_low, _rounded(low, scale[0], math.floor)), min(old_high, _rounded(high, scale[1], math.ceil))


def _rounded(value: float, scale: float, way: Callable[[float], int]) -> float:
    digits = 2 - math.floor(math.log10(scale)) if scale > 0 else 0
    factor = 10.0 ** min(max(digits, -300), 300)
    # What floats add to a round number is no reason to go one digit further.
    return way(round(value * factor, 6)) / factor if abs(value * factor) < 1e15 else value


def _bell(dimension: Dimension, values: Sequence[float]) -> tuple[float, ...]:
    mu, sigma = dimension.args[:2]
    smallest = dimension.args[2] / 4 if len(dimension.args) == 3 else 0.0
    places = [math.log(max(v, smallest)) if dimension.log else float(v) for v in values]
    middle = statistics.fmean(places)
    # Six standard deviations reach no further than they did.
    room = (6 * sigma - abs(middle - mu)) / 6
    spread = min(max(statistics.pstdev(places) * (1 + 2 * _PAD), sigma * _LEAST_PAD), max(room, sigma / 1000), sigma)
    return (round(middle, 2 - math.floor(math.log10(spread))), float(f"{spread:.3g}"), *dimension.args[2:])


def _with_conditions(distribution: Distribution, found: Mapping[str, Distribution]) -> Distribution | None:
    """Return it with the conditions that can still hold; fixed at its other value where none can, or None."""
    conditions = []
    for name, allowed in distribution.conditions:
        other = found.get(name)
        possible = () if other is None else (*other.args, *other.otherwise)
        texts = set(map(literal_text, possible))
        left = tuple(v for v in allowed if literal_text(v) in texts)
        if not left:
            return Distribution("choice", distribution.otherwise) if distribution.otherwise else None
        conditions.append((name, left))
    return replace(distribution, conditions=tuple(conditions))
