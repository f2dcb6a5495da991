"""A run's result: frozen by the worker, opened by whoever asks, merged into a notebook on request."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import sys
import types
from collections.abc import Iterable
from typing import Any

from mlwidgets.capture.explain import describe_type
from mlwidgets.capture.freeze import Freezer
from mlwidgets.capture.merge import merge
from mlwidgets.capture.thaw import thaw
from mlwidgets.errors import ResultNotAvailable, RunFailed
from mlwidgets.runs.folder import RunFolder, read_json, write_whole
from mlwidgets.runs.foreign import check_trusted
from mlwidgets.runs.objects import ObjectStore, content_digest
from mlwidgets.runs.result import Result
from mlwidgets.runs.spec import Frozen

_IPYTHON = re.compile(r"_+|_i+|_i?\d+|_[iod]h|In|Out|_exit_code|get_ipython|exit|quit|open|__\w+__")
_UNCHANGEABLE = (bool, int, float, complex, str, bytes, type, types.FunctionType, types.ModuleType, type(None))


def is_ipython_name(name: str) -> bool:
    """Whether IPython keeps this name in the namespace for itself."""
    return _IPYTHON.fullmatch(name) is not None


def freeze_result(
    folder: RunFolder,
    objects: ObjectStore,
    namespace: dict[str, Any],
    given: dict[str, Any],
    inputs: Frozen | None,
    only: Iterable[str] | None,
) -> None:
    """Store what the code bound or changed in place.

    Parameters
    ----------
    namespace
        The globals as the code left them.
    given
        What they held when the code began.
    inputs
        Where `given` came from, to see what was changed in place.
    only
        Names wanted; None for all.
    """
    mine = {n: v for n, v in namespace.items() if not is_ipython_name(n) and (only is None or n in set(only))}
    bound = [n for n, v in mine.items() if n not in given or given[n] is not v]
    imports = {n: where for n in bound if (where := _imported(namespace[n]))}
    bound = [n for n in bound if n not in imports]
    changed = _changed(objects, namespace, [n for n in mine if n not in bound], given, inputs)
    freezer = Freezer(namespace, follow=False)
    frozen = freezer.freeze([], [*bound, *changed], objects.put, patches=False)
    manifest = {
        "frozen": dataclasses.asdict(frozen),
        "bound": [n for n in bound if n not in freezer.unsent],
        "changed": [n for n in changed if n not in freezer.unsent],
        "imports": imports,
        "missing": freezer.unsent,
    }
    # The supervisor waits for the disk, when nobody has to wait for it.
    write_whole(folder.manifest, json.dumps(manifest).encode(), flush=False)


def _imported(value: Any) -> str | None:
    """Return where a module, class or function was imported from, ``module`` or ``module:name``; None if not."""
    if isinstance(value, types.ModuleType):
        return value.__name__
    if not isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        return None
    module, name = getattr(value, "__module__", None), value.__qualname__
    found = getattr(sys.modules.get(module or ""), name, None)
    return f"{module}:{name}" if module != "__main__" and found is value else None


def _changed(
    objects: ObjectStore,
    namespace: dict[str, Any],
    names: list[str],
    given: dict[str, Any],
    inputs: Frozen | None,
) -> list[str]:
    """Return the names whose objects differ in content from what was sent."""
    candidates = [n for n in names if n in given and not isinstance(given[n], _UNCHANGEABLE)]
    if inputs is None or not candidates:
        return []
    # A second copy is read from the store: hashing before the code runs would delay its first line.
    original = thaw(inputs, objects, namespace).values
    return [n for n in candidates if n in original and _mark(n, namespace, namespace) != _mark(n, original, namespace)]


def _mark(name: str, values: dict[str, Any], namespace: dict[str, Any]) -> Any:
    """Return something that is equal for equal content."""
    freezer = Freezer(namespace, values=values, follow=False)
    frozen = freezer.freeze([], [name], lambda data: content_digest(memoryview(data)), patches=False)
    return (frozen.stream, frozen.buffers) if not freezer.unsent else object()


def main_namespace() -> dict[str, Any]:
    """Return the globals of the notebook or script that asks."""
    return vars(sys.modules["__main__"])


def _thaw(folder: RunFolder, frozen: Frozen, title: str, namespace: dict[str, Any]) -> dict[str, Any]:
    check_trusted(folder)
    try:
        return thaw(frozen, ObjectStore(folder.store / "objects"), namespace, main_namespace()).values
    except Exception as error:  # rebuilding an object may raise anything
        raise ResultNotAvailable(
            f"the result of {title} cannot be loaded here: {describe_type(error)}; "
            "it needs what the run had: the same packages and the modules beside the notebook"
        ) from error


def _thaw_apart(folder: RunFolder, frozen: Frozen, title: str) -> dict[str, Any]:
    """Thaw with globals that hold the result itself: its functions find each other, the notebook sees nothing."""
    namespace = dict(main_namespace())
    values = _thaw(folder, frozen, title, namespace)
    namespace.update(values)
    return values


def open_result(folder: RunFolder, title: str) -> Result:
    """Return a run's result; its values are read when the first of them is asked for.

    Raises
    ------
    ResultNotAvailable
        If the manifest is damaged, or the run came from elsewhere and nobody has said that its maker is trusted.
    """
    check_trusted(folder)
    manifest = read_json(folder.manifest) or {}
    try:
        frozen = Frozen.from_json(manifest["frozen"])
        names, missing = [*manifest["bound"], *manifest["changed"]], dict(manifest["missing"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultNotAvailable(f"{title} has no readable result in {folder.manifest}") from error
    return Result(title, names, missing, lambda: _thaw_apart(folder, frozen, title))


def load_exception(folder: RunFolder, error: dict[str, Any]) -> BaseException:
    """Return what the code raised, showing the traceback of the cell when IPython prints it."""
    raised: BaseException | None = None
    if error.get("exception"):
        try:
            raised = _thaw_apart(folder, Frozen.from_json(error["exception"]), "the exception")["exception"]
        except ResultNotAvailable:
            raised = None
    if not isinstance(raised, BaseException):
        raised = RunFailed(f"{error['ename']}: {error['evalue']}")
    lines = list(error["traceback"])
    raised._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
    return raised


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What `load_into` did: names bound, names changed in place, names left alone and why."""

    bound: list[str]
    updated: list[str]
    kept: dict[str, str]


def load_into(
    folder: RunFolder,
    result: Result,
    namespace: dict[str, Any],
    names: Iterable[str] = (),
    submitted: dict[str, int] | None = None,
) -> Loaded:
    """Put a result into a namespace, as if the code had run there.

    Parameters
    ----------
    names
        What to load; all if empty. What is named is loaded even where the user has rebound it.
    submitted
        ``id`` of what each name was bound to when the run was submitted from this process, if it was.

    Raises
    ------
    ResultNotAvailable, KeyError
        If the result or a name is not there.
    """
    manifest = read_json(folder.manifest) or {}
    named = list(names)
    for name in named:
        if name not in result:
            result[name]  # raises, saying what there is
    # Thawed anew, over the notebook's own globals: the functions that come in see its variables.
    frozen = Frozen.from_json(manifest["frozen"])
    values = _thaw(folder, frozen, f"run {folder.read_spec().name!r}", namespace)
    values = {n: values[n] for n in named or list(result)}
    loaded = Loaded([], [], {} if named else dict(manifest.get("missing", {})))
    for name, value in values.items():
        rebound = submitted is not None and name not in named and submitted.get(name) != _identity(namespace, name)
        if rebound:
            loaded.kept[name] = "you have bound it anew since the submit"
        elif name in manifest.get("changed", ()) and name in namespace:
            merged = merge(namespace[name], value)
            (loaded.updated if merged is namespace[name] else loaded.bound).append(name)
            namespace[name] = merged
        else:
            namespace[name] = value
            loaded.bound.append(name)
    for name, module in manifest.get("imports", {}).items() if not named else ():
        if name not in namespace:
            where, _, attribute = module.partition(":")
            found = importlib.import_module(where)
            namespace[name] = getattr(found, attribute) if attribute else found
    return loaded


def _identity(namespace: dict[str, Any], name: str) -> int | None:
    return id(namespace[name]) if name in namespace else None


def identities(namespace: dict[str, Any], names: Iterable[str]) -> dict[str, int]:
    """Return ``id`` of what names are bound to, for `load_into`."""
    return {n: id(namespace[n]) for n in names if n in namespace}
