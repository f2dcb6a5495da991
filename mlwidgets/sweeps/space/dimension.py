"""One parameter of a search space: how its values travel to the sampler and back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import ParameterError
from mlwidgets.runs.spec import literal_text, parse_literal
from mlwidgets.sweeps.space.distributions import Distribution, multiples
from mlwidgets.sweeps.space.text import parse_distribution
from mlwidgets.sweeps.space.values import exact, number, word

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

GIVEN = "given"
"""User attribute of a study's trial: values given by hand, as text. A normal value is drawn through its quantile, from
which it comes back only to 15 digits; this one is the very same."""
_TAIL = NormalDist().cdf(-6.0)
MOST = 100_000
"""Points of a grid, at most."""


@dataclass(frozen=True)
class Dimension:
    """One parameter of a search space."""

    name: str
    distribution: Distribution

    @property
    def kind(self) -> str:
        """The distribution's name."""
        return self.distribution.kind

    @property
    def args(self) -> tuple[Any, ...]:
        """The distribution's arguments."""
        return self.distribution.args

    @property
    def text(self) -> str:
        """What `parse_dimension` reads back."""
        return str(self.distribution)

    @property
    def when(self) -> str | None:
        """The conditions under which it is searched, as text."""
        return self.distribution.condition or None

    @property
    def log(self) -> bool:
        """Whether orders of magnitude matter rather than differences."""
        return "log" in self.kind

    @property
    def integer(self) -> bool:
        """Whether all its values are integers; those of a choice count as none."""
        if self.kind == "choice":
            return False
        numbers = self.args[2:] if "normal" in self.kind else self.args
        return self.kind[0] in "qr" and all(isinstance(a, int) for a in numbers)

    @property
    def discrete(self) -> bool:
        """Whether its values can be counted."""
        return self.kind in {"choice", "randint", "quniform", "qloguniform"}

    @property
    def only(self) -> tuple[Any, ...]:
        """Its value if there is no other, nothing else."""
        if self.kind == "choice":
            return self.args if len(self.args) == 1 else ()
        low, high = map(self.decode, self._bounds())
        return (low,) if low == high else ()

    @property
    def choices(self) -> list[str] | None:
        """What a choice chooses from, as text."""
        return [literal_text(v) for v in self.args] if self.kind == "choice" else None

    @property
    def low(self) -> float | None:
        """The lowest value, None for a choice; of the normal forms, the one 3 sigma below mu."""
        return None if self.kind == "choice" else self._end(-3.0)

    @property
    def high(self) -> float | None:
        """The highest value, None for a choice; of the normal forms, the one 3 sigma above mu."""
        return None if self.kind == "choice" else self._end(3.0)

    def _end(self, sigmas: float) -> float:
        if "normal" in self.kind:
            return float(self._of_normal(self.args[0] + sigmas * self.args[1]))
        low, high = self._bounds()
        return float(self.decode(low if sigmas < 0 else high))

    def _bounds(self) -> tuple[Any, Any]:
        """Return the ends of what the sampler sees: numbers, multiples' factors, or quantiles."""
        if self.kind == "randint":
            return (0, self.args[0] - 1) if len(self.args) == 1 else (self.args[0], self.args[1])
        if self.kind in {"quniform", "qloguniform"}:
            return multiples(*self.args)
        if "normal" in self.kind:
            return _TAIL, 1.0 - _TAIL
        return float(self.args[0]), float(self.args[1])

    def _of_normal(self, x: float) -> float:
        value = math.exp(x) if self.log else x
        return self._multiple(round(value / self.args[2])) if len(self.args) == 3 else value

    def _multiple(self, factor: int) -> Any:
        q = self.args[2]
        return factor * q if self.integer else float(factor * exact(q))

    def decode(self, drawn: Any) -> Any:
        """Return the value that the sampler's number stands for."""
        if self.kind == "choice":
            return next(v for v in self.args if literal_text(v) == drawn)
        if self.kind in {"quniform", "qloguniform"}:
            return self._multiple(drawn)
        if self.kind == "randint":
            return drawn
        if "normal" in self.kind:
            return self._of_normal(NormalDist(*self.args[:2]).inv_cdf(drawn))
        return min(max(drawn, float(self.args[0])), float(self.args[1]))

    def encode(self, value: Any) -> Any:
        """Return the sampler's number for a value.

        Raises
        ------
        ParameterError
            If the value is outside.
        """
        drawn = self._encode_choice(value) if self.kind == "choice" else self._encode_number(value)
        if drawn is None:
            raise ParameterError(f"parameter {self.name}={word(value):.60} is outside {self.text:.100}")
        return drawn

    def _encode_choice(self, value: Any) -> str | None:
        texts = [literal_text(v) for v in self.args]
        if literal_text(value) in texts:
            return literal_text(value)
        # 64.0 is 64 where no choice says otherwise, True is not 1.
        same = [t for t, v in zip(texts, self.args, strict=True) if v == value and _is_number(v) and _is_number(value)]
        return same[0] if same else None

    def _encode_number(self, value: Any) -> Any:
        try:
            value = number(value)
        except ParameterError:
            return None
        low, high = self._bounds()
        if "normal" in self.kind:
            return self._quantile(value)
        if self.kind in {"uniform", "loguniform"}:
            return float(value) if low <= value <= high else None
        factor = round(value) if self.kind == "randint" else round(exact(value) / exact(self.args[2]))
        return factor if low <= factor <= high and self.decode(factor) == value else None

    def _quantile(self, value: float) -> float | None:
        if self.log and value == 0 and len(self.args) == 3:
            value = self.args[2] / 4  # what is rounded to 0
        if self.log and value <= 0:
            return None
        low, high = self._bounds()
        mu, sigma = self.args[:2]
        drawn = NormalDist(mu, sigma).cdf(math.log(value) if self.log else value)
        if len(self.args) == 2:
            return drawn if low <= drawn <= high else None
        drawn = min(max(drawn, low), high)
        found = self.decode(drawn)
        return drawn if found == value or (found == 0 and value == self.args[2] / 4) else None

    def nearest(self, value: float, *, up: bool) -> Any:
        """Return the next value of a dimension that can be counted, above or below, or the last on that side."""
        low, high = self._bounds()
        place = exact(float(value)) / (exact(self.args[2]) if len(self.args) == 3 else 1)
        return self.decode(min(max(math.ceil(place) if up else math.floor(place), low), high))

    def ask(self, trial: Trial) -> Any:
        """Let a trial of Optuna choose, and return the value."""
        if self.kind == "choice":
            return self.decode(trial.suggest_categorical(self.name, self.choices or []))
        low, high = self._bounds()
        log = self.kind in {"loguniform", "qloguniform"}
        if isinstance(low, int):
            return self.decode(trial.suggest_int(self.name, low, high, log=log))
        value = self.decode(trial.suggest_float(self.name, low, high, log=log))
        if self.kind in {"normal", "lognormal"}:
            given = trial.user_attrs.get(GIVEN, {}).get(self.name)
            return value if given is None else parse_literal(given)
        return value

    def of_optuna(self) -> BaseDistribution:
        """Return what `ask` draws from, in Optuna's terms."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.kind == "choice":
            return CategoricalDistribution(self.choices or [])
        low, high = self._bounds()
        log = self.kind in {"loguniform", "qloguniform"}
        return (IntDistribution if isinstance(low, int) else FloatDistribution)(low, high, log=log)

    def values(self) -> Iterator[Any]:
        """Yield all values in order.

        Raises
        ------
        ParameterError
            If they cannot be counted, or are more than a grid takes.
        """
        if not self.discrete:
            raise ParameterError(
                f"parameter {self.name}={self.text:.100} cannot be counted: a grid takes choice, randint, quniform "
                "and qloguniform"
            )
        if self.kind == "choice":
            yield from self.args
            return
        low, high = self._bounds()
        if high - low >= MOST:
            raise ParameterError(f"parameter {self.name}={self.text:.100} has over {MOST:,} values")
        yield from map(self.decode, range(low, high + 1))


def parse_dimension(name: str, text: object) -> Dimension | None:
    """Read a parameter's text, or what `choice` and its like have made; None for anything else.

    Raises
    ------
    ParameterError
        If it is a bad one; the message names the parameter.
    """
    if not isinstance(text, str | Distribution):
        return None
    try:
        distribution = text if isinstance(text, Distribution) else parse_distribution(text)
    except ParameterError as error:
        raise ParameterError(f"parameter {name}={text!s:.80}: {error}") from None
    return None if distribution is None else Dimension(name, distribution)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
