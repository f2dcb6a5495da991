"""A changed value into the notebook's own object, so that whatever else refers to it sees the change."""

from __future__ import annotations

import random
import types
from typing import Any

from mlwidgets.capture.freeze import with_deep_stack
from mlwidgets.capture.imported import imported

_SHARED = (type, types.FunctionType, types.MethodType, types.ModuleType)
_PICKLING_HOOKS = ("__reduce__", "__reduce_ex__", "__setstate__", "__getstate__")


def merge(mine: Any, theirs: Any) -> Any:
    """Bring `mine` to the content of `theirs`, in place where the two fit.

    Modules and optimizers load the other's state; tensors, arrays, lists, dicts, sets, random generators and plain
    objects of one class take over the content, part by part.

    Returns
    -------
    object
        `mine` where it could be changed, `theirs` where it could not.
    """
    try:
        return _Merger().merge(mine, theirs)
    except RecursionError:
        # Begun anew, since what was merged already merges again into the same.
        return with_deep_stack(lambda: _Merger().merge(mine, theirs))


class _Merger:
    def __init__(self) -> None:
        self._done: dict[tuple[int, int], Any] = {}
        self._alive: list[Any] = []

    def merge(self, mine: Any, theirs: Any) -> Any:
        if mine is theirs or type(mine) is not type(theirs):
            return theirs
        key = (id(mine), id(theirs))
        if key not in self._done:
            self._done[key] = mine
            self._alive.append((mine, theirs))
            self._done[key] = mine if self._into(mine, theirs) else theirs
        return self._done[key]

    def _into(self, mine: Any, theirs: Any) -> bool:
        torch, numpy = imported("torch"), imported("numpy")
        if torch is not None:
            if isinstance(mine, torch.nn.Module):
                return self._module(mine, theirs)
            if isinstance(mine, torch.optim.Optimizer):
                return self._optimizer(mine, theirs)
            if isinstance(mine, torch.Tensor):
                return self._tensor(torch, mine, theirs)
        if numpy is not None and isinstance(mine, numpy.ndarray):
            if mine.shape != theirs.shape or mine.dtype != theirs.dtype or not mine.flags.writeable:
                return False
            numpy.copyto(mine, theirs)
            return True
        return self._generator(mine, theirs) or self._plain(mine, theirs)

    def _generator(self, mine: Any, theirs: Any) -> bool:
        """Random generators of every kind go on where the other's is."""
        torch, numpy = imported("torch"), imported("numpy")
        if isinstance(mine, random.Random):
            mine.setstate(theirs.getstate())
        elif (torch is not None and isinstance(mine, torch.Generator)) or (
            numpy is not None and isinstance(mine, numpy.random.RandomState)
        ):
            mine.set_state(theirs.get_state())
        elif numpy is not None and isinstance(mine, numpy.random.Generator):
            if type(mine.bit_generator) is not type(theirs.bit_generator):
                return False
            mine.bit_generator.state = theirs.bit_generator.state
        else:
            return False
        return True

    def _plain(self, mine: Any, theirs: Any) -> bool:
        if isinstance(mine, list):
            kept = [self.merge(a, b) for a, b in zip(mine, theirs, strict=False)]
            mine[:] = kept + theirs[len(kept) :]
        elif isinstance(mine, dict):
            merged = {k: self.merge(mine[k], v) if k in mine else v for k, v in theirs.items()}
            mine.clear()
            mine.update(merged)
        elif isinstance(mine, set):
            mine.clear()
            mine.update(theirs)
        elif (
            hasattr(mine, "__dict__")
            and not isinstance(mine, _SHARED)
            and not any(hook in vars(k) for k in type(mine).__mro__[:-1] for hook in _PICKLING_HOOKS)
        ):
            self._plain(mine.__dict__, theirs.__dict__)
        else:
            return False
        return True

    def _tensor(self, torch: Any, mine: Any, theirs: Any) -> bool:
        if mine.shape != theirs.shape or mine.dtype != theirs.dtype or mine.layout != theirs.layout:
            return False
        with torch.no_grad():
            mine.detach().copy_(theirs.detach())
        if mine.is_leaf:
            if theirs.requires_grad != mine.requires_grad and mine.dtype.is_floating_point:
                mine.requires_grad_(theirs.requires_grad)
            mine.grad = None if not theirs.is_leaf or theirs.grad is None else theirs.grad.to(mine.device)
        return True

    def _module(self, mine: Any, theirs: Any) -> bool:
        ours, others = dict(mine.named_modules()), dict(theirs.named_modules())
        if {n: type(m) for n, m in ours.items()} != {n: type(m) for n, m in others.items()}:
            return False
        ours_state, others_state = mine.state_dict(keep_vars=True), theirs.state_dict(keep_vars=True)
        shapes = {n: getattr(t, "shape", None) for n, t in ours_state.items()}
        if shapes != {n: getattr(t, "shape", None) for n, t in others_state.items()}:
            return False
        mine.load_state_dict(theirs.state_dict())
        for name, parameter in mine.named_parameters():
            other = dict(theirs.named_parameters()).get(name)
            if other is not None:
                grad = other.grad
                parameter.grad = None if grad is None else grad.detach().clone().to(parameter.device)
                parameter.requires_grad_(other.requires_grad)
        for name, module in ours.items():
            plain = {k: v for k, v in vars(others[name]).items() if not k.startswith("_")}
            held: dict[str, Any] = module.__dict__
            held.update({key: self.merge(held.get(key), value) for key, value in plain.items()})
        return True

    def _optimizer(self, mine: Any, theirs: Any) -> bool:
        sizes = [[p.shape for p in g["params"]] for g in mine.param_groups]
        if sizes != [[p.shape for p in g["params"]] for g in theirs.param_groups]:
            return False
        for group, other in zip(mine.param_groups, theirs.param_groups, strict=True):
            for parameter, changed in zip(group["params"], other["params"], strict=True):
                self.merge(parameter, changed)
        if getattr(theirs, "_opt_called", False):
            mine._opt_called = True  # a scheduler warns without it
        mine.load_state_dict(theirs.state_dict())
        return True
