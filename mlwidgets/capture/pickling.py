"""The pickler behind frozen streams: cloudpickle, with a remedy for each way in which it breaks silently."""

from __future__ import annotations

import enum
import functools
import importlib.util
import io
import pickle
import sys
import types
import weakref
from collections.abc import Callable
from typing import Any

import cloudpickle

from mlwidgets.capture import thaw
from mlwidgets.capture.classes import fingerprint
from mlwidgets.capture.imported import imported

IN_BAND = 1 << 16
"""Buffers below this many bytes stay in the stream."""

_VIEW_SLACK = 16 << 20


class _Namespace:
    """Stands for the notebook's globals in a stream."""

    def __reduce__(self) -> tuple[Any, ...]:
        return thaw.namespace, ()


class _Rules:
    """Reductions shared by the fast pickler and the one for deep objects.

    Attributes
    ----------
    wanted
        Globals that pickled functions read and classes that pickled objects have, in the order met.
    filenames
        Where the code of pickled functions came from.
    codes
        The code of pickled functions.
    types
        Types of all objects met, to look for patches on them.
    arrays
        Numpy arrays by address, over whose memory there may be tensors.
    """

    globals_ref: dict[int, Any]

    def _prepare(self, namespace: dict[str, Any]) -> None:
        self.globals_ref = {id(namespace): _Namespace()}
        self.proto = 5
        self.namespace = namespace
        self.wanted: dict[str, None] = {}
        self.filenames: set[str] = set()
        self.codes: set[types.CodeType] = set()
        self.types: set[type] = set()
        self._storages: dict[int, Any] = {}
        self.arrays: dict[int, Any] = {}

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, types.FunctionType):
            return self._reduce_function(obj)
        kind = type(obj)
        if issubclass(kind, type):
            return self._reduce_class(obj)
        self.types.add(kind)
        if isinstance(obj, types.ModuleType) and obj.__name__ in sys.modules:
            return self._reduce_module(obj)
        if kind in _PLAIN:
            return _PLAIN[kind](obj)
        torch = sys.modules.get("torch")
        if torch is not None and hasattr(torch, "UntypedStorage"):
            reduced = self._reduce_torch(torch, obj)
            if reduced is not NotImplemented:
                return reduced
        numpy = sys.modules.get("numpy")
        if numpy is not None and kind is getattr(numpy, "ndarray", None) and obj.base is not None:
            return self._reduce_array_view(numpy, obj)
        return NotImplemented

    def _reduce_torch(self, torch: Any, obj: Any) -> Any:
        reduced: Any = NotImplemented
        if isinstance(obj, torch.Tensor):
            reduced = self._reduce_tensor(torch, obj)
        elif isinstance(obj, torch.storage.TypedStorage):
            reduced = thaw.typed_storage, (self._one_storage(obj._untyped_storage), obj.dtype)
        elif isinstance(obj, torch.UntypedStorage):
            reduced = self._reduce_storage(torch, obj)
        elif isinstance(obj, torch.utils.data.DataLoader) and obj._iterator is not None:
            reduced = _without_workers(obj)
        elif isinstance(obj, torch.optim.Optimizer) and hasattr(vars(obj).get("step"), "_wrapped_by_lr_sched"):
            reduced = _with_scheduler(obj)
        return reduced

    def _reduce_function(self, function: types.FunctionType) -> Any:
        reduced = cloudpickle.Pickler.reducer_override(self, function)
        if reduced is NotImplemented:
            return reduced
        self.filenames.add(function.__code__.co_filename)
        self.codes.add(function.__code__)
        _, arguments, state = reduced[:3]
        if function.__globals__ is self.namespace:
            self.wanted.update(dict.fromkeys(state[1]["__globals__"]))
            state[1]["__globals__"] = {}
        return thaw.make_function, arguments, state, None, None, thaw.set_function_state

    def _reduce_class(self, cls: type) -> Any:
        reduced = cloudpickle.Pickler.reducer_override(self, cls)
        if not isinstance(reduced, tuple) or not reduced[0].__name__.startswith("_make_skeleton"):
            self.types.add(cls)
            return reduced
        build, arguments, state = reduced[:3]
        state = _with_slots(cls, arguments, state)
        # The tracker id, next to last, would make the reader rewrite a live class of the same id.
        arguments = (*arguments[:-2], None, arguments[-1])
        self.types.update(cls.__mro__)
        if self.namespace.get(cls.__qualname__) is cls:
            self.wanted[cls.__qualname__] = None
        where = (cls.__module__, cls.__qualname__, fingerprint(cls))
        return thaw.make_class, (build, arguments, *where), state, None, None, thaw.set_class_state

    def _reduce_module(self, obj: types.ModuleType) -> Any:
        """Refer to importable modules by name, also lazy ones, whose type is no plain module."""
        name = obj.__name__
        spec = obj.__dict__.get("__spec__")
        if spec is None and name not in sys.builtin_module_names:
            try:
                known = importlib.util.find_spec(name) is not None
            except (ImportError, ValueError):
                known = False
            if not known:
                return NotImplemented
        return thaw.module, (name,)

    def _reduce_tensor(self, torch: Any, tensor: Any) -> Any:
        if tensor.is_leaf:
            grad = tensor.grad
            if grad is None:
                return NotImplemented
            build, arguments, *state = tensor.__reduce_ex__(5)
            return thaw.tensor_with_grad, (build, arguments, state[0] if state else None, grad)
        return (thaw.cut_tensor, (tensor.detach(),)) if tensor.requires_grad else NotImplemented

    def _one_storage(self, untyped: Any) -> Any:
        """Return one and the same object for each storage, so that the memo keeps views together."""
        return self._storages.setdefault(untyped._cdata, untyped)

    def _reduce_storage(self, torch: Any, untyped: Any) -> Any:
        device = untyped.device.type
        if device == "meta":
            return NotImplemented
        array = self.arrays.get(untyped.data_ptr()) if device == "cpu" else None
        if array is not None and array.nbytes == untyped.nbytes():
            return thaw.storage_of_array, (array,)
        held = untyped if device == "cpu" else untyped.cpu()
        with torch.no_grad():
            array = torch.empty(0, dtype=torch.uint8).set_(held).numpy()
        return thaw.storage, (pickle.PickleBuffer(array), device)

    def _reduce_array_view(self, numpy: Any, array: Any) -> Any:
        root = array.base
        torch = imported("torch")
        if torch is not None and isinstance(root, torch.Tensor) and root.dtype.itemsize == array.dtype.itemsize:
            offset = array.__array_interface__["data"][0] - root.untyped_storage().data_ptr()
            flat = torch.empty(0, dtype=root.dtype).set_(root.untyped_storage())
            return thaw.array_of_tensor, (flat, offset, array.shape, array.strides, array.dtype)
        while isinstance(root, numpy.ndarray) and isinstance(root.base, numpy.ndarray):
            root = root.base
        if type(root) is not numpy.ndarray or array.dtype.hasobject or root.dtype.hasobject:
            return NotImplemented
        contiguous = root.flags.c_contiguous or root.flags.f_contiguous
        if not contiguous or not array.flags.writeable or root.nbytes > max(_VIEW_SLACK, 8 * array.nbytes):
            return NotImplemented
        offset = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
        return thaw.array_view, (root, offset, array.shape, array.strides, array.dtype)


def _importable(obj: Any) -> bool:
    """Whether `obj` is what its qualified name finds in a module that other processes can import."""
    if obj.__module__ == "__main__":
        return False
    found: Any = sys.modules.get(obj.__module__)
    for part in obj.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is obj


def owning_arrays(values: dict[str, Any]) -> dict[int, Any]:
    """Return the arrays among the variables by address: tensors may have been made over their memory."""
    numpy = imported("numpy")
    if numpy is None or "torch" not in sys.modules:
        return {}
    arrays = [v for v in values.values() if type(v) is numpy.ndarray]
    owning = [a for a in arrays if a.base is None and a.nbytes and a.flags.c_contiguous and not a.dtype.hasobject]
    return {a.__array_interface__["data"][0]: a for a in owning}


def _reduce_cached(obj: Any) -> Any:
    """Reduce what ``functools.lru_cache`` makes of a function of the notebook; what it has cached stays behind."""
    if _importable(obj):
        return NotImplemented
    return thaw.cached_function, (obj.__wrapped__, obj.cache_parameters(), vars(obj))


_PLAIN: dict[type, Callable[[Any], Any]] = {
    functools._lru_cache_wrapper: _reduce_cached,
    # Python 3.11 keeps a lock in it.
    functools.cached_property: lambda obj: (type(obj), (obj.func,), {"attrname": obj.attrname}),
    weakref.ref: lambda obj: (thaw.weak_reference, (obj(),)),
    weakref.WeakKeyDictionary: lambda obj: (type(obj), (dict(obj),)),
    weakref.WeakValueDictionary: lambda obj: (type(obj), (dict(obj),)),
}
"""How objects of exactly these types are reduced."""


def _with_slots(cls: type, arguments: tuple[Any, ...], state: Any) -> Any:
    """Have a class built with its ``__slots__``, which cloudpickle only sets as an attribute; return its state."""
    slots = vars(cls).get("__slots__")
    attributes, others = state
    if slots is None or isinstance(cls, enum.EnumMeta) or issubclass(cls, tuple):
        return state
    arguments[3]["__slots__"] = slots if isinstance(slots, str) else tuple(slots)
    kept = {k: v for k, v in attributes.items() if not isinstance(v, types.MemberDescriptorType)}
    return {k: v for k, v in kept.items() if k != "__slots__"}, others


def _with_scheduler(optimizer: Any) -> Any:
    """Reduce an optimizer together with the mark by which a scheduler sees that it steps."""
    build, arguments, state, *rest = optimizer.__reduce_ex__(5)
    stepped = getattr(optimizer, "_opt_called", False)
    return build, arguments, (state, stepped), *(*rest, None, None)[:2], thaw.set_scheduled_state


def _without_workers(loader: Any) -> Any:
    """Reduce a DataLoader whose persistent workers are alive to one that starts its own."""
    build, arguments, state, *rest = loader.__reduce_ex__(5)
    return build, arguments, {**state, "_iterator": None}, *rest


class FreezePickler(_Rules, cloudpickle.Pickler):
    """The fast one, in C."""

    def __init__(self, file: io.BytesIO, namespace: dict[str, Any], keep: Callable[[Any], bool]) -> None:
        cloudpickle.Pickler.__init__(self, file, protocol=5, buffer_callback=keep)
        self._prepare(namespace)

    def dump(self, obj: Any) -> None:
        """Write one object; a RecursionError stays what it is."""
        pickle.Pickler.dump(self, obj)


class DeepPickler(_Rules, pickle._Pickler):
    """The slow one, in Python, whose depth is bounded by memory alone: the C pickler's is not ours to set."""

    dispatch_table = cloudpickle.Pickler.dispatch_table
    _function_reduce = cloudpickle.Pickler._function_reduce
    _dynamic_function_reduce = cloudpickle.Pickler._dynamic_function_reduce
    _function_getnewargs = cloudpickle.Pickler._function_getnewargs

    def __init__(self, file: io.BytesIO, namespace: dict[str, Any], keep: Callable[[Any], bool]) -> None:
        pickle._Pickler.__init__(self, file, protocol=5, buffer_callback=keep)
        self._prepare(namespace)

        base: Any = pickle._Pickler

        def save_reduce(*arguments: Any, **options: Any) -> None:
            base.save_reduce(self, *arguments, **options)

        # `save` calls this with a starred argument. As a plain function it is called within the interpreter's loop;
        # a method would take some C stack at each level, of which Python 3.12 and 3.13 allow 10,000.
        self.save_reduce = save_reduce
