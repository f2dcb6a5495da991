"""One edition made of one ended run: its page, the notebook as it was executed, and what is known of both."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

from mlwidgets.errors import NotebookError
from mlwidgets.history.notebooks.document import read_document
from mlwidgets.notifying.masking import masked_notebook, masker_for
from mlwidgets.reports.page.about import About, Check, known
from mlwidgets.reports.page.making import Made, Options, made
from mlwidgets.reports.publishing.definition import LONGEST_TITLE, WITHHOLD, Definition
from mlwidgets.reports.publishing.editions import FAILED, NOTEBOOK, PAGE, PUBLISHED, STOPPED, WITHHELD, Edition, Report
from mlwidgets.runs.folder import RunFolder, read_json, write_whole
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.state import ENDINGS, FINISHED, Outcome
from mlwidgets.runs.state import FAILED as RUN_FAILED
from mlwidgets.runs.state import STOPPED as RUN_STOPPED

MOST_BYTES = 40_000_000
"""Of outputs as JSON on a page; what is largest is left out beyond that, and is in the notebook beside it."""
LONGEST_CAUSE = 1000
MOST_TOLD = 500
"""Parameters, and checks, that are told beside the page: every list of editions reads them."""


def build(report: Report, definition: Definition, folder: RunFolder, outcome: Outcome, now: float) -> Edition:
    """Make the edition of an ended run: its folder appears whole, by one rename.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left of it then.
    ConfigError
        If what is to be masked cannot be read.
    """
    spec = folder.read_spec()
    editions = report.path / "editions"
    building = editions / f".new-{folder.id}"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700, parents=True)
    try:
        edition = _write(building, definition, folder, spec, outcome, now)
        os.rename(building, editions / folder.id)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return replace(edition, path=editions / folder.id)


def _write(
    building: Path, definition: Definition, folder: RunFolder, spec: RunSpec, outcome: Outcome, now: float
) -> Edition:
    document, data, problem = _executed(folder, spec)
    mask = masker_for(folder)
    if mask:
        document = masked_notebook(document, mask)
        data = json.dumps(document, indent=1).encode()
    state = _state(folder, outcome, problem)
    cause = mask(_cause(outcome) if outcome.state != FINISHED else problem or "")
    failed_cell = _failed_cell(folder, document) if state != PUBLISHED and problem is None else None
    started = outcome.started_at
    duration = None if started is None or outcome.ended_at is None else max(0.0, outcome.ended_at - started)
    commit = _commit(folder)
    told = spec.report or {}
    about = About(
        title=mask(definition.title or ""),
        notebook=os.path.basename(str(told.get("path") or "")),
        params={**known(document)["params"], **masked_notebook(_plain(spec.params), mask)},
        started=None if started is None else datetime.fromtimestamp(started).astimezone(),
        duration=duration,
        commit=_commit_words(commit),
        edition=folder.id,
    )
    where = Path(spec.provenance.cwd) if spec.provenance else None
    options = Options(definition.show_code, folder=where, failed_cell=failed_cell)
    try:
        page = made(_bounded(document), about, options)
    except Exception as error:  # whatever a notebook holds, readers are told that there is no page of it
        state, cause = FAILED, mask(f"its page could not be made: {type(error).__name__}: {error}")
        page = made({"cells": []}, replace(about, title=about.title or definition.name, params={}), Options())
    failed = sum(not one.passed for one in page.checks)
    if state == PUBLISHED and failed and definition.on_failed_check == WITHHOLD:
        state, cause = WITHHELD, f"{failed} of {len(page.checks)} checks failed"
    html = page.html.encode("utf-8", "replace")
    edition = Edition(
        id=folder.id,
        state=state,
        path=building,
        cause=None if state == PUBLISHED else cause[:LONGEST_CAUSE] or None,
        title=_short(_title(page, definition), LONGEST_TITLE),
        params={_short(name): _short(value) for name, value in islice(about.params.items(), MOST_TOLD)},
        started=started,
        ended=outcome.ended_at,
        duration=duration,
        published=now if state == PUBLISHED else None,
        commit=commit,
        checks=tuple(_told_shortly(page.checks)),
        failed_cell=failed_cell,
        bytes=len(html),
    )
    write_whole(building / PAGE, html)
    write_whole(building / NOTEBOOK, data)
    write_whole(building / "edition.json", json.dumps(edition.to_json()).encode())
    return edition


def _state(folder: RunFolder, outcome: Outcome, problem: str | None) -> str:
    """Return how the edition went; one that somebody has stopped did not fail, and need not worry a reader."""
    if outcome.state == RUN_STOPPED and folder.stop_request.exists():
        return STOPPED
    return PUBLISHED if outcome.state == FINISHED and problem is None else FAILED


def _short(text: str, most: int = LONGEST_CAUSE) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _told_shortly(checks: Sequence[Check]) -> list[Check]:
    """Return the checks that lists tell of: those that failed before others, as many as somebody reads."""
    kept = sorted(range(len(checks)), key=lambda place: checks[place].passed)[:MOST_TOLD]
    return [Check(_short(one.text), one.passed, _short(one.detail)) for one in map(checks.__getitem__, sorted(kept))]


def _title(page: Made, definition: Definition) -> str:
    """Return what the page calls itself; a notebook without a heading is called as its report."""
    return page.title if page.title != "Report" else definition.name


def _executed(folder: RunFolder, spec: RunSpec) -> tuple[dict[str, Any], bytes, str | None]:
    """Return the executed notebook, its file's content, and what is wrong where there is none."""
    told = spec.report or {}
    path = folder.outputs / os.path.basename(str(told.get("path") or "notebook.ipynb"))
    try:
        data = path.read_bytes()
        return read_document(data, path.name), data, None
    except (OSError, NotebookError, RecursionError) as error:
        problem = f"the run left no executed notebook: {getattr(error, 'strerror', None) or error}"
    try:
        digest = str(told.get("notebook"))
        document = read_document(ObjectStore(folder.store / "objects").read(os.path.basename(digest)), path.name)
    except (OSError, NotebookError, RecursionError):
        document = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    document["cells"] = [_unexecuted(cell) for cell in document["cells"]]
    return document, json.dumps(document).encode(), problem


def _unexecuted(cell: Any) -> Any:
    """Return a cell without outputs: those that it was saved with are no outputs of this execution."""
    if isinstance(cell, dict) and cell.get("cell_type") == "code":
        return {**cell, "outputs": [], "execution_count": None}
    return cell


def _cause(outcome: Outcome) -> str:
    if outcome.cause and outcome.state == RUN_FAILED:
        return outcome.cause
    ending = ENDINGS[outcome.state]
    if outcome.cause and f"was {outcome.cause}".startswith(f"{ending} "):
        return f"was {outcome.cause}"
    return f"{ending}: {outcome.cause}" if outcome.cause else ending


def _failed_cell(folder: RunFolder, document: Mapping[str, Any]) -> int | None:
    """Return the number, from 1, of the cell that the execution ended at."""
    last: dict[str, Any] = {}
    for event in read_lines(folder.events, "cell"):
        last = event
    index, count = last.get("index"), len(document["cells"])
    if last.get("state") == "finished" or not isinstance(index, int) or not 1 <= index <= count:
        return None
    return index


def _plain(params: Mapping[str, str]) -> dict[str, str]:
    """Return given parameters as they are read: a text without its quotes."""
    from mlwidgets.runs.spec import parse_literal

    found = {}
    for name, text in params.items():
        try:
            value = parse_literal(text)
        except ValueError:
            value = text
        found[name] = value if isinstance(value, str) else text
    return found


def _commit(folder: RunFolder) -> dict[str, Any] | None:
    git = (read_json(folder.environment) or {}).get("git")
    if not isinstance(git, dict) or not isinstance(git.get("commit"), str):
        return None
    branch = git.get("branch")
    return {
        "id": git["commit"],
        "branch": branch if isinstance(branch, str) else None,
        "dirty": git.get("dirty") is True,
    }


def _commit_words(commit: Mapping[str, Any] | None) -> str:
    if commit is None:
        return ""
    branch = f" on {commit['branch']}" if commit["branch"] else ""
    return f"{commit['id'][:7]}{branch}{', with changes beside it' if commit['dirty'] else ''}"


def _bounded(document: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook whose outputs a page can hold; a line says what was left out."""
    sizes = [
        (len(json.dumps(output)), place, number)
        for place, cell in enumerate(document["cells"])
        for number, output in enumerate(_outputs(cell))
    ]
    excess = sum(size for size, _, _ in sizes) - MOST_BYTES
    left_out: dict[tuple[int, int], int] = {}
    for size, place, number in sorted(sizes, reverse=True):
        if excess <= 0:
            break
        left_out[place, number] = size
        excess -= size
    if not left_out:
        return document
    cells = [
        {**cell, "outputs": [_note(left_out.get((place, n))) or output for n, output in enumerate(_outputs(cell))]}
        if any(at == place for at, _ in left_out)
        else cell
        for place, cell in enumerate(document["cells"])
    ]
    return {**document, "cells": cells}


def _outputs(cell: Any) -> Iterable[Any]:
    found = cell.get("outputs") if isinstance(cell, dict) else None
    return found if isinstance(found, list) else ()


def _note(size: int | None) -> dict[str, Any] | None:
    if size is None:
        return None
    said = escape(f"An output of {size / 1e6:.0f} MB is left out here; it is in the notebook.")
    return {"output_type": "display_data", "data": {"text/html": f"<p>{said}</p>"}, "metadata": {}}
