"""How long sending may take: each attempt has an end, and there are only so many of them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds that sending to one target takes at most, with all attempts."""
WAITS = (1.0, 4.0, 15.0)
"""Seconds between attempts."""


class Problem(NamedTuple):
    """Why an attempt failed.

    Attributes
    ----------
    text
        In one line.
    temporary
        Another attempt in a moment may do better.
    after
        Seconds that the server wants to be left alone for.
    final
        Nor should it be attempted on another day: it was done in part, or refused for good.
    """

    text: str
    temporary: bool = True
    after: float = 0.0
    final: bool = False


def within(seconds: float, work: Callable[[], T]) -> T:
    """Do some work in a thread of its own, and wait for it so long at most; what takes longer is left to itself.

    A socket's own time-out ends neither a name server's delay nor a trickle of bytes.

    Raises
    ------
    TimeoutError
        If it took longer; else whatever the work raises.
    """
    done: queue.SimpleQueue[tuple[bool, T | BaseException]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((True, work()))
        except BaseException as error:  # it is raised where it is waited for
            done.put((False, error))

    threading.Thread(target=run, name="mlwidgets-notify", daemon=True).start()
    try:
        good, result = done.get(timeout=max(0.0, seconds))
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if good:
        return result  # type: ignore[return-value]
    assert isinstance(result, BaseException)
    raise result


def patiently(attempt: Callable[[float], Problem | None]) -> tuple[Problem | None, int]:
    """Attempt, and attempt again after what is only temporary.

    Parameters
    ----------
    attempt
        Is given the seconds that are left.

    Returns
    -------
    problem
        Of the last attempt; None if all is well.
    tries
        How often it was attempted.
    """
    end = time.monotonic() + PATIENCE
    tries = 0
    for wait in (*WAITS, None):
        tries += 1
        problem = attempt(end - time.monotonic())
        if problem is None:
            return None, tries
        if not problem.temporary or wait is None:
            break
        pause = max(wait, problem.after)
        if time.monotonic() + pause >= end:
            break
        time.sleep(pause)
    return problem, tries


def one_line(text: str) -> str:
    """Return a text in one line that any file takes."""
    return " ".join(text.encode("utf-8", "replace").decode().replace("\0", "").split())[:200]
