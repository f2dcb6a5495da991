"""How the figures reach mlwidgets: real runs in a store of their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarks.peers import NotInstalledError, load
from benchmarks.stations import Station


def start_run(source: str, folder: Path) -> Any:
    """Submit `source` as a run whose store lies in `folder`; return the `Run`."""
    mlwidgets = load("mlwidgets")
    if not hasattr(mlwidgets, "train"):
        raise NotInstalledError("mlwidgets is not installed")
    os.environ["MLWIDGETS_STORE"] = str(store_in(folder))
    return mlwidgets.train(source, name="bench", namespace={})


def store_in(folder: Path) -> Path:
    """Return the store that belongs to a station's folder."""
    return folder / ".mlwidgets"


def station_in_run(entry: str, folder: Path) -> Station:
    """Return a station that executes inside a real run, as a user's training code does."""
    return Station(entry, folder, start=start_run)
