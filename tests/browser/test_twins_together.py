"""Two people in one notebook, by jupyter-collaboration, while its text twin is written and edited."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE, Lab, serve
from tests.browser.test_changes import SOURCES, in_notebook, sources_of, wait_until
from tests.browser.test_live_view import look
from tests.browser.test_twins import change, open_twin, paired, replace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

ROUNDS = 12
TYPE = "content.widgets[given[0]].model.sharedModel.updateSource(given[1], given[1], given[2])"
CELLS = ["one = 1", "two = 2", "three = 3", "print('out')", *(f"part_{i} = {i}" for i in range(12))]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server that lets people write together."""
    base = tmp_path_factory.mktemp("together")
    config = base / "collaborative"
    config.mkdir()
    with serve(base, sys.executable, "jupyterlab", {"JUPYTER_CONFIG_DIR": str(config)}) as lab:
        yield lab


@pytest.fixture
def pages(browser: Browser) -> Iterator[tuple[Page, Page]]:
    contexts = [browser.new_context(viewport={"width": 1280, "height": 900}) for _ in range(2)]
    for context in contexts:
        context.set_default_timeout(PATIENCE)
    yield contexts[0].new_page(), contexts[1].new_page()
    for context in contexts:
        context.close()


def add(page: Page, name: str, cell: int, text: str) -> None:
    """Write at the end of a cell, as if it were typed."""
    end = in_notebook(page, name, "return content.widgets[given].model.sharedModel.getSource().length", cell)
    in_notebook(page, name, TYPE, [cell, end, text])


def test_nothing_is_lost_while_two_people_and_an_editor_write(shared: Lab, pages: tuple[Page, Page]) -> None:
    name = "together.ipynb"
    path, twin = paired(shared, f"together/{name}", CELLS)
    items = [open_twin(shared, page, f"together/{name}") for page in pages]
    for page, item in zip(pages, items, strict=True):
        assert in_notebook(page, name, "return context.model.collaborative") is True
        expect(item).to_have_text("together.py")
    in_notebook(pages[0], name, "content.activeCellIndex = 3")
    shared.command(pages[0], "notebook:run-cell")
    for page in pages:
        page.locator(".jp-OutputArea-output", has_text="out").wait_for()

    for n in range(ROUNDS):
        add(pages[0], name, 0, f"\none_{n} = {n}")
        replace(twin, "three = 3", f"three = 3\nthree_{n} = {n}")
        add(pages[1], name, 1, f"\ntwo_{n} = {n}")
        if n % 4 == 0:
            change(twin, lambda text, n=n: f"{text}\n# %%\nadded_{n} = {n}\n")  # type: ignore[misc]
        add(pages[0], name, 6, f"\nsix_{n} = {n}")
        wait_until(lambda n=n: any(f"three_{n} = {n}" in one for one in in_notebook(pages[1], name, SOURCES)))

    expected = {
        0: ["one = 1", *(f"one_{n} = {n}" for n in range(ROUNDS))],
        1: ["two = 2", *(f"two_{n} = {n}" for n in range(ROUNDS))],
        2: ["three = 3", *(f"three_{n} = {n}" for n in reversed(range(ROUNDS)))],
        6: ["part_2 = 2", *(f"six_{n} = {n}" for n in range(ROUNDS))],
    }
    every = [*CELLS, *(f"added_{n} = {n}" for n in range(0, ROUNDS, 4))]
    then = [expected[n] if n in expected else [one] for n, one in enumerate(every)]
    for page in pages:
        wait_until(lambda page=page: [one.split("\n") for one in in_notebook(page, name, SOURCES)] == then)
    wait_until(lambda: [one.split("\n") for one in sources_of(path)] == then)
    wait_until(lambda: all(line in twin.read_text().split("\n") for lines in then for line in lines))
    assert nbformat.read(path, 4).cells[3].outputs[0].text == "out\n"
    nbformat.validate(nbformat.read(path, 4))
    for page, item in zip(pages, items, strict=True):
        expect(item).not_to_contain_text("conflict")
        expect(page.locator(".jp-Dialog")).to_have_count(0)
    look(pages[0], "twin-together")


def test_a_conflict_is_decided_by_one_for_both(shared: Lab, pages: tuple[Page, Page]) -> None:
    name = "decided.ipynb"
    path, twin = paired(shared, f"decided/{name}", ["a = 1", "b = 2"])
    items = [open_twin(shared, page, f"decided/{name}") for page in pages]
    for item in items:
        expect(item).to_have_text("decided.py")
    # Both in one moment: what is typed is not saved before the text is written.
    replace(twin, "b = 2", "b = 'text'")
    in_notebook(pages[0], name, "content.widgets[1].model.sharedModel.setSource('b = 3')")
    wait_until(lambda: in_notebook(pages[1], name, SOURCES)[1] in {"b = 3", "b = 'text'"})
    if in_notebook(pages[1], name, SOURCES)[1] == "b = 'text'":
        pytest.skip("the text was there before anybody typed")
    expect(items[1]).to_contain_text("1 conflict")
    items[1].click()
    dialog = pages[1].locator("dialog.mlw-twin-dialog")
    dialog.get_by_role("group", name="Cell 2").get_by_label("Both", exact=True).check()
    dialog.get_by_role("button", name="Apply").click()
    expect(dialog).to_have_count(0)
    then = ["a = 1", "b = 3", "b = 'text'"]
    for page, item in zip(pages, items, strict=True):
        wait_until(lambda page=page: in_notebook(page, name, SOURCES) == then)
        expect(item).not_to_contain_text("conflict")
    wait_until(lambda: sources_of(path) == then)
    wait_until(lambda: "b = 3" in twin.read_text() and "b = 'text'" in twin.read_text())
