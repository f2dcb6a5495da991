"""What a reader does with a run view: looks closer, searches, compares, reads on with the keyboard alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.test_live_view import look

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

SETUP = """\
%load_ext mlwidgets
import math, time
from mlwidgets import log, save"""
LONG = """\
%%train long --cpus 0
for i in range(200_000):
    log(height=float(i), wave=math.sin(i / 10_000))
for i in range(150_000):
    print("line", i)
log(done=1.0)
while True:
    time.sleep(0.1)"""
RUNS = """\
cell = '''
for epoch in range(epochs):
    log({"train/loss": math.exp(-lr * 100 * epoch), "val/loss": 0.3 + 1 / (1 + lr * 100 * epoch), "epoch": epoch})
    time.sleep(0.05)
save("kept", "notes.txt")
'''
for number, lr in enumerate((0.001, 0.01)):
    get_ipython().run_cell_magic("train", f"run-{number} lr={lr} epochs=12 --cpus 0 --wait", cell)
from mlwidgets import run
from mlwidgets.views.widget import RunView
RunView(run("run-0"), run("run-1"))"""


def zoom_to(page: Page, chart: Locator, begin: float, end: float) -> None:
    """Drag over a part of the chart, once it stands still."""
    plot = chart.locator(".u-over")
    width = plot.evaluate("plot => plot.clientWidth")
    plot.hover(position={"x": begin * width, "y": 40})
    page.mouse.down()
    plot.hover(position={"x": end * width, "y": 45})
    page.mouse.up()


def test_a_closer_look_at_a_long_run(lab: Lab, page: Page) -> None:
    lab.write("long.ipynb", SETUP, LONG)
    lab.open(page, "long.ipynb")
    lab.command(page, "notebook:run-all-cells")
    view = page.locator(".mlw-run")
    view.locator(".mlw-chart-name", has_text="done").wait_for()
    # Three charts where two find room: the last has the whole row.
    right = "selector => document.querySelector(selector).getBoundingClientRect().right"
    full = f"() => ({right})('.mlw-charts') === ({right})('.mlw-charts > :last-child')"
    page.wait_for_function(full)
    heights, waves = view.locator(".mlw-chart").nth(0), view.locator(".mlw-chart").nth(1)

    # One zoom, twice: both charts follow, and the points between those drawn so far come from the kernel.
    zoom_to(page, heights, 0.4, 0.41)
    view.locator(".mlw-toggle", has_text="Reset zoom").wait_for()
    zoom_to(page, heights, 0.4, 0.6)
    heights.focus()
    page.keyboard.press("Home")
    for chart in (heights, waves):
        chart.locator(".mlw-chart-x", has_text="step").wait_for()
    page.wait_for_function(
        """async () => {
            const chart = document.querySelector('.mlw-chart');
            const read = () => Number(chart.querySelector('.mlw-chart-value').innerText);
            const press = key => chart.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
            press('Home');
            await new Promise(requestAnimationFrame);
            const first = read();
            press('ArrowRight');
            await new Promise(requestAnimationFrame);
            return read() === first + 1;
        }"""
    )
    look(page, "zoomed")
    page.keyboard.press("0")
    view.locator(".mlw-toggle", has_text="Reset zoom").wait_for(state="hidden")
    expect(waves).to_have_attribute("aria-label", re.compile("^wave; wave: last "))

    # JupyterLab has the arrow keys for going from cell to cell: not here.
    slider = view.get_by_label("Smoothing", exact=True)
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).not_to_have_value("0")
    page.keyboard.press("Home")
    expect(slider).to_have_value("0")

    # 150,000 lines: the end is there at once, any other line on demand, and few of them are elements.
    output = view.locator(".mlw-output")
    output.locator(".mlw-line", has_text="line 149999").wait_for()
    view.locator(".mlw-hint", has_text="150,000 lines").wait_for()
    output.evaluate("pane => pane.scrollTop = 0")
    output.locator(".mlw-line", has_text=re.compile("^line 0$")).wait_for()
    assert page.locator(".mlw-line").count() < 2000
    view.get_by_label("Search the output").fill("line 7654")
    view.locator(".mlw-finder .mlw-hint", has_text="11 of 11").wait_for()
    page.keyboard.press("Enter")
    view.locator(".mlw-finder .mlw-hint", has_text="1 of 11").wait_for()
    page.keyboard.press("Shift+Enter")
    expect(output.locator(".mlw-current")).to_have_text("line 76549")
    look(page, "found")
    view.get_by_role("button", name="Follow").click()
    output.locator(".mlw-line", has_text="line 149999").wait_for()
    view.locator(".mlw-stop").click()
    page.locator(".mlw-badge", has_text="stopped").wait_for()


def test_two_runs_beside_each_other(lab: Lab, page: Page) -> None:
    lab.write("compare.ipynb", SETUP, RUNS)
    lab.open(page, "compare.ipynb")
    lab.command(page, "notebook:run-all-cells")
    view = page.locator(".mlw-run", has=page.locator(".mlw-runs"))
    view.locator(".mlw-chart canvas").wait_for()
    expect(view.locator(".mlw-runs .mlw-run-name")).to_have_text(["run-0", "run-1"])
    expect(view.locator("thead th.mlw-differs")).to_have_text(["lr"])
    expect(view.locator("td.mlw-differs")).to_have_text(["0.001", "0.01"])
    expect(view.locator(".mlw-runs .mlw-chip")).to_have_text(["epochs 12"], use_inner_text=True)
    expect(view.locator("td.mlw-best")).to_have_count(1)
    expect(view.locator(".mlw-chart-name")).to_have_text(["loss"])
    expect(view.locator(".mlw-chart-value")).to_have_count(4)
    look(page, "two-runs")

    # What is below belongs to the run that is chosen; files and code can be taken home.
    view.get_by_role("radio", name="run-1").check()
    view.get_by_role("tab", name="Parameters").click()
    view.locator(".mlw-pairs td", has_text=re.compile("^0.01$")).wait_for()
    page.keyboard.press("ArrowRight")
    expect(view.get_by_role("tab", name="Code")).to_have_attribute("aria-selected", "true")
    with page.expect_download() as code:
        view.get_by_role("button", name="Download code").click()
    assert code.value.suggested_filename == "run-1.py"
    view.get_by_role("tab", name="Files").click()
    with page.expect_download() as file:
        view.get_by_role("button", name="Download notes.txt").click()
    assert file.value.path().stat().st_size > 0

    # Compare leaves out one of them, and the view is that of a single run again.
    view.get_by_role("button", name="Compare").click()
    box = view.get_by_role("group", name="Runs to compare").get_by_label(re.compile("run-1"))
    box.uncheck()
    view.get_by_role("button", name="Show", exact=True).click()
    page.locator(".mlw-name", has_text=re.compile("^run-0$")).last.wait_for()
    expect(page.locator(".mlw-runs")).to_have_count(0)
