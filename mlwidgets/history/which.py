"""Which state of a notebook is meant by a word: a commit, a save, a snapshot, a run, the file as it lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwidgets.errors import NotebookError, ParameterError, UnknownSnapshot
from mlwidgets.history.notebooks.notebook import Notebook, to_json
from mlwidgets.history.settled import load_settled
from mlwidgets.runs.folder import RunFolder

if TYPE_CHECKING:
    from mlwidgets.history.diff.cells import NotebookDiff
    from mlwidgets.history.snapshots import History, Snapshot

KINDS = ("commit", "save", "save-before", "snapshot", "run", "file")
"""What such a word begins with; ``commit``, ``snapshot`` and ``run`` say which one behind a colon."""

State = tuple[Notebook, str, float | None]
"""The notebook, what to call it, and when it was so in Unix seconds, None for now."""

_LONGEST = 250
_BACK = 20


def resolve(history: History, which: str) -> State:
    """Return the notebook as it was at a moment that is named.

    Parameters
    ----------
    which
        ``commit`` (the last one), ``commit:REV``, ``save`` (the file as it was saved last), ``save-before`` (the
        newest snapshot that differs from it), ``snapshot:ID`` (or what else `History.find` takes), ``run:RUN``, or
        ``file``.

    Raises
    ------
    ParameterError
        If it is none of these.
    UnknownSnapshot, UnknownRun
        If there is no such state.
    NotebookError, HistoryError
        If it cannot be read.
    """
    kind, colon, name = which.partition(":")
    if kind == "commit":
        return _committed(history, _checked(name) if colon else "HEAD")
    if kind == "snapshot" and name:
        snapshot = history.find(name)
        return history.read(snapshot), label(history, snapshot), snapshot.time
    if kind == "run" and name:
        return _of_run(history, name)
    if which == "save-before":
        return _before(history)
    if which in {"save", "file"}:
        return _saved(history, "last save" if which == "save" else "now")
    raise ParameterError(
        f"{which!r:.60} names no state of a notebook: write commit, commit:REV, save, save-before, snapshot:ID, "
        "run:RUN or file"
    )


def label(history: History, snapshot: Snapshot) -> str:
    """Return what to call a snapshot."""
    if snapshot.names:
        return snapshot.names[0]
    if snapshot.kind == "submit" and snapshot.run:
        return f"run {_name_now(RunFolder(history.store / 'runs' / snapshot.run))}"
    return f"snapshot {snapshot.id}"


def _name_now(folder: RunFolder) -> str:
    from mlwidgets.runs.store import name_now

    return name_now(folder)


def _checked(rev: str) -> str:
    """Return what git is to be asked for: never an option of its own, and never another file."""
    fits = 0 < len(rev) <= _LONGEST and rev.isprintable() and not rev.startswith("-")
    if not fits or any(sign in rev for sign in (" ", ":", "..")):
        raise ParameterError(f"{rev!r:.60} names no commit: give a commit's id, a branch or a tag")
    return rev


def _committed(history: History, rev: str) -> State:
    found = history.committed(rev)
    if found is None:
        name = history.notebook.name
        if rev == "HEAD":
            raise UnknownSnapshot(f"{name} is in no commit yet: commit it first, or compare with a save or a snapshot")
        raise UnknownSnapshot(f"there is no commit {rev} that {name} is in: `git log -- {name}` lists those that are")
    notebook, commit, time = found
    return notebook, f"commit {commit}", time


def _saved(history: History, called: str) -> State:
    notebook = load_settled(history.notebook)
    try:
        return notebook, called, history.notebook.stat().st_mtime
    except OSError as error:
        raise NotebookError(f"there is no notebook {history.notebook}; check the path") from error


def _before(history: History) -> State:
    now = to_json(load_settled(history.notebook))
    for snapshot in history.snapshots(_BACK):
        notebook = history.read(snapshot)
        if to_json(notebook) != now:
            return notebook, "save before" if snapshot.kind == "save" else label(history, snapshot), snapshot.time
    raise UnknownSnapshot(f"there is no earlier state of {history.notebook.name}: one is kept at each save in Jupyter")


def _of_run(history: History, name: str) -> State:
    from mlwidgets.runs.store import RunStore, find_store

    return of_run(RunStore(find_store(history.notebook.parent)).find(name))


def of_run(folder: RunFolder) -> State:
    """Return the notebook that a run was submitted from, a trial's being its sweep's; one just submitted is waited for.

    Raises
    ------
    UnknownSnapshot
        If it is not known.
    """
    from mlwidgets.history.pending import wait_for_snapshot
    from mlwidgets.history.submitted import notebook_of_run

    try:
        spec = folder.read_spec()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnknownSnapshot(f"the folder of run {folder.id} is damaged: {folder.path}") from error
    asked = folder if spec.trial_of is None else RunFolder(folder.path.parent / spec.trial_of)
    wait_for_snapshot(asked)
    notebook = notebook_of_run(asked)
    if notebook is None:
        raise UnknownSnapshot(f"the notebook that run {_name_now(folder)} was submitted from is not known")
    return notebook, f"run {_name_now(folder)}", spec.submitted_at


def document(old: State, new: State, diff: NotebookDiff) -> dict[str, Any]:
    """Return what changed between two states, with what to call them, fit for JSON and for all views of it."""
    return {
        "old": {"label": old[1], "time": old[2]},
        "new": {"label": new[1], "time": new[2]},
        "diff": diff.to_json(),
    }
