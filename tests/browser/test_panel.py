"""The panel in JupyterLab: every run, live, with no kernel."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

import mlwidgets
from mlwidgets.runs.run import Run
from mlwidgets.views.static import MIME, bundle
from tests.browser.test_live_view import SETUP, look, saved_when, use_theme, wait_for_change

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

Submit = Callable[..., Run]
GOES_ON = """\
import time
from mlwidgets import log
for i in range(100_000):
    log(loss=1 / (i + 1), epoch=i)
    time.sleep(0.02)"""
LOGS_ONCE = "from mlwidgets import log\nlog(loss=level, twice=2 * level)"
HOSTILE = """\
from IPython.display import HTML, SVG, Javascript, display
display(HTML('<p>seen</p><img src=x onerror="parent.hacked=1"><img src=x onerror="window.hacked=1">'
             '<script>parent.hacked=1</script><script>document.body.append("drawn")</script>'))
display(Javascript("window.hacked=1"))
display(SVG("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9' onload='window.hacked=1'/>"))"""


@pytest.fixture
def submit(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Submit:
    """Start runs in Lab's store from here: no kernel knows them."""
    monkeypatch.setenv("MLWIDGETS_STORE", str(lab.store))

    def start(name: str, code: str = GOES_ON, **given: Any) -> Run:
        return mlwidgets.train(code, name=name, cpus=0, gpus=0, **given)

    return start


def open_panel(lab: Lab, page: Page, path: str = "") -> None:
    """Open JupyterLab, or a notebook in it, with the panel in the side bar."""
    if path:
        lab.open(page, path)
    else:
        page.goto(f"{lab.url}/lab?token={lab.token}&reset")
    page.wait_for_function("() => window.jupyterapp?.commands.hasCommand('mlwidgets:open-panel')")
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    lab.command(page, "mlwidgets:open-panel")
    page.locator(".mlw-panel[data-status=live]").wait_for()


def row(page: Page, name: str) -> Locator:
    return page.locator(f'.mlw-row[aria-label^="{name},"]')


def find(page: Page, text: str, count: int | None = None) -> None:
    page.locator(".mlw-search input").fill(text)
    if count is not None:
        rows = page.locator(".mlw-row")
        rows.nth(count - 1).wait_for() if count else page.get_by_text("No run matches").wait_for()
        rows.nth(count).wait_for(state="detached")


def names(page: Page) -> list[str]:
    """The names in the order of the rows, which is not that of their elements."""
    ordered = "rows => rows.sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)"
    name = "row => row.querySelector('.mlw-row-name').innerText"
    return list(page.locator(".mlw-row").evaluate_all(f"rows => ({ordered})(rows).map({name})"))


def choose(page: Page, row_: Locator, item: str) -> None:
    row_.click(button="right")
    page.get_by_role("menuitem", name=item, exact=True).click()


def wait_until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_all_runs_are_there_live_and_can_be_found_sorted_compared(lab: Lab, page: Page, submit: Submit) -> None:
    # Another try finds nothing of this one.
    listed = f"listed-{secrets.token_hex(2)}"
    hostile = '<img src=x onerror="document.title=1">'
    for i, level in enumerate([0.5, 0.25, 4]):
        submit(f"{listed}-{i}", LOGS_ONCE, params={"level": level}, tags={"set": listed}).wait()
    submit(f"{listed}-bad", "raise ValueError('no')", tags={"set": listed}, note=hostile).wait()
    html = f"shows-html-{listed[-4:]}"
    submit(html, HOSTILE).wait()
    open_panel(lab, page)
    live = submit(f"{listed}-live", params={"level": 3}, tags={"set": listed, "odd": hostile})

    find(page, f"set={listed}", 5)
    assert names(page)[0] == f"{listed}-live"
    walker = row(page, f"{listed}-live")
    page.wait_for_function(
        "() => /^[1-9]/.test(document.querySelector('.mlw-row[data-state=running] .mlw-row-value')?.innerText)"
    )
    page.locator(".mlw-row[data-state=running] .mlw-row-spark path[d*=L]").wait_for(state="attached")
    assert walker.get_attribute("data-state") == "running"
    assert re.search(rf"{listed}-live, running, 0:\d\d", walker.get_attribute("aria-label") or "")
    assert hostile in walker.inner_text()
    assert page.locator(".mlw-panel img").count() == 0
    assert row(page, f"{listed}-bad").locator(".mlw-row-about").inner_text().startswith("failed")
    page.locator(".mlw-status", has_text=re.compile(r"[1-9]\d* running")).wait_for()
    look(page, "panel-light")

    sort = page.get_by_label("Sort by")
    sort.select_option("metric:loss")
    page.locator('[aria-rowindex="4"]', has_text=f"{listed}-2").wait_for()
    ended = [name for name in names(page) if name != f"{listed}-live"]
    assert ended == [f"{listed}-{last}" for last in ("1", "0", "2", "bad")]
    sort.select_option("param:level")
    page.get_by_label("Ascending: change to descending").click()
    page.locator('[aria-rowindex="1"]', has_text=f"{listed}-2").wait_for()
    assert names(page) == [f"{listed}-2", f"{listed}-live", f"{listed}-0", f"{listed}-1", f"{listed}-bad"]
    metric = page.get_by_label("Metric on show")
    metric.select_option("twice")
    page.locator('.mlw-row[aria-label*="twice 1"]', has_text=f"{listed}-0").wait_for()
    metric.select_option("")
    page.get_by_label("More filters").click()
    page.get_by_label("State", exact=True).select_option("failed")
    row(page, f"{listed}-0").wait_for(state="detached")
    assert names(page) == [f"{listed}-bad"]
    page.get_by_label("State", exact=True).select_option("")
    find(page, f"set={listed} nothing has this", 0)
    page.get_by_role("button", name="Clear filters").click()
    find(page, f"{listed}-", 5)

    # With the keyboard alone: two are ticked, compared in a tab, and one of them is opened.
    page.locator(".mlw-grid").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    assert page.locator(".mlw-row[aria-selected=true]").count() == 2
    lab.command(page, "mlwidgets:compare")
    opened = page.locator(".mlw-opened:visible")
    opened.locator(".mlw-run-name").nth(1).wait_for()
    opened.locator(".mlw-chart canvas").first.wait_for()
    assert set(opened.locator(".mlw-run-name").all_inner_texts()) == {f"{listed}-2", f"{listed}-live"}
    look(page, "panel-compare")
    page.locator(".mlw-grid").focus()
    page.keyboard.press("Enter")
    page.locator(".mlw-opened:visible .mlw-name", has_text=f"{listed}-live").wait_for()

    # The layout comes back with the page, and what was filtered by too. Workspaces are written a moment later.
    layout = """async () => {
        const { data } = await window.jupyterapp.serviceManager.workspaces.fetch('default');
        return data['layout-restorer:data']?.main?.current ?? '';
    }"""
    wait_until(lambda: page.evaluate(layout).endswith(live.id))
    page.goto(f"{lab.url}/lab")
    page.locator(".mlw-opened .mlw-name", has_text=f"{listed}-live").wait_for()
    page.locator(".lm-TabBar-tabLabel", has_text="2 runs").wait_for()
    page.locator('[aria-rowindex="1"]', has_text=f"{listed}-2").wait_for()
    assert page.locator(".mlw-search input").input_value() == f"{listed}-"
    use_theme(lab, page, "JupyterLab Dark")
    look(page, "panel-dark")
    page.locator(".mlw-grid").focus()
    page.keyboard.press("Home")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Delete")
    toast = page.locator(".mlw-toast", has_text="4 runs deleted, 1 still goes on.")
    toast.get_by_role("button", name="Undo").click()
    page.locator(".mlw-row").nth(4).wait_for()

    # Whose HTML it is nobody knows here: it is drawn, its scripts run, and nothing of it reaches the page.
    find(page, html, 1)
    row(page, html).dblclick()
    view = page.locator(".mlw-opened:visible")
    shown = view.frame_locator(".mlw-sandbox")
    shown.get_by_text("seen").wait_for()
    shown.get_by_text("drawn").wait_for()
    page.wait_for_function("() => parseInt(document.querySelector('.mlw-sandbox').style.height) < 200")
    look(page, "panel-untrusted-html")
    assert page.evaluate("() => window.hacked") is None
    assert view.locator(".mlw-display > img[src^='data:image/svg']").count() == 1
    find(page, f"{listed}-", 5)
    use_theme(lab, page, "JupyterLab Light")
    live.stop()
    # It is said where the user is.
    page.locator(".mlw-row[data-state=stopped]", has_text=f"{listed}-live").wait_for()
    page.locator(".Toastify__toast", has_text=f"{listed}-live stopped").wait_for()


def test_a_run_is_stopped_while_its_kernel_is_dead_then_deleted_and_restored(lab: Lab, page: Page) -> None:
    lab.write("orphan.ipynb", SETUP, f"%%train orphan --cpus 0\n{GOES_ON}")
    open_panel(lab, page, "orphan.ipynb")
    lab.command(page, "notebook:run-all-cells")
    find(page, "orphan", 1)
    orphan = row(page, "orphan")
    page.locator(".mlw-row[data-state=running]").wait_for()
    mark = page.locator(".jp-CodeCell .mlw-cell-mark")
    mark.and_(page.locator("[data-state=running]")).wait_for()
    assert page.locator(".jp-CodeCell").nth(1).locator(".mlw-cell-mark").count() == 1
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    choose(page, orphan, "Name, tags and note…")
    dialog = page.locator("dialog.mlw-dialog")
    dialog.locator("[name=tags]").fill("team=vision, best")
    dialog.locator("[name=note]").fill("keep this")
    dialog.get_by_role("button", name="Save").click()
    orphan.locator(".mlw-row-about", has_text="team=vision · best").wait_for()
    orphan.hover()
    orphan.get_by_label("Pin orphan").click()
    orphan.locator(".mlw-row-star").wait_for()

    orphan.hover()
    orphan.get_by_label("Stop orphan").click()
    page.locator(".mlw-row[data-state=stopped]").wait_for()
    mark.and_(page.locator("[data-state=stopped]")).wait_for()
    page.locator(".mlw-grid").focus()
    page.keyboard.press("Delete")
    orphan.wait_for(state="detached")
    page.locator(".mlw-toast", has_text="orphan deleted.").get_by_role("button", name="Undo").click()
    orphan.wait_for()
    assert orphan.locator(".mlw-row-star").is_visible()
    assert "keep this" in (orphan.get_attribute("title") or "")

    orphan.click()
    for name, now in (("no name", "orphan"), ("adopted", "adopted"), ("orphan", "orphan")):
        page.locator(".mlw-grid").focus()
        page.keyboard.press("F2")
        dialog.locator("[name=name]").fill(name)
        page.keyboard.press("Enter")
        if name != now:
            dialog.locator(".mlw-wrong", has_text="A name has letters").wait_for()
            page.keyboard.press("Escape")
        dialog.wait_for(state="detached")
        row(page, now).wait_for()

    mark.click()
    page.locator(".mlw-opened:visible .mlw-badge", has_text="stopped").wait_for()
    choose(page, orphan, "Go to its cell")
    page.locator(".jp-NotebookPanel:visible .jp-CodeCell.jp-mod-active", has_text="%%train orphan").wait_for()


def test_a_cell_is_made_a_run_by_a_form(lab: Lab, page: Page) -> None:
    lab.write("form.ipynb", "steps = 3\nwidth = 2", "from mlwidgets import log\nlog(loss=steps * width)")
    open_panel(lab, page, "form.ipynb")
    lab.command(page, "notebook:run-cell-and-select-next")
    page.locator(".jp-InputPrompt", has_text="[1]:").wait_for()
    page.locator('.jp-Toolbar [data-jp-item-name="mlwidgets-train"] :is(button, jp-button)').first.click()
    dialog = page.locator("dialog.mlw-dialog")
    dialog.get_by_label("Name").fill("5 is no name")
    dialog.get_by_label("GPUs").fill("0")
    dialog.get_by_label("Parameters").fill("width=7")
    dialog.get_by_role("button", name="Add to cell").click()
    dialog.get_by_text("A letter first").wait_for()
    look(page, "panel-train")
    dialog.get_by_label("Name").fill("by-form")
    dialog.get_by_role("button", name="Add to cell").click()
    dialog.wait_for(state="detached")
    page.locator(".jp-CodeCell", has_text="%load_ext mlwidgets").locator(".jp-InputPrompt", has_text="[2]:").wait_for()

    lab.command(page, "notebook:run-cell")
    find(page, "by-form", 1)
    done = page.locator(".mlw-row[data-state=finished]", has_text="by-form")
    done.locator(".mlw-row-value", has_text="21").wait_for()
    source = "() => window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.getSource()"
    assert (
        page.evaluate(source) == "%%train by-form --gpus 0 width=7\nfrom mlwidgets import log\nlog(loss=steps * width)"
    )


def test_a_notebook_shows_its_runs_live_with_no_kernel_and_keeps_how_they_ended(
    lab: Lab, page: Page, submit: Submit
) -> None:
    """As on another computer: nobody's kernel started these runs, and no cell is executed."""
    run = submit("kept")
    wait_until(lambda: bool(run.last_values()))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"%%train kept\n{GOES_ON}")])
    notebook.metadata["kernelspec"] = {"name": "of-another-computer", "display_name": "Other", "language": "python"}
    notebook.cells[0].outputs = [nbformat.v4.new_output("display_data", json.loads(json.dumps(bundle(run))))]
    nbformat.write(notebook, lab.root / "kept.ipynb")

    page.goto(f"{lab.url}/{lab.tree}/kept.ipynb?token={lab.token}&reset")
    page.locator(".jp-Dialog .jp-mod-reject").click()
    lab.command(page, "notebook:trust")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    output = page.locator(".mlw-rendered")
    output.locator(".mlw-stop:enabled").wait_for()
    wait_for_change(page, ".mlw-rendered .mlw-chart-value")
    assert page.locator(".mlw-run").count() == 1
    assert page.locator(".jp-InputPrompt").all_inner_texts() == ["[ ]:"]
    look(page, "panel-no-kernel")
    output.locator(".mlw-stop").click()
    output.locator(".mlw-badge", has_text="stopped").wait_for()
    kept = saved_when(lab, page, "kept.ipynb", lambda data: data[MIME]["runs"][0]["header"]["state"] == "stopped")
    assert "image/png" in kept
    assert page.locator(".mlw-run").count() == 1
