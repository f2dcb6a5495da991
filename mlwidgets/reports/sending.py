"""Sends a notebook off to be executed as one run, and published when it has ended."""

from __future__ import annotations

import json
import os
import re
import time
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlwidgets.capture import variables
from mlwidgets.capture.data import named_data
from mlwidgets.capture.provenance import provenance
from mlwidgets.capture.request import check_numbers
from mlwidgets.errors import NotebookError, ParameterError, StoreError
from mlwidgets.history.notebooks.document import read_document, read_file
from mlwidgets.history.notebooks.notebook import Notebook, read_notebook
from mlwidgets.history.text.percent import to_text
from mlwidgets.reports.executing.kernels import check_kernel, kernel_of
from mlwidgets.reports.parameters.params import check_params, inject, read_params
from mlwidgets.reports.publishing.definition import check_report_name, check_settings, define
from mlwidgets.reports.publishing.publish import expect, unexpect
from mlwidgets.runner import queue
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import Resources, RunSpec, check_name, literal_text, new_run_id
from mlwidgets.runs.store import RunStore
from mlwidgets.submit import open_store, send_off

_SENDS = re.compile(
    r"^\s*%%(train|sweep)\b|\bmlwidgets\s*\.\s*(train|sweep)\b|\bfrom\s+mlwidgets\b.*\bimport\b.*\b(train|sweep)\b",
    re.MULTILINE,
)
"""Code that sends runs, by which the notebook's own run takes no place from them."""


def send_report(
    notebook: Path | str,
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
    store: RunStore | None = None,
    run_id: str | None = None,
    content: bytes | None = None,
) -> RunFolder:
    """Send a notebook off to be executed from its first cell to its last, and published.

    Parameters
    ----------
    notebook
        The file. It is executed as it is now, whatever becomes of it later.
    name
        Of the report, and of the run; by default that of the file.
    params
        Values for parameters of the notebook: texts, or what a Python literal can say.
    cell_timeout
        Seconds that each cell has.
    timeout
        Seconds that all of it has.
    gpus, priority, after, retries, tags, note
        As with `mlwidgets.train`.
    cpus
        CPU places that it waits for: 1, or none where the notebook itself sends runs, which it only waits for.
    publish
        Publish it as the report `name` when it has ended.
    execute
        False publishes the notebook with the outputs that it has.
    kernel
        Name of the kernel; the one that the notebook asks for if None.
    settings
        What the report is to be from now on: title, show_code, pdf and so on, as its definition has them.
    data
        Files and folders that the notebook reads: digests of their contents are kept with the run.
    store
        The one of the project around the working directory if None.
    run_id
        What to call the run; whoever must know it beforehand gives it.
    content
        The notebook to execute in place of what is in the file.

    Returns
    -------
    RunFolder
        Of the run, which was submitted.

    Raises
    ------
    NotebookError
        If there is no notebook that can be read, or no kernel for it.
    ParameterError
        If a parameter is unknown or of another type, or something else that is asked for cannot be.
    UnknownRun
        If there is no such run to wait for.
    StoreError
        If the store cannot be written.
    """
    path = Path(os.path.abspath(os.path.expanduser(notebook)))
    document = _read(path) if content is None else read_document(content, str(path))
    asked = read_notebook(document, str(path))
    given = params or {}
    if given and not execute:
        raise ParameterError("parameters have no effect on a notebook that is not executed")
    values = check_params(given, read_params(asked)) if execute else {}
    store = store or open_store()
    called = check_name(name or name_of(path))
    if publish:
        check_report_name(called)
        check_settings(settings or {})
        if name is None:
            _check_free(store, called, path)
    elif settings:
        raise ParameterError(f"{next(iter(settings))!r} is set for a report, and the notebook is not to be published")
    check_numbers(None, timeout, priority, retries)
    if cell_timeout is not None and not cell_timeout > 0:
        raise ParameterError(f"the time-out of a cell must be more than 0 seconds, not {cell_timeout:g}")
    if cpus is None:
        cpus = 0 if not execute or _sends_runs(asked) else 1
    queue.check(gpus, cpus)
    # The kernel works in the notebook's folder.
    read = tuple({**one, "path": _from(path.parent, one)} for one in named_data(data))
    language = asked.language
    if execute:
        kernel = kernel or kernel_of(document, language)
        language = check_kernel(kernel)
    executed = read_notebook(inject(document, values), str(path)) if execute else asked
    after = None if after is None else store.find(after).id if isinstance(after, str) else after.id

    store.prepare()
    spec = RunSpec(
        id=run_id or new_run_id(called),
        name=called,
        code=to_text(executed),
        params={param: literal_text(value) for param, value in values.items()},
        resources=Resources(timeout, float(gpus), cpus, priority, after, retries),
        provenance=replace(provenance(str(path)), cwd=str(path.parent)),
        tags={str(key): str(value) for key, value in (tags or {}).items()},
        note=note,
        report={
            "notebook": store.put(json.dumps(document).encode()),
            "path": str(path),
            "kernel": kernel,
            "language": language,
            "cell_timeout": cell_timeout,
            "publish": called if publish else None,
            "execute": execute,
        },
        variables=variables.gather(),
        data=read,
        submitted_at=time.time(),
    )
    if publish:
        define(store, called, notebook=str(path), params=spec.params, settings=settings)
        try:
            expect(store, called, spec.id)
        except OSError as error:
            raise StoreError(f"cannot write to the store {store.path}: {error.strerror or error}") from error
    try:
        return send_off(store, spec)
    except BaseException:
        if publish:
            unexpect(store, called, spec.id)
        raise


def _from(folder: Path, one: Mapping[str, str]) -> str:
    return one["path"] if os.path.isabs(one["path"]) else os.path.relpath(one["absolute"], folder)


def _read(path: Path) -> dict[str, Any]:
    """Return the JSON of a notebook's file as in format 4."""
    # What is no file may never come to an end.
    if path.exists() and not path.is_file():
        raise NotebookError(f"{path} is no notebook's file; check the path")
    return read_document(read_file(path), str(path))


def name_of(path: Path) -> str:
    """Return what the report of a notebook's file is called unless somebody names it."""
    plain = unicodedata.normalize("NFKD", path.stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.]+", "-", plain).strip("-._")[:100] or "report"


def _check_free(store: RunStore, name: str, path: Path) -> None:
    """Raise ParameterError if the name that a file suggests is that of another notebook's report."""
    known = (read_json(store.path / "reports" / name / "definition.json") or {}).get("notebook")
    if isinstance(known, str) and known != str(path) and os.path.exists(known):
        raise ParameterError(f"there is a report {name!r} of {known}: give this one another name with --name")


def _sends_runs(notebook: Notebook) -> bool:
    return any(cell.kind == "code" and _SENDS.search(cell.source) for cell in notebook.cells)
