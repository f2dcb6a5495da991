"""What changed since the previous run of the same name, and what its metrics were: the change beside its effect."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import MlwidgetsError, StoreError
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.outline import outline
from mlwidgets.runs.run import Run
from mlwidgets.runs.store import RunStore, age
from mlwidgets.runs.trials import read_log
from mlwidgets.views import nbdiffwords as words
from mlwidgets.views.changesfacts import differences, environment, params
from mlwidgets.views.changesfit import fitted
from mlwidgets.views.format import json_number
from mlwidgets.views.grouping import CLOCKS, place

if TYPE_CHECKING:
    from mlwidgets.history.notebooks.notebook import Notebook

MOST = 40_000
"""Bytes of JSON."""
MOST_METRICS = 50
MOST_RECORDS = 32 << 20
"""Bytes of metric records that are read to find the best values."""
REMEMBERED = 200

logger = logging.getLogger("mlwidgets.views")

_previous: OrderedDict[str, Run | None] = OrderedDict()
"""Of runs by their folders: no older one comes any more."""
_read: OrderedDict[str, tuple[Any, dict[str, Any]]] = OrderedDict()
"""What was found, and of what files."""


def read_changes(run: Run) -> dict[str, Any] | None:
    """Return what changed since the previous run of this name, fit for JSON; None for the first one and for trials.

    A sweep is compared with the previous sweep. What was read once is remembered as long as the files that it came
    from are the same: those of a previous run that has ended are final.

    Returns
    -------
    dict or None
        ``since`` (``id``, ``name``, ``state``, ``submitted``); ``params`` and ``environment``, each with old and new
        value; ``cell``, rows of the code that was sent, None where it is the same; ``notebook``, the other cells that
        changed; ``modules``, rows of the local modules that were sent; ``metrics`` of the previous run: name, whether
        higher (1) or lower (-1) is better, last and best value; ``best`` of the previous sweep; ``left_out``, how many
        lines found no room.
    """
    before = previous_run(run)
    if before is None:
        return None
    fixed = before.id, _signs(run, "environment", "snapshot"), _signs(before, "environment", "snapshot")
    ended = _signs(before, "outcome", "metrics")
    path = str(run.path)

    def read() -> dict[str, Any]:
        found = _remembered(f"{path} fixed", fixed, lambda: _changes(run, before))
        about = {"id": before.id, "name": before.name, "state": before.state, "submitted": before.submitted_at}
        effect = {"metrics": _metrics(before), **({"best": _best(before)} if before.spec.sweep is not None else {})}
        return fitted({"since": about, **found, **effect}, MOST)

    try:
        return _remembered(path, (fixed, ended), read)
    except Exception:  # an earlier run that is damaged, or deleted at this moment, must not hide this one
        logger.debug("what changed since run %r could not be read", before.id, exc_info=True)
        return None


def _remembered(name: str, key: Any, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    known = _read.get(name)
    if known is None or known[0] != key:
        _read[name] = known = key, read()
        if len(_read) > REMEMBERED:
            _read.popitem(last=False)
    return known[1]


def previous_run(run: Run) -> Run | None:
    """Return the newest run of this name that was submitted before; of a sweep the newest sweep, of a trial none.

    Of a rerun it is the run that it does again, and of one that goes on the run that it goes on from, whatever these
    are called.
    """
    if run.spec.trial_of is not None:
        return None
    path = str(run.path)
    before = _previous.get(path)
    if path not in _previous or (before is not None and not before.path.exists()):
        before = _previous[path] = _find_previous(run)
        if len(_previous) > REMEMBERED:
            _previous.popitem(last=False)
    return before


def _find_previous(run: Run) -> Run | None:
    from mlwidgets.reruns.verdict import first_of

    try:
        called = list(RunStore(RunFolder(run.path).store).called(run.name))
    except StoreError:
        return None
    told = run.spec.rerun_of or run.spec.resumes
    again = first_of(RunFolder(run.path), replace(run.spec, rerun_of=told)) if told else None
    for folder in [*([again] if again else []), *called]:
        found = Run(folder.path)
        try:
            spec = found.spec
        except MlwidgetsError:
            continue
        is_alike = spec.trial_of is None and (spec.sweep is None) == (run.spec.sweep is None)
        if is_alike and age(found.id) < age(run.id):
            return found
    return None


def _signs(run: Run, *names: str) -> list[Any]:
    folder = RunFolder(run.path)
    found: list[Any] = []
    for name in names:
        try:
            status = os.stat(getattr(folder, name))
            found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        except OSError:
            found.append(None)
    return found


def _changes(run: Run, before: Run) -> dict[str, Any]:
    from mlwidgets.history.diff.cells import lines

    old, new = (of.spec.code.rstrip("\n") for of in (before, run))
    return {
        "params": differences(params(before), params(run)),
        "cell": lines(old, new) if old != new else None,
        "notebook": _notebook(before, run),
        "modules": _modules(before, run),
        "environment": environment(before, run),
    }


def _notebook(before: Run, run: Run) -> dict[str, Any] | None:
    """Return the changed cells of the notebook that were not sent themselves; None where nobody knows or none did."""
    folders = RunFolder(before.path), RunFolder(run.path)
    told = [read_json(folder.snapshot) for folder in folders]
    if told[0] is None or told[1] is None or told[0].get("commit") == told[1].get("commit"):
        return None
    from mlwidgets.history.diff.cells import compare
    from mlwidgets.history.submitted import notebook_of_run

    old, new = (notebook_of_run(folder) for folder in folders)
    if old is None or new is None or _stands_in(old, before) or _stands_in(new, run):
        return None
    if told[0].get("notebook") != told[1].get("notebook") and not _are_one(old, new):
        return None
    diff = compare(old, new).to_json()
    cells = [
        cell
        for cell in diff["cells"]
        if words.is_shown(cell) and not _was_sent(cell, "new", new, run) and not _was_sent(cell, "old", old, before)
    ]
    counts = {change: sum(one["change"] == change for one in cells) for change in diff["counts"]}
    counts["same"] = diff["counts"]["same"]
    return {**diff, "counts": counts, "cells": cells} if cells or diff["metadata"] else None


def _are_one(old: Notebook, new: Notebook) -> bool:
    """Whether a notebook of another name was renamed; else it is another one, from which a run of this name came."""
    ids = [{cell.id for cell in notebook.cells if cell.id is not None} for notebook in (old, new)]
    return 2 * len(ids[0] & ids[1]) > max(map(len, ids))


def _whole(run: Run) -> str:
    spec = run.spec
    return spec.code if spec.heading is None else f"{spec.heading}\n{spec.code}"


def _stands_in(notebook: Notebook, run: Run) -> bool:
    """Whether this is what is made of a run whose snapshot is gone: its code under its name."""
    sources = [(cell.id, cell.source) for cell in notebook.cells]
    return sources == [(None, f"# {run.name}"), (None, _whole(run))]


def _was_sent(cell: dict[str, Any], side: str, notebook: Notebook, run: Run) -> bool:
    """Whether it is the cell whose code the run is."""
    where = cell[side]
    if where is None:
        return False
    cell_id: str | None = where["id"]
    if run.spec.provenance is not None and run.spec.provenance.cell:
        return cell_id == run.spec.provenance.cell
    index: int = where["index"]
    return notebook.cells[index].source.rstrip() == _whole(run).rstrip()


def _modules(before: Run, run: Run) -> list[list[Any]]:
    """Return the local modules that both sent and that differ."""
    from mlwidgets.history.diff.cells import lines

    old = {one["name"]: one for one in before.spec.modules}
    found: list[list[Any]] = []
    for one in run.spec.modules:
        was = old.get(one["name"])
        if was is None or was["digest"] == one["digest"]:
            continue
        try:
            texts = [_source(RunFolder(of.path), which["digest"]) for of, which in ((before, was), (run, one))]
        except OSError:
            continue
        found.append([one["name"].replace(".", "/") + (".py" if not one["package"] else "/__init__.py"), lines(*texts)])
    return found


def _source(folder: RunFolder, digest: str) -> str:
    return ObjectStore(folder.store / "objects").read(digest).decode("utf-8", "replace").rstrip("\n")


def _metrics(before: Run) -> list[list[Any]]:
    """Return name, whether higher or lower is better, the last value and the best one."""
    last = {name: value for name, value in before.last_values().items() if name.lower() not in CLOCKS}
    best = _best_values(before, last)
    return [
        [name, place(name).better, json_number(value), json_number(best.get(name))]
        for name, value in list(last.items())[:MOST_METRICS]
    ]


def _best_values(before: Run, names: Iterable[str]) -> dict[str, float]:
    known = [name for name in names if place(name).better]
    try:
        if not known or RunFolder(before.path).metrics.stat().st_size > MOST_RECORDS:
            return {}
    except OSError:
        return {}
    import numpy as np

    columns = before.columns()
    found: dict[str, float] = {}
    for name in known:
        values = columns[name].values if name in columns else np.zeros(0)
        finite = values[np.isfinite(values)]
        if len(finite):
            of: Callable[[Any], Any] = np.max if place(name).better > 0 else np.min
            found[name] = float(of(finite))
    return found


def _best(before: Run) -> list[Any] | None:
    """Return the metric that a sweep was after, whether higher or lower is better, and the best value."""
    try:
        about = outline(read_log(before.path), before.spec.sweep or {}, ended=before.ended)
        (objective,) = about["objectives"]
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    value = about["best"][0] if about["best"] else None
    return [objective["metric"], -1 if objective["direction"] == "minimize" else 1, json_number(value)]
