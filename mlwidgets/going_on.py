"""What Python programs, magics and the command line call to let an interrupted run go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mlwidgets.api import open_run, open_store
from mlwidgets.reruns.repeating import Changes
from mlwidgets.reruns.resuming import send_on
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.spec import literal_text
from mlwidgets.runs.store import RunStore

if TYPE_CHECKING:
    from mlwidgets.reruns.checks import Preflight
    from mlwidgets.runs.run import Run


def resume_run(
    run: str | Run,
    params: Mapping[str, Any] | None = None,
    *,
    gpus: float | None = None,
    cpus: int | None = None,
    timeout: float | None = None,
    priority: int | None = None,
    name: str | None = None,
    force: bool = False,
    wait: bool = False,
    tell: Callable[[Preflight], None] | None = None,
) -> Run:
    """Send off a run that goes on where another one, which has ended, was at its last `checkpoint`.

    Parameters
    ----------
    run
        A run whose code calls `resume`, its name or its id.
    params
        Parameters that are to be other than in that run, such as more epochs.
    gpus, cpus, timeout, priority, name
        As with `train`; those of that run if None.
    force
        Go on with other data, packages, or another Python.
    wait
        Block until the run has ended, and raise what it raised.
    tell
        Is given what was found, before anything starts.

    Returns
    -------
    Run
        The run, submitted. Its curves begin with those of the other run.

    Raises
    ------
    CannotRerun
        If that run has no checkpoint or still goes on, its code never calls `resume`, or something that it needs is
        not there. Nothing was started then.
    UnknownRun, StoreError
        As with `train`.
    """
    folder = open_store().find(run).path if isinstance(run, str) else run.path
    changes = Changes(
        params={key: literal_text(value) for key, value in (params or {}).items()},
        gpus=gpus,
        cpus=cpus,
        timeout=timeout,
        priority=priority,
        name=name,
    )
    # A run lies in a store of its own, whatever that of the working directory is.
    store = RunStore(folder.parent.parent)
    found = open_run(send_on(store, RunFolder(folder), changes, force=force, tell=tell).path)
    return found.wait().raise_for_state() if wait else found
