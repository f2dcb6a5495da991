"""What was asked of a cell: checked before anything is sent, and the names that have to be sent for it."""

from __future__ import annotations

import builtins
import difflib
import inspect
import keyword
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from mlwidgets.capture.ledger import CellNames
from mlwidgets.capture.results import is_ipython_name
from mlwidgets.capture.scopes import code_names
from mlwidgets.errors import CaptureError, MissingName, ParameterError
from mlwidgets.runs.run import Run


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
    cell
        Id of the cell in the notebook, where the front end has told it.
    """

    heading: str | None = None
    binding: str | None = None
    shell: dict[str, Any] = field(default_factory=dict)
    notebook: str | None = None
    cell: str | None = None

    @property
    def offset(self) -> int:
        """How many lines of the cell lie above the code."""
        return 0 if self.heading is None else 1


def call_of(
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


def check_numbers(seed: int | None, timeout: float | None, priority: int = 0, retries: int = 0) -> None:
    """Raise ParameterError if one of them is out of range."""
    if seed is not None and not 0 <= seed < 2**32:
        raise ParameterError(f"the seed must lie between 0 and {2**32 - 1}, not {seed}")
    if timeout is not None and not timeout > 0:
        raise ParameterError(f"the time-out must be more than 0 seconds, not {timeout:g}")
    if not -1000 <= priority <= 1000:
        raise ParameterError(f"the priority must lie between -1000 and 1000, not {priority}")
    if not 0 <= retries <= 100:
        raise ParameterError(f"the number of retries must lie between 0 and 100, not {retries}")


def check_params(given: dict[str, Any], names: CellNames, origin: Origin) -> None:
    """Raise ParameterError if a parameter is no Python name, or the cell assigns it before it reads it."""
    for param in given:
        if not param.isidentifier():
            raise ParameterError(f"{param!r} cannot be a parameter: it is no Python name")
        if param in names.assigned_first:
            line = names.assigned_first[param] + origin.offset
            raise ParameterError(
                f"parameter {param!r} would have no effect: the cell assigns `{param}` itself in line {line} before "
                "it reads it; remove that line or the parameter"
            )


def unread_params(given: dict[str, Any], names: CellNames, met: set[str]) -> tuple[str, ...]:
    """Return a hint for each parameter that neither the cell nor a function that it uses reads.

    Parameters
    ----------
    met
        The globals that the functions read which were sent.
    """
    read = {*names.must, *names.maybe, *met}
    unread = () if names.opaque else [p for p in given if p not in read]
    return tuple(
        f"nothing in the cell reads the parameter {p!r}; {_did_you_mean(p, read)}".rstrip("; ") for p in unread
    )


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    return f"did you mean `{close[0]}`? " if close else ""


def check_binding(origin: Origin, names: CellNames, namespace: dict[str, Any]) -> None:
    """Make sure that binding the run's name takes nothing from the notebook.

    Raises
    ------
    ParameterError
        If the cell uses the name, the notebook has something else of that name, or Python does.
    """
    binding = origin.binding
    if binding is None:
        return
    if binding in names.must or binding in names.binds or (binding in names.maybe and binding in namespace):
        reason = f"the cell uses the name `{binding}` itself"
    elif keyword.iskeyword(binding):
        reason = f"`{binding}` is a word of Python's own"
    elif binding in namespace and not isinstance(namespace[binding], Run):
        reason = f"the notebook has a `{binding}` already"
    elif hasattr(builtins, binding) and binding not in namespace:
        reason = f"`{binding}` is one of Python's built-in names"
    else:
        return
    magic = (origin.heading or "%%train").split()[0]
    raise ParameterError(f"{reason}, so the run needs another one: {magic} {binding}_run for instance")


def check_outputs(outputs: tuple[str, ...] | None, names: CellNames, namespace: dict[str, Any]) -> None:
    """Raise CaptureError if a name is to come back that the cell has nothing to do with."""
    for output in outputs or ():
        if output not in names.binds and output not in namespace and not names.opaque:
            raise CaptureError(f"-o {output}: the cell neither binds nor reads `{output}`")


def select(
    names: CellNames, namespace: dict[str, Any], given: dict[str, Any], extra: tuple[str, ...], origin: Origin
) -> tuple[list[str], list[str]]:
    """Return the names that have to be sent and those that are sent if they can be."""
    for name in extra:
        if name not in namespace:
            raise MissingName(f"-i {name}: the notebook has no `{name}`")
    missing = [n for n in names.must if n not in namespace and n not in given and not hasattr(builtins, n)]
    if missing:
        first, others = missing[0], missing[1:]
        also = f" (nor {', '.join(f'`{n}`' for n in others)})" if others else ""
        known = [n for n in namespace if not n.startswith("_")]
        raise MissingName(
            f"the cell reads `{first}` in line {names.must[first] + origin.offset}, which the notebook does not have"
            f"{also}; {_did_you_mean(first, known)}run the cell that defines it first"
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
