"""Sweeps: their trials, and what is asked of them while they search."""

from __future__ import annotations

import argparse
import math
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlwidgets.commands.common import find_run
from mlwidgets.errors import ParameterError

if TYPE_CHECKING:
    from mlwidgets.sweeps.sweep import Sweep


def add(commands: Any) -> None:
    """Add the commands."""
    for name, action, text in (
        ("trials", _trials, "the trials of a sweep, the best first"),
        ("narrow", _narrow, "the next, smaller search around a sweep's good region, as a line to copy"),
        ("pause", _pause, "let a sweep start no trials; those that run go on"),
        ("concurrent", _concurrent, "change how many trials of a sweep run at once"),
        ("add", _add, "have a sweep run a trial with given parameters next"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("name", help="a sweep's name, an id or the beginning of an id")
        if action is _concurrent:
            command.add_argument("number", type=int, metavar="N")
            command.add_argument("--now", action="store_true", help="interrupt those beyond, which run again later")
        elif action is _add:
            command.add_argument("params", nargs="+", metavar="param=value")
        command.set_defaults(action=action)


def _sweep(options: argparse.Namespace) -> Sweep:
    from mlwidgets.sweeps.sweep import Sweep

    found = find_run(options)
    if not isinstance(found, Sweep):
        raise ParameterError(f"{options.name} is no sweep: those are what %%sweep has started")
    return found


def _trials(options: argparse.Namespace) -> int:
    frame = _sweep(options).trials
    if len(frame):
        print(frame.apply(lambda column: column.map(_cell)).to_string(index=False))
    else:
        print(f"{options.name} has no trials yet")
    return 0


def _cell(value: Any) -> str:
    """Return a value as a table shows it: a number with six digits, a time in seconds where the user is."""
    import pandas as pd

    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, datetime):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value.timestamp()))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _narrow(options: argparse.Namespace) -> int:
    print(_sweep(options).narrow())
    return 0


def _pause(options: argparse.Namespace) -> int:
    _sweep(options).pause()
    print(f"{options.name}: asked to pause; `mlwidgets resume {options.name}` lets it go on")
    return 0


def _concurrent(options: argparse.Namespace) -> int:
    _sweep(options).set_concurrent(options.number, now=options.now)
    print(f"{options.name}: asked to run {options.number} at once")
    return 0


def _add(options: argparse.Namespace) -> int:
    from mlwidgets.runs.spec import parse_literal

    given: dict[str, Any] = {}
    for one in options.params:
        key, equals, text = one.partition("=")
        if not equals:
            raise ParameterError(f"{one!r} is no parameter: give it as param=value")
        try:
            given[key] = parse_literal(text)
        except ValueError:
            given[key] = text
    _sweep(options).add(given)
    print(f"{options.name}: asked to run a trial with {', '.join(options.params)}")
    return 0
