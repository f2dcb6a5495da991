"""GPUs that are out of use: set aside by a person, or because run after run failed on them with a device error."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from dataclasses import replace

from mlwidgets.errors import ParameterError
from mlwidgets.runner import devices
from mlwidgets.runner.board import Board
from mlwidgets.runner.places import Condition
from mlwidgets.runs.state import FINISHED

ENOUGH = 3
"""Runs in a row with a device error after which a GPU is set aside."""

_DEVICE_ERRORS = re.compile(
    r"""
    uncorrectable\ (NVLink\ )?(ECC\ )?error | \bXid\b | cudaErrorECCUncorrectable | CUDA_ERROR_ECC_UNCORRECTABLE
    | unspecified\ launch\ failure | cudaErrorLaunchFailure\b | CUDA_ERROR_LAUNCH_FAILED
    | no\ CUDA-capable\ device | cudaErrorNoDevice | CUDA_ERROR_NO_DEVICE
    | CUDA-capable\ device\(s\)\ is/are\ busy\ or\ unavailable | cudaErrorDevicesUnavailable
    | CUDA_ERROR_DEVICE_UNAVAILABLE
    | CUDA\ driver\ initialization\ failed | cudaErrorInitializationError | system\ not\ yet\ initialized
    | cudaErrorSystemNotReady | CUDA_ERROR_SYSTEM_NOT_READY
    | GPU\ is\ lost | fallen\ off\ the\ bus | GPU\ requires\ reset | NVML_ERROR_GPU_IS_LOST
    | CUDNN_STATUS_INTERNAL_ERROR | CUDNN_STATUS_NOT_INITIALIZED | cuDNN\ error:\ \w*INTERNAL_ERROR
    | CUBLAS_STATUS_NOT_INITIALIZED | NVMLError_(Unknown|GpuIsLost|Uninitialized)
    | hardware\ stack\ error | cudaErrorHardwareStackError | CUDA_ERROR_HARDWARE_STACK_ERROR
    | unhandled\ system\ error,\ NCCL | nvlink\ (was\ )?(detected|error)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_USER_ERRORS = re.compile(
    r"out\ of\ memory|OutOfMemoryError|device-side assert|illegal memory access|invalid device ordinal", re.IGNORECASE
)


def device_error(text: str) -> str | None:
    """Return the line of an error that blames the device, None if the code may be at fault."""
    if _USER_ERRORS.search(text):
        return None
    for line in text.splitlines():
        if _DEVICE_ERRORS.search(line):
            return " ".join(line.split())[:200]
    return None


def report(gpus: Collection[str], state: str, text: str = "") -> list[str]:
    """Count how a run ended on its GPUs; return a sentence for each that is set aside now.

    Parameters
    ----------
    state
        The run's end state.
    text
        Its cause, error and traceback, as far as there are any.
    """
    blame = None if state == FINISHED else device_error(text)
    if not gpus or (state != FINISHED and blame is None):
        return []
    board = Board.open()
    said = []
    with board.locked():
        health = board.health()
        changed = dict(health)
        for uuid in gpus:
            before = health.get(uuid, Condition())
            failures = 0 if blame is None else before.failures + 1
            changed[uuid] = replace(before, failures=failures)
            if blame is not None and failures >= ENOUGH and before.drained is None:
                reason = f"{failures} runs in a row failed with a device error: {blame}"
                changed[uuid] = Condition(failures, reason, "", time.time())
                said.append(f"{uuid} is out of use from now on: {reason}; `mlwidgets slots release {uuid}` ends that")
        if changed != health:
            _write(board, changed)
    return said


def drain(gpu: str, reason: str, by: str) -> str:
    """Let no further run start on a GPU; those that run go on. Returns its UUID.

    Parameters
    ----------
    gpu
        Its UUID, the beginning of it, or its index as `mlwidgets slots` shows it.

    Raises
    ------
    ParameterError
        If the machine has no such GPU.
    """
    uuid = find(gpu)
    board = Board.open()
    with board.locked():
        health = board.health()
        before = health.get(uuid, Condition())
        _write(board, health | {uuid: Condition(before.failures, reason, by, time.time())})
    return uuid


def release(gpu: str) -> tuple[str, bool]:
    """Let runs start on a GPU again; return its UUID, and whether it was out of use.

    Raises
    ------
    ParameterError
        If the machine has no such GPU.
    """
    board = Board.open()
    with board.locked():
        health = board.health()
    uuid = find(gpu, also=health)
    with board.locked():
        health = board.health()
        before = health.pop(uuid, Condition())
        _write(board, health)
    return uuid, before.drained is not None


def find(gpu: str, also: Collection[str] = ()) -> str:
    """Return the UUID of a GPU that is named by its UUID, the beginning of it, or its index."""
    uuids = [device.uuid for device in devices.inventory().gpus]
    if gpu.isdigit() and int(gpu) < len(uuids):
        return uuids[int(gpu)]
    named = {uuid for uuid in (*uuids, *also) if gpu and not gpu.isdigit() and uuid.lower().startswith(gpu.lower())}
    if gpu in named:
        return gpu
    if len(named) == 1:
        return named.pop()
    if named:
        raise ParameterError(f"{gpu!r} may be any of {', '.join(sorted(named))}: give more of the UUID")
    has = ", ".join(f"{index}: {uuid}" for index, uuid in enumerate(uuids)) or "none"
    raise ParameterError(f"this machine has no GPU {gpu!r}; it has {has}")


def _write(board: Board, health: dict[str, Condition]) -> None:
    """Replace what is known, and let the first in the queue look at once. Under the mutex."""
    for ticket in board.read().queue[:1]:
        board.wake(ticket.number)
    well = Condition()
    board.write_health({uuid: condition for uuid, condition in health.items() if condition != well})
