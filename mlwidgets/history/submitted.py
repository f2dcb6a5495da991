"""The notebook that a run was submitted from: kept with the submit, read back later."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlwidgets.errors import HistoryError, NotebookError
from mlwidgets.history.git.entries import read_entry
from mlwidgets.history.git.repository import Repository
from mlwidgets.history.notebooks.executed import Executed, overlaid
from mlwidgets.history.notebooks.notebook import Cell, Notebook, read_notebook
from mlwidgets.history.places import BARE
from mlwidgets.history.settled import load_settled
from mlwidgets.history.snapshots import History
from mlwidgets.runs.folder import RunFolder, read_json, write_whole
from mlwidgets.runs.store import age

__all__ = ["Executed", "notebook_of_run", "overlaid", "snapshot_of_submit"]

_NO_FILE = "no notebook"
"""What the history of code that came from no file is called: a console's, say."""


def read_executed(folder: RunFolder) -> list[Executed]:
    """Return what was executed before a run was submitted, in order."""
    told = (read_json(folder.executed) or {}).get("cells")
    return [
        Executed(
            cell["id"] if isinstance(cell.get("id"), str) else None,
            cell["count"] if isinstance(cell.get("count"), int) else 0,
            cell["source"],
        )
        for cell in (told if isinstance(told, list) else ())
        if isinstance(cell, dict) and isinstance(cell.get("source"), str)
    ]


def snapshot_of_submit(folder: RunFolder) -> None:
    """Keep the notebook as it was executed until a run was submitted; ``snapshot.json`` says where it is.

    A trial's notebook is its sweep's, and that of a run that does another one again is the other's.

    Raises
    ------
    HistoryError
        If it cannot be kept.
    OSError, ValueError, KeyError, TypeError
        If the run folder is damaged.
    """
    spec = folder.read_spec()
    if spec.trial_of is not None or spec.rerun_of is not None or spec.resumes is not None:
        return
    executed = read_executed(folder)
    provenance = spec.provenance
    cwd = Path(provenance.cwd if provenance is not None else folder.store.parent)
    told = provenance.notebook if provenance is not None else None
    path = cwd / told if told else None
    saved = None
    if path is not None:
        try:
            saved = load_settled(path)
        except NotebookError:
            pass
    if saved is None and not executed:
        return
    history = History(path or cwd / _NO_FILE, folder.store)
    snapshot = history.take("submit", overlaid(saved, executed), executed=executed, run=folder.id)
    if snapshot is None:
        return
    repository, ref = history.place_of(snapshot)
    about = {
        "repository": str(repository),
        "ref": ref,
        "id": snapshot.id,
        "commit": snapshot.commit,
        "notebook": str(history.notebook) if path is not None else None,
    }
    write_whole(folder.snapshot, json.dumps(about).encode())


def notebook_of_run(folder: RunFolder) -> Notebook | None:
    """Return the notebook that a run was submitted from, as it was executed.

    Where no snapshot of it is left, it is the run's code alone, under its name; None where that is damaged, too.
    """
    told = read_json(folder.snapshot)
    if told is not None:
        try:
            for data in _kept(folder, told):
                return replace(read_notebook(data, f"the snapshot {told.get('id')}"), outputs_kept=False)
        except (HistoryError, NotebookError):
            pass
    try:
        spec = folder.read_spec()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    other = spec.trial_of or spec.rerun_of or spec.resumes
    # Only backwards in time: what came out of an archive may say anything.
    if told is None and other is not None and age(other) < age(folder.id):
        first = RunFolder(folder.path.parent / os.path.basename(other))
        if first.spec.exists():
            return notebook_of_run(first)
    code = spec.code if spec.heading is None else f"{spec.heading}\n{spec.code}"
    return Notebook((Cell(None, "markdown", f"# {spec.name}"), Cell(None, "code", code)), outputs_kept=False)


def _kept(folder: RunFolder, told: dict[str, Any]) -> Iterator[bytes]:
    """Yield the snapshot from wherever it is; it may have been written anew, renamed, or moved with the project."""
    repositories = [
        _at(told.get("repository")),
        Repository.find(folder.store),
        Repository.open_bare(folder.store / BARE),
    ]
    there = [repository for repository in repositories if repository is not None]
    for repository in there:
        yield from _read(repository, str(told.get("commit")))
    for repository in there:
        commit = _written_anew(repository, str(told.get("id")))
        if commit is not None:
            yield from _read(repository, commit)


def _at(path: Any) -> Repository | None:
    if not isinstance(path, str) or not Path(path).is_dir():
        return None
    return Repository(Path(path), Path(path), "sha1", None)


def _read(repository: Repository, commit: str) -> Iterator[bytes]:
    if commit.isalnum():
        found = repository.read(f"{commit}:notebook.ipynb")[0]
        if found is not None:
            yield found[2]


def _written_anew(repository: Repository, snapshot: str) -> str | None:
    others = ("--exclude=refs/mlwidgets/names/*", "--exclude=refs/mlwidgets/kept/*")
    asked = ("--header", *others, "--glob=refs/mlwidgets/*")
    done = repository.git("rev-list", *asked, f"--grep=Mlwidgets-Snapshot: {snapshot}", "--fixed-strings")
    for record in done.stdout.decode("utf-8", "replace").split("\0"):
        commit, _, raw = record.partition("\n")
        found = read_entry(commit, raw).snapshot
        if found is not None and found.id == snapshot:
            return commit
    return None
