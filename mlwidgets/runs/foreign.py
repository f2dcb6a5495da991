"""Runs that came out of an archive: reading their results executes code of whoever made them."""

from __future__ import annotations

import getpass
import json
import os
import time
from typing import Any

from mlwidgets.errors import ResultNotAvailable, StoreError
from mlwidgets.runs.folder import RunFolder, read_json, write_whole
from mlwidgets.runs.machine import host
from mlwidgets.runs.store import name_now


def user() -> str:
    """Return what this user is called, the number where there is no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return str(os.getuid())


def read_origin(folder: RunFolder) -> dict[str, Any] | None:
    """Return where a run was imported from, None for a run of this store; empty where that is damaged."""
    if not os.path.lexists(folder.imported):
        return None
    return read_json(folder.imported) or {}


def check_trusted(folder: RunFolder) -> None:
    """Make sure that what a run holds may be unpickled, or its code executed.

    Raises
    ------
    ResultNotAvailable
        If it came from elsewhere and nobody has said that its maker is trusted.
    """
    origin = read_origin(folder)
    if origin is None or isinstance(origin.get("trusted"), dict):
        return
    made = origin.get("made")
    known = [str(made[key]) for key in ("host", "user") if made.get(key)] if isinstance(made, dict) else []
    where = f" ({_plain(', '.join(known))})" if known else ""
    name = name_now(folder) or folder.id
    raise ResultNotAvailable(
        f"run {name!r} came from elsewhere{where}: reading its result or running it again executes "
        f"code of whoever made it; "
        f"mlwidgets trust {name} (or run.trust()) if you know them"
    )


def _plain(text: str) -> str:
    """Return what an archive says in one line that a terminal shows as it is."""
    return "".join(c if c.isprintable() else "?" for c in text)[:200]


def trust(folder: RunFolder) -> bool:
    """Write down that whoever made a run is trusted; return whether the run came from elsewhere.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    origin = read_origin(folder)
    if origin is None:
        return False
    trusted = {"by": user(), "host": host(), "at": time.time()}
    try:
        write_whole(folder.imported, json.dumps({**origin, "trusted": trusted}).encode())
    except OSError as error:
        raise StoreError(f"run {folder.id!r} could not be trusted: {error.strerror or error}") from error
    return True
