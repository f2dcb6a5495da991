"""Sends a run off again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from mlwidgets.reruns.checks import Preflight, check
from mlwidgets.reruns.repeating import Changes, read_again, repeat
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.store import RunStore, name_now
from mlwidgets.submit import send_off


def send_again(
    store: RunStore,
    folder: RunFolder,
    changes: Changes | None = None,
    *,
    force: bool = False,
    publish: bool = False,
    tell: Callable[[Preflight], None] | None = None,
) -> RunFolder:
    """Check whether a run can be done again, and send it off.

    Parameters
    ----------
    store
        The one that the folder lies in.
    force
        Go on with other data, packages, or another Python.
    publish
        Let a report's new edition be published.
    tell
        Is given what was found, before anything starts.

    Raises
    ------
    CannotRerun
        With all that is in the way; nothing was started then.
    StoreError
        If the store cannot be written.
    """
    found = check(store, folder, changes)
    found.raise_for_problems(name_now(folder) or folder.id, force=force)
    if tell is not None:
        tell(found)
    store.prepare()
    spec = repeat(store, folder, changes, publish=publish)
    try:
        return send_off(store, spec, fill=lambda made: take_notebook(folder, made))
    except BaseException:
        _take_back(store, spec)
        raise


def take_notebook(first: RunFolder, folder: RunFolder) -> None:
    """Say in a new run's folder that it was submitted from the notebook that another run was submitted from."""
    sweep = read_again(first).trial_of
    sources = [first] if sweep is None else [first, RunFolder(first.path.parent / sweep)]
    for name in (first.executed.name, first.snapshot.name):
        # What this process has executed since has nothing to do with it.
        (folder.path / name).unlink(missing_ok=True)
        for source in sources:
            with contextlib.suppress(OSError):
                (folder.path / name).write_bytes((source.path / name).read_bytes())
                break


def _take_back(store: RunStore, spec: RunSpec) -> None:
    """Let nobody wait for an edition that is not coming."""
    if spec.report is not None and spec.report.get("publish"):
        from mlwidgets.reports.publishing.publish import unexpect

        unexpect(store, str(spec.report["publish"]), spec.id)
