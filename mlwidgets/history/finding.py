"""Which snapshot somebody means, and how one may be called."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

from mlwidgets.errors import HistoryError, StoreError, UnknownRun, UnknownSnapshot
from mlwidgets.history.git.entries import Snapshot
from mlwidgets.runs.folder import read_json
from mlwidgets.runs.store import RunStore, name_of

_ID = re.compile(r"\d{8}-\d{6}-\w{4}")
_BACK = re.compile(r"~(\d{1,6})")
_LONGEST = 100


def find_among(found: Sequence[Snapshot], text: str, notebook: str, store: Path) -> Snapshot:
    """Return the snapshot that is meant.

    Parameters
    ----------
    found
        All of a notebook, newest first.
    text
        A name, an id or its beginning, ``~1`` (the one before the last), a run's name or id.
    notebook
        What the notebook is called.
    store
        That has its runs.

    Raises
    ------
    UnknownSnapshot
        If there is none, or several begin so.
    """
    for snapshot in found:
        if text == snapshot.id or text in snapshot.names:
            return snapshot
    back = _BACK.fullmatch(text)
    if back is not None and int(back[1]) < len(found):
        return found[int(back[1])]
    of_run = [one for one in found if one.run is not None and text in {one.run, name_of(one.run)}]
    begin = [one for one in found if len(text) >= 4 and one.id.startswith(text)]
    if of_run or len(begin) == 1:
        return (of_run or begin)[0]
    if begin:
        raise UnknownSnapshot(f"{len(begin)} snapshots begin with {text!r}: {begin[0].id}, {begin[1].id}, ...")
    shared = _of_run(found, text, store)
    if shared is not None:
        return shared
    have = f"the last one is {found[0].id}" if found else "there are none yet"
    raise UnknownSnapshot(f"no snapshot {text!r:.60} of {notebook}; {have}")


def _of_run(found: Sequence[Snapshot], text: str, store: Path) -> Snapshot | None:
    """Return the snapshot of a run that was submitted from the same state as another."""
    with contextlib.suppress(UnknownRun, StoreError):
        kept = read_json(RunStore(store).find(text).snapshot) or {}
        return next((one for one in found if one.id == kept.get("id")), None)
    return None


def check_name(name: str) -> str:
    """Return `name` without blanks around it if a snapshot may be called so.

    Raises
    ------
    HistoryError
        If it is empty, too long, or reads as something else.
    """
    name = name.strip()
    if not name or len(name) > _LONGEST or not name.isprintable() or name.startswith("~") or _ID.fullmatch(name):
        raise HistoryError(
            f"{name!r:.60} cannot be a snapshot's name: take up to {_LONGEST} letters, no ~ first, nothing like an id"
        )
    return name
