"""Capture, store and supervisor put together: what magics, command line and Python programs call alike."""

from __future__ import annotations

import builtins
import inspect
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlwidgets.capture import ambient, results
from mlwidgets.capture.freeze import Freezer
from mlwidgets.capture.modules import local_modules, submodules
from mlwidgets.capture.names import CellNames, read_names
from mlwidgets.capture.provenance import provenance
from mlwidgets.capture.results import is_ipython_name
from mlwidgets.capture.scopes import code_names
from mlwidgets.errors import CaptureError, MissingName, ParameterError, StoreError
from mlwidgets.runner.launch import launch
from mlwidgets.runs.index import RunIndex, RunSummary
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import Frozen, Resources, RunSpec, check_name, literal_text, new_run_id, parse_literal
from mlwidgets.runs.store import RunStore, find_store


@dataclass(frozen=True)
class Origin:
    """The cell that code came from.

    Attributes
    ----------
    heading
        The magic's line as typed; it is line 1 of the cell.
    binding
        The name that the notebook binds to the run.
    shell
        Settings of the submitting IPython shell that shape how a cell behaves.
    notebook
        Path of the notebook, where it is known better than from the environment.
    """

    heading: str | None = None
    binding: str | None = None
    shell: dict[str, Any] = field(default_factory=dict)
    notebook: str | None = None


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
        If the code cannot be sent as it is. Nothing was started then.
    StoreError
        If the store cannot be written.
    """
    origin = origin or Origin()
    given = dict(params or {})
    if callable(code):
        name = name or getattr(code, "__name__", "run").strip("<>")
        code, namespace = _call_of(code, given, namespace)
    if namespace is None:
        namespace = vars(sys.modules["__main__"])
    name = check_name(name or "run")
    _check_numbers(seed, timeout)
    names = read_names(code)
    _check_params(given, names, origin)
    outputs = None if outputs is None else tuple(outputs)
    _check_outputs(outputs, names, namespace)
    must, maybe = _select(names, namespace, given, tuple(inputs), origin)

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
        results=outputs,
        resources=Resources(timeout=timeout),
        provenance=provenance(origin.notebook),
        tags=dict(tags or {}),
        note=note,
        heading=origin.heading,
        execution_count=origin.shell.get("execution_count"),
        submitted_at=time.time(),
    )
    folder = store.create_run(spec)
    try:
        launch(folder)
    except OSError as error:
        raise StoreError(f"the run could not be started: {error}") from error
    run = open_run(folder.path)
    return run.wait().raise_for_state() if wait else run


def open_store(path: Path | None = None) -> RunStore:
    """Return the store at `path`, or the one of the project around the working directory."""
    return RunStore(path or find_store(Path.cwd()))


def open_run(path: Path) -> Run:
    """Return the run in the folder `path`, with its result."""
    return Run(path, results)


def runs() -> list[Run]:
    """Return all runs of the project, newest first."""
    return [open_run(folder.path) for folder in open_store().folders() if folder.spec.exists()]


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


def _call_of(
    function: Callable[..., Any], given: dict[str, Any], namespace: dict[str, Any] | None
) -> tuple[str, dict[str, Any]]:
    """Return code that calls `function` and the namespace in which that works."""
    try:
        takes = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise CaptureError(f"cannot send {function!r}: {error}; write a function around it") from None
    any_keyword = any(p.kind is p.VAR_KEYWORD for p in takes.values())
    arguments = [n for n in given if n in takes or any_keyword]
    lacking = [
        n
        for n, p in takes.items()
        if p.default is p.empty and p.kind not in {p.VAR_KEYWORD, p.VAR_POSITIONAL} and n not in given
    ]
    if lacking:
        raise ParameterError(f"{function.__name__}() needs {', '.join(lacking)}: give them as params={{...}}")
    called = getattr(function, "__name__", "")
    called = called if called.isidentifier() else "function"
    around = namespace if namespace is not None else getattr(function, "__globals__", {})
    if around.get(called) is not function:
        around = {**around, called: function}
    return f"result = {called}({', '.join(f'{n}={n}' for n in arguments)})\n", around


def _check_numbers(seed: int | None, timeout: float | None) -> None:
    if seed is not None and not 0 <= seed < 2**32:
        raise ParameterError(f"the seed must lie between 0 and {2**32 - 1}, not {seed}")
    if timeout is not None and not timeout > 0:
        raise ParameterError(f"the time-out must be more than 0 seconds, not {timeout:g}")


def _check_params(given: dict[str, Any], names: CellNames, origin: Origin) -> None:
    offset = 1 if origin.heading is not None else 0
    for param in given:
        if not param.isidentifier():
            raise ParameterError(f"{param!r} cannot be a parameter: it is no Python name")
        if param in names.assigned_first:
            line = names.assigned_first[param] + offset
            raise ParameterError(
                f"parameter {param!r} would have no effect: the cell assigns `{param}` itself in line {line} before "
                "it reads it; remove that line or the parameter"
            )


def _check_outputs(outputs: tuple[str, ...] | None, names: CellNames, namespace: dict[str, Any]) -> None:
    for output in outputs or ():
        if output not in names.binds and output not in namespace and not names.opaque:
            raise CaptureError(f"-o {output}: the cell neither binds nor reads `{output}`")


def _select(
    names: CellNames, namespace: dict[str, Any], given: dict[str, Any], extra: tuple[str, ...], origin: Origin
) -> tuple[list[str], list[str]]:
    """Return the names that have to be sent and those that are sent if they can be."""
    offset = 1 if origin.heading is not None else 0
    for name in extra:
        if name not in namespace:
            raise MissingName(f"-i {name}: the notebook has no `{name}`")
    missing = [n for n in names.must if n not in namespace and n not in given and not hasattr(builtins, n)]
    if missing:
        first, others = missing[0], missing[1:]
        also = f" (nor {', '.join(f'`{n}`' for n in others)})" if others else ""
        raise MissingName(
            f"the cell reads `{first}` in line {names.must[first] + offset}, which the notebook does not have{also}; "
            "run the cell that defines it first"
        )
    binding = origin.binding
    if binding and (
        binding in names.must or binding in names.binds or (binding in names.maybe and binding in namespace)
    ):
        raise ParameterError(
            f"the cell uses the name `{binding}` itself, so the run needs another one: "
            f"%%train {binding}_run for instance"
        )
    wanted = names.maybe.union(*(code_names(m.__code__).reads for _, _, m in origin.shell.get("magics", ())))
    if names.opaque:
        wanted |= {n for n in namespace if not n.startswith("_") and not is_ipython_name(n)}
    skipped = {n for n in namespace if _is_shell_name(n, namespace[n])} | set(given)
    must = [n for n in dict.fromkeys((*names.must, *extra)) if n in namespace and n not in skipped]
    return must, [n for n in sorted(wanted - set(must)) if n in namespace and n not in skipped]


def _is_shell_name(name: str, value: Any) -> bool:
    """Whether the worker's shell brings this name by itself."""
    if name.startswith("__") and name.endswith("__"):
        return True
    where = getattr(value, "__module__", None) or type(value).__module__
    return name in {"get_ipython", "exit", "quit", "open", "display"} and str(where).startswith(
        ("IPython", "ipykernel")
    )


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
