"""Capture, store and supervisor put together: what magics, command line and Python programs call alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlwidgets.capture import results
from mlwidgets.capture.request import Origin
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import RunIndex, RunSummary
from mlwidgets.runs.run import Run
from mlwidgets.submit import Asked, capture, open_store, send_off

if TYPE_CHECKING:
    from mlwidgets.runs.store import RunStore
    from mlwidgets.sweeps.space import Distribution
    from mlwidgets.sweeps.sweep import Sweep

__all__ = ["open_run", "open_store", "report", "run", "runs", "summaries", "sweep", "train"]


def train(
    code: str | Callable[..., Any],
    *,
    name: str | None = None,
    params: Mapping[str, Any] | None = None,
    namespace: dict[str, Any] | None = None,
    seed: int | None = None,
    inputs: Iterable[str] = (),
    outputs: Iterable[str] | None = None,
    timeout: float | None = None,
    gpus: float | Literal["auto"] = "auto",
    cpus: int = 1,
    priority: int = 0,
    after: str | Run | None = None,
    retries: int = 0,
    cold: bool = False,
    tags: Mapping[str, str] | None = None,
    note: str = "",
    data: Iterable[str | Path] = (),
    deterministic: bool = False,
    wait: bool = False,
    origin: Origin | None = None,
) -> Run:
    """Send code off as a tracked run.

    Parameters
    ----------
    code
        Source text, as a notebook cell would hold it; or a function, which is called with those of `params` that it
        takes, and whose return value is the result ``"result"``.
    name
        What to call the run; ``run`` or the function's name by default.
    params
        Names to replace or add, recorded as parameters.
    namespace
        The globals that the code reads; by default those of the function, or of ``__main__``.
    seed
        For ``random``, numpy and torch; without one their present states travel with the code.
    inputs
        Further names to send, beside those that the code is seen to read.
    outputs
        Names to bring back; all that the code binds or changes in place if None.
    timeout
        Seconds after which the run is ended.
    gpus
        How many GPUs it waits for and then has to itself, or a share of one: 0.25, 0.5, 0.75; ``auto`` is one where
        the machine has any and this process has imported a library that uses them.
    cpus
        How many CPU places it waits for; with 0 of both it starts at once.
    priority
        Runs of a higher one go first.
    after
        A run, its name or its id: this one waits until that one has finished.
    retries
        How often to try again if it fails.
    cold
        Start in a fresh Python process, even where one is there that has imported the same libraries.
    tags, note
        For people to find it by.
    data
        Files and folders that the code reads: their contents' digests are kept with the run.
    deterministic
        Let torch use operations that give the same bits each time, and say which have no such form.
    wait
        Block until the run has ended, and raise what it raised.
    origin
        Where the code came from, if it was a cell.

    Returns
    -------
    Run
        The run, submitted.

    Raises
    ------
    CaptureError
        If the code cannot be sent as it is, or asks for more than there is. Nothing was started then.
    UnknownRun
        If there is no such run to wait for.
    StoreError
        If the store cannot be written.
    """
    asked = Asked(
        code, name, params, namespace, seed, inputs, outputs, timeout, gpus, cpus, priority, after, retries, cold, tags,
        note, data, deterministic, origin or Origin(),
    )  # fmt: skip
    run = open_run(send_off(*capture(asked)).path)
    return run.wait().raise_for_state() if wait else run


def sweep(
    code: str | Callable[..., Any],
    *,
    space: Mapping[str, str | Distribution],
    maximize: str | Iterable[str] = (),
    minimize: str | Iterable[str] = (),
    trials: int | None = None,
    concurrent: int | None = None,
    stop_early: str | None = None,
    sampler: str = "tpe",
    value: str = "last",
    max_time: float | None = None,
    max_gpu_hours: float | None = None,
    target: float | None = None,
    patience: int | None = None,
    max_failures: int = 3,
    warm_start: str | Run | Iterable[str | Run] = (),
    name: str | None = None,
    params: Mapping[str, Any] | None = None,
    namespace: dict[str, Any] | None = None,
    seed: int | None = None,
    wait: bool = False,
    origin: Origin | None = None,
    **options: Any,
) -> Sweep:
    """Search for the parameters with which code does best: each trial is a tracked run.

    Parameters
    ----------
    code
        As `train` takes it.
    space
        What to search: each name with its distribution, ``"loguniform(1e-5, 1e-1)"`` or
        ``mlwidgets.loguniform(1e-5, 1e-1)``.
    maximize, minimize
        Metrics that the code logs. With several of them the sweep looks for the Pareto front.
    trials
        How many there are in all: 20, or all combinations of a grid, if None.
    concurrent
        How many run at once; as many as this machine has room for if None.
    stop_early
        The policy that ends poor trials, such as ``"bandit:slack=0.1,every=1,delay=5"``.
    sampler
        Who chooses: ``tpe``, ``random``, ``grid``, ``qmc``, ``cmaes``, ``gp`` or ``nsga2``.
    value
        Which of its logged values stands for a trial: ``last`` or ``best``.
    max_time
        Seconds from the first trial's start after which the sweep ends.
    max_gpu_hours
        The same in hours of GPUs, of all trials together.
    target
        A value of the metric at which the sweep ends.
    patience
        Trials that may end one after the other without a better value before the sweep ends.
    max_failures
        Trials in a row that fail of one cause before the sweep pauses; 0: it never does.
    warm_start
        Runs and sweeps whose results the search learns from, themselves, by name or by id.
    name, params, namespace, seed, wait, origin
        As with `train`; a seed makes the choices repeatable too.
    **options
        All else that `train` takes; it holds for each trial, but for ``after``, ``note`` and ``outputs`` of the sweep.

    Returns
    -------
    Sweep
        The sweep, submitted.

    Raises
    ------
    CaptureError
        If something is wrong with what is asked, or the code cannot be sent as it is. Nothing was started then.
    UnknownRun, StoreError
        As with `train`.
    """
    from mlwidgets.sweeps.asked import capture_sweep
    from mlwidgets.sweeps.definition import Limits
    from mlwidgets.sweeps.sweep import Sweep

    name = name or (None if callable(code) else "sweep")
    asked = Asked(code, name, params, namespace, seed, origin=origin or Origin(), **options)
    most = 20 if trials is None else trials
    limits = Limits(most, concurrent, max_time, max_gpu_hours, target, patience, max_failures)
    store, spec = capture_sweep(
        asked,
        space=space,
        maximize=maximize,
        minimize=minimize,
        limits=limits,
        policy=stop_early,
        sampler=sampler,
        value=value,
        warm_start=warm_start,
        all_of_grid=trials is None,
    )
    found = open_run(send_off(store, spec).path)
    assert isinstance(found, Sweep)
    if wait:
        found.wait().raise_for_state()
    return found


def report(
    notebook: str | Path,
    *,
    name: str | None = None,
    params: Mapping[str, Any] | None = None,
    cell_timeout: float | None = None,
    timeout: float | None = None,
    gpus: float = 0.0,
    cpus: int | None = None,
    priority: int = 0,
    after: str | Run | None = None,
    retries: int = 0,
    publish: bool = True,
    execute: bool = True,
    kernel: str | None = None,
    tags: Mapping[str, str] | None = None,
    note: str = "",
    settings: Mapping[str, Any] | None = None,
    data: Iterable[str | Path] = (),
    wait: bool = False,
) -> Run:
    """Execute a notebook from its first cell to its last as a run, and publish it as a report.

    Parameters
    ----------
    notebook
        The file. It is executed as it is now, in a kernel of its own.
    name
        Of the report and of the run; by default that of the file.
    params
        Values for those that the cell tagged ``parameters`` assigns.
    cell_timeout
        Seconds that each cell has.
    timeout
        Seconds that all of it has.
    gpus, priority, after, retries, tags, note
        As with `train`.
    cpus
        How many CPU places it waits for; 1 if None, or 0 where the notebook itself sends runs.
    publish
        Publish it when it has ended; else it is only executed, and lies among the run's outputs.
    execute
        False publishes the notebook with the outputs that it has.
    kernel
        Name of the kernel; the one that the notebook asks for if None.
    settings
        What the report is to be from now on: ``title``, ``show_code``, ``on_failed_check``, ``pdf``, ``keep``,
        ``days``, ``open``, ``site``.
    data
        Files and folders that the notebook reads: digests of their contents are kept with the run.
    wait
        Block until the run has ended and is published, and raise what it raised.

    Returns
    -------
    Run
        The run, submitted.

    Raises
    ------
    NotebookError
        If there is no notebook that can be read, or no kernel for it.
    CaptureError
        If a parameter is unknown or of another type, or something else that is asked for cannot be.
    UnknownRun, StoreError
        As with `train`.
    """
    from mlwidgets.reports.sending import send_report

    folder = send_report(
        notebook,
        name=name,
        params=params,
        cell_timeout=cell_timeout,
        timeout=timeout,
        gpus=gpus,
        cpus=cpus,
        priority=priority,
        after=after,
        retries=retries,
        publish=publish,
        execute=execute,
        kernel=kernel,
        tags=tags,
        note=note,
        settings=settings,
        data=data,
    )
    run = open_run(folder.path)
    if wait:
        from mlwidgets.reports.publishing.awaiting import await_edition

        run.wait()
        if publish:
            await_edition(folder)
        run.raise_for_state()
    return run


def open_run(path: Path) -> Run:
    """Return the run in the folder `path`, with its result; a sweep's is a `Sweep`."""
    if not os.path.exists(RunFolder(path).wishes):
        return Run(path, results)
    # Kernels that never see a sweep need not wait for it when they load the magics.
    from mlwidgets.sweeps.sweep import Sweep

    return Sweep(path, results)


def runs(
    where: str | None = None,
    sort: str | None = None,
    *,
    reverse: bool = False,
    better: Callable[[str], int] | None = None,
) -> list[Run]:
    """Return the runs of the project, newest first, or those that `mlwidgets.runs.where.select` finds."""
    store = open_store()
    if where is None and sort is None:
        found = [folder.path for folder in store.folders() if os.path.exists(folder.spec)]
        return [open_run(path) for path in (reversed(found) if reverse else found)]
    listed = summaries(where, sort, reverse=reverse, better=better)
    return [open_run(store.runs / one.id) for one in listed]


def run(name: str) -> Run:
    """Return the newest run called `name`, or the run with that id or the beginning of an id.

    Raises
    ------
    UnknownRun
        If there is none.
    """
    return open_run(open_store().find(name).path)


def summaries(
    where: str | None = None,
    sort: str | None = None,
    *,
    reverse: bool = False,
    better: Callable[[str], int] | None = None,
    store: RunStore | None = None,
) -> list[RunSummary]:
    """Return one line for each run, newest first, or those that `mlwidgets.runs.where.select` finds.

    Parameters
    ----------
    where, sort, reverse, better
        As `mlwidgets.runs.where.select` takes them.
    store
        That of the project by default.

    Raises
    ------
    ParameterError
        If `where` or `sort` cannot be read, or names what no run has.
    """
    listed = RunIndex(store or open_store()).summaries()
    if where is None and sort is None:
        return listed[::-1] if reverse else listed
    from mlwidgets.runs.where import select

    return select(listed, where, sort, better=better, reverse=reverse)
