"""What unit tests share: a store, run folders in it, and notebooks that consist of a namespace."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.store import RunStore

_cells = itertools.count()


def run_cell(source: str, namespace: dict[str, Any]) -> None:
    """Execute source as a notebook does: in ``__main__``, its lines known to `linecache`."""
    filename = f"<cell {next(_cells)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace.setdefault("__name__", "__main__")
    exec(compile(source, filename, "exec"), namespace)


@pytest.fixture
def cell() -> Callable[[str, dict[str, Any]], None]:
    return run_cell


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """A store that is ready."""
    store = RunStore(tmp_path / ".mlwidgets")
    store.prepare()
    return store


@pytest.fixture
def new_run(store: RunStore) -> Callable[..., RunFolder]:
    """Make run folders; each a second after the one before."""
    numbers = itertools.count(10)

    def make(name: str = "lenet", **fields: Any) -> RunFolder:
        fields.setdefault("id", f"20261120-1230{next(numbers)}-{name}-abcd")
        return store.create_run(RunSpec(name=name, code=fields.pop("code", "x = 1\n"), **fields))

    return make
