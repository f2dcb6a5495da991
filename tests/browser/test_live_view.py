from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from mlwidgets.views.static import MIME

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
SETUP = """\
%load_ext mlwidgets
import math, random, time
from mlwidgets import log"""
TRAIN = """\
%%train lenet --tag team=vision --note "a first try" lr=0.001 epochs=10
import matplotlib.pyplot as plt
from IPython.display import JSON, Latex, Markdown, display
from tqdm import tqdm

plt.figure(figsize=(4, 1.6))
plt.plot([3, 1, 2])
plt.show()
display(Markdown("A **bold** claim: $x^2$"), Latex(r"$\\frac{1}{2}$"), JSON({"layers": [1, 2]}))
print("\\x1b[32mINFO\\x1b[0m starting")
for i in tqdm(range(10_000 * epochs), mininterval=0.05):
    log(loss=2.3 * math.exp(-12.5 * lr * i) + 0.05 * random.random(), accuracy=1 - math.exp(-i / 60))
    if i % 10 == 0:
        tqdm.write(f"step {i}")
    time.sleep(0.01)"""

BROKEN = """\
%%train broken
from IPython.display import JSON, Markdown, display

log(loss=1.0)
display(Markdown("**seen** <img src='data:,' onerror='0'>"), JSON({"kept": 1}))
values = [1, 2]
values[2]"""


def look(page: Page, name: str) -> None:
    """Keep a picture of the page for human eyes, where somebody asked for it."""
    folder = os.environ.get("MLWIDGETS_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")


def use_theme(lab: Lab, page: Page, theme: str) -> None:
    lab.command(page, "apputils:change-theme", {"theme": theme})
    page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
    page.locator("#jupyterlab-splash").wait_for(state="detached")


def saved_when(lab: Lab, page: Page, name: str, there: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Save until an output holds what is asked for; return the output's data."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for cell in lab.save(page, name).cells:
            for output in cell.get("outputs", []):
                if there(output.get("data", {})):
                    return dict(output.data)
        time.sleep(0.2)
    raise AssertionError(f"no output of {name} came to hold what was asked for")


def wait_for_change(page: Page, selector: str) -> None:
    before = page.locator(selector).first.inner_text()
    # One view may be taking the place of another: then there is nothing to read for a moment.
    changed = "([selector, before]) => (document.querySelector(selector)?.innerText ?? before) !== before"
    page.wait_for_function(changed, arg=[selector, before])


def shows_displays(view: Locator) -> None:
    """Wait until Markdown and LaTeX look as JupyterLab's own outputs do."""
    shown = view.locator(".mlw-display")
    expect(shown.locator(".jp-RenderedMarkdown strong")).to_have_text("bold")
    shown.locator(".jp-RenderedMarkdown mjx-container").wait_for()
    shown.locator(".jp-RenderedLatex mjx-container").wait_for()


def test_from_the_first_moment_to_what_is_left(lab: Lab, page: Page) -> None:
    lab.write("live.ipynb", SETUP, TRAIN, "lenet.wait(); print('waited')")
    lab.open(page, "live.ipynb")
    lab.command(page, "notebook:run-all-cells")

    page.locator(".mlw-chart canvas").nth(1).wait_for()
    view = page.locator(".mlw-run")
    expect(view.locator(".mlw-badge")).to_have_text("running")
    expect(view.locator(".mlw-name")).to_have_text("lenet")
    chips = ["lr 0.001", "epochs 10", "team vision"]
    expect(view.locator(".mlw-chip")).to_have_text(chips, use_inner_text=True)
    expect(view.locator(".mlw-chart-name")).to_have_text(["loss", "accuracy"])
    view.locator(".mlw-display img").wait_for()
    expect(view.locator(".mlw-line", has_text="it/s")).to_have_count(1)
    shows_displays(view)
    view.locator(".mlw-display .jp-RenderedJSON", has_text="layers").wait_for()
    for part in (".mlw-elapsed", ".mlw-chart-value", ".mlw-output"):
        wait_for_change(page, part)
    look(page, "live-light")
    use_theme(lab, page, "JupyterLab Dark")
    wait_for_change(page, ".mlw-chart-value")
    look(page, "live-dark")

    # The kernel is busy with a cell, and Stop works all the same. Enter stays with the button: no cell is edited.
    expect(page.locator(".jp-InputPrompt", has_text="[*]")).to_have_count(1)
    page.locator(".mlw-stop").focus()
    page.keyboard.press("Enter")
    page.locator(".mlw-stop:disabled", has_text="Stopping…").wait_for()

    still = page.locator(".mlw-rendered .mlw-run")
    still.locator(".mlw-badge", has_text="stopped").wait_for()
    expect(page.locator(".mlw-run")).to_have_count(1)
    shows_displays(still)
    page.locator(".jp-OutputArea-output", has_text="waited").wait_for()
    look(page, "still-dark")
    use_theme(lab, page, "JupyterLab Light")
    look(page, "still-light")
    kept = saved_when(lab, page, "live.ipynb", lambda data: "image/png" in data)
    assert set(kept) == {MIME, "text/html", "image/png", "text/plain"}


def test_a_reloaded_page_goes_on_showing_the_run(lab: Lab, page: Page) -> None:
    lab.write("reload.ipynb", SETUP, TRAIN)
    lab.open(page, "reload.ipynb")
    lab.command(page, "notebook:run-all-cells")
    page.locator(".mlw-chart canvas").first.wait_for()
    page.locator(".mlw-line", has_text=re.compile(r"^step 20\s*$")).wait_for()
    lab.save(page, "reload.ipynb")
    page.set_viewport_size({"width": 760, "height": 1100})
    page.reload()

    page.locator(".mlw-chart canvas").nth(1).wait_for()
    page.locator(".mlw-line", has_text=re.compile(r"^step 20\s*$")).wait_for()
    wait_for_change(page, ".mlw-chart-value")
    lab.command(page, "application:toggle-left-area")
    look(page, "live-narrow")
    page.locator(".mlw-stop").click()
    page.locator(".mlw-badge", has_text="stopped").wait_for()
    expect(page.locator(".mlw-stop")).to_be_hidden()
    expect(page.locator(".mlw-cause")).to_contain_text("stopped")


def test_a_failed_run_leaves_its_traceback_to_whoever_opens_the_notebook(lab: Lab, page: Page) -> None:
    lab.write("failed.ipynb", SETUP, BROKEN, "_ = broken.wait()")
    lab.open(page, "failed.ipynb")
    lab.command(page, "notebook:run-all-cells")
    page.locator(".mlw-rendered .mlw-traceback", has_text="list index out of range").wait_for()
    kept = saved_when(lab, page, "failed.ipynb", lambda data: "image/png" in data)
    assert WIDGET_VIEW not in kept

    # Somebody else opens it: no kernel has these runs, and the notebook is not trusted.
    (lab.root / "received.ipynb").write_text(
        (lab.root / "failed.ipynb").read_text().replace("list index", "tuple index")
    )
    lab.open(page, "received.ipynb")
    still = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .mlw-rendered .mlw-run")
    still.locator(".mlw-traceback", has_text="tuple index out of range").wait_for()
    expect(still.locator(".mlw-badge")).to_have_text("failed")
    expect(still).to_contain_text(re.compile(r"-+> [67] values\[2\]"), use_inner_text=True)
    still.locator(".mlw-chart canvas").wait_for()
    expect(still.locator(".mlw-display .jp-RenderedMarkdown strong")).to_have_text("seen")
    still.locator(".mlw-display .jp-RenderedJSON", has_text="kept").wait_for()
    expect(still.locator(".mlw-display [onerror]")).to_have_count(0)
    look(page, "still-untrusted")


def test_a_new_kernel_shows_the_run_live_again(lab: Lab, page: Page) -> None:
    loop = "for i in range(100_000):\n    log(step_seen=i)\n    time.sleep(0.01)"
    start = f"{SETUP}\nget_ipython().run_cell_magic('train', 'survivor', {loop!r})"
    lab.write("restart.ipynb", start, "%load_ext mlwidgets\n%runs show survivor")
    lab.open(page, "restart.ipynb")
    lab.command(page, "notebook:run-cell-and-select-next")
    page.locator(".mlw-chart canvas").first.wait_for()
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")

    lab.command(page, "notebook:run-cell")
    again = page.locator(".jp-Notebook-cell").nth(1)
    again.locator(".mlw-chart canvas").wait_for()
    expect(again.locator(".mlw-badge")).to_have_text("running")
    before = again.locator(".mlw-chart-value").inner_text()
    expect(again.locator(".mlw-chart-value")).not_to_have_text(before)
    again.locator(".mlw-stop").click()
    again.locator(".mlw-rendered .mlw-badge", has_text="stopped").wait_for()
