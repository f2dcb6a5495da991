"""Capture, store and supervisor put together: what magics, command line and Python programs call alike."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from mlwidgets.capture import ambient, results
from mlwidgets.capture.freeze import Freezer
from mlwidgets.capture.modules import local_modules, submodules
from mlwidgets.capture.names import read_names
from mlwidgets.capture.provenance import provenance
from mlwidgets.capture.request import (
    Origin,
    call_of,
    check_binding,
    check_numbers,
    check_outputs,
    check_params,
    select,
    unread_params,
)
from mlwidgets.errors import MlwidgetsError, StoreError
from mlwidgets.runner import queue
from mlwidgets.runner.launch import launch
from mlwidgets.runs.index import RunIndex, RunSummary
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import Frozen, Resources, RunSpec, check_name, literal_text, new_run_id, parse_literal
from mlwidgets.runs.store import RunStore, find_store


def train(
    code: str | Callable[..., Any],
    *,
    name: str | None = None,
    params: Mapping[str, Any] | None = None,
    namespace: dict[str, Any] | None = None,
    seed: int | None = None,
    inputs: Iterable[str] = (),
    outputs: Iterable[str] | None = None,
    timeout: float | None = None,
    gpus: float | Literal["auto"] = "auto",
    cpus: int = 1,
    priority: int = 0,
    after: str | Run | None = None,
    retries: int = 0,
    cold: bool = False,
    tags: Mapping[str, str] | None = None,
    note: str = "",
    wait: bool = False,
    origin: Origin | None = None,
) -> Run:
    """Send code off as a tracked run.

    Parameters
    ----------
    code
        Source text, as a notebook cell would hold it; or a function, which is called with those of `params` that it
        takes, and whose return value is the result ``"result"``.
    name
        What to call the run; ``run`` or the function's name by default.
    params
        Names to replace or add, recorded as parameters.
    namespace
        The globals that the code reads; by default those of the function, or of ``__main__``.
    seed
        For ``random``, numpy and torch; without one their present states travel with the code.
    inputs
        Further names to send, beside those that the code is seen to read.
    outputs
        Names to bring back; all that the code binds or changes in place if None.
    timeout
        Seconds after which the run is ended.
    gpus
        How many GPUs it waits for and then has to itself, or a share of one: 0.25, 0.5, 0.75; ``auto`` is one where
        the machine has any and this process has imported a library that uses them.
    cpus
        How many CPU places it waits for; with 0 of both it starts at once.
    priority
        Runs of a higher one go first.
    after
        A run, its name or its id: this one waits until that one has finished.
    retries
        How often to try again if it fails.
    cold
        Start in a fresh Python process, even where one is there that has imported the same libraries.
    tags, note
        For people to find it by.
    wait
        Block until the run has ended, and raise what it raised.
    origin
        Where the code came from, if it was a cell.

    Returns
    -------
    Run
        The run, submitted.

    Raises
    ------
    CaptureError
        If the code cannot be sent as it is, or asks for more than there is. Nothing was started then.
    UnknownRun
        If there is no such run to wait for.
    StoreError
        If the store cannot be written.
    """
    origin = origin or Origin()
    given = dict(params or {})
    if callable(code):
        name = name or getattr(code, "__name__", "run").strip("<>")
        code, namespace = call_of(code, given, namespace)
    if namespace is None:
        namespace = vars(sys.modules["__main__"])
    name = check_name(name or "run")
    check_numbers(seed, timeout, priority, retries)
    resources = Resources(
        timeout=timeout,
        gpus=float(queue.default_gpus(sys.modules) if gpus == "auto" else gpus),
        cpus=cpus,
        priority=priority,
        after=None if after is None else _id_of(after),
        retries=retries,
        cold=cold,
    )
    queue.check(resources.gpus, resources.cpus)
    names = read_names(code, offset=origin.offset)
    check_params(given, names, origin)
    outputs = None if outputs is None else tuple(outputs)
    check_outputs(outputs, names, namespace)
    check_binding(origin.binding, names, namespace)
    must, maybe = select(names, namespace, given, tuple(inputs), origin)

    store = open_store()
    store.prepare()
    values = {**namespace, **given}
    objects = {n: v for n, v in given.items() if not _is_literal(v)}
    freezer = Freezer(namespace, values=values, skip=given, hidden=names.hidden)
    frozen = freezer.freeze([*must, *objects], maybe, store.put)
    spec = RunSpec(
        id=new_run_id(name),
        name=name,
        code=code,
        params={n: literal_text(v) for n, v in given.items()},
        seed=seed,
        inputs=frozen if frozen.names else None,
        ambient=_freeze_ambient(store, origin, namespace, random_states=seed is None),
        modules=local_modules(names.imports, store.put),
        imports=submodules(names.attributes, values),
        unsent=freezer.unsent,
        hints=unread_params(given, names, freezer.met),
        results=outputs,
        resources=resources,
        provenance=provenance(origin.notebook, origin.cell),
        tags={str(key): str(value) for key, value in (tags or {}).items()},
        note=note,
        heading=origin.heading,
        execution_count=origin.shell.get("execution_count"),
        submitted_at=time.time(),
    )
    folder = store.create_run(spec)
    try:
        launch(folder, spec)
    except (OSError, MlwidgetsError) as error:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise StoreError(f"the run could not be started: {error}") from error
    run = open_run(folder.path)
    return run.wait().raise_for_state() if wait else run


def open_store(path: Path | None = None) -> RunStore:
    """Return the store at `path`, or the one of the project around the working directory."""
    try:
        return RunStore(path or find_store(Path.cwd()))
    except FileNotFoundError as error:
        raise StoreError("the working directory is gone; change to another one: %cd PATH") from error


def open_run(path: Path) -> Run:
    """Return the run in the folder `path`, with its result."""
    return Run(path, results)


def runs() -> list[Run]:
    """Return all runs of the project, newest first."""
    return [open_run(folder.path) for folder in open_store().folders() if os.path.exists(folder.spec)]


def run(name: str) -> Run:
    """Return the newest run called `name`, or the run with that id or the beginning of an id.

    Raises
    ------
    UnknownRun
        If there is none.
    """
    return open_run(open_store().find(name).path)


def summaries() -> list[RunSummary]:
    """Return one line for each run of the project, newest first."""
    return RunIndex(open_store()).summaries()


def _id_of(run: str | Run) -> str:
    return open_store().find(run).id if isinstance(run, str) else run.id


def _is_literal(value: Any) -> bool:
    try:
        return type(parse_literal(literal_text(value))) is type(value)
    except ValueError:
        return False


def _freeze_ambient(store: RunStore, origin: Origin, namespace: dict[str, Any], *, random_states: bool) -> Frozen:
    state = ambient.gather(random_states=random_states)
    # One entry for each setting: one that cannot be sent must not take the others with it.
    state |= {f"shell.{name}": value for name, value in origin.shell.items()}
    return Freezer(namespace, values=state, follow=False).freeze([], list(state), store.put, patches=False)
