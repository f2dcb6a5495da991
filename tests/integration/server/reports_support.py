"""Published reports for the tests of the server: ended runs as an executor leaves them, and the real publication."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import nbformat

from mlwidgets.reports.publishing.definition import define
from mlwidgets.reports.publishing.editions import Edition
from mlwidgets.reports.publishing.publish import expect, publish
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.spec import RunSpec, new_run_id
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore


def notebook(*sources: str, printed: str = "") -> nbformat.NotebookNode:
    """Return a notebook whose last cell has printed something; a source that begins with # is text."""
    v4 = nbformat.v4
    cells = [v4.new_markdown_cell(one) if one.startswith("#") else v4.new_code_cell(one) for one in sources]
    if printed:
        cells[-1].outputs = [v4.new_output("stream", name="stdout", text=printed)]
    return v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})


def ended_run(project: Path, name: str, text: str, *, state: str = "finished", **settings: Any) -> RunFolder:
    """Leave a run in a project's store that has executed a notebook, and that nobody has published."""
    store = RunStore(project / ".mlwidgets")
    document = notebook(f"# {name.title()}", f"print({text!r})", printed=text)
    path = project / f"{name}.ipynb"
    nbformat.write(document, path)
    define(store, name, notebook=str(path), settings={"pdf": False, **settings})
    report = {
        "notebook": store.put(json.dumps(document).encode()),
        "path": str(path),
        "kernel": "python3",
        "language": "python",
        "cell_timeout": None,
        "publish": name,
        "execute": True,
    }
    begun = time.time() - 60
    spec = RunSpec(new_run_id(name), name, "pass\n", report=report, submitted_at=begun)
    expect(store, name, spec.id)
    folder = store.create_run(spec)
    folder.outputs.mkdir(exist_ok=True)
    nbformat.write(document, folder.outputs / path.name)
    write_event(folder.events, "cell", index=1, of=1, place=1, heading=f"# {name.title()}", state="finished", count=1)
    cause = None if state == "finished" else "cell 1: ValueError: no rows"
    write_outcome(folder, Outcome(state, cause, begun + 1, begun + 5, 0))
    return folder


def edition(project: Path, name: str, text: str, *, state: str = "finished", **settings: Any) -> Edition:
    """Publish a report that shows a text."""
    found = publish(ended_run(project, name, text, state=state, **settings))
    assert found is not None
    return found
