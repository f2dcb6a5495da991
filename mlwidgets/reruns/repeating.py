"""From a run folder to what is asked of the run that does it again. Nothing but the folder and the objects is read."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from mlwidgets.capture import provenance as here
from mlwidgets.capture.request import check_numbers
from mlwidgets.errors import ParameterError, StoreError, UnknownRun
from mlwidgets.runner import queue
from mlwidgets.runs.annotations import read_annotations
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.foreign import check_trusted
from mlwidgets.runs.spec import (
    Frozen,
    Provenance,
    Resources,
    RunSpec,
    check_name,
    literal_text,
    new_run_id,
    parse_literal,
)
from mlwidgets.runs.store import RunStore
from mlwidgets.submit import is_literal

_SWEEPS, _REPORTS = "mlwidgets.reruns.sweeps", "mlwidgets.reruns.reports"
_OF_A_SCHEDULE = frozenset({"schedule", "due"})
"""Tags that say who started a run."""
_PLAIN = frozenset({"int", "float", "bool", "str", "NoneType", "list", "tuple", "dict"})
"""Types of variables in whose place a parameter's literal may stand."""


@dataclass(frozen=True)
class Changes:
    """What is to be other than in the run that is done again; None leaves it as it was.

    Attributes
    ----------
    params
        Texts of Python literals, by name.
    seed
        For ``random``, numpy and torch.
    deterministic
        Let torch use operations that give the same bits each time.
    gpus, cpus, timeout, priority
        As `mlwidgets.train` takes them.
    name
        What to call the new run.
    tags
        Further ones.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    deterministic: bool | None = None
    gpus: float | None = None
    cpus: int | None = None
    timeout: float | None = None
    priority: int | None = None
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def resources(self, before: Resources) -> Resources:
        """Return what the new run may use."""
        return replace(before, after=None, **self.asked())

    def asked(self) -> dict[str, Any]:
        """Return what of its resources is said, also where that is what it had."""
        given = {key: getattr(self, key) for key in ("gpus", "cpus", "timeout", "priority")}
        return {key: value for key, value in given.items() if value is not None}


def read_again(folder: RunFolder) -> RunSpec:
    """Return what was asked of a run.

    Raises
    ------
    UnknownRun
        If its folder is gone or damaged.
    """
    try:
        return folder.read_spec()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnknownRun(f"the run folder {folder.path} is gone or damaged: {error}; see mlwidgets fsck") from error


def repeat(
    store: RunStore,
    folder: RunFolder,
    changes: Changes | None = None,
    *,
    run_id: str | None = None,
    publish: bool = False,
) -> RunSpec:
    """Return what is asked of the run that does another one again; a trial becomes a run of its own.

    All objects that it needs are claimed. Whoever sends it off checks first what has become of the world since, with
    `mlwidgets.reruns.checks.check`.

    Parameters
    ----------
    store
        The one that the folder lies in.
    run_id
        What to call the run; whoever must know it beforehand gives it.
    publish
        Let a report's new edition be published.

    Raises
    ------
    UnknownRun
        If the folder is gone or damaged.
    ResultNotAvailable
        If the run came from elsewhere, and nobody has said that its maker is trusted.
    StoreError
        If an object that it needs is gone.
    ParameterError
        If something that is to be changed cannot be so.
    """
    changes = changes or Changes()
    before = read_again(folder)
    spec = replace(asked_again(store, folder, before, changes, run_id), rerun_of=folder.id)
    if before.sweep is not None:
        spec = import_module(_SWEEPS).repeat_sweep(store, folder, spec, changes)
    elif before.report is not None:
        spec = import_module(_REPORTS).repeat_report(store, folder, spec, publish=publish)
    return spec


def asked_again(
    store: RunStore, folder: RunFolder, before: RunSpec, changes: Changes, run_id: str | None = None
) -> RunSpec:
    """Return `before` as a run that is submitted now, by this process.

    Raises
    ------
    ResultNotAvailable, StoreError, ParameterError
        As `repeat` does.
    """
    check_trusted(folder)
    check_changes(before, changes)
    changes = replace(changes, params=_other_than(before, changes.params))
    name = changes.name or read_annotations(folder).name or before.name
    gone = [digest for digest in digests_of(before) if not store.objects.claim(digest)]
    if gone:
        raise StoreError(f"an object that {folder.id} needs is gone: {gone[0]}; see mlwidgets fsck")
    tags = {key: value for key, value in before.tags.items() if key not in _OF_A_SCHEDULE}
    cwd = folder_of(store, before)
    return replace(
        before,
        id=run_id or new_run_id(name),
        name=name,
        params={**before.params, **{key: literal(text) for key, text in changes.params.items()}},
        seed=before.seed if changes.seed is None else changes.seed,
        deterministic=before.deterministic if changes.deterministic is None else changes.deterministic,
        inputs=_without(before.inputs, changes.params),
        resources=changes.resources(before.resources),
        provenance=replace(_provenance(before), cwd=cwd),
        data=tuple({**one, "absolute": _absolute(cwd, one["path"])} for one in before.data),
        tags={**tags, **changes.tags},
        trial_of=None,
        trial=None,
        rerun_of=None,
        resumes=None,
        submitted_at=time.time(),
    )


def check_changes(before: RunSpec, changes: Changes) -> None:
    """Make sure that a run can be asked for so.

    Raises
    ------
    ParameterError
        If a number is out of range, the name is none, or this machine can never give as much as it needs.
    """
    resources = changes.resources(before.resources)
    check_name(changes.name or before.name)
    check_numbers(changes.seed, resources.timeout, resources.priority, resources.retries)
    queue.check(resources.gpus, resources.cpus)


def changeable(spec: RunSpec) -> dict[str, str]:
    """Return what of a run can be changed, with the texts that it had: parameters, and variables of plain values."""
    frozen = {one.name: one for one in spec.inputs.names} if spec.inputs else {}
    found = {name: text for name, text in spec.params.items() if name not in frozen}
    return found | {name: one.summary for name, one in frozen.items() if one.type in _PLAIN}


def searched_in(spec: RunSpec) -> Collection[str]:
    """Return the parameters that a sweep searches, of any other run none."""
    space = (spec.sweep or {}).get("space")
    return space if isinstance(space, dict) else ()


def _other_than(spec: RunSpec, params: Mapping[str, str]) -> dict[str, str]:
    """Return those parameters whose value is another one than it was: with the others nothing is changed."""
    known = changeable(spec)
    return {name: text for name, text in params.items() if _value(text) != _value(known.get(name))}


def _value(text: str | None) -> str | None:
    """Return the text by which two literals of the same value are the same, to the bit."""
    try:
        return text and repr(parse_literal(literal(text)))
    except ValueError:
        return text


def _without(frozen: Frozen | None, replaced: Collection[str]) -> Frozen | None:
    """Return frozen variables without those in whose place parameters stand: what is not named is not thawed."""
    if frozen is None or not any(one.name in replaced for one in frozen.names):
        return frozen
    return replace(frozen, names=tuple(one for one in frozen.names if one.name not in replaced))


def _absolute(cwd: str, path: str) -> str:
    return os.path.abspath(os.path.join(cwd, os.path.expanduser(path)))


def literal(text: str) -> str:
    """Return a text as a command has it as a literal: what is none is a text itself."""
    try:
        parse_literal(text)
    except ValueError:
        return literal_text(text)
    return text


def literals(params: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters' values as texts.

    Raises
    ------
    ParameterError
        If one is such that no text says all there is to say of it.
    """
    for name, value in params.items():
        if not is_literal(value):
            kind = type(value).__name__
            raise ParameterError(f"{name} is given a {kind}: it takes what a Python literal can say, as 0.1 or 'adam'")
    return {name: literal_text(value) for name, value in params.items()}


def digests_of(spec: RunSpec) -> Iterator[str]:
    """Yield the digests of all objects that a run needs."""
    for frozen in (spec.inputs, spec.ambient):
        if frozen is not None:
            yield frozen.stream
            yield from frozen.buffers
    for module in spec.modules:
        yield module["digest"]
    if spec.sweep and spec.sweep.get("modules"):
        yield str(spec.sweep["modules"])
    if spec.report and spec.report.get("notebook"):
        yield str(spec.report["notebook"])


def folder_of(store: RunStore, spec: RunSpec) -> str:
    """Return the working directory of a run that does another one again: that of the first, or the store's project."""
    told = spec.provenance.cwd if spec.provenance is not None else None
    return told if told and os.access(told, os.X_OK) and Path(told).is_dir() else str(store.path.absolute().parent)


def _provenance(before: RunSpec) -> Provenance:
    """Say who submits the new run; its notebook and its threads are those of the first."""
    now, told = here.provenance(), before.provenance
    return now if told is None else replace(now, notebook=told.notebook, cell=told.cell, threads=told.threads)
