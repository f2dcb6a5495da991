"""What the browser is to show: a journal in the store, and whom else was told what."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlwidgets.notifying.message import Message
from mlwidgets.runs.folder import write_whole
from mlwidgets.runs.journal import parse_line, read_lines, write_event

NOTICES, TOLD = "notices.jsonl", "notified.jsonl"
MOST_NOTICES = 500
MOST_BYTES = 4_000_000
"""Bytes of a journal beyond which its older half is dropped."""


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Keep other processes from writing the store's notices; whoever dies lets go."""
    fd = os.open(store / ".notices.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def add_notice(store: Path, message: Message, key: str) -> None:
    """Leave a message for the browser, once for each `key`.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path = store / NOTICES
    with locked(store):
        known = list(read_lines(path, "notice"))
        if any(entry.get("key") == key for entry in known):
            return
        number = max((_number(entry) for entry in known), default=0) + 1
        fields = {name: getattr(message, name) for name in ("state", "subject", "text", "name", "cause", "address")}
        write_event(path, "notice", number=number, key=key, **fields)
        if len(known) >= 2 * MOST_NOTICES:
            _keep_end(path, MOST_NOTICES)


def read_notices(store: Path, since: int = 0) -> list[dict[str, Any]]:
    """Return what was left for the browser, oldest first.

    Parameters
    ----------
    since
        The last number that was seen.

    Returns
    -------
    notices
        Each with ``number``, ``at`` (Unix seconds), ``key``, ``state``, ``subject``, ``text``, ``name``, ``cause``,
        ``address``.
    """
    found = [entry for entry in read_lines(store / NOTICES, "notice") if _number(entry) > since]
    return [
        {"at": entry["time"], **{key: value for key, value in entry.items() if key not in {"event", "time"}}}
        for entry in found
    ]


def write_told(store: Path, kind: str, **fields: Any) -> None:
    """Record something about the telling of an event. The caller holds the lock."""
    path = store / TOLD
    write_event(path, kind, **fields)
    if path.stat().st_size > MOST_BYTES:
        _keep_end(path, sum(1 for _ in read_lines(path)) // 2)


def read_told(store: Path, key: str) -> list[dict[str, Any]]:
    """Return what is recorded about the telling of an event, in order."""
    try:
        lines = (store / TOLD).read_bytes().split(b"\n")
    except OSError:
        return []
    # Thousands of lines about other events are not parsed.
    written = json.dumps(key).encode()
    found = [entry for line in lines if written in line and (entry := parse_line(line))]
    return [entry for entry in found if entry.get("key") == key]


def _keep_end(path: Path, most: int) -> None:
    lines = [json.dumps(entry) for entry in read_lines(path)][-most:]
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())


def _number(entry: dict[str, Any]) -> int:
    number = entry.get("number")
    return number if isinstance(number, int) else 0
