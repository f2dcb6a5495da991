"""A checkpoint's states put into a notebook's objects, with or without the run's result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlwidgets.capture.results import Loaded, load_into
from mlwidgets.errors import ResultNotAvailable
from mlwidgets.runs.checkpoints import Checkpoint
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.foreign import check_trusted
from mlwidgets.runs.run import Run
from mlwidgets.tracking.states import GENERATOR, STATE_DICT, put_back, states_of


def load_checkpoint(
    run: Run,
    checkpoint: Checkpoint,
    namespace: dict[str, Any],
    names: Iterable[str] = (),
    submitted: dict[str, int] | None = None,
) -> Loaded:
    """Put a run's result into a namespace, as `load_into` does, and then the states of one of its checkpoints.

    Where the run left no result, because it was killed, the states go into the objects that have these names.

    Parameters
    ----------
    names
        What to load; all if empty.
    submitted
        As `load_into` takes it.

    Raises
    ------
    ResultNotAvailable, KeyError
        If the checkpoint cannot be read, or a name is neither in it nor in the result.
    """
    folder, wanted = RunFolder(run.path), list(names)
    check_trusted(folder)
    states = {name: (kind, state) for name, kind, state in states_of(checkpoint.read())}
    loaded = Loaded([], [], {})
    if run.ended and folder.manifest.exists():
        there = [name for name in wanted if name in run.result or name not in states]
        if there or not wanted:
            loaded = load_into(folder, run.result, namespace, there, submitted)
    for name in wanted:
        if name not in states and name not in loaded.bound and name not in loaded.updated:
            raise ResultNotAvailable(f"checkpoint {checkpoint.number} has no {name!r}; it has: {', '.join(states)}")
    for name, (kind, state) in states.items():
        if (not wanted or name in wanted) and (name in wanted or name not in loaded.kept):
            _put(name, kind, state, namespace, loaded)
    return loaded


def _put(name: str, kind: str, state: Any, namespace: dict[str, Any], loaded: Loaded) -> None:
    if name in namespace:
        try:
            put_back(name, namespace[name], kind, state)
        except ValueError as error:
            loaded.kept[name] = str(error)
            return
        if name not in loaded.bound and name not in loaded.updated:
            loaded.updated.append(name)
    elif kind in {STATE_DICT, GENERATOR}:
        loaded.kept[name] = f"the notebook has no `{name}` to put its state into"
    else:
        namespace[name] = state
        loaded.bound.append(name)
