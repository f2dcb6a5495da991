"""A sweep in the panel: one row that opens to its trials."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

import mlwidgets
from tests.browser.conftest import _free_port
from tests.browser.test_live_view import look, use_theme
from tests.browser.test_panel import find, names, open_panel, row
from tests.browser.test_panel_page import TOKEN, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

TRIAL = """\
import time
from pathlib import Path
from mlwidgets import log
for epoch in range(5):
    log(score=depth * (1 - 0.5 ** (epoch + 1)), other=epoch)
    time.sleep(0.02)
while not Path(gate).exists():
    time.sleep(0.05)"""
CELL = "%%sweep not-again --maximize score --trials 2 --cpus 0 depth=choice(1, 2)\nlog(score=depth)"


def test_a_sweep_is_one_row_that_opens(lab: Lab, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(lab.store))
    gate = tmp_path / "gate"
    mlwidgets.train("from mlwidgets import log\nlog(loss=1.0)", name="folded-plain", cpus=0, gpus=0).wait()
    sweep = mlwidgets.sweep(
        TRIAL,
        name="folded",
        space={"depth": "choice(1, 2, 3, 4)"},
        maximize="score",
        sampler="grid",
        concurrent=2,
        params={"gate": str(gate)},
        cpus=0,
        gpus=0,
    )
    open_panel(lab, page)
    find(page, "folded", 2)
    folded = row(page, "folded")
    expect(folded).to_have_attribute("aria-level", "1")
    expect(folded).to_have_attribute("aria-expanded", "false")
    expect(folded.locator(".mlw-row-about")).to_have_text(re.compile(r"^0/4 trials · 2 running"))
    expect(row(page, "folded-plain")).not_to_have_attribute("aria-expanded", re.compile(""))

    # The keys open it, go through its trials and back, and close it.
    page.locator(".mlw-grid").focus()
    page.keyboard.press("Home")
    expect(folded).to_have_class(re.compile("mlw-active"))
    page.keyboard.press("ArrowRight")
    expect(folded).to_have_attribute("aria-expanded", "true")
    expect(page.locator(".mlw-row[aria-level='2']")).to_have_count(2)
    assert names(page)[:3] == ["folded", "folded-0", "folded-1"]
    page.keyboard.press("ArrowRight")
    expect(row(page, "folded-0")).to_have_class(re.compile("mlw-active"))
    page.keyboard.press("ArrowLeft")
    expect(folded).to_have_class(re.compile("mlw-active"))
    page.locator(".mlw-row[aria-level='2'] .mlw-row-spark path[d*=L]").first.wait_for(state="attached")
    look(page, "sweep-panel-live")
    gate.touch()
    sweep.wait()
    expect(folded).to_have_attribute("data-state", "finished")
    expect(folded.locator(".mlw-row-about")).to_have_text(re.compile(r"^4 trials"))
    expect(folded.locator(".mlw-row-value")).to_have_text(re.compile(r"^3\.875$"))
    expect(page.locator(".mlw-row[aria-level='2']")).to_have_count(4)
    ranked = [f"folded-{run.spec.trial}" for run in sorted(sweep.runs, key=lambda run: -run.last_values()["score"])]
    page.wait_for_function(
        """ranked => ranked.every((name, i) =>
            document.querySelector(`.mlw-row[aria-rowindex="${i + 2}"] .mlw-row-name`)?.innerText === name)""",
        arg=ranked,
    )
    use_theme(lab, page, "JupyterLab Dark")
    look(page, "sweep-panel-dark")
    use_theme(lab, page, "JupyterLab Light")
    page.locator(".mlw-grid").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".mlw-row")).to_have_count(2)
    folded.get_by_label("Show the trials of folded").click()
    expect(page.locator(".mlw-row")).to_have_count(6)

    # A trial that a filter finds is shown below its sweep, which it opens; counts count what was found.
    folded.get_by_label("Hide the trials of folded").click()
    find(page, "depth=4", 2)
    four = next(run for run in sweep.runs if run.last_values()["score"] > 3.5)
    assert names(page) == ["folded", four.name]
    expect(page.locator(".mlw-filters .mlw-count")).to_have_text(re.compile(r"^1 of \d+$"))

    # Trials are compared as runs are, and one of them is opened.
    find(page, "folded", 2)
    folded.get_by_label("Show the trials of folded").click()
    for number in (0, 1):
        trial = row(page, f"folded-{number}")
        trial.hover()
        trial.get_by_label(f"Tick folded-{number}").check()
    page.get_by_role("button", name="Compare 2").click()
    opened = page.locator(".mlw-opened:visible")
    expect(opened.locator(".mlw-run-name")).to_have_count(2)
    page.get_by_label("Untick all").click()
    folded.dblclick()
    expect(opened.locator(".mlw-sweep-row")).to_have_count(4)

    # It goes with its trials, and comes back with them.
    page.locator(".mlw-grid").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Delete")
    toast = page.locator(".mlw-toast", has_text="folded deleted.")
    toast.wait_for()
    expect(page.locator(".mlw-row")).to_have_count(1)
    assert not sweep.path.exists()
    assert not any(run.path.exists() for run in [four])
    toast.get_by_role("button", name="Undo").click()
    folded.wait_for()
    expect(page.locator(".mlw-row")).to_have_count(6)


def test_a_trial_that_its_sweep_ended_early_is_called_so(lab: Lab, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(lab.store))
    # One more try finds the sweep of the first, and other tests have names of which this may be a part.
    name = f"cut-{secrets.token_hex(2)}"
    sweep = mlwidgets.sweep(
        "import time\nfrom mlwidgets import log\nfor epoch in range(20):\n    log(score=depth)\n    time.sleep(0.05)",
        name=name,
        space={"depth": "choice(4, 1)"},
        maximize="score",
        sampler="grid",
        concurrent=1,
        stop_early="bandit:slack=0.1,every=1,delay=1",
        cpus=0,
        gpus=0,
    )
    sweep.wait()
    early = next(run.name for run in sweep.runs if (run.cause or "").startswith("ended early"))
    open_panel(lab, page)
    find(page, name, 1)
    row(page, name).get_by_label(f"Show the trials of {name}").click()
    expect(page.locator(".mlw-row")).to_have_count(3)
    expect(row(page, early).locator(".mlw-row-about")).to_have_text(re.compile("^ended early · "))
    expect(row(page, early).locator(".mlw-row-mark")).to_have_class(re.compile("mlw-state-terminated"))
    look(page, "sweep-panel-early")
    for number in (0, 1):
        trial = row(page, f"{name}-{number}")
        trial.hover()
        trial.get_by_label(f"Tick {name}-{number}").check()
    page.get_by_role("button", name="Compare 2").click()
    badge = page.locator(".mlw-opened:visible tr", has_text=early).locator(".mlw-badge")
    expect(badge).to_have_text("ended early")


def test_on_the_page_of_its_own_others_look_at_a_sweep_and_change_nothing(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path / ".mlwidgets"))
    gate = tmp_path / "gate"
    sweep = mlwidgets.sweep(
        TRIAL,
        name="looked-at",
        space={"depth": "choice(1, 2)"},
        maximize="score",
        concurrent=1,
        params={"gate": str(gate)},
        cpus=0,
        gpus=0,
    )
    port = _free_port()
    context = browser.new_context(viewport={"width": 900, "height": 1000}, color_scheme="dark")
    context.set_default_timeout(60_000)
    page = context.new_page()
    try:
        with served(tmp_path, port, "--read-only"):
            page.goto(f"http://127.0.0.1:{port}/mlwidgets?token={TOKEN}")
            row(page, "looked-at").dblclick()
            view = page.locator(".mlw-opened > .mlw-run")
            expect(view.locator(".mlw-sweep-row", has=page.locator(".mlw-state-running"))).to_have_count(1)
            expect(view.locator(".mlw-sweep-controls")).to_be_hidden()
            expect(view.locator(".mlw-stop")).to_be_hidden()
            look(page, "sweep-page-dark")
            view.locator(".mlw-sweep-row").first.click()
            trial = view.locator(".mlw-sweep-trial")
            expect(trial.locator(".mlw-name")).to_have_text("looked-at-0")
            expect(trial.locator(".mlw-stop")).to_be_hidden()
            trial.get_by_role("button", name="Open on its own").click()
            expect(page.locator(".mlw-opened > .mlw-run .mlw-name")).to_have_text("looked-at-0")
            page.go_back()
            expect(view.locator(".mlw-sweep-row").first).to_be_visible()
    finally:
        context.close()
        gate.touch()
        sweep.stop()


def test_a_cell_that_is_a_sweep_gets_no_second_line(lab: Lab, page: Page) -> None:
    lab.write("sweep-cell.ipynb", CELL)
    open_panel(lab, page, "sweep-cell.ipynb")
    page.locator('.jp-Toolbar [data-jp-item-name="mlwidgets-train"] :is(button, jp-button)').first.click()
    page.locator(".Toastify__toast", has_text="This cell is a sweep").wait_for()
    assert page.locator("dialog.mlw-dialog").count() == 0
    source = "() => window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.getSource()"
    assert page.evaluate(source) == CELL
