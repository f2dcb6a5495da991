"""A snapshot and the commit that it is: what the commit's message says."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, replace

from mlwidgets.runs.spec import new_run_id

_FIELD = re.compile(r"^(?:    )?Mlwidgets-(\w+): (.*)$", re.MULTILINE)
_HEADER = re.compile(r"^(tree|parent) ([0-9a-f]+)$", re.MULTILINE)
_COMMITTER = re.compile(r"^committer .* (\d+) [+-]\d+$", re.MULTILINE)
KINDS = ("save", "submit", "kept", "twin")


@dataclass(frozen=True)
class Snapshot:
    """A notebook at one moment.

    Parameters
    ----------
    id
        ``20261121-181502-k3f9``: sortable by time (UTC) and stable, also where a prune writes its commit anew.
    commit
        In which it is.
    time
        Unix seconds.
    kind
        ``save``, ``submit``, ``kept``: the state that a restore replaced, or ``twin``: what the notebook or its text
        twin said before one of them came to the other.
    run
        Id of the run that was submitted with it.
    names
        That it was given.
    changed
        Cells added, removed and edited since the snapshot before; None for the first.
    store
        That has the run, as an absolute path; None where no run was submitted.
    """

    id: str
    commit: str
    time: float
    kind: str
    run: str | None
    names: tuple[str, ...] = ()
    changed: tuple[int, int, int] | None = None
    store: str | None = None


@dataclass(frozen=True)
class Entry:
    """One commit of a chain; `snapshot` is None where it only joins two chains."""

    commit: str
    tree: str
    parents: tuple[str, ...]
    time: float
    snapshot: Snapshot | None


def new_snapshot(kind: str, run: str | None, store: str | None, changed: tuple[int, int, int] | None) -> Snapshot:
    """Return a snapshot of now, which is in no commit yet."""
    now = round(time.time(), 6)
    stamp, _, rest = new_run_id("x", now).partition("-x-")
    return Snapshot(f"{stamp}-{rest}", "", now, kind, run, (), changed, store)


def message_of(snapshot: Snapshot) -> str:
    """Return a commit's message."""
    words = {
        "save": "Saved",
        "submit": "Submitted",
        "kept": "Kept before a restore",
        "twin": "Kept before the notebook and its twin were merged",
    }.get(snapshot.kind, snapshot.kind)
    fields = {"Snapshot": snapshot.id, "Time": f"{snapshot.time:.6f}", "Kind": snapshot.kind}
    if snapshot.run is not None:
        fields["Run"] = snapshot.run
    if snapshot.store is not None:
        # A path may hold a line break, and bytes that are no text.
        fields["Store"] = json.dumps(snapshot.store)
    if snapshot.changed is not None:
        added, removed, edited = snapshot.changed
        words += f": {added} cells added, {removed} removed, {edited} edited"
        fields["Changed"] = f"{added} {removed} {edited}"
    return "\n".join([words, "", *(f"Mlwidgets-{name}: {value}" for name, value in fields.items()), ""])


def read_entry(commit: str, raw: str) -> Entry:
    """Return a commit of a chain from its raw text, as ``git rev-list --header`` or ``git cat-file`` gives it."""
    head, _, message = raw.partition("\n\n")
    headers = _HEADER.findall(head)
    parents = tuple(value for name, value in headers if name == "parent")
    tree = next((value for name, value in headers if name == "tree"), "")
    written = _COMMITTER.search(head)
    second = float(written[1]) if written else 0.0
    fields = dict(_FIELD.findall(message))
    if not {"Snapshot", "Time", "Kind"} <= set(fields):
        return Entry(commit, tree, parents, second, None)
    numbers = [int(part) for part in fields.get("Changed", "").split() if part.isdigit()]
    changed = (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else None
    try:
        at = float(fields["Time"])
    except ValueError:
        at = second
    run, store = fields.get("Run"), _path(fields.get("Store"))
    snapshot = Snapshot(fields["Snapshot"], commit, at, fields["Kind"], run, (), changed, store)
    return Entry(commit, tree, parents, at, snapshot)


def _path(written: str | None) -> str | None:
    try:
        found = None if written is None else json.loads(written)
    except ValueError:
        return None
    return found if isinstance(found, str) else None


def with_names(snapshot: Snapshot, names: dict[str, list[str]]) -> Snapshot:
    """Return the snapshot with the names that it has; `names` is by snapshot."""
    found = names.get(snapshot.id)
    return replace(snapshot, names=tuple(sorted(found))) if found else snapshot
