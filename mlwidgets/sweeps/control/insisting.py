"""Writing on a full disk: whoever leads a sweep waits for room, as its trials do."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TypeVar

from mlwidgets.errors import StoreError

RETRY_FOR = 600.0
"""Seconds for which it waits."""
PAUSE = 1.0
"""Seconds between two attempts."""
NO_ROOM = (OSError, StoreError)
"""What may be tried again."""
T = TypeVar("T")


def insist(act: Callable[[], T]) -> T:
    """Do what writes; try again where it cannot.

    Raises
    ------
    OSError, StoreError
        If it cannot for minutes; at once where the folder is gone.
    """
    deadline = time.monotonic() + RETRY_FOR
    while True:
        try:
            return act()
        except FileNotFoundError:
            raise
        except NO_ROOM:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)


def say(line: str) -> None:
    """Write a line of the sweep's output, which it goes on without."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


class Patience:
    """The same for what need not be waited for in one place: when to try again, and when to give up."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._next = 0.0

    @property
    def is_over(self) -> bool:
        """Whether it may be tried now."""
        return time.monotonic() >= self._next

    def fail(self) -> bool:
        """Take note that it could not be done; return whether it is to be tried again later."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        self._next = now + PAUSE
        return now - self._since <= RETRY_FOR

    def succeed(self) -> None:
        """Take note that it could."""
        self._since, self._next = None, 0.0
