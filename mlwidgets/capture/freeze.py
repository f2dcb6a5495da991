"""Variables to frozen inputs: one pickle stream for all of them, big buffers beside it, each stored by content."""

from __future__ import annotations

import io
import linecache
import os
import pickle
import sys
import threading
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from mlwidgets.capture.explain import describe_type, explain
from mlwidgets.capture.pickling import IN_BAND, DeepPickler, FreezePickler
from mlwidgets.errors import CannotSend
from mlwidgets.runs.spec import Frozen, FrozenName

_DEEP_STACK = 512 << 20
_DEEP_LIMIT = 1_000_000

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
        Whether globals that functions read are frozen too.
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
            pickler = _with_deep_stack(lambda: self._write(DeepPickler, must, maybe, patches))
        return Frozen(
            stream=put(pickler.stream.getbuffer()),
            buffers=tuple(put(buffer) for buffer in pickler.buffers),
            names=tuple(pickler.names),
            nbytes=len(pickler.stream.getbuffer()) + sum(b.nbytes for b in pickler.buffers),
        )

    def _write(self, kind: type, must: Iterable[str], maybe: Iterable[str], patches: bool) -> _Stream:
        self.unsent = {}
        stream = _Stream(kind, self._namespace)
        queue: list[tuple[str, str, bool]] = [(n, n, True) for n in must] + [(n, n, False) for n in maybe]
        # What a function reads is asked for when it is first met: best through the variable that hides least.
        queue.sort(key=lambda entry: len(self._hidden.get(entry[0], ())))
        seen = {n for n, _, _ in queue}
        while queue:
            name, root, needed = queue.pop(0)
            error = stream.add(name, self._values[name], keep_going=not needed)
            if error is not None:
                reason = explain(root, self._values[root], self._namespace) or describe_type(error)
                if needed:
                    raise CannotSend(f"cannot send `{root}`: {reason}") from None
                self.unsent[name] = reason
            for wanted in stream.take_wanted() if self._follow else ():
                skipped = wanted in self._skip or wanted in self._hidden.get(root, ())
                if wanted not in seen and not skipped and wanted in self._values:
                    seen.add(wanted)
                    queue.append((wanted, root, needed))
        if patches:
            stream.add_patches()
        stream.add_sources()
        return stream


class _Stream:
    """A stream that is being written."""

    def __init__(self, kind: type, namespace: dict[str, Any]) -> None:
        self.stream = io.BytesIO()
        self.buffers: list[memoryview] = []
        self.names: list[FrozenName] = []
        self._namespace = namespace
        self._pickler = kind(self.stream, namespace, self._keep)
        self._patched: set[int] = set()

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
        before = self.stream.tell(), len(self.buffers), dict(self._pickler.wanted)
        memo = self._pickler.memo.copy() if keep_going else None
        try:
            self._pickler.dump(("name", name, value))
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
        self.names.append(FrozenName(name, describe_type(value), _summary(value)))
        return None

    def take_wanted(self) -> list[str]:
        """Return the globals that functions written since the last call read, once each."""
        wanted = list(self._pickler.wanted)
        self._pickler.wanted = {}
        return wanted

    def add_patches(self) -> None:
        """Write what the notebook set on the imported classes and modules that the variables touch."""
        for owner, attribute, value in list(self._patches()):
            self._pickler.dump(("patch", attribute, (owner, value)))

    def _patches(self) -> Iterator[tuple[Any, str, Any]]:
        modules = [v for v in self._namespace.values() if isinstance(v, types.ModuleType)]
        classes: dict[type, None] = {}
        for module in modules:
            for name, value in list(vars(module).items()):
                if isinstance(value, type):
                    classes[value] = None
                elif self._is_ours(value) and not name.startswith("__"):
                    yield module, name, value
        named = (v for v in self._namespace.values() if isinstance(v, type))
        for found in (*named, *self._pickler.types):
            classes.update(dict.fromkeys(found.__mro__))
        for cls in classes:
            if cls.__module__ != "__main__":
                for name, value in list(vars(cls).items()):
                    if self._is_ours(value):
                        yield cls, name, value

    def _is_ours(self, value: Any) -> bool:
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        elif isinstance(value, property):
            value = value.fget
        return isinstance(value, types.FunctionType) and value.__globals__ is self._namespace

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


def _with_deep_stack(action: Callable[[], _Stream]) -> _Stream:
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
    stream: _Stream = value
    return stream
