"""An edition of a report again: the notebook that was kept, with the parameters that were kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlwidgets.errors import MlwidgetsError, ParameterError, StoreError
from mlwidgets.history.notebooks.notebook import read_notebook
from mlwidgets.history.text.percent import to_text
from mlwidgets.reports.parameters.params import check_params, inject, read_params
from mlwidgets.reports.publishing.comparing import Comparison, compare
from mlwidgets.reports.publishing.definition import check_report_name
from mlwidgets.reports.publishing.editions import Edition
from mlwidgets.reports.publishing.publish import expect
from mlwidgets.reruns.equality import columns_of
from mlwidgets.reruns.outcome import compare_run
from mlwidgets.reruns.repeating import Changes, literal
from mlwidgets.reruns.verdict import Verdict
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.spec import RunSpec, literal_text, parse_literal
from mlwidgets.runs.state import settle
from mlwidgets.runs.store import RunStore

PROGRESS = "progress"
"""The metric by which whoever executes a notebook says how far it has come."""
MOST_TOLD = 6
"""Outputs that are not the same of which a verdict tells one by one."""


def repeat_report(store: RunStore, _folder: RunFolder, spec: RunSpec, *, publish: bool = False) -> RunSpec:
    """Return what is asked of a run that executes the notebook of an edition again.

    Parameters
    ----------
    spec
        What is asked now, where that were any other run.
    publish
        Publish it as a new edition when it has ended; else it is only executed.

    Raises
    ------
    NotebookError
        If the kept notebook cannot be read.
    ParameterError
        If a parameter is unknown or of another type.
    StoreError
        If the notebook is gone, or the store cannot be written.
    """
    report = dict(spec.report or {})
    document = _document(store, report)
    path = Path(str(report["path"]))
    kept = read_notebook(document, str(path))
    if report.get("execute", True):
        values = check_params(_values(spec.params), read_params(kept))
        spec = replace(
            spec,
            params={name: literal_text(value) for name, value in values.items()},
            code=to_text(read_notebook(inject(document, values), str(path))),
        )
    if not path.parent.is_dir() and spec.provenance is not None:
        # Its kernel works where the notebook lies.
        path = Path(spec.provenance.cwd) / path.name
    name = check_report_name(spec.name) if publish else None
    if name:
        try:
            # What the report is to be stays as it is; where it is no more, publishing makes it anew.
            expect(store, name, spec.id)
        except OSError as error:
            raise StoreError(f"cannot write to the store {store.path}: {error.strerror or error}") from error
    return replace(spec, report={**report, "path": str(path), "publish": name})


def refused(store: RunStore, spec: RunSpec, changes: Changes) -> list[str]:
    """Return why an edition's notebook cannot have such parameters, nothing if it can."""
    try:
        kept = read_notebook(_document(store, spec.report or {}), spec.name)
        if changes.params and not (spec.report or {}).get("execute", True):
            raise ParameterError("parameters have no effect on a notebook that is not executed")
        check_params(_values({**spec.params, **changes.params}), read_params(kept))
    except MlwidgetsError as error:
        return [str(error)]
    return []


def _values(params: Mapping[str, str]) -> dict[str, Any]:
    """Return the texts as `check_params` takes them: what is a text in quotation marks without these."""
    read = {name: parse_literal(literal(text)) for name, text in params.items()}
    return {name: value if isinstance(value, str) else params[name] for name, value in read.items()}


def params_of(store: RunStore, spec: RunSpec) -> dict[str, str]:
    """Return all parameters of an edition's notebook that can be given, each with the value that it had, as text."""
    try:
        known = read_params(read_notebook(_document(store, spec.report or {}), spec.name))
    except MlwidgetsError:
        return dict(spec.params)
    defaults = {param.name: param.default for param in known if param.default is not None}
    return {**defaults, **spec.params}


def _document(store: RunStore, report: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of the notebook as it was sent."""
    try:
        document: dict[str, Any] = json.loads(bytes(store.objects.read(str(report["notebook"]))))
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(f"the notebook of the edition is gone or damaged: {error}; see mlwidgets fsck") from error
    return document


@dataclass(frozen=True)
class _Executed(Edition):
    """A run's executed notebook, whether or not an edition was made of it."""

    @property
    def notebook(self) -> Path | None:
        found = sorted((self.path / "outputs").glob("*.ipynb"))
        return found[0] if found and not found[0].is_symlink() else None


def verdict_of_report(folder: RunFolder) -> Verdict:
    """Compare a run that executed a notebook again with the first one: its metrics, and what its cells put out."""
    metrics = compare_run(folder)
    first = RunFolder(folder.path.parent / metrics.of)
    sides = [_executed(one) for one in (first, folder)]
    if any(side.notebook is None for side in sides):
        return metrics
    found = compare(*sides)
    said = _differences(found)
    if metrics.equal is None:
        return replace(metrics, details=[*metrics.details, *said])
    logged = _has_metrics(folder)
    if not said:
        outputs = "the outputs of all cells are the same"
        if not logged:
            return replace(metrics, equal=True, chip="same outputs", summary=f"{outputs} as in {metrics.of}")
        return replace(metrics, details=[outputs, *metrics.details])
    count = sum(map(len, (found.numbers, found.pictures, found.texts, found.checks)))
    many = f"{count} output{' differs' if count == 1 else 's differ'}"
    if not metrics.equal:
        return replace(metrics, details=[many, *said, *metrics.details])
    summary = f"{many} from {metrics.of}" + "; its metrics are the same to the bit" * logged
    return replace(metrics, equal=False, chip=many, summary=summary, details=[*said, *metrics.details])


def _executed(folder: RunFolder) -> _Executed:
    return _Executed(folder.id, settle(folder).state, folder.path)


def _has_metrics(folder: RunFolder) -> bool:
    """Whether the notebook logged any, beside how far it has come."""
    return bool(columns_of(folder).keys() - {PROGRESS})


def _differences(found: Comparison) -> list[str]:
    """Return in a line each what differs: numbers with both values, pictures by their number, texts."""
    lines = [
        f"{_place(one.section)}{_place('' if one.label == one.new else one.label)}{one.new}, it was {one.old}"
        for one in found.numbers
    ]
    if found.pictures:
        sections = ", ".join(dict.fromkeys(one.section for one in found.pictures if one.section))
        count = len(found.pictures)
        lines.append(f"{count} picture{'s' if count > 1 else ''}" + f" ({sections})" * bool(sections))
    others = (*found.texts, *found.checks)
    lines += [f"{_place(one.section)}{one.new or 'nothing'}, it was: {one.old or 'nothing'}" for one in others]
    left = len(lines[MOST_TOLD:]) + sum(found.left_out.values())
    return lines[:MOST_TOLD] + ([f"and {left} more"] if left else [])


def _place(section: str) -> str:
    return f"{section}: " if section else ""
