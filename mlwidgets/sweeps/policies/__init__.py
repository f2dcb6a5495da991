"""Policies: the rules that end poor trials early, by their text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlwidgets.errors import ParameterError
from mlwidgets.sweeps.policies.base import Curve, Policy, Why
from mlwidgets.sweeps.policies.curves import Bandit, Median, Truncation
from mlwidgets.sweeps.policies.pruners import Halving, Hyperband, Patience, Percentile, Wilcoxon
from mlwidgets.sweeps.policies.replay import Replay, replay

__all__ = ["POLICIES", "Curve", "Policy", "Replay", "Why", "parse_policy", "replay"]

POLICIES: dict[str, type[Policy]] = {
    p.name: p for p in (Bandit, Median, Truncation, Halving, Hyperband, Wilcoxon, Percentile, Patience)
}
"""All there are, by name; each has its `form` as an example."""


def parse_policy(text: str, *, sign: int = 1, metric: str = "") -> Policy:
    """Read ``bandit:slack=0.1,every=1,delay=5``.

    Parameters
    ----------
    sign
        1 where more of the metric is better, -1 where less is.
    metric
        The metric's name, for the reasons.

    Raises
    ------
    ParameterError
        If there is no such policy, or it has no such option or value.
    """
    name, _, rest = text.strip().partition(":")
    kind = POLICIES.get(name.strip())
    if kind is None:
        raise ParameterError(f"there is no policy {name.strip()!r}: there are {', '.join(POLICIES)}")
    types = {option.name: str(option.type) for option in kind.options()}
    given: dict[str, Any] = {}
    for key, value in _options(kind, rest):
        if key not in types:
            raise ParameterError(f"{kind.name} has no {key!r}: it has {', '.join(types)}; write {kind.form}")
        if key in given:
            raise ParameterError(f"{kind.name} has {key} twice in {text}")
        given[key] = _value(kind, key, value, types[key])
    try:
        return kind(**given, sign=sign, metric=metric)
    except TypeError:
        raise ParameterError(f"{kind.name} is not complete: write {kind.form}") from None


def _options(kind: type[Policy], rest: str) -> Iterator[tuple[str, str]]:
    for part in filter(None, map(str.strip, rest.split(","))):
        key, equals, value = map(str.strip, part.partition("="))
        if not equals or not value:
            raise ParameterError(f"{part!r} is no option of {kind.name}: write {kind.form}")
        yield key, value


def _value(kind: type[Policy], key: str, value: str, wanted: str) -> Any:
    if wanted.startswith("str"):
        return value
    try:
        return int(value) if wanted.startswith("int") else float(value)
    except ValueError:
        what = "whole number" if wanted.startswith("int") else "number"
        raise ParameterError(f"{kind.name}: {key}={value} is no {what}; write {kind.form}") from None
