"""What commands share: the store that is meant, and runs by their names."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mlwidgets.errors import StoreError

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run
    from mlwidgets.runs.store import RunStore

RUN = "a run's name, an id or the beginning of an id"


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
