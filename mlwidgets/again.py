"""Runs that are done again, and runs that go on: what Python programs, magics and the command line call alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mlwidgets.api import open_run, open_store
from mlwidgets.reruns.repeating import Changes, literals
from mlwidgets.reruns.resuming import send_on
from mlwidgets.reruns.sending import send_again
from mlwidgets.reruns.verdict import await_verdict
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.store import RunStore

if TYPE_CHECKING:
    from mlwidgets.reruns.checks import Preflight
    from mlwidgets.runs.run import Run


def rerun(
    run: str | Run,
    params: Mapping[str, Any] | None = None,
    *,
    seed: int | None = None,
    deterministic: bool | None = None,
    gpus: float | None = None,
    cpus: int | None = None,
    timeout: float | None = None,
    priority: int | None = None,
    name: str | None = None,
    force: bool = False,
    publish: bool = False,
    wait: bool = False,
    tell: Callable[[Preflight], None] | None = None,
) -> Run:
    """Do a run again, from its folder alone: with the code, the variables, the modules and the seed that it had.

    When it has ended, `Run.verdict` says whether it came out the same to the bit. A sweep, one of its trials, and an
    edition of a report can be done again as well.

    Parameters
    ----------
    run
        The run, its name or its id.
    params
        What is to be other than it was: parameters, or variables of plain values that the code reads.
    seed, deterministic, gpus, cpus, timeout, priority, name
        As with `train`; those of that run if None.
    force
        Go on with other data, without packages, or in another Python than it had.
    publish
        Publish a report's new edition; else it is only executed.
    wait
        Block until the run has ended and has been compared. It raises nothing that the run raised.
    tell
        Is given what was found, before anything starts.

    Returns
    -------
    Run
        The new run, submitted.

    Raises
    ------
    CannotRerun
        With all that is in the way: a missing or damaged object, an unknown parameter, data that are gone or have
        changed, a package that is not installed. Nothing was started then.
    ParameterError
        If a parameter's value is none that a Python literal can say.
    UnknownRun, StoreError
        As with `train`.
    """
    changes = Changes(
        literals(params or {}), seed, deterministic, gpus=gpus, cpus=cpus, timeout=timeout, priority=priority, name=name
    )
    folder = _folder_of(run)
    made = send_again(RunStore(folder.store), folder, changes, force=force, publish=publish, tell=tell)
    found = open_run(made.path)
    if wait:
        found.wait()
        await_verdict(made)
    return found


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
    changes = Changes(literals(params or {}), gpus=gpus, cpus=cpus, timeout=timeout, priority=priority, name=name)
    folder = _folder_of(run)
    made = send_on(RunStore(folder.store), folder, changes, force=force, tell=tell)
    found = open_run(made.path)
    return found.wait().raise_for_state() if wait else found


def _folder_of(run: str | Run) -> RunFolder:
    """Return a run's folder, which lies in a store of its own, whatever that of the working directory is."""
    return open_store().find(run) if isinstance(run, str) else RunFolder(run.path)
