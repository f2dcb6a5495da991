"""A run that goes on from the last checkpoint of another one, which has ended."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mlwidgets.errors import CannotRerun
from mlwidgets.reruns.checks import Preflight, check
from mlwidgets.reruns.repeating import Changes, asked_again, read_again
from mlwidgets.reruns.resumable import calls_resume
from mlwidgets.reruns.sending import take_notebook
from mlwidgets.runs.checkpoints import read_checkpoints
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import LineWriter, read_lines
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.state import settle
from mlwidgets.runs.store import RunStore, name_now
from mlwidgets.submit import send_off


def send_on(
    store: RunStore,
    folder: RunFolder,
    changes: Changes | None = None,
    *,
    force: bool = False,
    tell: Callable[[Preflight], None] | None = None,
) -> RunFolder:
    """Send off a run that goes on where another one was at its last checkpoint.

    It has the checkpoints and what was logged up to the last one, so that its curves are whole. Nothing of the other
    run is needed any more then.

    Parameters
    ----------
    store
        The one that the folder lies in.
    changes
        What is to be other than in that run, such as more epochs.
    force
        Go on with other data, packages, or another Python.
    tell
        Is given what was found, before anything starts.

    Raises
    ------
    CannotRerun
        With all that is in the way; nothing was started then.
    StoreError
        If the store cannot be written.
    """
    name = name_now(folder) or folder.id
    before = read_again(folder)
    obstacle = _obstacle(name, folder, before)
    if obstacle is not None:
        raise CannotRerun(name, [obstacle], forcible=False, goes_on=True)
    found = check(store, folder, changes, goes_on=True)
    found.raise_for_problems(name, force=force, goes_on=True)
    if tell is not None:
        tell(found)
    store.prepare()
    spec = replace(asked_again(store, folder, before, changes or Changes()), resumes=folder.id)
    return send_off(store, spec, fill=lambda new: fill(folder, new))


def _obstacle(name: str, folder: RunFolder, spec: RunSpec) -> str | None:
    """Say why a run's code could not go on."""
    outcome = settle(folder)
    if spec.sweep is not None or spec.report is not None:
        return f"a {'sweep' if spec.sweep is not None else 'report'} has no checkpoints"
    if not outcome.ended:
        return f"it is {outcome.state}: stop it or wait for its end"
    if not read_checkpoints(folder.checkpoints):
        return "it has no checkpoint: call mlwidgets.checkpoint(model, optimizer, epoch=epoch) after each epoch"
    if not calls_resume(folder):
        return (
            "its code never called resume(), so it would begin anew: put start = mlwidgets.resume(model, optimizer) "
            f"before the loop over range(start, epochs); %runs load {name} --last puts its states into the notebook"
        )
    return None


def fill(folder: RunFolder, new: RunFolder) -> None:
    """Put into a new run's folder what it goes on from."""
    take_notebook(folder, new)
    _carry_over(folder, new)


def _carry_over(folder: RunFolder, new: RunFolder) -> None:
    """Give a new run the checkpoints of another one, and what that had logged by the last of them."""
    found = read_checkpoints(folder.checkpoints)
    new.checkpoints.mkdir(mode=0o700)
    for one in found:
        _link(one.path, new.checkpoints / one.path.name)
    for name, size in found[-1].journal.items():
        if size:
            with open(folder.path / name, "rb") as source, open(new.path / name, "wb") as target:
                target.write(source.read(size))
    if folder.media_files.is_dir():
        _link(folder.media_files, new.media_files)
    events = LineWriter(new.events)
    for metric in dict.fromkeys(event.get("name") for event in read_lines(folder.events, "metric")):
        events.write("metric", name=metric)
    events.close()


def _link(source: Path, target: Path) -> None:
    """Let a folder's files be another folder's too; copies of them where the file system has no links."""
    target.mkdir(mode=0o700)
    for path in sorted(source.iterdir()):
        if path.is_file():
            try:
                os.link(path, target / path.name)
            except OSError:
                shutil.copy2(path, target / path.name)
