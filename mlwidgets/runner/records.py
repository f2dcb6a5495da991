"""What tickets and holdings say, read from files that anybody may have written: numbers and names, nothing else."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from mlwidgets.runner.places import QUARTERS, Holding, Waiting

ODD = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
LAST_NUMBER = 10**15
_LAST_MOMENT = 253402300800.0
"""The end of the year 9999, in Unix seconds."""


def _count(value: Any, most: int = 1 << 20) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError
    return value


def _moment(value: Any) -> float:
    moment = float(value)
    if not 0 <= moment < _LAST_MOMENT:
        raise ValueError
    return moment


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError
    return tuple(map(plain_text, value))


def plain_text(value: Any) -> str:
    """Return a name for people; a terminal is not to be steered by another user's file."""
    text = str(value)[:200]
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def parse_machine(data: Any) -> tuple[list[tuple[str, str, int]], int | None]:
    """Return UUID, name and memory of each GPU, and the CPU places; raises one of `ODD` if that is not what it says."""
    gpus = [
        (_name(entry["uuid"]), plain_text(entry.get("name", "GPU")), _count(entry.get("memory", 0), 1 << 60))
        for entry in data.get("gpus", [])
    ]
    cpus = data.get("cpus")
    if len({uuid for uuid, _, _ in gpus}) < len(gpus) or cpus == 0:
        raise ValueError
    return gpus, None if cpus is None else _count(cpus)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value or plain_text(value) != value:
        raise ValueError
    return value


def parse_ticket(number: int, uid: int, data: Mapping[str, Any]) -> Waiting:
    """Return a ticket from its file; raises one of `ODD` if the file says something else."""
    after = data["after"]
    priority = data["priority"]
    if not isinstance(priority, int):
        raise TypeError
    return Waiting(
        number,
        _count(data["quarters"]),
        _count(data["cpus"]),
        _texts(data["visible"]),
        _count(data["places"]),
        max(-sys.maxsize, min(priority, sys.maxsize)),
        bool(data["eligible"]),
        frozenset(_texts(data["avoid"])),
        {plain_text(uuid): plain_text(use) for uuid, use in data["foreign"].items()},
        plain_text(data["run"]),
        plain_text(data["name"]),
        str(data["store"]),
        _count(data["pid"], LAST_NUMBER),
        uid,
        _moment(data["submitted_at"]),
        None if after is None else plain_text(after),
    )


def parse_holding(number: int, uid: int, data: Mapping[str, Any]) -> Holding:
    """Return a holding from its file; raises one of `ODD` if the file says something else."""
    return Holding(
        number,
        {plain_text(uuid): _count(quarters, QUARTERS) for uuid, quarters in data["gpus"].items()},
        _count(data["cpus"]),
        _moment(data["since"]),
        plain_text(data["run"]),
        plain_text(data["name"]),
        str(data["store"]),
        _count(data["pid"], LAST_NUMBER),
        uid,
    )
