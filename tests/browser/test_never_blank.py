"""What an output shows when kernel, page or both went away: never nothing, never an error, never the same twice."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

from mlwidgets.runs.run import Run
from mlwidgets.runs.store import RunStore
from mlwidgets.views.static import MIME
from tests.browser.test_live_view import SETUP, WIDGET_VIEW, look, saved_when, wait_for_change

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

GOES_ON = """\
%%train {name} lr=0.001
for i in range(100_000):
    log(loss=1 / (i + 1))
    print("step", i)
    time.sleep(0.01)"""
OLD = ".mlw-live[data-old]"
PID = "import os\nprint('pid', os.getpid())"


def the_run(lab: Lab, name: str) -> Run:
    return Run(RunStore(lab.store).find(name).path)


def started(lab: Lab, page: Page, name: str, *more: str) -> None:
    """Open a notebook that trains `name`, and wait until its view is live."""
    lab.write(f"{name}.ipynb", SETUP, GOES_ON.format(name=name), *more)
    lab.open(page, f"{name}.ipynb")
    lab.command(page, "notebook:run-all-cells")
    wait_until_live(page)


def has_numbers(data: dict[str, Any]) -> bool:
    return MIME in data and bool(data[MIME]["runs"][0]["series"])


def in_state(data: dict[str, Any], state: str) -> bool:
    return bool(data[MIME]["runs"][0]["header"]["state"] == state)


def turn_to(shown: Locator) -> None:
    """Move the pointer onto an ended run as a reader does: what is above it may still grow and push it away."""
    live = shown.locator(".mlw-live .mlw-chart canvas")
    deadline = time.monotonic() + 60
    while not live.is_visible():
        assert time.monotonic() < deadline, "the kernel's view did not come"
        shown.page.mouse.move(0, 0)
        shown.locator(".mlw-name").hover()
        with contextlib.suppress(PlaywrightTimeout):
            live.wait_for(timeout=2000)


def wait_until_live(page: Page) -> None:
    page.locator(".mlw-rendered .mlw-live .mlw-chart canvas").first.wait_for()
    wait_for_change(page, ".mlw-chart-value")
    shows_once(page)


def mark_live(page: Page) -> None:
    """Mark the live view: a new kernel's may take its place before one looks."""
    page.locator(".mlw-rendered .mlw-live").evaluate("view => { view.dataset.old = '' }")


def shows_once(page: Page) -> None:
    expect(page.locator(".mlw-run")).to_have_count(1)
    text = page.locator(".jp-OutputArea").all_inner_texts()
    assert not re.search("Loading widget|model not found|Error displaying", "\n".join(text))


def kernel_pid(page: Page) -> int:
    shown = page.locator(".jp-OutputArea-output", has_text=re.compile(r"^pid \d+"))
    shown.wait_for()
    return int(shown.inner_text().split()[1])


def test_a_restarted_kernel_shows_the_run_live_in_the_same_output(lab: Lab, page: Page) -> None:
    started(lab, page, "restarted")
    prompts = page.locator(".jp-InputPrompt")
    expect(prompts).to_have_text(["[1]:", "[2]:"])
    mark_live(page)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.locator(OLD).wait_for(state="detached")
    shows_once(page)
    wait_until_live(page)
    # Nobody's cell was executed for that: the next one is number one.
    expect(prompts).to_have_text(["[1]:", "[2]:"])
    page.locator(".mlw-stop").click()
    page.locator(".mlw-badge", has_text="stopped").wait_for()
    kept = saved_when(lab, page, "restarted.ipynb", lambda data: "image/png" in data)
    assert kept[MIME]["runs"][0]["header"]["state"] == "stopped"
    shows_once(page)


def test_a_killed_kernel_leaves_the_numbers_and_the_run(lab: Lab, page: Page) -> None:
    started(lab, page, "survivor", PID)
    mark_live(page)
    os.kill(kernel_pid(page), signal.SIGKILL)
    page.locator(OLD).wait_for(state="detached")
    shows_once(page)
    expect(page.locator(".mlw-name")).to_have_text("survivor")
    page.locator(".mlw-chart canvas").first.wait_for()
    run = the_run(lab, "survivor")
    assert run.state == "running"
    # JupyterLab starts a new kernel by itself.
    page.keyboard.press("Escape")
    wait_until_live(page)
    run.stop()
    page.locator(".mlw-badge", has_text="stopped").wait_for()


def test_a_run_that_ends_while_nobody_looks_is_shown_as_it_ended(lab: Lab, page: Page) -> None:
    started(lab, page, "unwatched")
    saved_when(lab, page, "unwatched.ipynb", lambda data: has_numbers(data) and in_state(data, "running"))
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.goto("about:blank")
    run = the_run(lab, "unwatched")
    run.stop()
    run.wait()

    lab.open(page, "unwatched.ipynb")
    page.locator(".mlw-badge", has_text="stopped").wait_for()
    shows_once(page)
    kept = saved_when(lab, page, "unwatched.ipynb", lambda data: "image/png" in data)
    assert kept[MIME]["runs"][0]["header"]["state"] == "stopped"
    assert WIDGET_VIEW not in kept


def test_the_end_after_a_reload_is_kept(lab: Lab, page: Page) -> None:
    """JupyterLab drops updates of outputs that are older than the page."""
    started(lab, page, "reloaded")
    lab.save(page, "reloaded.ipynb")
    page.reload()
    wait_until_live(page)
    the_run(lab, "reloaded").stop()
    page.locator(".mlw-badge", has_text="stopped").wait_for()
    kept = saved_when(lab, page, "reloaded.ipynb", lambda data: "image/png" in data)
    assert kept[MIME]["runs"][0]["header"]["state"] == "stopped"
    shows_once(page)


def test_a_reload_while_a_cell_runs_shows_what_there_was_until_it_ends(lab: Lab, page: Page) -> None:
    """JupyterLab itself hears nothing from a busy kernel after a reload."""
    started(lab, page, "busy", "while True:\n    time.sleep(0.05)")
    saved_when(lab, page, "busy.ipynb", has_numbers)
    page.reload()
    page.locator(".mlw-chart canvas").first.wait_for()
    shows_once(page)
    look(page, "reloaded-busy")
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel")
    page.evaluate("() => { void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt() }")
    wait_until_live(page)
    page.locator(".mlw-stop").click()
    page.locator(".mlw-badge", has_text="stopped").wait_for()


def test_an_ended_run_answers_as_soon_as_a_reader_turns_to_it(lab: Lab, page: Page) -> None:
    train = "%%train over --wait --cpus 0\nfrom mlwidgets import save\nlog(loss=1.0)\nsave('kept', 'notes.txt')"
    lab.write("over.ipynb", SETUP, train, "%runs show over")
    lab.open(page, "over.ipynb")
    lab.command(page, "notebook:run-all-cells")
    shown = page.locator(".jp-Cell", has_text="%runs show over").locator(".mlw-rendered")
    shown.locator(".mlw-badge", has_text="finished").wait_for()
    expect(shown.locator(".mlw-live")).to_have_count(0)
    turn_to(shown)
    expect(shown.locator(".mlw-run")).to_have_count(1)
    shown.get_by_role("button", name="Compare").wait_for()
    look(page, "ended-live")
    # After a reload the output of the cell that trained is still, until somebody asks: the same kernel answers.
    lab.save(page, "over.ipynb")
    kept = nbformat.read(lab.root / "over.ipynb", as_version=4).cells[-1].outputs[0]["data"]
    assert MIME in kept
    assert WIDGET_VIEW not in kept
    page.reload()
    view = page.locator(".jp-Cell", has_text="%%train over").locator(".mlw-rendered")
    view.locator(".mlw-tab", has_text="Files").click()
    view.locator(".mlw-live .mlw-chart canvas").wait_for()
    expect(view.locator(".mlw-live .mlw-tab", has_text="Files")).to_have_attribute("aria-selected", "true")
    with page.expect_download() as download:
        view.get_by_role("button", name="Download notes.txt").click()
    assert download.value.path().read_text() == "kept"


def test_without_trust_and_without_a_kernel_the_numbers_are_there(lab: Lab, page: Page) -> None:
    started(lab, page, "foreign")
    # What a notebook keeps in mid-run is at most some seconds old.
    saved_when(lab, page, "foreign.ipynb", has_numbers)
    page.goto("about:blank")
    text = (lab.root / "foreign.ipynb").read_text()
    (lab.root / "untrusted.ipynb").write_text(text.replace("foreign", "changed"))
    lab.open(page, "untrusted.ipynb")
    page.locator(".mlw-chart canvas").first.wait_for()
    shows_once(page)
    expect(page.locator(".mlw-name")).to_have_text("changed")
    expect(page.locator(".mlw-live")).to_have_count(0)
    look(page, "untrusted-running")
    the_run(lab, "foreign").stop()


def test_a_notebook_executed_headless_shows_the_end_of_its_run_when_it_is_opened(lab: Lab, page: Page) -> None:
    path = lab.write("headless.ipynb", SETUP, GOES_ON.format(name="headless").replace("100_000", "200"))
    notebook = nbformat.read(path, as_version=4)
    environment: dict[str, Any] = {**os.environ, "MLWIDGETS_STORE": str(lab.store)}
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(lab.root)}})
    with client.setup_kernel(env=environment):
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
    nbformat.write(notebook, path)
    the_run(lab, "headless").wait()
    lab.open(page, "headless.ipynb")
    lab.command(page, "notebook:trust")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.locator(".mlw-badge", has_text="finished").wait_for()
    shows_once(page)
