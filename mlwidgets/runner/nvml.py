"""What the NVIDIA driver says, asked through NVML and forgotten at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

_DRIVER = ("/dev/nvidiactl", "/dev/dxg")


class Part(NamedTuple):
    """A GPU, or an instance of a GPU that is divided (MIG); ``whole`` is the UUID of the GPU, ``memory`` in bytes."""

    uuid: str
    name: str
    memory: int
    whole: str


def has_driver() -> bool:
    """Return whether there is an NVIDIA driver to ask."""
    return any(os.path.exists(path) for path in _DRIVER)


def parts() -> tuple[Part, ...]:
    """Return all GPUs of the machine, in its order; none without a driver."""
    found: list[Part] = []
    with _nvml() as nvml:
        if nvml is None:
            return ()
        for index in range(nvml.nvmlDeviceGetCount()):
            # A GPU that is lost answers nothing; the others are there all the same.
            with contextlib.suppress(nvml.NVMLError):
                found += _parts_of(nvml, nvml.nvmlDeviceGetHandleByIndex(index))
    return tuple(found)


def users(uuids: Collection[str]) -> dict[str, list[int]]:
    """Return the pids of the processes that use these GPUs."""
    pids: dict[str, list[int]] = {}
    with _nvml() as nvml:
        for uuid in uuids if nvml is not None else ():
            with contextlib.suppress(nvml.NVMLError):
                handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
                pids[uuid] = [process.pid for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle)]
    return pids


@contextlib.contextmanager
def _nvml() -> Iterator[Any]:
    """Give NVML, or None; it is shut down afterwards, since this process may be forked."""
    nvml: Any = None
    if has_driver():
        with contextlib.suppress(Exception):  # no package, no library, no permission: no GPUs
            import pynvml

            pynvml.nvmlInit()
            nvml = pynvml
    try:
        yield nvml
    finally:
        if nvml is not None:
            with contextlib.suppress(nvml.NVMLError):
                nvml.nvmlShutdown()


def _parts_of(nvml: Any, handle: Any) -> list[Part]:
    whole = _text(nvml.nvmlDeviceGetUUID(handle))
    divided = False
    with contextlib.suppress(nvml.NVMLError):
        divided = nvml.nvmlDeviceGetMigMode(handle)[0] == nvml.NVML_DEVICE_MIG_ENABLE
    if not divided:
        return [_part(nvml, handle, whole)]
    instances = []
    for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        with contextlib.suppress(nvml.NVMLError):
            instances.append(_part(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index), whole))
    return instances


def _part(nvml: Any, handle: Any, whole: str) -> Part:
    memory = 0
    with contextlib.suppress(nvml.NVMLError):
        memory = int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
    return Part(_text(nvml.nvmlDeviceGetUUID(handle)), _text(nvml.nvmlDeviceGetName(handle)), memory, whole)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
