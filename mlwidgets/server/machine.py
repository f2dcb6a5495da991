"""GPUs and CPU places of this machine, as they were a moment ago: many ask, one looks."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from typing import Any

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runner.slots import Overview, ordinal, overview

FRESH = 0.9
"""Seconds for which a look is good enough."""
FOREIGN = 5.0
"""Seconds between two questions to the driver for the programs of others, which take longer."""


class Machine:
    """The machine's queue; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: Overview | None = None
        self._looked = self._asked = float("-inf")
        self._foreign: dict[str, str | None] = {}
        self._waiting: dict[str, str] = {}

    def look(self) -> Overview | None:
        """Return who holds what and who waits, None where the queue cannot be read."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked < FRESH:
                return self._found
            ask = now - self._asked >= FOREIGN
            try:
                self._found = overview(foreign=ask)
            except (MlwidgetsError, OSError):
                self._found = None
            if ask and self._found is not None:
                self._asked = now
                self._foreign = {gpu.uuid: gpu.foreign for gpu in self._found.gpus}
            self._waiting = {w.run: _in_words(w.place, w.why) for w in self._found.waiting} if self._found else {}
            self._looked = time.monotonic()
            return self._found

    def to_json(self) -> dict[str, Any] | None:
        """Return the same, fit for JSON."""
        found = self.look()
        if found is None:
            return None
        data = asdict(found)
        for gpu in data["gpus"]:
            gpu["foreign"] = gpu["foreign"] or (None if gpu["holders"] else self._foreign.get(gpu["uuid"]))
        return data

    def waiting(self, run: str) -> str | None:
        """Return in words what a run waits for, None if it does not wait: ``3rd in the queue: waits for 2 GPUs``."""
        self.look()
        return self._waiting.get(run)


def _in_words(place: int, why: str) -> str:
    return f"{ordinal(place)} in the queue: {why}" if place else why
