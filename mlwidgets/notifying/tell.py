"""Telling whoever wants to hear of an event: each once, and again later whom it could not reach.

Before a target is told a line in the store says who is about to do so; behind it another one says how that went. A
process that is killed between the server's answer and that line leaves it unknown: the next one tells again, under the
same key.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlwidgets.notifying.message import Message
from mlwidgets.notifying.notices import locked, read_told, write_told
from mlwidgets.notifying.patience import PATIENCE
from mlwidgets.notifying.sending import Errand, send
from mlwidgets.notifying.settings import ConfigError
from mlwidgets.notifying.targets import HELP, shown, wanted
from mlwidgets.runs.machine import boot_id, host

PAUSES = (60.0, 300.0, 900.0, 3600.0)
"""Seconds until a target that could not be reached is tried again; the last one from then on."""
GIVE_UP = 3 * 86400.0
"""Seconds after which nobody wants to hear of it any more."""
LEASE = 2 * PATIENCE + 60.0
"""Seconds after which whoever was about to tell is taken for gone."""


@dataclass(frozen=True)
class Delivery:
    """How telling one target went.

    Parameters
    ----------
    target
        Without what may be secret.
    ok
        It was told: now, or by an earlier call.
    error
        Why not, in one line; None where it was told or somebody else is about to.
    again
        It is worth calling again later.
    at
        When that was, Unix seconds.
    """

    target: str
    ok: bool
    error: str | None = None
    again: bool = False
    at: float = 0.0


def check_targets(targets: Any) -> None:
    """Make sure that `tell` will understand its targets.

    Raises
    ------
    ConfigError
        If not; the message says what may stand there.
    """
    try:
        wanted(targets, "finished", None)
    except ConfigError as error:
        raise ConfigError(f"notify: {error}; {HELP}") from error


def settled(deliveries: Iterable[Delivery]) -> bool:
    """Whether everybody was told or given up."""
    return not any(delivery.again for delivery in deliveries)


def tell(
    targets: Any,
    message: Message,
    *,
    store: Path,
    key: str,
    before: str | None = None,
    project: Path | None = None,
    draw: Callable[[], bytes | None] | None = None,
) -> list[Delivery]:
    """Tell those who want to hear of an event, each once for a `key` however often and by however many this is called.

    It takes up to a minute for each target that does not answer. Whom it could not reach is tried again by a later
    call, at growing distances for three days.

    Parameters
    ----------
    targets
        A text, a list of them, or a table of these with failure, recovery, success, always.
    store
        The ``.mlwidgets`` directory, which keeps what was told to whom.
    key
        Names the event.
    before
        The state before, by which a recovery is known.
    project
        The folder whose ``pyproject.toml`` has ``smtp`` and ``secrets``; by default that of the store.
    draw
        Makes the message's picture, if a letter is to show one.
    """
    try:
        listed = wanted(targets, message.state, before)
    except ConfigError as error:
        return [Delivery("notify", ok=False, error=str(error), at=time.time())]
    folder = store.parent if project is None else project
    errand = Errand(message, key, folder, store, folder, draw=draw)
    seen: dict[str, int] = {}
    deliveries = []
    for text in listed:
        name = shown(text)
        seen[name] = number = seen.get(name, 0) + 1
        # Two webhooks at one host look the same.
        deliveries.append(_tell_once(text, name if number == 1 else f"{name} ({number})", errand))
    return deliveries


def _tell_once(text: str, name: str, errand: Errand) -> Delivery:
    try:
        with locked(errand.store):
            known = _known(errand, name)
            if known is not None:
                return known
            _write(errand, name, "telling", pid=os.getpid(), host=host(), boot=boot_id())
    except OSError as error:  # a full disk: better told twice than not at all
        problem, _ = send(text, errand)
        words = problem.text if problem else f"told, but not recorded: {error.strerror or error}"
        return Delivery(name, problem is None, words, at=time.time())
    problem, tries = send(text, errand)
    again = problem is not None and not problem.final
    try:
        with locked(errand.store):
            _write(
                errand,
                name,
                "told",
                ok=problem is None,
                error=problem.text if problem else None,
                tries=tries,
                again=again,
            )
    except OSError:
        pass  # it is told again then, under the same key
    return Delivery(name, problem is None, problem.text if problem else None, again, time.time())


def _known(errand: Errand, name: str) -> Delivery | None:
    """Return what keeps a target from being told now: it was, it was given up, or somebody is at it."""
    lines = [entry for entry in read_told(errand.store, errand.key) if entry.get("target") == name]
    if not lines:
        return None
    last, now = lines[-1], time.time()
    at = float(last["time"])
    if last["event"] == "telling":
        return Delivery(name, ok=False, again=True, at=at) if _lives(last, now) else None
    if last.get("ok"):
        return Delivery(name, ok=True, at=at)
    error = str(last.get("error"))
    failures = sum(1 for entry in lines if entry["event"] == "told")
    if not last.get("again") or now - float(lines[0]["time"]) > GIVE_UP:
        return Delivery(name, ok=False, error=error, at=at)
    pause = PAUSES[min(failures, len(PAUSES)) - 1]
    # A clock that went back must not make anybody wait for ever.
    return Delivery(name, ok=False, error=error, again=True, at=at) if 0 <= now - at < pause else None


def _lives(entry: dict[str, Any], now: float) -> bool:
    if not 0 <= now - float(entry["time"]) < LEASE:
        return False
    if (entry.get("host"), entry.get("boot")) != (host(), boot_id()) or not isinstance(entry.get("pid"), int):
        return True
    try:
        os.kill(entry["pid"], 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _write(errand: Errand, name: str, kind: str, **fields: Any) -> None:
    write_told(errand.store, kind, key=errand.key, target=name, **fields)
