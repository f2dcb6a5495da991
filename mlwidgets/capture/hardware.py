"""The machine that a run is on: processor, memory, GPUs and their driver."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

_MODEL = re.compile(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", re.MULTILINE)


def cpu_model() -> str:
    """Return what the processor calls itself: ``AMD EPYC 7763 64-Core Processor``."""
    try:
        found = _MODEL.search(Path("/proc/cpuinfo").read_text(errors="replace"))
    except OSError:
        found = None
    if found is not None:
        return " ".join(found[1].split())
    said = _ask("sysctl", "-n", "machdep.cpu.brand_string") or _ask("lscpu")
    if said is not None and (named := re.search(r"Model name:\s*(.+)", said)):
        return " ".join(named[1].split())
    return (said or "").strip().split("\n")[0] or platform.processor() or platform.machine()


def memory() -> int | None:
    """Return the bytes of memory that the machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None


def gpus() -> list[dict[str, str]]:
    """Return name, UUID, driver and memory of each GPU, as the driver's own tool tells."""
    fields = ("name", "uuid", "driver_version", "memory.total")
    text = _ask("nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader") or ""
    return [dict(zip(fields, (p.strip() for p in line.split(",")), strict=False)) for line in text.splitlines()]


def cuda_driver() -> str | None:
    """Return the newest version of CUDA that the driver knows; None where there is none.

    By ``cuDriverGetVersion`` of the driver's own library, which needs no GPU to be begun with.
    """
    try:
        version = ctypes.c_int(0)
        if ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version)):
            return None
    except (OSError, AttributeError):
        return None
    return f"{version.value // 1000}.{version.value % 1000 // 10}" if version.value else None


def _ask(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
