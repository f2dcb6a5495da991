"""Notebooks and their text twins in JupyterLab: pairing, edits from elsewhere, conflicts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from mlwidgets.history.twins.known import in_step
from mlwidgets.history.twins.syncing import sync
from tests.browser.test_changes import SOURCES, edit, in_notebook, save, sources_of, wait_until, write
from tests.browser.test_live_view import look, use_theme

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

TOML = 'formats = "ipynb,py:percent"\n'


def paired(lab: Lab, name: str, cells: list[str]) -> tuple[Path, Path]:
    """Write a paired notebook; return it and its twin."""
    path = write(lab, name, cells)
    (path.parent / "jupytext.toml").write_text(TOML)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLWIDGETS_STORE", str(lab.store))
        assert sync(path).changed == "twin"
    return path, path.with_suffix(".py")


def open_twin(lab: Lab, page: Page, name: str) -> Locator:
    """Open a notebook; return what its toolbar says of its twin."""
    lab.open(page, name)
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    return page.locator(".jp-NotebookPanel-toolbar .mlw-twin")


def change(twin: Path, how: Callable[[str], str]) -> None:
    """Edit the text as an editor does that reads a file anew where somebody has written it."""
    while True:
        before = twin.stat()
        text = twin.read_text()
        beside = twin.with_name(f".{twin.name}.new")
        beside.write_text(how(text))
        now = twin.stat()
        if (now.st_ino, now.st_mtime_ns) == (before.st_ino, before.st_mtime_ns):
            beside.rename(twin)
            return


def replace(twin: Path, old: str, new: str) -> None:
    assert old in twin.read_text()
    change(twin, lambda text: text.replace(old, new))


def dirty(page: Page, name: str) -> Any:
    return in_notebook(page, name, "return context.model.dirty")


def nothing_was_asked(page: Page) -> None:
    """Lab says that a file changed on disk by a dialog."""
    expect(page.locator(".jp-Dialog")).to_have_count(0)


def test_both_sides_are_edited_while_the_notebook_is_open(lab: Lab, page: Page) -> None:
    name = "open.ipynb"
    cells = ["import math", "print('one')", *(f"part_{i} = {i}" for i in range(40))]
    path, twin = paired(lab, f"twin-open/{name}", cells)
    item = open_twin(lab, page, f"twin-open/{name}")
    expect(item).to_have_text("open.py")
    expect(item).to_have_attribute("title", re.compile("Paired with twin-open/open.py"))

    # A save writes the text.
    edit(page, name, 0, "import math as m")
    save(page, name)
    wait_until(lambda: "import math as m" in twin.read_text())

    # Outputs, the place, the cursor and the active cell stay when the text is edited elsewhere.
    in_notebook(page, name, "content.activeCellIndex = 1")
    lab.command(page, "notebook:run-cell")
    page.locator(".jp-OutputArea-output", has_text="one").wait_for()
    save(page, name)
    in_notebook(page, name, "content.activeCellIndex = 30; await content.scrollToItem(30, 'center')")
    page.locator(".jp-Cell", has_text="part_28 = 28").last.click()
    page.keyboard.press("End")
    scroll = "return content.node.querySelector('.jp-WindowedPanel-outer').scrollTop"
    wait_until(lambda: in_notebook(page, name, scroll) > 0)
    before = in_notebook(page, name, scroll)
    replace(twin, "part_3 = 3\n", "part_3 = 33\n")
    replace(twin, "part_39 = 39\n", "part_39 = 39\n\n# %% [markdown]\n# The end\n")
    wait_until(lambda: "part_3 = 33" in in_notebook(page, name, SOURCES))
    expect(item).to_contain_text("2 cells updated")
    assert in_notebook(page, name, SOURCES)[-1] == "The end"
    look(page, "twin-updated")
    wait_until(lambda: sources_of(path)[-1] == "The end")
    wait_until(lambda: not dirty(page, name))
    assert abs(in_notebook(page, name, scroll) - before) < 3
    page.keyboard.type("  # here")
    wait_until(lambda: "part_28 = 28  # here" in in_notebook(page, name, SOURCES))
    assert "one" in str(in_notebook(page, name, "return context.model.toJSON().cells[1].outputs"))
    nothing_was_asked(page)

    # With an edit that is not saved, both are there; the next save brings it to both files without a question.
    replace(twin, "part_5 = 5\n", "part_5 = 55\n")
    wait_until(lambda: "part_5 = 55" in in_notebook(page, name, SOURCES))
    assert "part_28 = 28  # here" in in_notebook(page, name, SOURCES)
    assert dirty(page, name)
    save(page, name)
    nothing_was_asked(page)
    wait_until(lambda: "part_28 = 28  # here" in twin.read_text())
    assert "part_5 = 55" in twin.read_text()
    assert sources_of(path)[7] == "part_5 = 55"

    # Saved before anybody could look: the save does not take the edit away.
    replace(twin, "part_6 = 6\n", "part_6 = 66\n")
    edit(page, name, 9, "part_7 = 77")
    save(page, name)
    wait_until(lambda: {"part_6 = 66", "part_7 = 77"} <= set(in_notebook(page, name, SOURCES)))
    wait_until(lambda: {"part_6 = 66", "part_7 = 77"} <= set(sources_of(path)))
    wait_until(lambda: "part_7 = 77" in twin.read_text() and "part_6 = 66" in twin.read_text())
    nothing_was_asked(page)

    # One can undo in a cell what came from elsewhere, and the text follows.
    wait_until(lambda: not dirty(page, name))
    path_before = sources_of(path)
    assert len(path_before) == len(cells) + 1


def test_the_same_cell_on_both_sides_is_decided_side_by_side(lab: Lab, page: Page) -> None:
    name = "both.ipynb"
    path, twin = paired(lab, f"twin-both/{name}", ["a = 1", "lr = 0.1\nsteps = 10\nwidth = 64", "c = 3", "d = 4"])
    item = open_twin(lab, page, f"twin-both/{name}")
    expect(item).to_have_text("both.py")
    edit(page, name, 1, "lr = 0.3\nsteps = 10\nwidth = 64")
    replace(twin, "lr = 0.1", "lr = 0.01\nmomentum = 0.9")
    replace(twin, "d = 4", "d = 44")
    expect(item).to_contain_text("1 conflict")
    # It is told also after further looks, though nothing of it is saved.
    for _ in range(3):
        page.wait_for_event("response", lambda answer: "mlwidgets/api/twins?" in answer.url)
    in_notebook(page, name, "await new Promise(requestAnimationFrame)")
    assert "1 conflict" in item.inner_text()
    edit(page, name, 2, "c = 'notebook'")
    replace(twin, "c = 3", "c = 'text'")
    save(page, name)
    expect(item).to_contain_text("2 conflicts")
    text = twin.read_text()

    # Until then nothing is replaced.
    assert "lr = 0.01" in text
    assert sources_of(path)[1].startswith("lr = 0.3")
    look(page, "twin-conflict")
    item.click()
    dialog = page.locator("dialog.mlw-twin-dialog")
    expect(dialog.locator("fieldset")).to_have_count(2)
    expect(dialog.get_by_role("button", name="Apply")).to_be_disabled()
    expect(dialog.locator("fieldset").first.locator("ins")).not_to_have_count(0)
    look(page, "twin-decide-light")
    use_theme(lab, page, "JupyterLab Dark")
    look(page, "twin-decide-dark")
    use_theme(lab, page, "JupyterLab Light")
    # In a narrow window the sides are one below the other, and so is what says which is which.
    old, new = dialog.locator(".mlw-twin-old").first, dialog.locator(".mlw-twin-new").first
    signs = "(node) => getComputedStyle(node, '::before').display"
    assert [old.evaluate(signs), new.evaluate(signs)] == ["none", "none"]
    page.set_viewport_size({"width": 600, "height": 900})
    rows = dialog.locator("fieldset").first.locator(".mlw-diff-row")
    wait_until(lambda: "px " not in str(rows.first.evaluate("(node) => getComputedStyle(node).gridTemplateColumns")))
    assert [old.evaluate(signs), new.evaluate(signs)] == ["inline", "inline"]
    boxes = [one.bounding_box() for one in (old, new)]
    assert all(box and box["x"] + box["width"] < 300 for box in boxes)
    look(page, "twin-decide-narrow-light")
    use_theme(lab, page, "JupyterLab Dark")
    look(page, "twin-decide-narrow-dark")
    use_theme(lab, page, "JupyterLab Light")
    page.set_viewport_size({"width": 1280, "height": 1000})
    dialog.get_by_role("group", name="Cell 2").get_by_label("both.py").check()
    dialog.get_by_role("group", name="Cell 3").get_by_label("Both", exact=True).check()
    dialog.get_by_role("button", name="Apply").click()
    expect(dialog).to_have_count(0)
    expected = ["a = 1", "lr = 0.01\nmomentum = 0.9\nsteps = 10\nwidth = 64", "c = 'notebook'", "c = 'text'", "d = 44"]
    wait_until(lambda: in_notebook(page, name, SOURCES) == expected)
    wait_until(lambda: sources_of(path) == expected)
    wait_until(lambda: "c = 'notebook'" in twin.read_text())
    expect(item).not_to_contain_text("conflict")
    nothing_was_asked(page)


def test_a_project_is_paired_with_consent_and_a_notebook_unpaired(lab: Lab, page: Page) -> None:
    name = "plain.ipynb"
    path = write(lab, f"twin-plain/{name}", ["a = 1"])
    write(lab, "twin-plain/other.ipynb", ["b = 1"])
    item = open_twin(lab, page, f"twin-plain/{name}")
    expect(item).to_be_hidden()
    lab.command(page, "mlwidgets:pair-notebooks")
    dialog = page.locator("dialog.mlw-twin-dialog")
    expect(dialog.get_by_role("heading", name="2 text files are written")).to_be_visible()
    expect(dialog).to_contain_text("twin-plain/plain.py")
    expect(dialog).to_contain_text('formats = "ipynb,py:percent"')
    look(page, "twin-pair-light")
    use_theme(lab, page, "JupyterLab Dark")
    look(page, "twin-pair-dark")
    use_theme(lab, page, "JupyterLab Light")
    assert not path.with_suffix(".py").exists()
    dialog.get_by_label("Text").select_option("md")
    expect(dialog).to_contain_text("twin-plain/plain.md")
    dialog.get_by_role("button", name="Pair").click()
    expect(dialog).to_have_count(0)
    expect(item).to_have_text("plain.md")
    assert "a = 1" in path.with_suffix(".md").read_text()

    # Another format in its place: what becomes of the texts is said first.
    other = path.with_name("other.md")
    other.write_text(other.read_text().replace("b = 1", "b = 2"))
    lab.command(page, "mlwidgets:pair-notebooks")
    dialog.get_by_label("Text").select_option("py:percent")
    expect(dialog.get_by_role("heading", name="This text file is removed")).to_be_visible()
    expect(dialog.get_by_role("heading", name="This text file of another format stays")).to_be_visible()
    look(page, "twin-pair-other")
    dialog.get_by_role("button", name="Cancel").click()

    item.click()
    look(page, "twin-menu")
    page.get_by_role("menuitem", name="Unpair From Text…").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Unpair").click()
    expect(item).to_be_hidden()
    edit(page, name, 0, "a = 2")
    save(page, name)
    nothing_was_asked(page)
    assert "a = 1" in path.with_suffix(".md").read_text()


def test_a_tag_that_is_taken_away_in_the_text_is_taken_away(lab: Lab, page: Page) -> None:
    name = "tags.ipynb"
    path, twin = paired(lab, f"twin-tags/{name}", ["a = 1"])
    item = open_twin(lab, page, f"twin-tags/{name}")
    expect(item).to_have_text("tags.py")
    save(page, name)
    tags = "return content.model.sharedModel.cells[0].getMetadata('tags') ?? null"
    change(twin, lambda text: text.replace("# %%\na = 1", '# %% tags=["slow"]\na = 1'))
    wait_until(lambda: in_notebook(page, name, tags) == ["slow"])
    # It is saved by itself. Once both files say so its absence is an edit.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLWIDGETS_STORE", str(lab.store))
        wait_until(lambda: "slow" in path.read_text() and in_step(path))
    change(twin, lambda text: text.replace(' tags=["slow"]', ""))
    wait_until(lambda: in_notebook(page, name, tags) is None)
    wait_until(lambda: "slow" not in path.read_text())
    assert "slow" not in twin.read_text()


def test_a_broken_text_is_told_and_saving_goes_on(lab: Lab, page: Page) -> None:
    name = "broken.ipynb"
    path, twin = paired(lab, f"twin-broken/{name}", ["a = 1"])
    item = open_twin(lab, page, f"twin-broken/{name}")
    expect(item).to_have_text("broken.py")
    text = twin.read_text()
    twin.write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n")
    expect(item).to_contain_text("not written")
    edit(page, name, 0, "a = 2")
    save(page, name)
    nothing_was_asked(page)
    assert sources_of(path) == ["a = 2"]
    look(page, "twin-broken")
    twin.write_text(text)
    expect(item).to_have_text("broken.py")
    save(page, name)
    wait_until(lambda: "a = 2" in twin.read_text())
