"""What a run may ask of the machine, and whether the machine has it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mlwidgets.errors import MlwidgetsError, ParameterError
from mlwidgets.runner import devices
from mlwidgets.runner.places import QUARTERS

_SHARES = (0.25, 0.5, 0.75)
_FRAMEWORKS = ("torch", "jax", "tensorflow", "cupy")


class NotToStart(MlwidgetsError):
    """The run will never have its turn; the message says why."""


@dataclass(frozen=True)
class Request:
    """What a run asks for. ``timeout`` in seconds; ``after`` is the id of a run of the same store."""

    run: str
    name: str
    store: str
    gpus: float
    cpus: int
    priority: int = 0
    timeout: float | None = None
    after: str | None = None
    kernel_pid: int | None = None


def quarters(gpus: float) -> int:
    """Return a number of GPUs in quarters."""
    return round(gpus * QUARTERS)


def check(gpus: float, cpus: int, inventory: devices.Inventory | None = None) -> None:
    """Raise if this machine could never give so much.

    Raises
    ------
    ParameterError
        With one line that says what the machine has.
    """
    if cpus < 0 or gpus < 0 or not (float(gpus).is_integer() or gpus in _SHARES):
        if cpus < 0:
            raise ParameterError(f"--cpus {cpus}: ask for 0 or more CPU places")
        raise ParameterError(f"--gpus {gpus:g}: ask for whole GPUs, or for a share of one: 0.25, 0.5 or 0.75")
    if not gpus and cpus <= 1:
        return
    has = inventory or devices.inventory()
    if gpus > len(has.gpus):
        names = f" {len(has.gpus)}: {', '.join(device.name for device in has.gpus)}" if has.gpus else " none"
        asked = "1 GPU was" if gpus == 1 else f"{gpus:g} GPUs were" if gpus > 1 else f"{gpus:g} of a GPU was"
        raise ParameterError(f"{asked} asked for; this machine has{names}")
    if gpus > len(has.usable(gpus)):
        raise ParameterError(
            f"{gpus:g} GPUs were asked for; of the instances of a divided GPU (MIG) CUDA shows a process only one: "
            "ask for --gpus 1"
        )
    if cpus > has.cpus:
        places = "1 CPU place" if has.cpus == 1 else f"{has.cpus} CPU places"
        raise ParameterError(f"{cpus} CPU places were asked for; this machine has {places}")


def default_gpus(modules: Collection[str]) -> float:
    """Return how many GPUs a run gets that does not say: one if its notebook has imported what uses one."""
    if not any(name in modules for name in _FRAMEWORKS):
        return 0.0
    return 1.0 if devices.inventory().gpus else 0.0
