"""A run done again from its view and from the panel: what is asked, what is in the way, what came of it."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

import mlwidgets
from tests.browser.test_live_view import look, use_theme
from tests.browser.test_panel import open_panel

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

_SLOW = 120_000
"""Milliseconds that a Python may take to be started by the server, and the run that it sends off."""

SETUP = "%load_ext mlwidgets\nimport math, time\nfrom mlwidgets import log"
LENET = """\
%%train lenet lr=0.05 epochs=24 model=cnn --cpus 0 --gpus 0 --seed 0
for epoch in range(epochs):
    log({"train/loss": math.exp(-lr * epoch), "val/loss": 0.2 + math.exp(-lr * epoch), "epoch": epoch})
    time.sleep(0.02)"""
NEEDS = "import no_such_module_anywhere"
SWEEP = "from mlwidgets import log\nfor i in range(6):\n    log(score=-(x - scale) ** 2 + i / 100)"


def test_from_the_view_in_a_notebook(lab: Lab, page: Page) -> None:
    lab.write("again.ipynb", SETUP, LENET)
    lab.open(page, "again.ipynb")
    lab.command(page, "notebook:run-all-cells")
    view = page.locator(".mlw-run[data-state=finished]")
    view.wait_for()
    view.get_by_role("button", name="Rerun").click()
    dialog = page.get_by_role("dialog", name="Rerun lenet")
    expect(dialog.get_by_label("lr")).to_have_value("0.05")
    expect(dialog.get_by_label("model")).to_have_value("cnn")
    expect(dialog).to_contain_text("compared to the last bit")
    look(page, "rerun-dialog")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(view.get_by_role("button", name="Rerun")).to_be_focused()

    # With another learning rate its curve is drawn beside the first one's.
    page.keyboard.press("Enter")
    dialog.get_by_label("lr").fill("0.2")
    expect(dialog).to_contain_text("With another lr: values are compared")
    look(page, "rerun-dialog-changed")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    rows = page.locator(".mlw-run .mlw-table tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("rerun")
    expect(rows.nth(1).locator(".mlw-badge")).to_contain_text("finished")
    expect(rows.nth(1).locator(".mlw-verdict")).to_have_text("lr changed")
    look(page, "rerun-beside")
    use_theme(lab, page, "JupyterLab Dark")
    look(page, "rerun-beside-dark")


def test_from_the_panel(lab: Lab, page: Page, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(lab.store))
    code = LENET.partition("\n")[2]
    params = {"lr": 0.05, "epochs": 12}
    # One more try finds the runs of the first.
    name = f"twice-{secrets.token_hex(2)}"
    setup = "import math, time\nfrom mlwidgets import log\n"
    first = mlwidgets.train(setup + code, name=name, params=params, namespace={}, cpus=0, gpus=0).wait()
    open_panel(lab, page)
    page.locator(".mlw-search input").fill(name)
    rows = page.locator(".mlw-row")
    expect(rows).to_have_count(1)
    rows.first.click(button="right")
    page.get_by_role("menuitem", name="Rerun…").click()
    dialog = page.get_by_role("dialog", name=f"Rerun {name}")
    expect(dialog.get_by_label("epochs")).to_have_value("12")
    dialog.get_by_role("button", name="Start").click()
    made = page.locator(".mlw-row.mlw-active .mlw-verdict")
    expect(made).to_have_text("same bits", timeout=_SLOW)
    expect(page.locator(".mlw-row.mlw-active")).not_to_have_attribute("data-run", first.id)
    look(page, "rerun-panel")

    # The keyboard alone does it, too; what is in the way is said and can be mended.
    page.keyboard.press("Control+Enter")
    dialog.get_by_label("epochs").fill("many")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("another type", timeout=_SLOW)
    look(page, "rerun-refused")
    dialog.get_by_label("epochs").fill("6")
    expect(dialog.get_by_role("button", name="Start")).to_be_enabled()
    page.keyboard.press("Enter")
    expect(page.locator(".mlw-row.mlw-active .mlw-verdict")).to_have_text("epochs changed", timeout=_SLOW)
    page.keyboard.press("Enter")
    opened = page.locator(".mlw-opened .mlw-run")
    expect(opened.locator(".mlw-rerun-of")).to_contain_text(f"Rerun of {name}")
    expect(opened.locator(".mlw-rerun-summary")).to_contain_text("epochs 12 → 6")
    look(page, "rerun-opened")
    use_theme(lab, page, "JupyterLab Dark")
    look(page, "rerun-opened-dark")
    opened.get_by_role("button", name="Rerun", exact=True).click()
    dialog.get_by_label("epochs").wait_for()
    look(page, "rerun-dialog-dark")
    dialog.get_by_role("button", name="Start").click()
    expect(page.locator(".mlw-opened .mlw-table tbody tr")).to_have_count(2)
    expect(page.locator(".mlw-opened .mlw-table .mlw-verdict", has_text="same bits")).to_be_visible(timeout=_SLOW)
    expect(page.locator(".mlw-opened .mlw-rerun-summary")).to_contain_text(f"the same to the bit as {name}")
    look(page, "rerun-opened-beside")


def test_what_is_in_the_way_and_a_whole_search(lab: Lab, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(lab.store))
    mlwidgets.train(NEEDS, name="needy", namespace={}, cpus=0, gpus=0).wait()
    search = mlwidgets.sweep(
        SWEEP, name="quest", space={"x": "uniform(0, 1)"}, params={"scale": 0.3}, maximize="score", trials=4,
        concurrent=2, namespace={}, cpus=0, gpus=0, sampler="random",
    ).wait()  # fmt: skip
    open_panel(lab, page)
    page.locator(".mlw-search input").fill("needy")
    page.locator(".mlw-row").click(button="right")
    page.get_by_role("menuitem", name="Rerun…").click()
    dialog = page.get_by_role("dialog", name="Rerun needy")
    expect(dialog.get_by_role("alert")).to_contain_text("no_such_module_anywhere")
    expect(dialog.get_by_role("button", name="Start all the same")).to_be_enabled()
    look(page, "rerun-problems")
    page.keyboard.press("Escape")

    page.locator(".mlw-search input").fill("quest")
    page.locator(f'.mlw-row[data-run="{search.id}"]').click(button="right")
    page.get_by_role("menuitem", name="Rerun…").click()
    dialog = page.get_by_role("dialog", name="Rerun quest")
    expect(dialog).to_contain_text("each trial gets the parameters that it had")
    expect(dialog.get_by_label("x")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator(".mlw-row.mlw-active .mlw-verdict")).to_have_text("same bits")
    page.keyboard.press("Enter")
    opened = page.locator(".mlw-opened .mlw-run").first
    expect(opened.locator(".mlw-rerun-of").first).to_contain_text(re.compile("all 4 trials"))
    look(page, "rerun-sweep")


CUT_SHORT = """\
%%train short --cpus 0 --gpus 0 epochs=12 last=6
from mlwidgets import checkpoint, resume
state = {"loss": 1.0}
for epoch in range(resume(state), epochs):
    state["loss"] *= 0.8
    log(loss=state["loss"])
    checkpoint(state, epoch=epoch, loss=state["loss"])
    if epoch == last:
        raise RuntimeError("the disk is gone")"""


def test_a_run_that_was_cut_short_goes_on(lab: Lab, page: Page) -> None:
    lab.write("cut.ipynb", SETUP, CUT_SHORT)
    lab.open(page, "cut.ipynb")
    lab.command(page, "notebook:run-all-cells")
    view = page.locator(".mlw-run[data-state=failed]")
    view.wait_for()
    look(page, "resume-view")
    use_theme(lab, page, "JupyterLab Dark")
    look(page, "resume-view-dark")
    view.get_by_role("button", name="Resume").click()
    dialog = page.get_by_role("dialog", name="Resume short")
    expect(dialog).to_contain_text("A new run goes on after epoch 6; its curves begin with those of this one.")
    expect(dialog.get_by_role("checkbox")).to_have_count(0)
    look(page, "resume-dialog-dark")
    use_theme(lab, page, "JupyterLab Light")
    dialog.get_by_label("last", exact=True).fill("-1")
    look(page, "resume-dialog")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    rows = page.locator(".mlw-run .mlw-table tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1).locator(".mlw-badge")).to_contain_text("finished")
    look(page, "resume-beside")


def test_a_run_that_was_cut_short_goes_on_from_the_panel(lab: Lab, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(lab.store))
    name = f"cut-{secrets.token_hex(2)}"
    code = f"from mlwidgets import log\n{CUT_SHORT.partition(chr(10))[2]}"
    params = {"epochs": 12, "last": 6}
    mlwidgets.train(code, name=name, params=params, namespace={}, cpus=0, gpus=0).wait()
    open_panel(lab, page)
    page.locator(".mlw-search input").fill(name)
    page.locator(".mlw-row").click(button="right")
    look(page, "resume-menu")
    page.get_by_role("menuitem", name="Resume…").click()
    dialog = page.get_by_role("dialog", name=f"Resume {name}")
    expect(dialog).to_contain_text("A new run goes on after epoch 6")
    dialog.get_by_label("last", exact=True).fill("-1")
    dialog.get_by_role("button", name="Resume", exact=True).click()
    made = page.locator(".mlw-row.mlw-active[data-state=finished]")
    expect(made).to_be_visible(timeout=_SLOW)
    expect(page.get_by_text(f"{name} goes on.")).to_be_visible()

    # What has finished is not offered to go on; whoever wants it all the same is told that there may be nothing left.
    made.click(button="right")
    expect(page.get_by_role("menuitem", name="Rerun…")).to_be_visible()
    expect(page.get_by_role("menuitem", name="Resume…")).to_have_count(0)
    page.get_by_role("menuitem", name="Rerun…").click()
    dialog = page.get_by_role("dialog", name=f"Rerun {name}")
    expect(dialog).to_contain_text("now it begins at the first step", timeout=_SLOW)
    dialog.get_by_label("Resume after epoch 11, its last checkpoint").check()
    expect(dialog).to_contain_text("its code may find nothing left to do")
    expect(dialog).not_to_contain_text("now it begins at the first step")
    look(page, "resume-finished")
    dialog.get_by_label("epochs").fill("14")
    expect(dialog).not_to_contain_text("nothing left to do")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden(timeout=_SLOW)
    expect(page.locator(".mlw-row")).to_have_count(3)
