"""Variables to frozen inputs: one pickle stream for all of them, big buffers beside it, each stored by content."""

from __future__ import annotations

import io
import linecache
import os
import pickle
import re
import sys
import threading
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from mlwidgets.capture.explain import describe_type, explain
from mlwidgets.capture.pickling import IN_BAND, DeepPickler, FreezePickler, owning_arrays
from mlwidgets.capture.scopes import imported_by
from mlwidgets.errors import CannotSend
from mlwidgets.runs.spec import Frozen, FrozenName

_NEVER_OURS = frozenset(
    {
        *(str, int, float, bool, tuple, list, dict, set, frozenset, bytes, type, type(None), types.ModuleType),
        *(types.BuiltinFunctionType, types.WrapperDescriptorType, types.MethodDescriptorType),
        *(types.GetSetDescriptorType, types.MemberDescriptorType, types.ClassMethodDescriptorType),
    }
)
_ASSIGNMENT = re.compile(r"^\s*([\w.]+)\.\w+\s*=(?!=)|\bsetattr\(\s*([\w.]+)\s*,", re.MULTILINE)

_DEEP_STACK = 512 << 20
_DEEP_LIMIT = 1_000_000

T = TypeVar("T")
Put = Callable[[bytes | memoryview], str]


class Freezer:
    """Freezes variables of one namespace into one stream, so that what they share stays shared.

    Parameters
    ----------
    namespace
        The globals of the functions that are frozen.
    values
        Where to look names up; the namespace itself by default.
    skip
        Names never to send because a function reads them.
    hidden
        Names not to send because of what is reached through a certain variable: the cell has bound them by then.
    follow
        Whether globals that functions read are frozen too; `met` tells which they were, `imports` what functions import
        when they are called.
    """

    def __init__(
        self,
        namespace: dict[str, Any],
        *,
        values: dict[str, Any] | None = None,
        skip: Collection[str] = (),
        hidden: Mapping[str, Collection[str]] | None = None,
        follow: bool = True,
    ) -> None:
        self._namespace = namespace
        self._values = namespace if values is None else values
        self._skip = skip
        self._hidden = hidden or {}
        self._follow = follow
        self.unsent: dict[str, str] = {}
        self.met: set[str] = set()
        self.imports: set[str] = set()

    def freeze(self, must: Iterable[str], maybe: Iterable[str], put: Put, *, patches: bool = True) -> Frozen:
        """Freeze and store variables.

        Parameters
        ----------
        must
            Names whose values have to be sent.
        maybe
            Names that are sent where they can be; `unsent` tells which could not be and why.
        put
            Stores bytes and returns their digest; called only when all could be frozen.

        Raises
        ------
        CannotSend
            Naming the variable, the path inside it and why. Nothing is stored then.
        """
        try:
            pickler = self._write(FreezePickler, must, maybe, patches)
        except RecursionError:
            pickler = with_deep_stack(lambda: self._write(DeepPickler, must, maybe, patches))
        return Frozen(
            stream=put(pickler.stream.getbuffer()),
            buffers=tuple(put(buffer) for buffer in pickler.buffers),
            names=tuple(pickler.names),
            nbytes=len(pickler.stream.getbuffer()) + sum(b.nbytes for b in pickler.buffers),
        )

    def _write(self, kind: type, must: Iterable[str], maybe: Iterable[str], patches: bool) -> _Stream:
        self.unsent = {}
        self.met = set()
        stream = _Stream(kind, self._namespace, self._values)
        queue: list[tuple[str, str, bool]] = [(n, n, True) for n in must] + [(n, n, False) for n in maybe]
        # What a function reads is asked for when it is first met: best through the variable that hides least.
        queue.sort(key=lambda entry: len(self._hidden.get(entry[0], ())))
        seen = {n for n, _, _ in queue}
        while queue or patches:
            if not queue:
                # Last, since what was sent tells which classes are touched; patches may read globals in their turn.
                stream.add_patches()
                patches, name, root, needed = False, "", "", False
            else:
                name, root, needed = queue.pop(0)
                self._add(stream, name, root, needed)
            for wanted in stream.take_wanted() if self._follow else ():
                self.met.add(wanted)
                skipped = wanted in self._skip or wanted in self._hidden.get(root, ())
                if wanted not in seen and not skipped and wanted in self._values:
                    seen.add(wanted)
                    queue.append((wanted, root or wanted, needed))
        stream.add_sources()
        if self._follow:
            self.imports = stream.imports()
        return stream

    def _add(self, stream: _Stream, name: str, root: str, needed: bool) -> None:
        error = stream.add(name, self._values[name], keep_going=not needed)
        if error is not None:
            reason = explain(root, self._values[root], self._namespace) or describe_type(error)
            if needed:
                raise CannotSend(f"cannot send `{root}`: {reason}; create it inside the cell") from None
            self.unsent[name] = reason


class _Stream:
    """A stream that is being written."""

    def __init__(self, kind: type, namespace: dict[str, Any], values: dict[str, Any]) -> None:
        self.stream = io.BytesIO()
        self.buffers: list[memoryview] = []
        self.names: list[FrozenName] = []
        self._namespace = namespace
        self._pickler = kind(self.stream, namespace, self._keep)
        self._pickler.arrays = owning_arrays(values)
        # Types of attributes that the notebook cannot have made.
        self._others = {*_NEVER_OURS}

    def _keep(self, buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < IN_BAND:
            return True
        self.buffers.append(view)
        return False

    def add(self, name: str, value: Any, *, keep_going: bool) -> Exception | None:
        """Write one variable; return the error, with the stream as it was before, if it cannot be.

        Raises
        ------
        RecursionError
            If it is too deep for this pickler.
        """
        error = self._dump(("name", name, value), keep_going=keep_going)
        if error is None:
            self.names.append(FrozenName(name, describe_type(value), _summary(value)))
        return error

    def _dump(self, record: tuple[str, str, Any], *, keep_going: bool) -> Exception | None:
        before = self.stream.tell(), len(self.buffers), dict(self._pickler.wanted)
        memo = self._pickler.memo.copy() if keep_going else None
        try:
            self._pickler.dump(record)
        except RecursionError:
            raise
        except Exception as error:  # an object's own __reduce__ may raise anything
            if memo is not None:
                position, kept, wanted = before
                self.stream.seek(position)
                self.stream.truncate()
                del self.buffers[kept:]
                self._pickler.wanted = wanted
                self._pickler.memo = memo
            return error
        return None

    def take_wanted(self) -> list[str]:
        """Return the globals that functions written since the last call read, once each."""
        wanted = list(self._pickler.wanted)
        self._pickler.wanted = {}
        return wanted

    def add_patches(self) -> None:
        """Write what the notebook set on the imported classes and modules that the variables touch."""
        for owner, attribute, value in list(self._patches()):
            self._dump(("patch", attribute, (owner, value)), keep_going=True)

    def _patches(self) -> Iterator[tuple[Any, str, Any]]:
        classes: dict[type, None] = {}
        owners = (*self._namespace.values(), *self._assigned_to())
        for module in {id(v): v for v in owners if isinstance(v, types.ModuleType)}.values():
            classes.update((value, None) for value in list(vars(module).values()) if isinstance(value, type))
            yield from ((module, name, value) for name, value in self._ours_in(module) if not name.startswith("__"))
        named = (v for v in owners if isinstance(v, type))
        for found in (*named, *self._pickler.types):
            classes.update(dict.fromkeys(found.__mro__))
        for cls in classes:
            if cls.__module__ != "__main__":
                yield from ((cls, name, value) for name, value in self._ours_in(cls))

    def _assigned_to(self) -> Iterator[types.ModuleType | type]:
        """Yield the modules and classes, however deep, that cells of the notebook assigned attributes of."""
        cells = self._namespace.get("In")
        texts = [c for c in cells if isinstance(c, str)] if isinstance(cells, list) else []
        chains = {m[1] or m[2] for text in texts for m in _ASSIGNMENT.finditer(text)}
        for first, *rest in (chain.split(".") for chain in chains):
            owner = self._namespace.get(first)
            for part in rest:
                owner = getattr(owner, part, None)
            if isinstance(owner, types.ModuleType | type):
                yield owner

    def _ours_in(self, owner: types.ModuleType | type) -> Iterator[tuple[str, Any]]:
        """Yield what of a module or class the notebook made."""
        # Tens of thousands of attributes are asked about at each submit: nearly all are of a few types.
        namespace, others = self._namespace, self._others
        for name, value in list(vars(owner).items()):
            kind = type(value)
            if kind is types.FunctionType:
                if value.__globals__ is namespace:
                    yield name, value
            elif kind not in others and self._is_ours(value):
                yield name, value

    def _is_ours(self, value: Any) -> bool:
        if isinstance(value, (staticmethod, classmethod)):
            return self._is_ours(value.__func__)
        if isinstance(value, property):
            return self._is_ours(value.fget)
        if isinstance(value, types.FunctionType):
            return value.__globals__ is self._namespace
        if isinstance(value, type) or not type(value).__module__.startswith(("functools", "pandas.")):
            self._others.add(type(value))
            return False
        # A partial method, or the descriptor that pandas makes of an accessor class.
        return any(
            v.__module__ == "__main__" if isinstance(v, type) else getattr(v, "__globals__", None) is self._namespace
            for v in getattr(value, "__dict__", {}).values()
        )

    def imports(self) -> set[str]:
        """Return the modules that functions which were written import when they are called, with dots."""
        return {name for code in self._pickler.codes for name in imported_by(code)}

    def add_sources(self) -> None:
        """Write the cells' sources that functions came from, for tracebacks and `inspect`."""
        for filename in sorted(self._pickler.filenames):
            if filename in linecache.cache and not os.path.exists(filename):
                self._pickler.dump(("source", filename, "".join(linecache.getlines(filename))))


def _summary(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"{'×'.join(str(n) for n in shape)} {getattr(value, 'dtype', '')}".strip()
    if isinstance(value, bool | int | float | complex | str):
        return repr(value)[:60]
    return ""


def with_deep_stack(action: Callable[[], T]) -> T:
    """Run `action` in a thread with a big stack and no recursion limit to speak of."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.extend((True, action()))
        except BaseException as error:
            outcome.extend((False, error))

    limit, size = sys.getrecursionlimit(), threading.stack_size(_DEEP_STACK)
    try:
        sys.setrecursionlimit(_DEEP_LIMIT)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)
    good, value = outcome
    if not good:
        raise value
    result: T = value
    return result
