"""What a checkpoint keeps of an object, and how the object gets it back: always in place, whoever else refers to it."""

from __future__ import annotations

import contextlib
import random
import sys
import types
from collections.abc import Mapping
from typing import Any

STATE_DICT, GENERATOR, TENSOR, ARRAY, OBJECT = "state_dict", "generator", "tensor", "array", "object"
_SHARED = (types.FunctionType, types.MethodType, types.ModuleType)


def state_of(name: str, value: Any) -> tuple[str, Any]:
    """Return of what kind an object is, and what has to be kept of it.

    Raises
    ------
    TypeError
        If it could not be put back into the object.
    """
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if callable(getattr(value, "state_dict", None)) and callable(getattr(value, "load_state_dict", None)):
        return STATE_DICT, _unwrapped(value).state_dict()
    generator = _state_of_generator(value)
    if generator is not None:
        return GENERATOR, generator
    if torch is not None and isinstance(value, torch.Tensor):
        # Of what is a part of another tensor torch would keep the whole of that.
        part = value.layout == torch.strided and value.untyped_storage().nbytes() > value.nbytes
        return TENSOR, value.detach().clone() if part else value.detach()
    if numpy is not None and isinstance(value, numpy.ndarray):
        return ARRAY, value
    if isinstance(value, list | dict | set):
        for one in value.values() if isinstance(value, dict) else value:
            if torch is not None and isinstance(one, torch.nn.Module | torch.optim.Optimizer):
                raise TypeError(
                    f"checkpoint: {name} holds a {type(one).__name__}, which would be another one after resume(): "
                    "give it by itself"
                )
        return OBJECT, value
    if isinstance(getattr(value, "__dict__", None), dict) and not isinstance(value, _SHARED):
        return OBJECT, value
    raise TypeError(
        f"checkpoint: {name} is of type {type(value).__name__}, into which resume() could put nothing back: "
        "keep it in a dict or a list and give that"
    )


def rank() -> int:
    """Return which one this process is of a distributed training; 0 where it is none."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return 0
    return int(distributed.get_rank())


def _unwrapped(value: Any) -> Any:
    """Return the model inside what torch compiles or spreads over devices, whose names of weights have a prefix."""
    torch = sys.modules.get("torch")
    while torch is not None and isinstance(value, torch.nn.Module):
        spread = isinstance(value, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel)
        inner = value.module if spread else value.__dict__.get("_modules", {}).get("_orig_mod")
        if inner is None:
            break
        value = inner
    return value


def _state_of_generator(value: Any) -> Any:
    """Return the state of a random generator, None of anything else."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy.random")
    if isinstance(value, random.Random):
        return value.getstate()
    if torch is not None and isinstance(value, torch.Generator):
        return value.get_state()
    if numpy is not None and isinstance(value, numpy.RandomState):
        return value.get_state(legacy=False)
    if numpy is not None and isinstance(value, numpy.Generator):
        return value.bit_generator.state
    return None


def put_back(name: str, mine: Any, kind: str, state: Any) -> None:
    """Bring an object to what was kept of one like it.

    Raises
    ------
    ValueError
        If the two do not fit.
    """
    try:
        _put(mine, kind, state)
    except Exception as error:  # load_state_dict of any library may raise anything
        line = " ".join(str(error).split())[:300]
        raise ValueError(f"the state of {name} does not fit: {line or type(error).__name__}") from error


def _put(mine: Any, kind: str, state: Any) -> None:
    if kind == STATE_DICT:
        _unwrapped(mine).load_state_dict(state)
    elif kind == GENERATOR:
        if isinstance(mine, random.Random):
            mine.setstate(_tuples(state))
        elif hasattr(mine, "bit_generator"):
            mine.bit_generator.state = state
        else:
            mine.set_state(state)
    elif kind == TENSOR:
        if mine.shape != state.shape:
            raise ValueError(f"its shape was {tuple(state.shape)} and is {tuple(mine.shape)}")
        with sys.modules["torch"].no_grad():
            mine.detach().copy_(state)
    elif type(mine).__qualname__ != type(state).__qualname__:
        raise TypeError(f"it was of type {type(state).__name__} and is of type {type(mine).__name__}")
    elif kind == ARRAY:
        if (mine.shape, mine.dtype) != (state.shape, state.dtype):
            raise ValueError(f"it was {state.dtype} of shape {state.shape} and is {mine.dtype} of shape {mine.shape}")
        mine[...] = state
    elif isinstance(mine, list):
        mine[:] = state
    elif isinstance(mine, dict | set):
        mine.clear()
        mine.update(state)
    else:
        # Exchanged, so that what one of them frees when it goes is no longer the other's.
        mine.__dict__, state.__dict__ = state.__dict__, mine.__dict__


def states_of(read: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Return the states of what `Checkpoint.read` gave.

    A model's weights go to where the model is. Tensors inside other objects are put where they were, if that is here.
    """
    devices = read.get("devices")
    for _, kind, state in read["objects"]:
        if devices and kind == OBJECT:
            _move(state, devices, set())
    return list(read["objects"])


def _move(value: Any, devices: Mapping[int, str], seen: set[int]) -> None:
    torch = sys.modules["torch"]
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, torch.Tensor):
        device = devices.get(value.untyped_storage().data_ptr()) if value.layout == torch.strided else None
        if device is not None:
            # A machine with fewer devices, or none.
            with contextlib.suppress(RuntimeError, AssertionError):
                value.data = value.data.to(device)
    elif isinstance(value, list | tuple):
        for one in value:
            _move(one, devices, seen)
    else:
        inside = value if isinstance(value, dict) else getattr(value, "__dict__", None)
        for one in list(inside.values()) if isinstance(inside, dict) else ():
            _move(one, devices, seen)


def random_states() -> dict[str, Any]:
    """Return the states that ``random``, numpy and torch draw from, of what has been imported."""
    states: dict[str, Any] = {"random": random.getstate()}
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None and "numpy.random" in sys.modules:
        state = numpy.random.get_state()
        # A list is read by torch without executing anything.
        states["numpy"] = (state[0], state[1].tolist(), *state[2:]) if isinstance(state, tuple) else state
    if torch is not None:
        states["torch"] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def set_random_states(states: dict[str, Any]) -> None:
    """Let ``random``, numpy and torch go on where they were."""
    random.setstate(_tuples(states["random"]))
    if "numpy" in states:
        import numpy as np

        np.random.set_state(states["numpy"])  # noqa: NPY002 - the state that notebooks draw from
    torch = sys.modules.get("torch")
    if torch is not None and "torch" in states:
        torch.set_rng_state(states["torch"])
        if "cuda" in states and torch.cuda.is_available():
            for device, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
                torch.cuda.set_rng_state(state, device)


def _tuples(state: Any) -> tuple[Any, ...]:
    version, keys, gauss = state
    return version, tuple(keys), gauss
