"""Arrays of any library, on any device, as numpy's: none is imported for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_array(value: Any, what: str) -> NDArray[Any]:
    """Return `value` as a numpy array of bool, integers or floats.

    Parameters
    ----------
    value
        A tensor of torch (any device, with a gradient or without), an array of numpy, cupy, jax or tensorflow,
        a pandas column, nested lists of numbers.
    what
        How a message calls it.

    Raises
    ------
    TypeError
        If it does not consist of numbers.
    """
    import numpy as np

    try:
        array = np.asarray(_on_this_machine(value))
        if array.dtype.kind == "V" and array.dtype.names is None:
            # bfloat16 and its like, which numpy knows through jax alone.
            array = array.astype(np.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{what} must be numbers, not {type(value).__name__}: {_line(error)}") from None
    if array.dtype.kind not in "biuf":
        of = f" of {array.dtype.name}" if array.size else ""
        raise TypeError(f"{what} must be numbers, not {type(value).__name__}{of}")
    return array


def _on_this_machine(value: Any) -> Any:
    """Return a tensor of torch or cupy as something that numpy takes."""
    if callable(getattr(value, "detach", None)):
        value = value.detach().cpu()
        if str(value.layout) != "torch.strided":
            value = value.to_dense()
        if str(value.dtype) == "torch.bfloat16" or "float8" in str(value.dtype):
            value = value.float()
        return value.resolve_neg().numpy()
    if hasattr(value, "__cuda_array_interface__") and callable(getattr(value, "get", None)):
        return value.get()
    return value


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0][:120]
