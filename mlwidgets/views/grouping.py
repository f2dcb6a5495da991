"""Which metrics share a chart: those of the code by their names, those of the machine by what they measure."""

from __future__ import annotations

import re

from mlwidgets.runs.naming import CLOCKS, Place, better, place

__all__ = ["CLOCKS", "Place", "better", "place", "place_system"]

_GPU = re.compile(r"gpu\.(\d+)\.(\w+)")


def place_system(name: str) -> Place:
    """Return where a system metric belongs: each figure of all GPUs of a run shares a chart."""
    gpu = _GPU.fullmatch(name)
    if gpu:
        return Place(f"gpu.{gpu[2]}", f"GPU {gpu[1]}", 0)
    if name.startswith(("disk.", "network.")):
        group, _, role = name.partition(".")
        return Place(group, role, 0)
    return Place(name, "", 0)
