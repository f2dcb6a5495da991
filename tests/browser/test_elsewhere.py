"""The same outputs outside this environment's JupyterLab: in Notebook 7, from the wheel, as an exported page."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import expect

from mlwidgets.views.static import MIME
from tests.browser.conftest import serve
from tests.browser.test_live_view import SETUP, look, saved_when
from tests.browser.test_never_blank import GOES_ON, has_numbers, shows_once, the_run, wait_until_live
from tests.integration.test_wheel import checkout, python, sdist, wheel

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
__all__ = ["checkout", "python", "sdist", "wheel"]


@pytest.mark.skipif(importlib.util.find_spec("notebook") is None, reason="Notebook 7 is not installed")
def test_notebook_7_shows_a_run_and_its_end(tmp_path: Path, page: Page) -> None:
    with serve(tmp_path, sys.executable, "notebook") as notebook:
        notebook.write("seven.ipynb", SETUP, GOES_ON.format(name="seven"))
        notebook.open(page, "seven.ipynb")
        notebook.command(page, "notebook:run-all-cells")
        wait_until_live(page)
        look(page, "notebook-7")
        saved_when(notebook, page, "seven.ipynb", has_numbers)
        page.reload()
        wait_until_live(page)
        page.locator(".mlw-stop").click()
        page.locator(".mlw-badge", has_text="stopped").wait_for()
        kept = saved_when(notebook, page, "seven.ipynb", lambda data: "image/png" in data)
        assert kept[MIME]["runs"][0]["header"]["state"] == "stopped"
        shows_once(page)
        assert the_run(notebook, "seven").state == "stopped"


def test_the_wheel_is_all_that_a_user_installs(python: Path, tmp_path: Path, page: Page) -> None:
    # The parts of ipywidgets and anywidget in JupyterLab, which this environment lends to that of the wheel.
    for name in ("@jupyter-widgets", "anywidget"):
        lent = Path("share/jupyter/labextensions") / name
        shutil.copytree(Path(sys.prefix) / lent, python.parent.parent / lent)
    clean = {"PATH": str(python.parent), "PYTHONPATH": "", "JUPYTER_PATH": ""}
    with serve(tmp_path / "served", python, "jupyterlab", clean) as served:
        served.write("wheel.ipynb", SETUP, GOES_ON.format(name="wheel"), "import mlwidgets\nprint(mlwidgets.__file__)")
        served.open(page, "wheel.ipynb")
        served.command(page, "notebook:run-all-cells")
        wait_until_live(page)
        expect(page.locator(".jp-OutputArea-output", has_text=str(python.parent.parent))).to_have_count(1)
        page.locator(".mlw-stop").click()
        page.locator(".mlw-badge", has_text="stopped").wait_for()
        saved_when(served, page, "wheel.ipynb", lambda data: "image/png" in data)
        shows_once(page)


def test_an_exported_page_shows_runs_without_the_net(tmp_path: Path, page: Page) -> None:
    from nbconvert import HTMLExporter

    from mlwidgets.views.static import bundle, first_bundle
    from tests.unit.views_support import make_run

    metrics = {"train_loss": [3.0, 2.0, 1.0], "val_loss": [3.5, 2.5, 2.0], "accuracy": [0.1, 0.5, 0.9]}
    ended = make_run(
        tmp_path / "runs", "lenet", metrics=metrics, output="done\n", displays=[{"text/html": "<b>bold</b>"}]
    )
    going = make_run(tmp_path / "runs", "mlp", state="running", metrics=metrics)
    view = {"application/vnd.jupyter.widget-view+json": {"version_major": 2, "version_minor": 0, "model_id": "gone"}}
    outputs = [bundle(ended), {**bundle(going), **view}, first_bundle(going)]
    cell = nbformat.v4.new_code_cell("%%train lenet")
    cell.outputs = [nbformat.v4.new_output("display_data", data) for data in outputs]
    html, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    (tmp_path / "page.html").write_text(html)
    page.context.set_offline(True)
    page.route("http*://**", lambda route: route.abort())
    page.goto((tmp_path / "page.html").as_uri(), wait_until="domcontentloaded")
    shown = page.locator(".jp-OutputArea-output")
    expect(shown).to_have_count(3)
    for index, words in enumerate(("✓ finished", "● running", "● running")):
        text = shown.nth(index).inner_text()
        assert words in text
        assert "Loading widget" not in text
    assert shown.first.locator("img").count() == 2
    page.wait_for_function("() => [...document.images].every(image => image.complete && image.naturalWidth > 0)")
    expect(shown.first.locator("b", has_text="bold")).to_be_visible()
    look(page, "exported")
