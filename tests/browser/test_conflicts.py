"""Cells that a merge by git left in conflict, in JupyterLab: pointed to, and settled above the notebook."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from mlwidgets.history.merging.conflicts import conflicts_in
from mlwidgets.history.setup.repository import Setup
from mlwidgets.history.setup.settings import Wanted
from tests.browser.test_changes import SOURCES, git, in_notebook, save, wait_until, write
from tests.browser.test_live_view import look, use_theme

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

METADATA = "return context.model.toJSON().cells.map(({ metadata }) => metadata)"
TYPES = "return context.model.toJSON().cells.map(({ cell_type, outputs }) => [cell_type, outputs ?? null])"
RATE = "rate = {}\nsteps = 100"


def commit(folder: Path, path: Path, cells: dict[int, str | None], message: str) -> None:
    """Edit cells as somebody does, or delete them, and commit that."""
    document = json.loads(path.read_bytes())
    for at in sorted(cells, reverse=True):
        source = cells[at]
        if source is None:
            del document["cells"][at]
        else:
            document["cells"][at]["source"] = source
    path.write_text(json.dumps(document, indent=1) + "\n")
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", message)


def merged(lab: Lab, name: str) -> Path:
    """Leave a notebook of 40 cells in conflict, by real git: cells 3, 30 and 37 of it."""
    cells = ["import math", "a = 1", RATE.format(0.5), *(f"part_{i} = {i}" for i in range(37))]
    path = write(lab, name, cells)
    folder = path.parent
    git(folder, "init", "-q", "-b", "main")
    setup = Setup(folder)
    setup.write(setup.plan(Wanted()))
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "start")
    git(folder, "checkout", "-q", "-b", "faster")
    theirs: dict[int, str | None] = {2: RATE.format(0.3), 29: "part_26 = 'theirs'", 36: None}
    commit(folder, path, theirs, "faster")
    git(folder, "checkout", "-q", "main")
    commit(folder, path, {2: RATE.format(0.1), 29: "part_26 = 'ours'", 36: "part_33 = 'edited'"}, "slower")
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "merge", "faster"]
    assert subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode == 1
    assert [one.number for one in conflicts_in(json.loads(path.read_bytes()))] == [3, 30, 37]
    return path


def active(page: Page, name: str) -> Any:
    return in_notebook(page, name, "return content.activeCellIndex")


def open_merged(lab: Lab, page: Page, name: str) -> Locator:
    lab.open(page, name)
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    return page.locator(".mlw-conflicts")


def test_cells_in_conflict_are_shown_one_by_one_and_settled(lab: Lab, page: Page) -> None:
    name = "merged.ipynb"
    path = merged(lab, f"merged/{name}")
    bar = open_merged(lab, page, f"merged/{name}")
    expect(bar).to_contain_text("3 cells are in conflict after a merge")
    expect(bar.get_by_role("button", name="Take ours")).to_be_hidden()
    look(page, "conflict-bar")

    # One after the other, and round.
    for at in (2, 29, 36, 2):
        bar.get_by_role("button", name="Show next").click()
        assert active(page, name) == at
        expect(page.locator(".mlw-cell-in-conflict.jp-mod-active")).to_be_in_viewport()
    expect(bar).to_contain_text("Cell 3: edited in ")
    look(page, "conflict-bar-cell-light")
    use_theme(lab, page, "JupyterLab Dark")
    look(page, "conflict-bar-cell-dark")
    use_theme(lab, page, "JupyterLab Light")

    # One side: an edit of the cell, which Undo takes back, conflict and all.
    before = in_notebook(page, name, SOURCES)
    bar.get_by_role("button", name="Take theirs").click()
    assert in_notebook(page, name, SOURCES) == [*before[:2], RATE.format(0.3), *before[3:]]
    assert "mlwidgets" not in in_notebook(page, name, METADATA)[2]
    expect(bar).to_contain_text("2 cells are in conflict")
    lab.command(page, "editmenu:undo")
    wait_until(lambda: in_notebook(page, name, SOURCES) == before)
    expect(bar).to_contain_text("3 cells are in conflict")
    bar.get_by_role("button", name="Take ours").click()
    wait_until(lambda: in_notebook(page, name, SOURCES)[2] == RATE.format(0.1))

    # Both, as two cells: one operation on cells, which is undone as one.
    bar.get_by_role("button", name="Show next").click()
    expect(bar).to_contain_text("Cell 30")
    before = in_notebook(page, name, SOURCES)
    both = [*before[:29], "part_26 = 'ours'", "part_26 = 'theirs'", *before[30:]]
    bar.get_by_role("button", name="Keep both").click()
    assert in_notebook(page, name, SOURCES) == both
    lab.command(page, "notebook:undo-cell-action")
    wait_until(lambda: in_notebook(page, name, SOURCES) == before)
    expect(bar).to_contain_text("2 cells are in conflict")
    in_notebook(page, name, "content.activeCellIndex = 29")
    bar.get_by_role("button", name="Keep both").click()
    assert in_notebook(page, name, SOURCES) == both
    assert in_notebook(page, name, TYPES)[30] == ["code", []]

    # Deleted on one side.
    expect(bar).to_contain_text("1 cell is in conflict")
    bar.get_by_role("button", name="Show it").click()
    expect(bar).to_contain_text("Cell 38: edited in ")
    expect(bar.get_by_role("button", name="Keep both")).to_be_hidden()
    look(page, "conflict-bar-deleted")
    bar.get_by_role("button", name="Delete it").click()
    expect(bar).to_be_hidden()
    lab.command(page, "notebook:undo-cell-action")
    expect(bar).to_be_visible()
    in_notebook(page, name, "content.activeCellIndex = 37")
    bar.get_by_role("button", name="Keep the cell").click()
    expect(bar).to_be_hidden()
    both[37] = "part_33 = 'edited'"
    assert in_notebook(page, name, SOURCES) == both
    expect(page.locator(".mlw-cell-in-conflict")).to_have_count(0)
    look(page, "conflict-bar-gone")
    save(page, name)
    document = json.loads(path.read_bytes())
    assert not conflicts_in(document)
    assert "mlwidgets" not in str([cell["metadata"] for cell in document["cells"]])
    git(path.parent, "add", "--all")
    git(path.parent, "commit", "-q", "--no-edit")


def test_who_takes_the_markers_out_has_settled_the_cell(lab: Lab, page: Page) -> None:
    name = "edited.ipynb"
    merged(lab, f"merged-by-hand/{name}")
    page.set_viewport_size({"width": 620, "height": 800})
    bar = open_merged(lab, page, f"merged-by-hand/{name}")
    expect(bar).to_contain_text("3 cells are in conflict")
    bar.get_by_role("button", name="Show next").click()
    # It has as many lines as it needs, and the cells are below it.
    for name_of in ("Take ours", "Keep both", "Show next"):
        expect(bar.get_by_role("button", name=name_of)).to_be_in_viewport(ratio=1)
    above, below = (page.locator(one).bounding_box() for one in (".mlw-conflicts-line", ".jp-NotebookPanel-notebook"))
    assert above
    assert below
    assert above["y"] + above["height"] <= below["y"] + 1
    look(page, "conflict-bar-narrow")
    source = in_notebook(page, name, SOURCES)[2]
    write_cell = "content.widgets[2].model.sharedModel.setSource(given)"
    # A second line between the two sides: nobody can say which of them is text.
    in_notebook(page, name, write_cell, source.replace("=======", "=======\n======="))
    expect(bar.get_by_role("button", name="Take ours")).to_be_disabled()
    in_notebook(page, name, write_cell, RATE.format(0.2))
    expect(bar).to_contain_text("2 cells are in conflict")
    expect(bar.get_by_role("button", name="Take ours")).to_be_hidden()


def test_a_notebook_without_conflicts_has_no_bar(lab: Lab, page: Page) -> None:
    write(lab, "calm/calm.ipynb", ["s = '''\n<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n'''"])
    bar = open_merged(lab, page, "calm/calm.ipynb")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(1)
    expect(bar).to_be_hidden()
