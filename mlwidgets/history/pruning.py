"""Writing chains anew: without what is forgotten, or in another repository."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mlwidgets.errors import HistoryError, StoreError
from mlwidgets.history.git import objects
from mlwidgets.history.git.chain import Chain
from mlwidgets.history.git.entries import Entry, Snapshot
from mlwidgets.history.notebooks.counting import count_changes
from mlwidgets.history.notebooks.notebook import read_notebook
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.store import RunStore

_TRIES = 5


def of_runs(store: Path, snapshots: Sequence[Snapshot]) -> set[str]:
    """Return those snapshots that belong to runs, in this store or the one that each was submitted to.

    Runs in the trash are runs. Where a store cannot be read, these are all that were submitted to it.
    """
    own = os.path.realpath(store)
    submitted: dict[str, set[str]] = {own: set()}
    for one in snapshots:
        if one.run is not None:
            submitted.setdefault(one.store or own, set()).add(one.id)
    kept: set[str] = set()
    for path, ids in submitted.items():
        try:
            runs, named = _runs(Path(path), path == own)
        except (OSError, ValueError, StoreError):
            kept |= ids
        else:
            kept |= {one.id for one in snapshots if one.run in runs or one.id in named}
    return kept


def _runs(store: Path, may_be_missing: bool) -> tuple[set[str], set[str]]:
    """Return the runs of a store, and the snapshots that they name."""
    RunStore(store)
    if may_be_missing and not (store / "runs").exists():
        return set(), set()
    folders = [store / "runs" / name for name in os.listdir(store / "runs")]
    trash = store / "trash"
    folders += [trash / name for name in (os.listdir(trash) if trash.is_dir() else ())]
    named = {str((read_json(RunFolder(path).snapshot) or {}).get("id")) for path in folders}
    return {path.name for path in folders}, named


def prune(chain: Chain, gone: set[str]) -> None:
    """Forget these snapshots of a chain; whatever else is in it stays.

    Raises
    ------
    HistoryError
        If the chain cannot be written; all are there then.
    """
    for _ in range(_TRIES):
        entries = chain.entries()
        stays = [one for one in _in_order(entries) if one.snapshot and one.snapshot.id not in gone]
        if len(stays) == len(entries) or chain.replace(entries, _counted_anew(chain, entries, stays)):
            return
    raise HistoryError("the history is written by too many at once; try again")


def _in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Return commits oldest first; of chains that were joined in order of time."""
    ordered = list(reversed(entries))
    if any(len(entry.parents) > 1 for entry in entries):
        ordered.sort(key=lambda entry: entry.time)
    return ordered


def _counted_anew(chain: Chain, entries: Sequence[Entry], chosen: Sequence[Entry]) -> list[tuple[Snapshot, str]]:
    """Return snapshots with their trees; what changed is counted from the one that comes before now."""
    before = {entry.commit: entry.parents for entry in entries}
    result: list[tuple[Snapshot, str]] = []
    previous: Entry | None = None
    for entry in chosen:
        snapshot = entry.snapshot
        assert snapshot is not None
        if before[entry.commit] != (() if previous is None else (previous.commit,)):
            snapshot = replace(snapshot, changed=_changes(chain, previous, entry))
        result.append((snapshot, entry.tree))
        previous = entry
    return result


def _changes(chain: Chain, old: Entry | None, new: Entry) -> tuple[int, int, int] | None:
    if old is None:
        return None
    one, other = (chain.files(entry.commit, "notebook.ipynb")[0] for entry in (old, new))
    if one is None or other is None:
        return None
    return count_changes(read_notebook(one, "a snapshot"), read_notebook(other, "a snapshot"))


def copy(chain: Chain, target: Chain) -> None:
    """Put a chain's snapshots before those of a chain in another repository, with their names.

    Raises
    ------
    HistoryError
        If it cannot be written.
    """
    algorithm = target.repository.algorithm
    for _ in range(_TRIES):
        there = target.entries()
        known = {entry.snapshot.id for entry in there if entry.snapshot is not None}
        rows: list[tuple[Snapshot, str]] = []
        for entry in _in_order(chain.entries()):
            if entry.snapshot is None or entry.snapshot.id in known:
                continue
            files = chain.all_files(entry)
            blobs = {name: objects.make("blob", data, algorithm) for name, data in files.items()}
            tree = objects.make_tree({name: blob.id for name, blob in blobs.items()}, algorithm)
            target.repository.write([*blobs.values(), tree])
            rows.append((entry.snapshot, tree.id))
        rows += [(one.snapshot, one.tree) for one in _in_order(there) if one.snapshot is not None]
        rows.sort(key=lambda row: row[0].time)
        if rows and target.replace(there, rows):
            names = {name: given for name, (given, _) in chain.names().items() if given is not None}
            if names:
                target.give_name(names)
            return
    raise HistoryError("the history is written by too many at once; try again")
