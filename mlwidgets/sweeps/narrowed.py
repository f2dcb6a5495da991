"""The next search that a sweep proposes: its line, which does all else as the first one did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import ParameterError
from mlwidgets.runner import devices
from mlwidgets.runs.spec import Resources, literal_text
from mlwidgets.sweeps.definition import Limits, SweepDefinition
from mlwidgets.sweeps.space import Dimension, Space

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run

_SPECIAL = frozenset("\"'()[]{}")


class Narrowed:
    """A proposal for the next search, shown as the line of a ``%%sweep`` that can be pasted.

    Attributes
    ----------
    name
        Of the next sweep.
    space
        What is left to search, each name with its distribution's text.
    params
        The fixed parameters: those of the sweep before, and what had only one good value.
    """

    def __init__(self, name: str, space: Mapping[str, str], before: Run, definition: SweepDefinition) -> None:
        self.name = name
        self.space, settled = settle(Space.parse(space))
        self._texts = {**before.spec.params, **{name: literal_text(value) for name, value in settled.items()}}
        self.params: dict[str, Any] = {**before.params, **settled}
        self._before = before
        self._definition = definition

    def __repr__(self) -> str:
        words = [word for name, value in self._options() for word in _option(name, value)]
        words += [f"{name}={text}" for name, text in (self._texts | self.space).items()]
        return f"%%sweep {self.name} {' '.join(words)}"

    def _options(self) -> Iterator[tuple[str, object]]:
        """Yield each option that differs from what it is if it is not given."""
        spec, definition = self._before.spec, self._definition
        limits, resources = definition.limits, Resources(**definition.resources)
        for one in definition.objectives:
            yield one.direction, one.metric
        if not _is_whole_grid(definition):
            yield "trials", limits.trials
        usual, plain = SweepDefinition({}, ()), Limits()
        for name, value, default in (
            ("concurrent", limits.concurrent, None),
            ("stop", definition.policy, None),
            ("sampler", definition.sampler, usual.sampler),
            ("value", definition.value, usual.value),
            ("max-time", _seconds(limits.time), None),
            ("max-gpu-hours", limits.gpu_hours, None),
            ("target", limits.target, None),
            ("patience", limits.patience, None),
            ("max-failures", limits.failures, plain.failures),
            ("seed", spec.seed, None),
            ("timeout", _seconds(resources.timeout), None),
            ("cpus", resources.cpus, 1),
            ("priority", resources.priority, 0),
            ("retries", resources.retries, 0),
            ("note", " ".join(spec.note.split()), ""),
            ("inputs", ",".join(definition.inputs), ""),
            ("outputs", None if spec.results is None else ",".join(spec.results), None),
        ):
            if value != default:
                yield name, value
        # Without a GPU nothing else can be meant; with one it depends on what is imported then.
        if resources.gpus or devices.inventory().gpus:
            yield "gpus", f"{resources.gpus:g}"
        if resources.cold:
            yield "cold", None
        for key, text in spec.tags.items():
            yield "tag", f"{key}={text}"
        yield "warm-start", self._before.name


def settle(space: Space) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what there is to search, and the value of each parameter that has only one.

    Raises
    ------
    ParameterError
        If nothing is left.
    """
    settled = {d.name: d.only[0] for d in space.dimensions if d.only and d.when is None}
    left = {d.name: str(_without(d, settled)) for d in space.dimensions if d.name not in settled}
    if not left:
        values = ", ".join(f"{name}={literal_text(value)}" for name, value in settled.items())
        raise ParameterError(f"the good trials all have {values}: there is nothing left to search")
    return left, settled


def _without(dimension: Dimension, settled: Mapping[str, Any]) -> object:
    """Return a distribution without its conditions on what has one value, which allow that value."""
    distribution = dimension.distribution
    kept = tuple(one for one in distribution.conditions if one[0] not in settled)
    return replace(distribution, conditions=kept, otherwise=distribution.otherwise if kept else ())


def _is_whole_grid(definition: SweepDefinition) -> bool:
    if definition.sampler != "grid":
        return False
    return len(Space.parse(definition.space).grid()) == definition.limits.trials


def _seconds(value: float | None) -> str | None:
    """Return a time as the line takes it, without an exponent."""
    return None if value is None else f"{Decimal(repr(value)):f}".removesuffix(".0")


def _option(name: str, value: object) -> Iterator[str]:
    if value is None:
        yield f"--{name}"
        return
    text = str(value)
    if text.startswith("-"):
        # What begins so would be read as another option.
        yield _quoted(f"--{name}={text}")
    else:
        yield f"--{name}"
        yield _quoted(text)


def _quoted(text: str) -> str:
    if text and not any(char in _SPECIAL or char.isspace() for char in text):
        return text
    quote = '"' if '"' not in text else "'"
    return quote + text.replace(quote, f"\\{quote}") + quote
