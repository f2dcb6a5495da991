"""What a searched parameter is drawn from: ten distributions, each with the condition under which it is searched."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from mlwidgets.errors import ParameterError
from mlwidgets.runs.spec import literal_text
from mlwidgets.sweeps.space.values import exact, number, plain, word

FORMS = {
    "choice": "choice(a, b, ...)",
    "uniform": "uniform(low, high)",
    "quniform": "quniform(low, high, q)",
    "loguniform": "loguniform(low, high)",
    "qloguniform": "qloguniform(low, high, q)",
    "normal": "normal(mu, sigma)",
    "qnormal": "qnormal(mu, sigma, q)",
    "lognormal": "lognormal(mu, sigma)",
    "qlognormal": "qlognormal(mu, sigma, q)",
    "randint": "randint(low, high) or randint(n)",
}
"""How each is written."""
_EXACT = 2**53
"""Integers up to here are exact as floats, which is how a study keeps them."""


@dataclass(frozen=True)
class Distribution:
    """A distribution, and when its parameter is searched at all. ``str`` gives the text that the magic's line takes.

    Parameters
    ----------
    kind, args
        Its name and its arguments.
    conditions
        Names of other parameters, each with the values under which this one is searched; all have to hold.
    otherwise
        Empty, or the one value that the parameter has when they do not.
    """

    kind: str
    args: tuple[Any, ...]
    conditions: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    otherwise: tuple[Any, ...] = ()

    def when(self, **conditions: Any) -> Distribution:
        """Search the parameter only where others have a certain value; several allowed values are a tuple.

        ``otherwise=value`` gives it that value elsewhere; without it the code's own value stands.

        Raises
        ------
        ParameterError
            If there is no condition, or a value is no Python literal.

        Examples
        --------
        >>> str(uniform(0, 0.99).when(optimizer="sgd", otherwise=0.0))
        'uniform(0, 0.99).when(optimizer=sgd, otherwise=0.0)'
        """
        otherwise = (plain(conditions.pop("otherwise")),) if "otherwise" in conditions else ()
        if not conditions:
            raise ParameterError("when() needs a condition, for instance .when(optimizer=sgd)")
        found = []
        for name, value in conditions.items():
            allowed = tuple(plain(v) for v in value) if isinstance(value, tuple) else (plain(value),)
            if not allowed:
                raise ParameterError(f"when({name}=()) never holds: name the values under which it is searched")
            found.append((name, allowed))
        return replace(self, conditions=tuple(found), otherwise=otherwise)

    def __str__(self) -> str:
        # With a comma at the end it is one value, and not a list of values that was meant.
        comma = "," if len(self.args) == 1 and isinstance(self.args[0], list | tuple) else ""
        text = f"{self.kind}({', '.join(map(word, self.args))}{comma})"
        if not self.conditions:
            return text
        otherwise = f", otherwise={word(self.otherwise[0])}" if self.otherwise else ""
        return f"{text}.when({self.condition}{otherwise})"

    @property
    def condition(self) -> str:
        """The conditions as text: ``optimizer=(sgd, adam), nesterov=True``."""
        return ", ".join(f"{name}={_allowed_text(allowed)}" for name, allowed in self.conditions)


def choice(*values: Any) -> Distribution:
    """One of several Python literals.

    Raises
    ------
    ParameterError
        If there is no value, one comes twice, or one is no literal.
    """
    if not values:
        raise ParameterError("choice() has no value to choose from; write choice(a, b, ...)")
    values = tuple(plain(v) for v in values)
    if len(values) == 1 and isinstance(values[0], list | tuple):
        inside = ", ".join(map(word, values[0]))
        raise ParameterError(
            f"choice has one value only, {values[0]!r:.60}; to choose from it write choice({inside:.60})"
        )
    texts = [literal_text(v) for v in values]
    twice = next((t for t in texts if texts.count(t) > 1), None)
    if twice is not None:
        raise ParameterError(f"choice has {twice} twice")
    return Distribution("choice", values)


def uniform(low: float, high: float) -> Distribution:
    """Every number from `low` to `high` is equally likely.

    Raises
    ------
    ParameterError
        If the bounds are no finite numbers, or not in order.
    """
    _in_order("uniform", low, high)
    return Distribution("uniform", (number(low), number(high)))


def quniform(low: float, high: float, q: float) -> Distribution:
    """Multiples of `q` from `low` to `high`, all equally likely; integers where all three are.

    Raises
    ------
    ParameterError
        If the bounds are not in order, `q` is not above 0, or no multiple of it lies between them.
    """
    _in_order("quniform", low, high, q)
    return _with_multiples(Distribution("quniform", (number(low), number(high), number(q))))


def loguniform(low: float, high: float) -> Distribution:
    """From `low` to `high`, every order of magnitude equally likely. The bounds are the values' own, no exponents.

    Raises
    ------
    ParameterError
        If the bounds are not in order, or not above 0.
    """
    _positive("loguniform", low, high)
    _in_order("loguniform", low, high)
    return Distribution("loguniform", (number(low), number(high)))


def qloguniform(low: float, high: float, q: float) -> Distribution:
    """Multiples of `q` from `low` to `high`, every order of magnitude equally likely.

    Raises
    ------
    ParameterError
        As for `loguniform` and `quniform`.
    """
    _positive("qloguniform", low, high, q)
    _in_order("qloguniform", low, high, q)
    return _with_multiples(Distribution("qloguniform", (number(low), number(high), number(q))))


def normal(mu: float, sigma: float) -> Distribution:
    """Around `mu` with standard deviation `sigma`; nothing further than 6 `sigma` away comes up.

    Raises
    ------
    ParameterError
        If `sigma` is not above 0.
    """
    return _bell("normal", mu, sigma)


def qnormal(mu: float, sigma: float, q: float) -> Distribution:
    """As `normal`, rounded to the nearest multiple of `q`; integers where `q` is one.

    Raises
    ------
    ParameterError
        If `sigma` or `q` is not above 0.
    """
    return _bell("qnormal", mu, sigma, q)


def lognormal(mu: float, sigma: float) -> Distribution:
    """Exp of `normal`: `mu` and `sigma` are those of the logarithm.

    Raises
    ------
    ParameterError
        If `sigma` is not above 0, or the values would overflow.
    """
    return _bell("lognormal", mu, sigma)


def qlognormal(mu: float, sigma: float, q: float) -> Distribution:
    """As `lognormal`, rounded to the nearest multiple of `q`, which may be 0.

    Raises
    ------
    ParameterError
        As for `lognormal`, or if `q` is not above 0.
    """
    return _bell("qlognormal", mu, sigma, q)


def randint(low: int, high: int | None = None) -> Distribution:
    """Every integer from `low` to `high`, both included; of a single number `n`, those from 0 to ``n - 1``.

    Raises
    ------
    ParameterError
        If the bounds are no integers, not in order, or beyond 2**53.
    """
    args = (low,) if high is None else (low, high)
    args = tuple(number(a) for a in args)
    if not all(isinstance(a, int) and abs(a) <= _EXACT for a in args):
        raise ParameterError(f"randint takes integers up to 2**53; for other numbers write quniform({low}, {high}, q)")
    if len(args) == 1 and args[0] < 1:
        raise ParameterError(f"randint({args[0]}) has no value: it goes from 0 to n - 1")
    if len(args) == 2 and args[0] > args[1]:
        raise ParameterError(f"low {args[0]} is above high {args[1]}; write randint({args[1]}, {args[0]})")
    return Distribution("randint", args)


DISTRIBUTIONS = {
    f.__name__: f
    for f in (
        choice, uniform, quniform, loguniform, qloguniform, normal, qnormal, lognormal, qlognormal, randint,
    )
}  # fmt: skip
"""By name."""


def multiples(low: float, high: float, q: float) -> tuple[int, int]:
    """Return the first and the last k for which k * q is within the bounds; the first is the greater if none is."""
    return math.ceil(exact(low) / exact(q)), math.floor(exact(high) / exact(q))


def _allowed_text(allowed: tuple[Any, ...]) -> str:
    if len(allowed) == 1:
        return f"({word(allowed[0])},)" if isinstance(allowed[0], tuple) else word(allowed[0])
    return f"({', '.join(map(word, allowed))})"


def _in_order(kind: str, low: float, high: float, q: float | None = None) -> None:
    rest = "" if q is None else f", {q}"
    if number(low) > number(high):
        raise ParameterError(f"low {low} is above high {high}; write {kind}({high}, {low}{rest})")
    if q is None and low == high:
        raise ParameterError(f"low and high are both {low}: there is nothing to search")
    if q is not None:
        _above_zero("q", q)


def _positive(kind: str, low: float, high: float, q: float | None = None) -> None:
    if number(low) > 0 and number(high) > 0:
        return
    if low >= 0 or high <= low or high > 300:
        raise ParameterError(f"{kind} takes bounds above 0; they are {low} and {high}")
    rest = "" if q is None else f", {q}"
    raise ParameterError(
        f"{kind} takes the values' own bounds, above 0, not exponents: Azure's {kind}({low}, {high}{rest}) is "
        f"{kind}({math.exp(low):.4g}, {math.exp(high):.4g}{rest}) here"
    )


def _above_zero(name: str, value: float) -> None:
    if number(value) <= 0:
        raise ParameterError(f"{name} is {value} and has to be above 0")


def _with_multiples(distribution: Distribution) -> Distribution:
    low, high, q = distribution.args
    first, last = multiples(low, high, q)
    if first > last:
        raise ParameterError(f"no multiple of {q} lies between {low} and {high}")
    if max(abs(first), abs(last)) > _EXACT:
        raise ParameterError(f"q {q} is too small for the bounds {low} and {high}")
    return distribution


def _bell(kind: str, mu: float, sigma: float, *q: float) -> Distribution:
    number(mu)
    _above_zero("sigma", sigma)
    for one in q:
        _above_zero("q", one)
    if "log" in kind and mu + 6 * sigma > 700:
        raise ParameterError(f"exp({mu} + 6 * {sigma}) overflows: mu and sigma are those of the logarithm")
    return Distribution(kind, (number(mu), number(sigma), *(number(one) for one in q)))
