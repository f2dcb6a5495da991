"""What changed in a notebook, beside it: with real saves and a real git repository."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from playwright.sync_api import expect

from mlwidgets.history.notebooks.notebook import read_notebook
from mlwidgets.history.snapshots import History
from tests.browser.test_live_view import look, use_theme

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page, Route

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

NET = """\
import torch
from torch import nn

class LeNet(nn.Module):
    \"\"\"A small net.
    It has two layers.
    \"\"\"
    def __init__(self, width=64):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 5, padding=2)
        self.pool = nn.AvgPool2d(2)
        self.head = nn.Linear(width, 10)

net = LeNet()
epochs = 10
# parameters
lr = 0.001"""
CELLS = ["%load_ext mlwidgets", "data = [1, 2, 3]", NET, *(f"part_{i} = {i}" for i in range(30)), "print('loss', 0.5)"]
LAST = len(CELLS) - 1
SOURCES = "return content.widgets.map(({ model }) => model.sharedModel.getSource())"
OF_NOTEBOOK = """async ([name, js, given]) => {
    for (const panel of window.jupyterapp.shell.widgets('main')) {
        if (panel.context?.path.endsWith(name)) {
            const { content, context } = panel;
            const run = new Function('content', 'context', 'given', `return (async () => { ${js} })()`);
            return await run(content, context, given);
        }
    }
    throw new Error(`${name} is not open`);
}"""


def in_notebook(page: Page, name: str, script: str, given: Any = None) -> Any:
    """Run JavaScript with the open notebook's `content` and `context`."""
    return page.evaluate(OF_NOTEBOOK, [name, script, given])


def edit(page: Page, name: str, cell: int, source: str) -> None:
    in_notebook(
        page, name, "content.widgets[given[0]].model.sharedModel.setSource(given[1])", [cell, source]
    )  # As if it were typed; nothing is saved.


def save(page: Page, name: str) -> None:
    in_notebook(page, name, "await context.save()")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def write(lab: Lab, name: str, cells: list[str]) -> Path:
    """Write a notebook as JupyterLab would, so that opening it changes nothing."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
    }
    notebook.metadata["language_info"] = {"name": "python"}
    path = lab.root / name
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)
    return path


def commit(lab: Lab, name: str, cells: list[str], subject: str) -> Path:
    """Write a notebook into a repository of its own and commit it."""
    path = write(lab, name, cells)
    git(path.parent, "init", "-q")
    git(path.parent, "add", path.name)
    git(path.parent, "commit", "-q", "-m", subject)
    return path


def open_changes(lab: Lab, page: Page, name: str) -> Locator:
    lab.open(page, name)
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    page.locator('.jp-Toolbar [data-jp-item-name="mlwidgets-changes"] :is(button, jp-button)').first.click()
    view = page.locator(".mlw-changes-view")
    view.locator(".mlw-changes-said", has_text=re.compile(".")).wait_for()
    return view


def says(view: Locator, text: str) -> None:
    expect(view.locator(".mlw-changes-said")).to_have_text(re.compile(text))


def choose(page: Page, entry: Locator, item: str) -> None:
    """Choose what is done with a snapshot of the list."""
    entry.get_by_label(re.compile("^What to do with the snapshot")).click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def sources_of(path: Path) -> list[str]:
    deadline = time.monotonic() + 60
    while True:
        try:
            return [cell.source for cell in nbformat.read(path, 4).cells]
        except nbformat.reader.NotJSONError:
            # Jupyter writes in place: for a moment half of it is there.
            assert time.monotonic() < deadline
            time.sleep(0.05)


def wait_until(there: Any) -> None:
    deadline = time.monotonic() + 60
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_changed_since_the_last_commit_is_there_while_it_is_typed(lab: Lab, page: Page) -> None:
    name = "digits.ipynb"
    path = commit(lab, f"committed/{name}", CELLS, "A first net")
    view = open_changes(lab, page, f"committed/{name}")
    says(view, r"^Nothing has changed since commit [0-9a-f]{7,}, ")
    expect(view.locator(".mlw-diff-fold")).to_have_text(f"{len(CELLS)} unchanged cells")
    expect(view.get_by_role("button", name="What did the last save change?")).to_have_count(0)

    # Nobody has saved, and it is told.
    edit(page, name, 2, NET.replace("0.001", "0.0003").replace("AvgPool2d", "MaxPool2d"))
    says(view, "^1 cell edited since commit ")
    cell = view.locator(".mlw-diff-edited")
    expect(cell).to_have_attribute("aria-label", "Cell 3, edited")
    expect(cell.locator("del.mlw-diff-word")).to_have_text(["AvgPool2d", "0.001"])
    expect(cell.locator("ins.mlw-diff-word")).to_have_text(["MaxPool2d", "0.0003"])
    expect(cell.locator(".mlw-diff-stat")).to_have_text("+2 −2")
    assert "0.0003" not in path.read_text()

    # One below the other where there is little room, side by side where there is more.
    gone, come = cell.locator("del.mlw-diff-line").first, cell.locator("ins.mlw-diff-line").first
    beside = "([gone, come]) => come.getBoundingClientRect().left > gone.getBoundingClientRect().left + 100"
    assert not page.evaluate(beside, [gone.element_handle(), come.element_handle()])
    page.set_viewport_size({"width": 1900, "height": 1000})
    page.wait_for_function(beside, arg=[gone.element_handle(), come.element_handle()])
    page.set_viewport_size({"width": 1280, "height": 1000})

    # What is opened stays open, and the place stays the same, while it goes on changing.
    cell.locator(".mlw-diff-fold").first.click()
    cell.locator(".mlw-diff-new", has_text="import torch").wait_for()
    view.locator(".mlw-diff-fold", has_text="31 unchanged cells").click()
    view.locator(".mlw-diff-unchanged", has_text="part_20 = 20").wait_for()
    scroll = view.locator(".mlw-changes-scroll")
    view.locator(".mlw-diff-unchanged", has_text="part_12 = 12").evaluate("cell => cell.scrollIntoView()")
    place = "scroll => scroll.querySelector('[aria-label^=\"Cell 16,\"]').getBoundingClientRect().top"
    before = scroll.evaluate(place)
    edit(page, name, 2, NET.replace("0.001", "0.0004"))
    expect(cell.locator("ins.mlw-diff-word")).to_have_text(["0.0004"])
    expect(cell.locator(".mlw-diff-new", has_text="import torch")).to_be_visible()
    assert abs(scroll.evaluate(place) - before) < 3
    in_notebook(page, name, "content.model.sharedModel.insertCell(5, { cell_type: 'markdown', source: '# Parts' })")
    in_notebook(page, name, "content.model.sharedModel.moveCell(10, 20); content.model.sharedModel.deleteCell(30)")
    says(view, "^1 cell edited, 1 added, 1 removed, 1 moved since commit ")
    expect(view.locator(".mlw-diff-cell.mlw-diff-added")).to_have_attribute("aria-label", "Cell 6, added")
    expect(view.locator(".mlw-diff-moved .mlw-diff-change")).to_have_text(re.compile(r"^moved from \d+$"))
    look(page, "changes-light")

    # From change to change with the keyboard, and from a change to its cell.
    scroll.evaluate("scroll => scroll.scrollTop = 0")
    view.focus()
    page.keyboard.press("n")
    expect(view.locator(".mlw-changes-step")).to_have_text("1 of 4")
    page.keyboard.press("n")
    expect(view.locator("[aria-current=true]")).to_have_attribute("aria-label", "Cell 6, added")
    expect(view.locator("[aria-current=true]")).to_be_in_viewport()
    page.keyboard.press("p")
    page.keyboard.press("p")
    expect(view.locator(".mlw-changes-step")).to_have_text("4 of 4")
    view.get_by_role("button", name="Cell 6", exact=True).click()
    wait_until(lambda: in_notebook(page, name, "return content.activeCellIndex") == 5)

    # What was executed, on request.
    in_notebook(page, name, "content.activeCellIndex = content.widgets.length - 1")
    lab.command(page, "notebook:run-cell")
    in_notebook(page, name, "await context.sessionContext.session.kernel.info")
    page.locator(".jp-OutputArea-output", has_text="loss 0.5").wait_for()
    expect(view.locator(".mlw-diff-outputs")).to_have_count(0)
    view.get_by_role("button", name="Outputs").click()
    expect(view.locator(".mlw-diff-outputs ins.mlw-diff-line")).to_have_text("loss 0.5")
    says(view, "1 cell with other outputs or metadata since commit")
    use_theme(lab, page, "JupyterLab Dark")
    look(page, "changes-dark")
    use_theme(lab, page, "JupyterLab Light")

    # The next commit is what it is compared with from then on.
    save(page, name)
    git(path.parent, "commit", "-q", "-a", "-m", "Parts")
    edit(page, name, 1, "data = [1, 2, 3, 4]")
    says(view, "^1 cell edited since commit ")
    assert git(path.parent, "status", "--porcelain", "--untracked-files=no") == ""
    assert git(path.parent, "branch", "--list").split() == ["*", git(path.parent, "branch", "--show-current").strip()]


def test_history_is_kept_named_opened_and_restored(lab: Lab, page: Page) -> None:
    name = "kept.ipynb"
    path = write(lab, f"alone/{name}", ["a = 1", "b = 2"])
    view = open_changes(lab, page, f"alone/{name}")
    says(view, "Nothing is kept of this notebook yet: its history begins with the next save")
    edit(page, name, 0, "a = 10")
    save(page, name)
    says(view, "^Nothing has changed since the last save, just now")
    edit(page, name, 1, "b = 20")
    says(view, "^1 cell edited since the last save")
    save(page, name)
    says(view, "^Nothing has changed since the last save")
    view.get_by_role("button", name="What did the last save change?").click()
    says(view, r"^1 cell edited from the save before \(.* to the last save \(")
    expect(view.locator("del.mlw-diff-word, ins.mlw-diff-word")).to_have_text(["2", "20"])

    view.get_by_role("button", name="History").click()
    entries = view.locator(".mlw-history-item")
    expect(entries).to_have_count(2)
    expect(entries.first.locator(".mlw-history-stat")).to_have_text("+0 −0 ~1")
    expect(entries.first.locator(".mlw-history-kind")).to_have_text("saved")

    choose(page, entries.nth(1), "Name…")
    page.locator("dialog.mlw-dialog [name=name]").fill("before the talk")
    page.locator("dialog.mlw-dialog").get_by_role("button", name="Save").click()
    expect(entries.nth(1).locator(".mlw-chip")).to_have_text("before the talk")
    choose(page, entries.nth(1), "Compare with now")
    says(view, "^1 cell edited since “before the talk”, ")
    look(page, "changes-history")

    # Back to it, with an edit that nobody has saved, and back again: nothing is lost.
    edit(page, name, 0, "a = 'not saved'")
    choose(page, entries.nth(1), "Restore…")
    page.locator(".jp-Dialog").get_by_role("button", name="Restore").click()
    wait_until(lambda: in_notebook(page, name, SOURCES) == ["a = 10", "b = 2"])
    assert sources_of(path) == ["a = 10", "b = 2"]
    page.locator(".Toastify__toast", has_text="is kept in its history").get_by_role("button", name="Undo").click()
    wait_until(lambda: in_notebook(page, name, SOURCES) == ["a = 'not saved'", "b = 20"])

    talk = view.locator(".mlw-history-item", has_text="before the talk")
    choose(page, talk, "Open as a new notebook")
    page.locator(".lm-TabBar-tabLabel", has_text=re.compile(r"^kept \(\d{4}-")).wait_for()
    (copy,) = path.parent.glob("kept (*.ipynb")
    assert sources_of(copy) == ["a = 10", "b = 2"]

    # What somebody has made of it since is theirs.
    write(lab, f"alone/{copy.name}", ["mine = True"])
    page.locator(".lm-TabBar-tab", has_text=f"Changes: {name}").click()
    choose(page, talk, "Open as a new notebook")
    second = copy.with_name(f"{copy.stem} (2).ipynb")
    page.locator(".lm-TabBar-tabLabel", has_text=second.name).wait_for()
    assert sources_of(copy) == ["mine = True"]
    assert sources_of(second) == ["a = 10", "b = 2"]
    assert sources_of(path) == ["a = 'not saved'", "b = 20"]


def test_what_is_changed_while_a_snapshot_is_restored_is_not_lost(lab: Lab, page: Page) -> None:
    name = "meanwhile.ipynb"
    path = write(lab, f"meanwhile/{name}", ["a = 1"])
    view = open_changes(lab, page, f"meanwhile/{name}")
    for source in ("a = 2", "a = 3"):
        edit(page, name, 0, source)
        save(page, name)
    view.get_by_role("button", name="History").click()
    entries = view.locator(".mlw-history-item")
    expect(entries).to_have_count(2)
    held: list[Route] = []
    page.route(
        "**/mlwidgets/api/history?*",
        lambda route: held.append(route) if '"restore"' in (route.request.post_data or "") else route.continue_(),
    )
    notebook = page.locator(".jp-NotebookPanel")
    sign = notebook.locator(".mlw-changes-held", has_text="Restoring…")
    dialog = page.locator(".jp-Dialog")

    def restore() -> Route:
        """Restore the first snapshot; the request is on its way, and not answered yet."""
        choose(page, entries.last, "Restore…")
        dialog.get_by_role("button", name="Restore").click()
        wait_until(lambda: bool(in_notebook(page, name, "return true") and held))
        return held.pop()

    # Nobody can type in the meantime.
    notebook.locator(".cm-content").first.click()
    page.keyboard.type("x")
    wait_until(lambda: in_notebook(page, name, SOURCES) != ["a = 3"])
    edit(page, name, 0, "a = 3")
    request = restore()
    expect(sign).to_be_visible()
    box = notebook.locator(".cm-content").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 20, box["y"] + box["height"] / 2)
    page.keyboard.type("lost")
    assert in_notebook(page, name, SOURCES) == ["a = 3"]
    page.wait_for_function(
        "sign => sign.getAnimations().every(one => one.playState === 'finished')", arg=sign.element_handle()
    )
    look(page, "changes-restoring")

    # What is changed all the same, by a cell that is being executed for example, is asked about.
    edit(page, name, 0, "a = 'meanwhile'")
    request.continue_()
    expect(dialog).to_contain_text("Changed while it was restored")
    look(page, "changes-meanwhile")
    assert sources_of(path) == ["a = 2"]
    dialog.get_by_role("button", name="Keep the Changes").click()
    expect(sign).to_have_count(0)
    page.locator(".Toastify__toast", has_text="The open notebook is left as it is").wait_for()
    assert in_notebook(page, name, SOURCES) == ["a = 'meanwhile'"]
    notebook.locator(".cm-content").first.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("'!'")
    wait_until(lambda: in_notebook(page, name, SOURCES) == ["a = 'meanwhile''!'"])

    # The save before it asks whether to write over what was restored: whoever says no is where they were.
    choose(page, entries.last, "Restore…")
    dialog.get_by_role("button", name="Restore").click()
    expect(sign).to_have_count(1)
    dialog.get_by_role("button", name="Cancel").click()
    expect(sign).to_have_count(0)
    assert not held
    assert in_notebook(page, name, SOURCES) == ["a = 'meanwhile''!'"]
    assert sources_of(path) == ["a = 2"]

    in_notebook(page, name, "await context.revert()")
    edit(page, name, 0, "a = 4")
    request = restore()
    edit(page, name, 0, "a = 'again'")
    request.continue_()
    dialog.get_by_role("button", name="Discard Them").click()
    wait_until(lambda: in_notebook(page, name, SOURCES) == ["a = 2"])
    page.locator(".Toastify__toast", has_text="is kept in its history").wait_for()


def test_what_cannot_be_compared_is_said_in_one_line(lab: Lab, page: Page) -> None:
    name = "spoilt.ipynb"
    path = commit(lab, f"spoilt/{name}", ["a = 1"], "One")
    view = open_changes(lab, page, f"spoilt/{name}")
    says(view, "^Nothing has changed since commit ")

    # A merge went wrong, outside of Jupyter.
    save(page, name)
    whole = path.read_text()
    path.write_text(f"<<<<<<< HEAD\n{whole}")
    view.get_by_role("button", name="Outputs").click()
    says(view, "holds conflict markers of a merge")
    look(page, "changes-error")
    path.write_text(whole)
    view.get_by_role("button", name="Try again").click()
    says(view, "^Nothing has changed since commit ")
    in_notebook(page, name, "await context.revert()")

    # A server of before there were such routes, and then none at all.
    page.route("**/mlwidgets/api/history?*", lambda route: route.fulfill(status=404, body="<html>"))
    edit(page, name, 0, "a = 2")
    save(page, name)
    says(view, "older than this page: restart the Jupyter server")
    page.unroute("**/mlwidgets/api/history?*")
    page.route("**/mlwidgets/api/**", lambda route: route.abort())
    view.get_by_role("button", name="Try again").click()
    says(view, "The server does not answer")
    page.unroute("**/mlwidgets/api/**")
    view.get_by_role("button", name="Try again").click()
    says(view, "^1 cell edited since commit ")


TRAIN = """\
%%train lenet lr=0.001 --cpus 0 --gpus 0 --wait
from mlwidgets import log
width = 64
for epoch in range(5):
    log({"train/loss": 1 / (1 + epoch), "val/accuracy": 0.5 + lr * width * epoch, "epoch": epoch})"""
AGAIN = TRAIN.replace("lr=0.001", "lr=0.0015").replace("width = 64", "width = 72\nheight = 2")


def test_a_run_says_what_changed_since_the_one_before_and_what_came_of_it(lab: Lab, page: Page) -> None:
    name = "twice.ipynb"
    commit(lab, f"twice/{name}", ["%load_ext mlwidgets", "batch = 32", TRAIN], "Once")
    lab.open(page, f"twice/{name}")
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    lab.command(page, "notebook:run-all-cells")
    view = page.locator(".mlw-run")
    view.locator(".mlw-badge", has_text="finished").wait_for()
    expect(view.locator(".mlw-since")).to_be_hidden()
    expect(view.get_by_role("tab", name="Changes")).to_be_hidden()

    edit(page, name, 1, "batch = 64")
    edit(page, name, 2, AGAIN)
    save(page, name)
    lab.command(page, "notebook:run-all-cells")
    since = view.locator(".mlw-since")
    expect(since).to_have_text(
        re.compile(
            r"^since lenet .+:lr 0\.001 → 0\.0015 · cell \+2 −1 lines .*· val/accuracy 0\.756 → 0\.932 \(better\)$"
        )
    )
    # A run that is over in no time ends before its notebook is kept.
    expect(since).to_have_text(re.compile(" · 1 other cell"))
    since.focus()
    page.keyboard.press("Enter")
    tab = view.locator(".mlw-run-changes")
    expect(view.get_by_role("tab", name="Changes")).to_have_attribute("aria-selected", "true")
    expect(tab.locator(".mlw-changes-since")).to_have_text(re.compile(r"^Since lenet, .+ agofinished$"))
    expect(tab.locator(".mlw-diff-facts").first.locator("tr", has_text="lr")).to_have_text("lr0.001 → 0.0015")
    accuracy = tab.locator(".mlw-effect tr", has_text="val/accuracy")
    expect(accuracy.locator(".mlw-effect-word")).to_have_text("✓ better")
    expect(tab.locator(".mlw-effect tr", has_text="train/loss").locator(".mlw-effect-word")).to_have_text("= the same")
    code = tab.get_by_role("region", name="Code of the cell")
    expect(code.locator("ins.mlw-diff-line")).to_have_text(["width = 72", "height = 2"])
    look(page, "changes-run-light")
    use_theme(lab, page, "JupyterLab Dark")
    look(page, "changes-run-dark")
    use_theme(lab, page, "JupyterLab Light")

    # It is there without a kernel, too.
    save(page, name)
    page.goto(f"{lab.url}/lab")
    page.locator(".mlw-since", has_text=re.compile("lr 0.001 → 0.0015 .* · 1 other cell")).wait_for()
    other = view.get_by_role("region", name="Other cells of the notebook").locator("ins.mlw-diff-line")

    # Another view may take the place of the one that was saved: the tab stays open.
    view.locator(".mlw-since").click()
    expect(other).to_have_text("batch = 64")

    # The run is one of the states that the notebook can be compared with.
    page.locator('.jp-Toolbar [data-jp-item-name="mlwidgets-changes"] :is(button, jp-button)').first.click()
    changes = page.locator(".mlw-changes-view")
    says(changes, "since commit ")
    picker = changes.get_by_label("Compare", exact=True)
    wait_until(lambda: picker.locator("optgroup[label=Runs] option").count() == 2)
    first = picker.locator("optgroup[label=Runs] option").last.get_attribute("value")
    picker.select_option(first)
    says(changes, "^2 cells edited since run lenet, ")


def test_earlier_snapshots_are_shown_on_request(lab: Lab, page: Page) -> None:
    name = "long.ipynb"
    path = write(lab, f"long/{name}", ["a = 0"])
    kept = History(path, lab.store)
    for i in range(9):
        kept.take("save", read_notebook(path.read_bytes().replace(b"a = 0", f"a = {i}".encode()), name))
    kept.name(kept.find("~7"), "first try")
    # A piece of two in place of one of 200.
    page.route(
        "**/mlwidgets/api/history?*",
        lambda route: route.continue_(url=re.sub(r"limit=200\b", "limit=2", route.request.url)),
    )
    view = open_changes(lab, page, f"long/{name}")
    view.get_by_role("button", name="History").click()
    entries, earlier = view.locator(".mlw-history-item"), view.get_by_role("button", name="Show earlier")
    expect(entries).to_have_count(3)
    expect(entries.last.locator(".mlw-chip")).to_have_text("first try")
    look(page, "changes-earlier")

    # What one changed that is shown alone is told from the one before it, which is not.
    entries.last.locator(".mlw-history-entry").click()
    says(view, r"^1 cell edited from the snapshot of .* to “first try”")
    expect(view.locator("del.mlw-diff-word, ins.mlw-diff-word")).to_have_text(["0", "1"])

    earlier.focus()
    page.keyboard.press("Enter")
    expect(entries).to_have_count(5)
    expect(entries.nth(2).locator(".mlw-history-entry")).to_be_focused()
    for count in (7, 8, 9):
        earlier.click()
        expect(entries).to_have_count(count)
    expect(earlier).to_have_count(0)
