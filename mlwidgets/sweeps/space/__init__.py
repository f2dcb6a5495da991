"""The search space of a sweep: its parameters, the conditions between them, and what a study knows of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import ParameterError
from mlwidgets.runs.spec import literal_text
from mlwidgets.sweeps.space.dimension import GIVEN, MOST, Dimension, parse_dimension
from mlwidgets.sweeps.space.distributions import (
    FORMS,
    Distribution,
    choice,
    lognormal,
    loguniform,
    normal,
    qlognormal,
    qloguniform,
    qnormal,
    quniform,
    randint,
    uniform,
)  # fmt: skip
from mlwidgets.sweeps.space.values import word

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

__all__ = [
    "GIVEN", "Dimension", "Distribution", "Space", "choice", "lognormal", "loguniform", "normal", "parse_dimension",
    "qlognormal", "qloguniform", "qnormal", "quniform", "randint", "uniform",
]  # fmt: skip


class Space:
    """All parameters of a search.

    Parameters
    ----------
    dimensions
        In the order in which the user named them; ``ordered`` has each behind those that its conditions name.

    Raises
    ------
    ParameterError
        If a condition can never hold, or conditions go round in a circle.
    """

    def __init__(self, dimensions: tuple[Dimension, ...]) -> None:
        self.dimensions = dimensions
        self._by_name = {d.name: d for d in dimensions}
        for dimension in dimensions:
            self._check(dimension)
        self.ordered: list[Dimension] = []
        for dimension in dimensions:
            self._place(dimension, ())

    @classmethod
    def parse(cls, space: Mapping[str, str | Distribution]) -> Space:
        """Build from each name's distribution, as text or made by `choice`, `uniform` and so on.

        Raises
        ------
        ParameterError
            If one is none, or they do not fit together.
        """
        if not space:
            raise ParameterError(
                "there is nothing to search: give a parameter a range, such as lr=loguniform(1e-5, 1e-1)"
            )
        dimensions = []
        for name, text in space.items():
            dimension = parse_dimension(name, text)
            if dimension is None:
                fixed = "" if isinstance(text, str) else f"; what is fixed is given as params={{{name!r}: ...}}"
                raise ParameterError(
                    f"parameter {name}={text!s:.80} is no distribution: there are {', '.join(FORMS)}{fixed}"
                )
            dimensions.append(dimension)
        return cls(tuple(dimensions))

    def to_json(self) -> dict[str, str]:
        """Return each name's text, which `parse` reads."""
        return {d.name: d.text for d in self.dimensions}

    def __getitem__(self, name: str) -> Dimension:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Let a trial of Optuna choose; names whose condition fails are absent, or have their other value."""
        params: dict[str, Any] = {}
        for dimension in self.ordered:
            if self.active(dimension, params):
                params[dimension.name] = dimension.ask(trial)
            elif dimension.distribution.otherwise:
                params[dimension.name] = dimension.distribution.otherwise[0]
        return {d.name: params[d.name] for d in self.dimensions if d.name in params}

    def to_study(self, params: Mapping[str, Any], *, whole: bool = True) -> dict[str, Any]:
        """Return what a study holds for values given by hand or taken over: the inverse of `suggest`.

        Parameters
        ----------
        whole
            Whether all that is searched has to be there; the sampler chooses the rest otherwise.

        Raises
        ------
        ParameterError
            If a value is outside the space, missing, or without effect.
        """
        unknown = next((n for n in params if n not in self._by_name), None)
        if unknown is not None:
            raise ParameterError(f"{unknown!r} is not searched: the parameters are {', '.join(self._by_name)}")
        found: dict[str, Any] = {}
        known: dict[str, Any] = {}
        for dimension in self.ordered:
            name, otherwise = dimension.name, dimension.distribution.otherwise
            if self.active(dimension, known):
                if name in params:
                    found[name] = dimension.encode(params[name])
                    known[name] = dimension.decode(found[name]) if dimension.discrete else params[name]
                elif whole:
                    raise ParameterError(f"{name!r} is missing: it is searched, {dimension.text:.100}")
                continue
            if name in params and literal_text(params[name]) not in map(literal_text, otherwise):
                raise ParameterError(
                    f"parameter {name} is searched only where {dimension.when}; give those too, or drop it"
                )
            if otherwise:
                known[name] = otherwise[0]
        return found

    def of_optuna(self) -> dict[str, BaseDistribution]:
        """Return all dimensions in Optuna's terms, whether their condition holds or not."""
        return {d.name: d.of_optuna() for d in self.dimensions}

    def grid(self) -> list[dict[str, Any]]:
        """Return every combination once, the last parameter changing fastest.

        Raises
        ------
        ParameterError
            If a dimension cannot be counted, or there are more than 100,000 combinations.
        """
        points: list[dict[str, Any]] = [{}]
        for dimension in self.ordered:
            name = dimension.name
            otherwise = {} if not dimension.distribution.otherwise else {name: dimension.distribution.otherwise[0]}
            values = list(dimension.values())
            new: list[dict[str, Any]] = []
            for point in points:
                active = self.active(dimension, point)
                new += [{**point, name: v} for v in values] if active else [{**point, **otherwise}]
                if len(new) > MOST:
                    raise ParameterError(
                        f"the grid has over {MOST:,} combinations: search less, or use another sampler"
                    )
            points = new
        names = [d.name for d in self.dimensions]
        return [{n: point[n] for n in names if n in point} for point in points]

    def active(self, dimension: Dimension, params: Mapping[str, Any]) -> bool:
        """Whether a dimension is searched where the others have these values."""
        return all(
            name in params and literal_text(params[name]) in map(literal_text, allowed)
            for name, allowed in dimension.distribution.conditions
        )

    def _check(self, dimension: Dimension) -> None:
        """Raise ParameterError where a condition can never hold."""
        for name, allowed in dimension.distribution.conditions:
            place = f"parameter {dimension.name}: when({name}=...)"
            if name not in self._by_name or self._by_name[name].kind != "choice":
                there = [d.name for d in self.dimensions if d.kind == "choice" and d.name != dimension.name]
                raise ParameterError(
                    f"{place} needs a choice of this search; "
                    + (f"there {'is' if len(there) == 1 else 'are'} {', '.join(there)}" if there else "there is none")
                )
            other = self._by_name[name]
            possible = [literal_text(v) for v in (*other.args, *other.distribution.otherwise)]
            wrong = [v for v in allowed if literal_text(v) not in possible]
            if wrong:
                raise ParameterError(f"{place} cannot be {word(wrong[0])}: it is one of {', '.join(possible):.80}")

    def _place(self, dimension: Dimension, path: tuple[str, ...]) -> None:
        """Put a dimension behind those that its conditions name."""
        if dimension.name in path:
            circle = " -> ".join((*path[path.index(dimension.name) :], dimension.name))
            raise ParameterError(f"conditions go round in a circle: {circle}")
        if dimension in self.ordered:
            return
        for name, _allowed in dimension.distribution.conditions:
            self._place(self._by_name[name], (*path, dimension.name))
        self.ordered.append(dimension)
