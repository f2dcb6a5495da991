"""From a frozen stream back to variables.

The functions below are what a stream calls while it is read. Those that need to know into which namespace the
variables go are methods of `Thawer`; the module-level functions of the same names stand for them in the stream.
"""

from __future__ import annotations

import builtins
import functools
import linecache
import pickle
import sys
import types
import weakref
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from mlwidgets.capture.classes import fingerprint
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import Frozen

_built: weakref.WeakValueDictionary[tuple[str, str], type] = weakref.WeakValueDictionary()


def _bound(*_: Any) -> Any:
    raise pickle.UnpicklingError("this belongs to a frozen stream of mlwidgets: read it through mlwidgets")


def namespace() -> Any:
    """Return the globals of the notebook (or of the worker that stands for it)."""
    return _bound()


def make_class(*arguments: Any) -> Any:
    """Return the notebook's own class if it is the same one, else build it."""
    return _bound(*arguments)


def set_class_state(*arguments: Any) -> Any:
    """Fill a class that was built; leave the notebook's own alone."""
    return _bound(*arguments)


def make_function(code: types.CodeType, globals_: dict[str, Any], *rest: Any) -> types.FunctionType:
    """Build a function over `globals_`; its closure is filled by `set_function_state`."""
    return types.FunctionType(code, globals_, None, None, rest[-1])


def set_function_state(function: types.FunctionType, state: Any) -> None:
    """Give a function its attributes; unlike cloudpickle's, this writes nothing into existing globals."""
    attributes, slots = state
    function.__dict__.update(attributes)
    for name, value in slots.pop("__globals__").items():
        function.__globals__.setdefault(name, value)
    function.__globals__.setdefault("__builtins__", builtins)
    closure = slots.pop("__closure__")
    slots.pop("_cloudpickle_submodules")
    for cell, filled in zip(function.__closure__ or (), closure or (), strict=True):
        try:
            cell.cell_contents = filled.cell_contents
        except ValueError:
            continue
    for name, value in slots.items():
        setattr(function, name, value)


def module(name: str) -> types.ModuleType:
    """Import a module by name."""
    __import__(name)
    return sys.modules[name]


def cached_function(function: Callable[..., Any], parameters: dict[str, Any], attributes: dict[str, Any]) -> Any:
    """Put ``functools.lru_cache`` around a function; its cache starts empty."""
    cached = functools.lru_cache(**parameters)(function)
    vars(cached).update(attributes)
    return cached


def weak_reference(target: Any) -> Any:
    """Refer weakly to `target`; to nothing if it was gone already."""
    return weakref.ref(_Gone() if target is None else target)


def set_scheduled_state(optimizer: Any, state: Any) -> None:
    """Give an optimizer its state, and wrap its ``step`` as a learning rate scheduler does and later checks."""
    plain, stepped = state
    optimizer.__setstate__(plain)
    function, reference = type(optimizer).step, weakref.ref(optimizer)

    @functools.wraps(function)
    def step(*args: Any, **kwargs: Any) -> Any:
        stepping: Any = reference()
        stepping._opt_called = True
        return function.__get__(stepping, type(stepping))(*args, **kwargs)

    step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimizer.step = step
    if stepped:
        optimizer._opt_called = True


class _Gone:
    """Something that nothing refers to."""


def array_view(root: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any) -> Any:
    """Build a numpy array that shares memory with `root`, as it did where it was frozen."""
    import numpy as np

    flat = root if root.flags.c_contiguous else root.T
    return np.ndarray(shape, dtype, buffer=flat, offset=offset, strides=strides)


def array_of_tensor(flat: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any) -> Any:
    """Build a numpy array over a tensor's memory, as ``tensor.numpy()`` had."""
    import numpy as np

    return np.ndarray(shape, dtype, buffer=flat.numpy(), offset=offset, strides=strides)


def storage_of_array(array: Any) -> Any:
    """Build a torch storage over an array's memory, as ``torch.from_numpy`` had."""
    import torch

    return torch.frombuffer(memoryview(array).cast("B"), dtype=torch.uint8).untyped_storage()


def storage(buffer: Any, device: str) -> Any:
    """Build a torch storage over mapped memory, or on this process's default device of that kind."""
    import torch

    if memoryview(buffer).nbytes == 0:
        held = torch.UntypedStorage(0)
    else:
        held = torch.frombuffer(buffer, dtype=torch.uint8).untyped_storage()
        if isinstance(buffer, bytearray):
            held = held.clone()
    if device == "cuda" and torch.cuda.is_available():
        return held.cuda()
    if device == "mps" and torch.backends.mps.is_available():
        return held.to(device=torch.device("mps"))
    return held


def typed_storage(untyped: Any, dtype: Any) -> Any:
    """Give an untyped storage the type that torch's tensors are rebuilt from."""
    import torch

    return torch.storage.TypedStorage(wrap_storage=untyped, dtype=dtype, _internal=True)


def tensor_with_grad(build: Callable[..., Any], arguments: tuple[Any, ...], state: Any, grad: Any) -> Any:
    """Rebuild a leaf tensor together with its ``.grad``, which torch's own pickling drops."""
    tensor = build(*arguments)
    if state is not None:
        tensor.__setstate__(state)
    tensor.grad = grad
    return tensor


def cut_tensor(value: Any) -> Any:
    """Rebuild a tensor whose autograd graph stayed behind, so that ``backward`` through it is an error."""
    import torch

    class GraphStayedBehind(torch.autograd.Function):
        @staticmethod
        def forward(_context: Any, tensor: Any) -> Any:
            return tensor.view_as(tensor)

        @staticmethod
        def backward(_context: Any, *_gradients: Any) -> Any:
            raise RuntimeError(
                "this tensor was computed in another process, and its autograd graph stayed there: "
                "compute it in this cell to call backward() on it"
            )

    return GraphStayedBehind.apply(value.detach().requires_grad_())


class Thawer(pickle.Unpickler):
    """Reads one frozen stream into one namespace.

    Parameters
    ----------
    namespace
        Globals of the functions that come out.
    known
        Where the notebook's own classes are looked up.
    """

    def __init__(self, stream: bytes, buffers: Iterable[Any], namespace: dict[str, Any], known: dict[str, Any]) -> None:
        super().__init__(BytesIO(stream), buffers=buffers)
        self._namespace = namespace
        self._known = known
        self._adopted: set[int] = set()
        self._methods: dict[str, Any] = {
            "namespace": lambda: self._namespace,
            "make_class": self._make_class,
            "set_class_state": self._set_class_state,
        }

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a global of the stream; the three that need the namespace to this thawer's own."""
        if module == __name__ and name in self._methods:
            return self._methods[name]
        return super().find_class(module, name)

    def _make_class(
        self, build: Callable[..., type], arguments: tuple[Any, ...], where: str, qualname: str, mark: str
    ) -> type:
        if where == "__main__":
            for known in (_lookup(self._known, qualname), _built.get((qualname, mark))):
                if isinstance(known, type) and known.__module__ == where and fingerprint(known) == mark:
                    self._adopted.add(id(known))
                    return known
        made = build(*arguments)
        _built[qualname, mark] = made
        return made

    def _set_class_state(self, made: type, state: Any) -> None:
        if id(made) in self._adopted:
            return
        from cloudpickle.cloudpickle import _class_setstate

        _class_setstate(made, state)


def _lookup(namespace: dict[str, Any], qualname: str) -> Any:
    first, *rest = qualname.split(".")
    found = namespace.get(first)
    for part in rest:
        found = getattr(found, part, None)
    return found


class Thawed:
    """What a frozen stream holds.

    Attributes
    ----------
    values
        Variables by name.
    patches
        Attributes that the notebook set on imported classes and modules: owner, name, value.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.patches: list[tuple[Any, str, Any]] = []

    def apply_patches(self) -> None:
        """Set the notebook's patches on the classes and modules of this process."""
        for owner, name, value in self.patches:
            setattr(owner, name, value)


def thaw(
    frozen: Frozen, objects: ObjectStore, namespace: dict[str, Any], known: dict[str, Any] | None = None
) -> Thawed:
    """Read a frozen stream; large buffers are mapped, not copied, and written to by this process alone.

    A variable that `frozen` does not name is left out: a parameter stands in its place.

    Parameters
    ----------
    namespace
        Globals of the functions that come out.
    known
        Where the notebook's own classes are looked up; in `namespace` by default.

    Raises
    ------
    Exception
        Whatever an object raises when it is rebuilt, a missing module for instance.
    """
    stream = objects.read(frozen.stream)
    thawer = Thawer(
        stream, [objects.map(digest) for digest in frozen.buffers], namespace, namespace if known is None else known
    )
    thawed = Thawed()
    named = {one.name for one in frozen.names}
    while True:
        try:
            kind, name, value = thawer.load()
        except EOFError:
            return thawed
        if kind == "name" and name in named:
            thawed.values[name] = value
        elif kind == "patch":
            thawed.patches.append((value[0], name, value[1]))
        elif kind == "source" and name not in linecache.cache:
            linecache.cache[name] = (len(value), None, value.splitlines(keepends=True), name)
