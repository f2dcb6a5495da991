"""Ended report runs as supervisors leave them, and what can be asked of what was published of them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbformat.v4 import new_markdown_cell, new_notebook

from mlwidgets.reports.publishing.definition import define
from mlwidgets.reports.publishing.editions import Report
from mlwidgets.reports.publishing.publish import expect, publish
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines, write_event
from mlwidgets.runs.spec import Provenance, RunSpec, literal_text, new_run_id
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from tests.unit.report_support import code, printed, shown

CHECK = "application/vnd.mlwidgets.check+json"
DAY = 86400.0


def check(passed: bool, text: str = "enough rows") -> Any:
    return code("check()", shown({CHECK: {"text": text, "passed": passed, "detail": "3 rows"}, "text/plain": text}))


def notebook(said: str, *more: Any) -> Any:
    return new_notebook(cells=[new_markdown_cell("# Sales"), code("print(said)", printed(said)), *more])


def ended(
    store: RunStore,
    name: str = "sales",
    *,
    executed: Any = None,
    at: float | None = None,
    state: str = "finished",
    cause: str | None = None,
    params: Mapping[str, Any] | None = None,
    source: Any = None,
    file: str = "sales.ipynb",
    cell: tuple[int, str] | None = None,
    flush: bool = False,
) -> RunFolder:
    """Write the folder of a report run that has ended and is not published."""
    store.prepare()
    at = time.time() if at is None else at
    asked = json.dumps(source or notebook("as saved")).encode()
    spec = RunSpec(
        new_run_id(name, at),
        name,
        "pass\n",
        {key: literal_text(value) for key, value in (params or {}).items()},
        provenance=Provenance(str(store.path.parent), "python", "3.11", "host", "ada"),
        report={"notebook": store.put(asked), "path": str(store.path.parent / file), "publish": name, "execute": True},
        submitted_at=at,
    )
    expect(store, name, spec.id)
    folder = store.create_run(spec)
    if executed is not None:
        (folder.outputs / file).write_text(json.dumps(executed))
    if cell is not None:
        write_event(folder.events, "cell", index=cell[0], of=3, count=1, heading=None, state=cell[1])
    write_outcome(folder, Outcome(state, cause, at, at + 42), flush=flush)
    return folder


def report(store: RunStore, name: str = "sales", **settings: Any) -> Report:
    define(store, name, notebook="/home/ada/sales.ipynb", settings={"pdf": False, **settings})
    return Report(store, name)


def published(store: RunStore, *said: str, name: str = "sales", start: float | None = None) -> list[str]:
    """Publish an edition a day, the last one yesterday, and return their ids."""
    start = time.time() - len(said) * DAY if start is None else start
    ids = []
    for day, one in enumerate(said):
        edition = publish(ended(store, name, executed=notebook(one), at=start + day * DAY))
        assert edition is not None
        assert edition.state == "published"
        ids.append(edition.id)
    return ids


def told(folder: RunFolder, kind: str = "published") -> Sequence[dict[str, Any]]:
    return list(read_lines(folder.events, kind))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
