"""A search is watched, steered and understood: live, in the kernel's widget, and from what a notebook keeps."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from playwright.sync_api import expect

import mlwidgets
from mlwidgets.sweeps.sweep import Sweep
from mlwidgets.views.static import bundle
from tests.browser.test_live_view import look, use_theme

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, WebSocketRoute

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

Search = Callable[..., Sweep]
TRIAL = """\
import math, time
from pathlib import Path
from mlwidgets import log
print("width", width, momentum if width == 64 else "")
for epoch in range(10):
    log(accuracy=(0.98 - 0.15 * abs(math.log10(lr) + 2.5)) * (1 - math.exp(-(epoch + 1) / 3)), epoch=epoch)
    time.sleep(0.01)
while not Path(gate).exists():
    time.sleep(0.05)
if lr > 0.05:
    raise ValueError("too high")"""
SPACE = {
    "lr": "loguniform(1e-5, 1e-1)",
    "width": "choice(32, 64, 128)",
    "momentum": "uniform(0, 0.99).when(width=64)",
}
SEVERAL = """\
%%sweep several --maximize accuracy --minimize latency --trials 6 --seed 1 --concurrent 2 --cpus 0 x=uniform(0,1)
from mlwidgets import log
log(accuracy=1 - x, latency=abs(x - 0.2))"""
DRAWN = """plot => {
    const { data } = plot.getContext('2d').getImageData(0, 0, plot.width, plot.height);
    return data.filter((value, i) => i % 4 === 3 && value > 0).length;
}"""


@pytest.fixture
def search(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Search:
    """Start sweeps in Lab's store from here: no kernel knows them."""
    monkeypatch.setenv("MLWIDGETS_STORE", str(lab.store))

    def start(name: str, gate: Path, **given: Any) -> Sweep:
        asked = {"space": SPACE, "maximize": "accuracy", "sampler": "random", "seed": 2, "max_failures": 0, **given}
        return mlwidgets.sweep(TRIAL, name=name, params={"gate": str(gate)}, cpus=0, gpus=0, **asked)

    return start


def show(lab: Lab, page: Page, sweep: Sweep) -> Locator:
    """Open a sweep in a tab of its own, as the panel does."""
    page.goto(f"{lab.url}/lab?token={lab.token}&reset")
    page.wait_for_function("() => window.jupyterapp?.commands.hasCommand('mlwidgets:open-run')")
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    lab.command(page, "mlwidgets:open-run", {"store": "", "runs": [sweep.id], "name": sweep.name})
    return page.locator(".mlw-opened:visible > .mlw-run")


def board(view: Locator, state: str) -> Locator:
    return view.locator(".mlw-sweep-row", has=view.page.locator(f".mlw-state-{state}"))


def drawn(view: Locator, plot: str, canvas: int = 0) -> int:
    """How many pixels of a plot there are; the second canvas holds what is looked at."""
    return int(view.locator(f".mlw-sweep-all .mlw-sweep-{plot} canvas").nth(canvas).evaluate(DRAWN))


def test_a_search_is_watched_steered_and_understood(lab: Lab, page: Page, search: Search, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    sweep = search("watched", gate, trials=14, concurrent=1, stop_early="bandit:slack=0.05,every=1,delay=3")
    view = show(lab, page, sweep)
    expect(board(view, "running")).to_have_count(1)

    # More at a time, then none: those that run may end, and the search says why it stands still.
    view.get_by_role("button", name="One trial more at a time").click()
    expect(board(view, "running")).to_have_count(2)
    expect(view.locator(".mlw-sweep-concurrent")).to_have_text("2 at a time")
    look(page, "sweep-live")

    # A trial that goes on is opened in place, and is as live as any run.
    view.locator(".mlw-sweep-row[data-trial='0']").click()
    trial = view.locator(".mlw-sweep-trial")
    expect(trial.locator(".mlw-name")).to_have_text("watched-0")
    expect(trial.locator(".mlw-line")).to_have_text(re.compile(r"width \d+"))
    expect(trial.locator(".mlw-stop")).to_be_enabled()
    expect(view.locator(".mlw-sweep-all")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(view.locator(".mlw-sweep-row[data-trial='0']")).to_be_focused()

    view.get_by_role("button", name="Pause").click()
    paused = view.locator(".mlw-sweep-paused")
    expect(paused).to_contain_text("Paused:")
    gate.touch()
    expect(board(view, "running")).to_have_count(0)
    assert view.locator(".mlw-sweep-row").count() < 14
    view.get_by_role("button", name="One trial fewer at a time").click()
    expect(view.locator(".mlw-sweep-concurrent")).to_have_text("1 at a time")
    paused.get_by_role("button", name="Resume").click()
    expect(paused).to_be_hidden()
    expect(view.locator(".mlw-header > .mlw-title .mlw-badge").first).to_have_text("finished")
    expect(view.get_by_role("button", name="Pause")).to_have_count(0)

    # What it found is what the disk says.
    rows = view.locator(".mlw-sweep-row")
    expect(rows).to_have_count(14)
    best = sweep.best
    assert best is not None
    expect(view.locator(".mlw-sweep-fact", has_text="Best accuracy").get_by_role("button")).to_have_text(
        f"trial {best.spec.trial}"
    )
    expect(rows.first).to_have_attribute("data-trial", str(best.spec.trial))
    # That it had all its trials needs no words.
    expect(view.locator(".mlw-header > .mlw-cause")).to_be_hidden()
    trials = sweep.trials
    early = trials[trials["state"] == "ended early"]
    assert len(early)
    expect(board(view, "terminated")).to_have_count(len(early))
    saved = view.locator(".mlw-sweep-fact", has_text="Saved by ending early")
    expect(saved).to_be_visible()
    expect(saved).to_contain_text(re.compile("computing|computed"))
    expect(view.locator(".mlw-sweep-bar")).to_have_text(
        [re.compile(rf"{name}.*%") for name in (sweep.importance or {})]
    )
    for plot in ("history", "curves", "parallel", "scatter"):
        assert drawn(view, plot) > 1000, plot
    look(page, "sweep-done")

    # Looking at a trial in one place is looking at it in all.
    parallel = view.locator(".mlw-sweep-parallel")
    assert drawn(view, "curves", 1) == 0
    rows.nth(1).hover()
    page.wait_for_function(f"() => ({DRAWN})(document.querySelectorAll('.mlw-sweep-curves canvas')[1]) > 100")
    page.wait_for_function(f"() => ({DRAWN})(document.querySelectorAll('.mlw-sweep-parallel canvas')[1]) > 100")
    page.mouse.move(0, 0)
    expect(rows.nth(1)).not_to_have_class(re.compile("mlw-hovered"))
    view.locator(".mlw-sweep-history").focus()
    page.keyboard.press("ArrowUp")
    tip = view.locator(".mlw-sweep-tip")
    expect(tip).to_contain_text(re.compile(rf"Trial {best.spec.trial} ★.*lr.*width", re.DOTALL))
    expect(rows.first).to_have_class(re.compile("mlw-hovered"))
    spoken = view.locator(".mlw-sweep-history .mlw-hidden")
    expect(spoken).to_have_text(re.compile(f"^trial {best.spec.trial}, finished"))
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()

    # A drag along an axis, and a choice of words, keep some trials in all parts.
    parallel.scroll_into_view_if_needed()
    over = parallel.locator("canvas").nth(1)
    over.hover(position={"x": 14, "y": 30})
    page.mouse.down()
    over.hover(position={"x": 14, "y": 90})
    over.hover(position={"x": 14, "y": 120})
    page.mouse.up()
    count = view.locator(".mlw-sweep-count")
    expect(count).to_have_text(re.compile(r"^\d+ of 14 trials$"))
    expect(view.locator(".mlw-sweep-trial")).to_be_hidden()
    between = int(re.findall(r"\d+", count.inner_text())[0])
    assert 0 < between < 14
    expect(rows).to_have_count(between)
    view.get_by_role("button", name="lr: change the filter").click()
    dialog = view.get_by_role("dialog", name="Filter by lr")
    low = dialog.get_by_label("lr from")
    assert 1e-5 < float(low.input_value()) < 0.1
    dialog.get_by_role("button", name="All values").click()
    expect(rows).to_have_count(14)
    view.get_by_role("button", name="momentum: filter").focus()
    page.keyboard.press("Enter")
    dialog = view.get_by_role("dialog", name="Filter by momentum")
    dialog.get_by_label("not set").uncheck()
    expect(rows).to_have_count(len(trials[trials["width"] == 64]))
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    look(page, "sweep-brushed")
    view.get_by_role("button", name="Show all", exact=True).click()
    expect(rows).to_have_count(14)
    view.get_by_role("button", name=re.compile("^ended early")).click()
    expect(rows).to_have_count(14 - len(early))
    view.get_by_role("button", name="Show all", exact=True).click()

    # Best first those that finished; by value all alike.
    ranked = view.get_by_role("button", name="Best first")
    expect(ranked).to_have_attribute("aria-pressed", "true")
    states = [str(row.get_attribute("aria-label")).split(", ")[1] for row in rows.all()]
    assert states == sorted(states, key=["finished", "ended early", "failed"].index)
    expect(view.locator("th[aria-sort]")).to_have_count(0)
    view.get_by_role("button", name="accuracy", exact=True).click()
    expect(view.locator("th[aria-sort=descending]")).to_have_text(re.compile("accuracy"))
    values = [float(text) for text in view.locator(".mlw-sweep-measured").all_inner_texts() if text != "–"]
    assert values == sorted(values, reverse=True)
    ranked.click()
    expect(rows.first).to_have_attribute("data-trial", str(best.spec.trial))

    # By another column, and with the keys to the trial that was cut off: it says why.
    view.get_by_role("button", name="#", exact=True).click()
    expect(rows).to_have_count(14)
    assert [int(row.get_attribute("data-trial") or -1) for row in rows.all()] == list(range(14))
    rows.first.focus()
    number = int(early["trial"].iloc[0])
    for _ in range(number):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    verdict = trial.locator(".mlw-sweep-verdict")
    expect(verdict).to_contain_text(f"Ended early: {early['why'].iloc[0].removeprefix('ended early: ')}")
    page.wait_for_function(f"() => ({DRAWN})(document.querySelectorAll('.mlw-sweep-verdict canvas')[1]) > 100")
    expect(trial.locator(".mlw-badge")).to_have_text("ended early")
    look(page, "sweep-verdict")
    trial.get_by_role("button", name="Trial after").click()
    expect(trial.locator(".mlw-sweep-trial-name")).to_have_text(re.compile(f"^Trial {number + 1}"))

    # In a tab of its own where there are tabs.
    name = trial.locator(".mlw-name").inner_text()
    trial.get_by_role("button", name="Open on its own").click()
    expect(page.locator(".mlw-opened:visible .mlw-name")).to_have_text(name)
    expect(page.locator(".lm-TabBar-tabLabel", has_text=re.compile(f"^{name}$"))).to_have_count(1)


def test_what_came_of_a_search_and_what_did_not_is_said(lab: Lab, page: Page, search: Search, tmp_path: Path) -> None:
    def deaf(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(lambda message: None if '"pause"' in str(message) else server.send(message))

    page.route_web_socket(re.compile("/mlwidgets/"), deaf)
    gate = tmp_path / "gate"
    sweep = search("limited", gate, trials=20, concurrent=1, target=0.1)
    view = show(lab, page, sweep)
    expect(board(view, "running")).to_have_count(1)
    view.get_by_role("button", name="Pause").click()
    expect(view.get_by_role("button", name="Pausing…")).to_be_disabled()
    expect(view.locator(".mlw-sweep-refused")).to_have_text(re.compile("^It has not paused"))
    expect(view.get_by_role("button", name="Pause")).to_be_enabled()
    view.get_by_role("button", name="One trial more at a time").click()
    expect(view.locator(".mlw-sweep-refused")).to_be_hidden()
    gate.touch()
    sweep.wait()
    expect(view.locator(".mlw-header > .mlw-cause")).to_have_text(re.compile("^Finished: .*accuracy"))
    expect(view.locator(".mlw-sweep-importance")).to_contain_text("Not enough trials have finished.")


def test_a_search_for_several_goals_in_a_notebook_and_what_that_keeps(
    lab: Lab, page: Page, search: Search, tmp_path: Path
) -> None:
    lab.write("several.ipynb", "%load_ext mlwidgets", SEVERAL)
    lab.open(page, "several.ipynb")
    lab.command(page, "notebook:run-all-cells")
    view = page.locator(".mlw-run").first
    expect(view.locator(".mlw-badge").first).to_have_text("finished")
    expect(view.locator(".mlw-sweep-row")).to_have_count(6)
    found = mlwidgets.run("several")
    assert isinstance(found, Sweep)
    front = {run.spec.trial for run in found.front}
    best = view.locator(".mlw-sweep-row.mlw-best")
    expect(best).to_have_count(len(front))
    assert {int(row.get_attribute("data-trial") or -1) for row in best.all()} == front
    expect(view.locator(".mlw-sweep-scatter .mlw-chart-notes")).to_contain_text("on the Pareto front")
    use_theme(lab, page, "JupyterLab Dark")
    view.get_by_label("Objective").select_option("latency")
    expect(view.locator(".mlw-sweep-history .mlw-chart-name")).to_have_text("Best latency so far")
    look(page, "sweep-several")
    use_theme(lab, page, "JupyterLab Light")

    # As on another computer: no kernel, and no store that knows the search.
    (tmp_path / "gate").touch()
    kept = search("kept", tmp_path / "gate", trials=5, concurrent=2)
    kept.wait()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("%%sweep kept")])
    notebook.metadata["kernelspec"] = {"name": "of-another-computer", "display_name": "Other", "language": "python"}
    notebook.cells[0].outputs = [nbformat.v4.new_output("display_data", json.loads(json.dumps(bundle(kept))))]
    nbformat.write(notebook, lab.root / "kept-sweep.ipynb")
    shutil.rmtree(kept.path)
    page.goto(f"{lab.url}/{lab.tree}/kept-sweep.ipynb?token={lab.token}&reset")
    page.locator(".jp-Dialog .jp-mod-reject").click()
    still = page.locator(".mlw-rendered .mlw-run").first
    expect(still.locator(".mlw-sweep-row")).to_have_count(5)
    expect(still.locator(".mlw-sweep-controls")).to_be_hidden()
    facts = [fact.bounding_box() for fact in still.locator(".mlw-sweep-fact:visible").all()]
    assert all(fact and fact["height"] < 60 for fact in facts), "the notebook's own rules lay the facts out"
    look(page, "sweep-kept")
    still.locator(".mlw-sweep-row").first.click()
    trial = still.locator(".mlw-sweep-trial")
    expect(trial).to_contain_text("Only what the sweep knows of it is kept here.")
    trial.locator(".mlw-chart canvas").last.wait_for()
    trial.get_by_role("button", name="All trials").click()
    expect(still.locator(".mlw-sweep-all")).to_be_visible()
