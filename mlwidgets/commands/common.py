"""What commands share: the store that is meant, runs by their names, times as people write them, tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlwidgets.errors import ParameterError, StoreError
from mlwidgets.runs.spans import seconds_of

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run
    from mlwidgets.runs.store import RunStore

RUN = "a run's name, an id or the beginning of an id"


def agreed(question: str) -> bool:
    """Ask the user at the terminal; return whether the answer is yes, and say so where it is not.

    Raises
    ------
    ParameterError
        If there is no terminal.
    """
    if not sys.stdin.isatty():
        raise ParameterError("nobody can be asked here: add --yes to agree")
    print(f"{question} [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    print("nothing was written")
    return False


def given_store(options: argparse.Namespace) -> Path | None:
    """Return the path of the store that the user named, None where that was none.

    Raises
    ------
    StoreError
        If there is no store.
    """
    given: Path | None = options.store
    if given is not None and not (given / "store.json").exists():
        raise StoreError(f"{given} is no store: give the path of a project's .mlwidgets directory")
    return given


def store_of(options: argparse.Namespace) -> RunStore:
    """Return the store that the user named, or the one of the project around the working directory."""
    from mlwidgets import api

    return api.open_store(given_store(options))


def find_run(options: argparse.Namespace, name: str | None = None) -> Run:
    """Return the run called `name`, or what the command was given."""
    from mlwidgets import api

    return api.open_run(store_of(options).find(name or options.name).path)


def seconds(text: str) -> float:
    """Read a time: 90, 90s, 15m, 2h or 1d."""
    return seconds_of(text)


# argparse names it where a value is none.
seconds.__name__ = "time, such as 90, 90s, 15m, 2h or 1d,"


def plain(text: str, most: int | None = None) -> str:
    """Return a text in one line that a terminal shows as it is, shortened: it may come from anybody."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if most is None or len(line) <= most else f"{line[: most - 1]}…"


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows with their columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
