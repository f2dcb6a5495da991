"""Why a value cannot be sent: the path to the smallest part that cannot, and what that part is."""

from __future__ import annotations

import io
import types
from collections.abc import Iterator
from typing import Any

from mlwidgets.capture.pickling import FreezePickler

_BUDGET = 2000


def describe_type(value: Any) -> str:
    """Return a type's name as a reader knows it: ``sqlite3.Connection``, ``list``, an error with its text."""
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}".split("\n")[0][:200]
    kind = type(value)
    if kind.__module__ in {"builtins", "__main__"}:
        return kind.__qualname__
    return f"{kind.__module__.removeprefix('_')}.{kind.__qualname__}"


def explain(name: str, value: Any, namespace: dict[str, Any]) -> str | None:
    """Return the reason for which `value` cannot be sent, with the path inside it; None if it can be."""
    search = _Search(namespace)
    error = search.error(value)
    # What pickles by itself may still need a global that does not: then every part has to be looked at.
    found = search.below(name, value, everywhere=error is None)
    if found is None and error is not None:
        why = describe_type(error)
        return f"it is {_a(describe_type(value))}" + ("" if "cannot pickle" in why else f" ({why})")
    return found


class _Search:
    """Depth-first through what pickling would visit, each part tried by itself."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._seen: set[int] = set()
        self._budget = _BUDGET

    def error(self, value: Any) -> Exception | None:
        """Return what pickling `value` raises, or None."""
        try:
            FreezePickler(io.BytesIO(), self._namespace, lambda _: False).dump(value)
        except RecursionError:
            return None
        except Exception as error:  # an object's own __reduce__ may raise anything
            return error
        return None

    def below(self, path: str, value: Any, *, everywhere: bool) -> str | None:
        """Return the path to the smallest part of `value` that cannot be pickled, and why."""
        if id(value) in self._seen:
            return None
        self._seen.add(id(value))
        for step, part, link in _parts(path, value, self._namespace):
            if self._budget <= 0:
                return None
            self._budget -= 1
            error = self.error(part)
            look = everywhere or error is not None or bool(link)
            deeper = self.below(step, part, everywhere=everywhere or bool(link)) if look else None
            if deeper is not None:
                return deeper
            if error is not None:
                return f"{link}{_a(describe_type(part))}" if link else f"{step} is {_a(describe_type(part))}"
        return None


def _parts(path: str, value: Any, namespace: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield the parts of a value: their path, the part, and how a function comes by it."""
    if isinstance(value, dict):
        for key, part in list(value.items()):
            yield f"{path}[{key!r:.40}]", part, ""
    elif isinstance(value, list | tuple | set | frozenset):
        for index, part in enumerate(list(value)):
            yield f"{path}[{index}]", part, ""
    elif isinstance(value, types.FunctionType):
        yield from _function_parts(path, value, namespace)
    elif isinstance(value, types.MethodType):
        yield f"{path}.__self__", value.__self__, ""
    elif isinstance(value, type):
        yield from _class_parts(path, value)
    else:
        if type(value).__module__ == "__main__":
            yield f"type({path})", type(value), ""
        for key, part in list(getattr(value, "__dict__", {}).items()):
            yield f"{path}.{key}", part, ""


def _class_parts(path: str, cls: type) -> Iterator[tuple[str, Any, str]]:
    if cls.__module__ != "__main__":
        return
    for key, attribute in list(vars(cls).items()):
        part = attribute.__func__ if isinstance(attribute, staticmethod | classmethod) else attribute
        if not key.startswith("__") or isinstance(part, types.FunctionType):
            yield f"{path}.{key}", part, ""


def _function_parts(
    path: str, function: types.FunctionType, namespace: dict[str, Any]
) -> Iterator[tuple[str, Any, str]]:
    from mlwidgets.capture.scopes import code_names

    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f"{path}()", cell.cell_contents, f"{path}() uses the outer variable {name!r}, "
        except ValueError:
            continue
    for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        yield f"{path}()", default, f"{path}() has a default that is "
    if function.__globals__ is namespace:
        for name in sorted(code_names(function.__code__).reads):
            if name in namespace:
                yield name, namespace[name], f"{path}() uses the global {name!r}, "


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
