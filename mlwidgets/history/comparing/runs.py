"""Two or more runs beside each other: only what differs, and what cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import ParameterError
from mlwidgets.history.comparing import facts
from mlwidgets.history.comparing.metrics import extent, first_difference
from mlwidgets.history.diff.cells import compare, lines
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.run import Run

if TYPE_CHECKING:
    from mlwidgets.history.notebooks.notebook import Notebook

VERSION = 1
"""Of the JSON; raised when a reader of an older one could misread a newer one."""
GROUPS = ("parameters", "resources", "data", "environment", "libraries", "packages", "variables", "state around")


@dataclass(frozen=True)
class RunsDiff:
    """What differs between runs; the first is what the others are compared with.

    Attributes
    ----------
    runs
        ``id``, ``name``, ``label``, ``state``, ``cause``, ``submitted``, ``started``, ``ended``, ``tags`` and ``note``
        of each.
    facts
        By group (`GROUPS`): names whose values are not the same in all runs, and the values.
    code, notebook
        Of each run but the first: rows of the code as `mlwidgets.history.diff.lines` gives them, and the other cells
        of the notebook as `mlwidgets.history.diff.cells` does; None where they are the same or not known.
    modules
        Local modules that differ: the file, and of each run but the first its rows, None where it is the same there.
    metrics
        Of each metric: ``name``; in ``runs`` of each run ``records``, ``last``, ``low`` and ``high`` (step and value),
        None where it logged none; in ``first`` of each run but the first the record (``index``, ``step``, ``old``,
        ``new``) from which on it is not bitwise the same, None where it is.
    unknown
        What could not be compared, in sentences.
    """

    runs: list[dict[str, Any]]
    facts: dict[str, list[facts.Fact]]
    code: list[list[Any] | None]
    notebook: list[dict[str, Any] | None]
    modules: list[tuple[str, list[list[Any] | None]]]
    metrics: list[dict[str, Any]]
    unknown: list[str]

    @property
    def asked_equal(self) -> bool:
        """Whether nothing that was asked and nothing around the runs differs, as far as it is known."""
        return not (any(self.facts.values()) or any(self.code) or any(self.notebook) or self.modules)

    @property
    def metrics_equal(self) -> bool:
        """Whether every metric of every run is bitwise that of the first."""
        return all(one is None for metric in self.metrics for one in metric["first"])

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return not (self.asked_equal and self.metrics_equal)

    def to_json(self) -> dict[str, Any]:
        """Return it fit for JSON but for floats that are not finite."""
        return {"version": VERSION, "equal": not self, "metrics_equal": self.metrics_equal, **vars(self)}


def compare_runs(folders: Sequence[RunFolder], labels: Sequence[str] | None = None) -> RunsDiff:
    """Return what differs between runs. Nothing of them is unpickled or executed.

    Parameters
    ----------
    folders
        Two or more; the others are compared with the first.
    labels
        What to call them; by default their names, or their ids where names are the same.

    Raises
    ------
    ParameterError
        If it is fewer than two.
    UnknownRun
        If a folder is gone or damaged.
    """
    if len(folders) < 2:
        raise ParameterError("it takes two runs to compare: name another one")
    runs = [Run(folder.path) for folder in folders]
    names = list(labels or _labels(runs))
    told: dict[str, list[facts.Fact]] = {}
    unknown: list[str] = []
    asked: tuple[tuple[str, Callable[[Run], dict[str, str]]], ...] = (
        ("parameters", facts.asked),
        ("resources", facts.resources),
        ("data", facts.data),
        ("environment", facts.environment),
        ("libraries", facts.libraries),
        ("packages", facts.packages),
    )
    # What was not found out about one run is not what differs from the others.
    gathered = [bool(run.environment) for run in runs]
    for name, gathered_one in zip(names, gathered, strict=True):
        if not gathered_one:
            unknown.append(f"the environment of {name} is not known: packages, GPUs and git are not compared with it")
    for group, of in asked:
        per_run = [of(run) for run in runs]
        if group == "environment" and not all(gathered):
            at_submit = set.intersection(*(set(one) for one in per_run))
            per_run = [{key: value for key, value in one.items() if key in at_submit} for one in per_run]
        # Of libraries each run tells only when its code has ended.
        known = all(gathered) if group == "packages" else group != "libraries" or all(per_run)
        told[group] = facts.differing(per_run) if known else []
    for group, which in (("variables", "inputs"), ("state around", "ambient")):
        told[group], untold = facts.variables(runs, which)
        unknown += [f"the contents of the {which} of {names[int(at)]} cannot be read: only types are compared"
                    for at in untold]  # fmt: skip
    notebooks, missing = _notebooks(runs, names)
    modules, gone = _modules(runs, names)
    first = runs[0].spec.code.rstrip("\n")
    codes = [run.spec.code.rstrip("\n") for run in runs[1:]]
    return RunsDiff(
        runs=[_about(run, name) for run, name in zip(runs, names, strict=True)],
        facts=told,
        code=[lines(first, code) if code != first else None for code in codes],
        notebook=notebooks,
        modules=modules,
        metrics=_metrics(runs),
        unknown=[*unknown, *missing, *gone],
    )


def _labels(runs: Sequence[Run]) -> list[str]:
    names = [run.name for run in runs]
    return names if len(set(names)) == len(names) else [run.id for run in runs]


def _about(run: Run, label: str) -> dict[str, Any]:
    outcome = run.outcome
    return {
        "id": run.id,
        "name": run.name,
        "label": label,
        "state": outcome.state,
        "cause": outcome.cause,
        "submitted": run.submitted_at,
        "started": outcome.started_at,
        "ended": outcome.ended_at,
        "tags": run.tags,
        "note": run.note,
    }


def _metrics(runs: Sequence[Run]) -> list[dict[str, Any]]:
    columns = [run.columns() for run in runs]
    firsts = [first_difference(columns[0], other) for other in columns[1:]]
    return [
        {
            "name": name,
            "runs": [extent(one[name]) if name in one else None for one in columns],
            "first": [vars(first[name]) if name in first else None for first in firsts],
        }
        for name in dict.fromkeys(name for one in columns for name in one)
    ]


def _notebooks(runs: Sequence[Run], names: Sequence[str]) -> tuple[list[dict[str, Any] | None], list[str]]:
    """Return the other cells that differ from the first run's, and what is not known."""
    from mlwidgets.history.submitted import notebook_of_run

    told = [_snapshot_of(run) for run in runs]
    unknown = [f"no notebook was kept with {name}" for name, one in zip(names, told, strict=True) if one is None]
    if told[0] is None:
        return [None] * (len(runs) - 1), unknown
    found: list[dict[str, Any] | None] = []
    first: Notebook | None = None
    for run, one, name in zip(runs[1:], told[1:], names[1:], strict=True):
        if one is None or one.get("commit") == told[0].get("commit"):
            found.append(None)
            continue
        first = first or notebook_of_run(RunFolder(runs[0].path))
        other = notebook_of_run(RunFolder(run.path))
        if first is None or other is None or any(_stands_in(*pair) for pair in ((first, runs[0]), (other, run))):
            unknown.append(f"the notebooks of {names[0]} and {name} cannot be compared: a snapshot is gone")
            found.append(None)
            continue
        diff = compare(first, other).to_json()
        cells = [
            cell for cell in diff["cells"]
            if cell["change"] != "same" and not _was_sent(cell["old"], runs[0]) and not _was_sent(cell["new"], run)
        ]  # fmt: skip
        found.append({**diff, "cells": cells} if cells else None)
    return found, unknown


def _snapshot_of(run: Run) -> dict[str, Any] | None:
    spec = run.spec
    told = read_json(RunFolder(run.path).snapshot) if spec.trial_of is None else None
    other = spec.trial_of or spec.rerun_of or spec.resumes
    # It was copied when the rerun was submitted, unless that was not there yet.
    return told if told is not None or other is None else read_json(RunFolder(run.path.parent / other).snapshot)


def _stands_in(notebook: Notebook, run: Run) -> bool:
    """Whether this is what is made of a run whose snapshot is gone: its code under its name."""
    return len(notebook.cells) == 2 and notebook.cells[0].source == f"# {run.name}" and notebook.cells[0].id is None


def _was_sent(place: dict[str, Any] | None, run: Run) -> bool:
    origin = run.spec.provenance
    return place is not None and origin is not None and bool(origin.cell) and place["id"] == origin.cell


def _modules(runs: Sequence[Run], names: Sequence[str]) -> tuple[list[tuple[str, list[list[Any] | None]]], list[str]]:
    """Return the local modules whose source differs from the first run's, and those whose source is gone."""
    sent = [{one["name"]: one for one in run.spec.modules} for run in runs]
    found: list[tuple[str, list[list[Any] | None]]] = []
    unknown: list[str] = []
    for name in dict.fromkeys(name for one in sent for name in one):
        digests = [one[name]["digest"] if name in one else None for one in sent]
        if len(set(digests)) == 1:
            continue
        texts: list[str] = []
        for run, digest, label in zip(runs, digests, names, strict=True):
            try:
                texts.append("" if digest is None else _source(run, digest))
            except OSError:
                unknown.append(f"the source of module {name} that {label} had is gone")
                texts.append("")
        of = next(one[name] for one in sent if name in one)
        file = name.replace(".", "/") + ("/__init__.py" if of.get("package") else ".py")
        found.append((file, [lines(texts[0], text) if text != texts[0] else None for text in texts[1:]]))
    return found, unknown


def _source(run: Run, digest: str) -> str:
    return ObjectStore(RunFolder(run.path).store / "objects").read(digest).decode("utf-8", "replace").rstrip("\n")
