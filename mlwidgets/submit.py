"""Sends code off: what runs and sweeps share from the user's call to the supervisor's start."""

from __future__ import annotations

import inspect
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlwidgets.capture import ambient, executed, variables
from mlwidgets.capture.data import named_data
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
from mlwidgets.errors import MlwidgetsError, ParameterError, StoreError
from mlwidgets.runner import queue
from mlwidgets.runner.launch import launch
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import Frozen, Resources, RunSpec, check_name, literal_text, new_run_id, parse_literal
from mlwidgets.runs.store import RunStore, find_store


@dataclass(frozen=True)
class Asked:
    """What is asked of any code that is sent off; `mlwidgets.train` says what each means."""

    code: str | Callable[..., Any]
    name: str | None = None
    params: Mapping[str, Any] | None = None
    namespace: dict[str, Any] | None = None
    seed: int | None = None
    inputs: Iterable[str] = ()
    outputs: Iterable[str] | None = None
    timeout: float | None = None
    gpus: float | Literal["auto"] = "auto"
    cpus: int = 1
    priority: int = 0
    after: str | Run | None = None
    retries: int = 0
    cold: bool = False
    tags: Mapping[str, str] | None = None
    note: str = ""
    data: Iterable[str | Path] = ()
    deterministic: bool = False
    origin: Origin = field(default_factory=Origin)


def capture(
    asked: Asked, searched: Mapping[str, Any] | None = None, at_times: Iterable[str] = ()
) -> tuple[RunStore, RunSpec]:
    """Check what is asked and freeze what the code reads; nothing is started.

    Parameters
    ----------
    searched
        Further parameters, each with a value that it may have: those that a sweep is to search.
    at_times
        Those of them that have the code's own value where they are not searched.

    Raises
    ------
    CaptureError
        If the code cannot be sent as it is, or asks for more than there is.
    UnknownRun
        If there is no such run to wait for.
    StoreError
        If the store cannot be written.
    """
    origin, code, name, namespace = asked.origin, asked.code, asked.name, asked.namespace
    searched = dict(searched or {})
    given = dict(asked.params or {})
    if callable(code):
        name = name or getattr(code, "__name__", "run").strip("<>")
        code, namespace = call_of(code, {**given, **searched}, namespace)
    if namespace is None:
        namespace = vars(sys.modules["__main__"])
    for param in at_times:
        own = _default(asked.code, param) if callable(asked.code) else namespace.get(param, _NONE)
        if own is not _NONE and is_literal(own):
            given.setdefault(param, own)
    name = check_name(name or "run")
    check_numbers(asked.seed, asked.timeout, asked.priority, asked.retries)
    resources = Resources(
        timeout=asked.timeout,
        gpus=float(queue.default_gpus(sys.modules) if asked.gpus == "auto" else asked.gpus),
        cpus=asked.cpus,
        priority=asked.priority,
        after=None if asked.after is None else _id_of(asked.after),
        retries=asked.retries,
        cold=asked.cold,
    )
    queue.check(resources.gpus, resources.cpus)
    names = read_names(code, offset=origin.offset)
    named = {**given, **searched}
    check_params(named, names, origin)
    outputs = None if asked.outputs is None else tuple(asked.outputs)
    check_outputs(outputs, names, namespace)
    check_binding(origin, names, namespace)
    must, maybe = select(names, namespace, named, tuple(asked.inputs), origin)

    data = named_data(asked.data)
    store = open_store()
    store.prepare()
    values = {**namespace, **named}
    objects = {n: v for n, v in given.items() if not is_literal(v)}
    freezer = Freezer(namespace, values=values, skip=named, hidden=names.hidden)
    frozen = freezer.freeze([*must, *objects], maybe, store.put)
    unread = unread_params(searched, names, freezer.met)
    if unread:
        raise ParameterError(f"{unread[0]}: a search over it would be over nothing")
    spec = RunSpec(
        id=new_run_id(name),
        name=name,
        code=code,
        params={n: literal_text(v) for n, v in given.items()},
        seed=asked.seed,
        inputs=frozen if frozen.names else None,
        ambient=_freeze_ambient(store, origin, namespace, random_states=asked.seed is None),
        modules=local_modules({*names.imports, *freezer.imports}, store.put),
        imports=submodules(names.attributes, values),
        unsent=freezer.unsent,
        hints=unread_params(given, names, freezer.met),
        results=outputs,
        resources=resources,
        provenance=provenance(origin.notebook, origin.cell),
        tags={str(key): str(value) for key, value in (asked.tags or {}).items()},
        note=asked.note,
        heading=origin.heading,
        execution_count=origin.shell.get("execution_count"),
        data=data,
        deterministic=asked.deterministic,
        variables=variables.gather(),
        submitted_at=time.time(),
    )
    return store, spec


_NONE: Any = object()


def _default(function: Callable[..., Any], param: str) -> Any:
    """Return what a function has for a parameter that it is not given."""
    takes = inspect.signature(function).parameters.get(param)
    return _NONE if takes is None or takes.default is takes.empty else takes.default


def send_off(store: RunStore, spec: RunSpec, *, fill: Callable[[RunFolder], None] | None = None) -> RunFolder:
    """Make the run folder and start the supervisor.

    Parameters
    ----------
    fill
        Puts into the new folder what the run has from its beginning.

    Raises
    ------
    StoreError
        If that is not possible; nothing is left of it then.
    """
    folder = store.create_run(spec)
    if spec.report is None:
        executed.here.write(folder)
    try:
        if fill is not None:
            fill(folder)
        # A sweep's controller prepares what its trials need, and a report's kernel needs nothing of this process.
        launch(folder, spec, prepare=spec.sweep is None and spec.report is None)
    except (OSError, MlwidgetsError) as error:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise StoreError(f"the run could not be started: {error}") from error
    return folder


def open_store(path: Path | None = None) -> RunStore:
    """Return the store at `path`, or the one of the project around the working directory."""
    try:
        return RunStore(path or find_store(Path.cwd()))
    except FileNotFoundError as error:
        raise StoreError("the working directory is gone; change to another one: %cd PATH") from error


def is_literal(value: Any) -> bool:
    """Whether a parameter's text says all there is to say of it."""
    try:
        return type(parse_literal(literal_text(value))) is type(value)
    except ValueError:
        return False


def _id_of(run: str | Run) -> str:
    return open_store().find(run).id if isinstance(run, str) else run.id


def _freeze_ambient(store: RunStore, origin: Origin, namespace: dict[str, Any], *, random_states: bool) -> Frozen:
    state = ambient.gather(random_states=random_states)
    # One entry for each setting: one that cannot be sent must not take the others with it.
    state |= {f"shell.{name}": value for name, value in origin.shell.items()}
    return Freezer(namespace, values=state, follow=False).freeze([], list(state), store.put, patches=False)
