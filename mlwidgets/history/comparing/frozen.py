"""Which frozen variables differ between runs, read from their streams without executing anything of them.

A stream is one pickle for each variable, one behind the other. Its instructions are followed here, but what they would
import is only named and what they would call is only written down: what comes out is a description of each variable,
whose digest is the same for two variables exactly when they would be built alike.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import Frozen

LARGEST = 8 << 20
"""Bytes of a stream that is followed."""
LARGEST_AT_ONCE = 1 << 20
"""The same where somebody waits for it."""
_GLOBAL = re.compile(rb"\x8c(.)([A-Za-z_][\w.]*)\x94\x8c.[A-Za-z_][\w.]*\x94\x93", re.DOTALL)
"""How a stream names a class or a function when it first does: two short texts, each memoized, and STACK_GLOBAL."""
_IMPORTS = frozenset({"module", "subimport"})
"""Functions that streams name modules by: ours, and cloudpickle's."""
_CODE = (16, 18)
"""Arguments of a code object up to Python 3.10, and since."""


class _Named:
    """A module's function or class, of which nothing but its name is known."""

    def __init__(self, module: str, name: str) -> None:
        self.parts: list[Any] = ["global", module, name]


class _Made:
    """What an instruction of the stream would have made."""

    def __init__(self, *parts: Any) -> None:
        self.parts = list(parts)


class _Follower(pickle._Unpickler):
    """Follows a stream; every instruction that would run code of others is replaced."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]
    metastack: list[list[Any]]

    def __init__(self, file: io.BytesIO, *, buffers: Iterator[Any]) -> None:
        super().__init__(file, buffers=buffers)
        self.modules: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        """Name it."""
        self.modules.add(module)
        return _Named(module, name)

    def persistent_load(self, pid: Any) -> Any:
        """Name it."""
        return _Made("persistent", pid)

    def get_extension(self, code: int) -> None:
        """Name it."""
        self.stack.append(_Made("extension", code))

    def _make(self, kind: str, count: int) -> None:
        parts = self.stack[-count:]
        del self.stack[-count:]
        self.stack.append(_Made(kind, *parts))

    def _reduce(self) -> None:
        called, arguments = self.stack[-2:]
        if isinstance(called, _Named) and called.parts[2] in _IMPORTS and isinstance(arguments, tuple):
            self.modules.update(one for one in arguments[:1] if isinstance(one, str))
        self._make("call", 2)

    def _newobj(self) -> None:
        self._make("new", 2)

    def _newobj_ex(self) -> None:
        self._make("new", 3)

    def _build(self) -> None:
        state = self.stack.pop()
        self._into("state", state)

    def _into(self, kind: str, *more: Any) -> None:
        made = self.stack[-1]
        if not isinstance(made, _Made | _Named):
            raise pickle.UnpicklingError("a state for what has none")
        made.parts += [kind, *more]

    def _append(self) -> None:
        value = self.stack.pop()
        self._extend([value])

    def _appends(self) -> None:
        self._extend(self.pop_mark())  # type: ignore[attr-defined]

    def _extend(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)
        else:
            self._into("items", *items)

    def _setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._pairs([key, value])

    def _setitems(self) -> None:
        self._pairs(self.pop_mark())  # type: ignore[attr-defined]

    def _pairs(self, items: list[Any]) -> None:
        # A description of a dictionary: its keys need not be such that they can be looked up.
        if isinstance(self.stack[-1], _Made):
            self.stack[-1].parts += items
        else:
            self._into("pairs", *items)

    def _empty_dict(self) -> None:
        self.stack.append(_Made("dict"))

    def _dict(self) -> None:
        items = self.pop_mark()  # type: ignore[attr-defined]
        self.stack.append(_Made("dict", *items))

    def _empty_set(self) -> None:
        self.stack.append(_Made("set"))

    def _additems(self) -> None:
        items = self.pop_mark()  # type: ignore[attr-defined]
        self.stack[-1].parts += items

    def _frozenset(self) -> None:
        items = self.pop_mark()  # type: ignore[attr-defined]
        self.stack.append(_Made("set", *items))

    def _inst(self) -> None:
        module, name = (self.readline()[:-1].decode("utf-8") for _ in range(2))  # type: ignore[attr-defined]
        items = self.pop_mark()  # type: ignore[attr-defined]
        self.stack.append(_Made("call", _Named(module, name), tuple(items)))

    def _obj(self) -> None:
        items = self.pop_mark()  # type: ignore[attr-defined]
        self.stack.append(_Made("call", *items))

    def _readonly(self) -> None:
        self.stack[-1] = _Made("readonly", self.stack[-1])


_Follower.dispatch.update(
    {
        pickle.REDUCE[0]: _Follower._reduce,
        pickle.NEWOBJ[0]: _Follower._newobj,
        pickle.NEWOBJ_EX[0]: _Follower._newobj_ex,
        pickle.BUILD[0]: _Follower._build,
        pickle.APPEND[0]: _Follower._append,
        pickle.APPENDS[0]: _Follower._appends,
        pickle.SETITEM[0]: _Follower._setitem,
        pickle.SETITEMS[0]: _Follower._setitems,
        pickle.EMPTY_DICT[0]: _Follower._empty_dict,
        pickle.DICT[0]: _Follower._dict,
        pickle.EMPTY_SET[0]: _Follower._empty_set,
        pickle.ADDITEMS[0]: _Follower._additems,
        pickle.FROZENSET[0]: _Follower._frozenset,
        pickle.INST[0]: _Follower._inst,
        pickle.OBJ[0]: _Follower._obj,
        pickle.READONLY_BUFFER[0]: _Follower._readonly,
    }
)


class _Digests:
    """Digests of descriptions, each of what it consists of; what was met before in the same variable by its number."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._parts: list[bytes] = []

    def of(self, value: Any) -> str:
        """Return the digest of one variable's description."""
        self._numbers = {}
        digest = hashlib.sha256()
        # Not by recursion: what is nested deeper than Python's stack is frozen, too.
        queue: list[Iterator[Any]] = [iter([value])]
        while queue:
            try:
                one = next(queue[-1])
            except StopIteration:
                queue.pop()
                digest.update(b")")
                continue
            if isinstance(one, str | bytes | bytearray | int | float | complex | bool | None):
                digest.update(_atom(one))
                continue
            if id(one) in self._numbers:
                digest.update(b"#%d" % self._numbers[id(one)])
                continue
            self._numbers[id(one)] = len(self._numbers)
            if isinstance(one, _Made) and one.parts[:1] == ["set"]:
                digest.update(b"set")
                digest.update(b"".join(sorted(_Digests().of(part).encode() for part in one.parts[1:])))
                continue
            kind, parts = _parts_of(one)
            digest.update(b"%s%d(" % (kind.encode(), len(parts)))
            queue.append(iter(parts))
        return digest.hexdigest()


def _atom(value: Any) -> bytes:
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
    elif isinstance(value, bytes | bytearray):
        text = bytes(value)
    elif isinstance(value, float):
        text = value.hex().encode()
    elif isinstance(value, int):
        text = b"%x" % value
    else:
        text = repr(value).encode()
    return b"%s%d:%s" % (type(value).__name__.encode(), len(text), text)


def _parts_of(value: Any) -> tuple[str, list[Any]]:
    if isinstance(value, _Made | _Named):
        parts = value.parts
        if parts[0] == "call" and _is_code(parts[1]):
            return "code", _code(parts[2])
        return "made", parts
    return type(value).__name__, list(value)


def _is_code(called: Any) -> bool:
    """Whether it is the type of code objects: by its name, or as cloudpickle has it looked up."""
    if isinstance(called, _Named):
        return called.parts[2] in {"CodeType", "code"}
    return isinstance(called, _Made) and called.parts[0] == "call" and called.parts[2:] == [("CodeType",)]


def _code(arguments: Any) -> list[Any]:
    """Return what of a code object does not depend on where in the notebook it was written."""
    parts = list(arguments) if isinstance(arguments, tuple) else [arguments]
    if len(parts) == _CODE[1]:
        return [*parts[:10], parts[11], parts[12], *parts[15:]]
    return [*parts[:10], parts[11], *parts[14:]] if len(parts) == _CODE[0] else parts


def variable_digests(frozen: Frozen, objects: ObjectStore) -> dict[str, str] | None:
    """Return a digest of each variable's content; None where the stream is gone, damaged or very large.

    Nothing of the stream is executed or imported. Two digests are the same exactly when both variables would be built
    by the same instructions of the same contents; of functions neither the file nor the line counts that they are in.
    """
    try:
        stream = objects.read(frozen.stream)
        if len(stream) > LARGEST:
            return None
        follower = _follower(stream, frozen)
        found: dict[str, str] = {}
        digests = _Digests()
        for record in _records(follower):
            if isinstance(record, tuple) and len(record) == 3 and record[0] == "name" and isinstance(record[1], str):
                found[record[1]] = digests.of(record[2])
    except Exception:  # what lies there may be anything
        return None
    return found


@dataclass(frozen=True)
class Mentioned:
    """What a stream needs and tells beside its variables.

    Attributes
    ----------
    modules
        What would be imported to build the variables.
    sources
        Texts of the cells that its functions were defined in.
    """

    modules: frozenset[str]
    sources: tuple[str, ...]


def mentioned(frozen: Frozen, objects: ObjectStore) -> Mentioned | None:
    """Return what a stream mentions; None where it is gone or damaged. Nothing of it is executed.

    A large one is only searched for the names of classes and functions: to follow it takes a second for each 2 MB.
    """
    try:
        stream = objects.read(frozen.stream)
        if len(stream) > LARGEST_AT_ONCE:
            named = {match[2].decode() for match in _GLOBAL.finditer(stream) if len(match[2]) == match[1][0]}
            return Mentioned(frozenset(named), ())
        follower = _follower(stream, frozen)
        sources = [
            record[2]
            for record in _records(follower)
            if isinstance(record, tuple) and len(record) == 3 and record[0] == "source" and isinstance(record[2], str)
        ]
    except Exception:  # what lies there may be anything
        return None
    return Mentioned(frozenset(follower.modules), tuple(sources))


def _follower(stream: bytes, frozen: Frozen) -> _Follower:
    return _Follower(io.BytesIO(stream), buffers=iter([_Made("buffer", one) for one in frozen.buffers]))


def _records(follower: _Follower) -> Iterator[Any]:
    while True:
        try:
            yield follower.load()
        except EOFError:
            return
