"""Sleeping until a signal comes, a process ends, or it is time."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Mapping
from typing import Any


class Wake:
    """Takes the signals that ask this process to end, from the moment on at which it is made."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self.names: list[str] = []
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: Any) -> None:
        self.names.append(signal.Signals(number).name)

    def sleep(self, seconds: float, deaths: Mapping[int, Any]) -> list[int]:
        """Sleep; return the descriptors of `deaths` that can be read."""
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        for descriptor in deaths:
            poll.register(descriptor, select.POLLIN)
        found = [descriptor for descriptor, _ in poll.poll(max(0.0, seconds) * 1000) if descriptor in deaths]
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)
        return found
