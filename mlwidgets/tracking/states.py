"""What a checkpoint keeps of an object, and how the object gets it back: always in place, whoever else refers to it."""

from __future__ import annotations

import random
import sys
import types
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
        return STATE_DICT, value.state_dict()
    generator = _state_of_generator(value)
    if generator is not None:
        return GENERATOR, generator
    if torch is not None and isinstance(value, torch.Tensor):
        return TENSOR, value.detach()
    if numpy is not None and isinstance(value, numpy.ndarray):
        return ARRAY, value
    if isinstance(value, list | dict | set):
        return OBJECT, value
    if isinstance(getattr(value, "__dict__", None), dict) and not isinstance(value, _SHARED):
        return OBJECT, value
    raise TypeError(
        f"checkpoint: {name} is of type {type(value).__name__}, into which resume() could put nothing back: "
        "keep it in a dict or a list and give that"
    )


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
        mine.load_state_dict(state)
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
