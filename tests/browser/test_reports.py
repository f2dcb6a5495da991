"""A notebook published from JupyterLab: the form, the notification, the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.test_changes import edit
from tests.browser.test_live_view import look
from tests.browser.test_panel import choose, row

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

PARAMETERS = 'region = "EU"  # EU or US\nprice: float = 2.5'
GOES = "print(f'{region}: {100 * price:.0f} sold')"
FAILS = "raise ValueError('no rows for ' + region)"


def write(lab: Lab, name: str, last: str) -> Path:
    """Write a notebook with parameters, as JupyterLab would."""
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell("# Sales of the week"),
        v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        v4.new_markdown_cell("## By region"),
        v4.new_code_cell(last),
    ]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    path = lab.root / name
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def open_form(page: Page) -> Locator:
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    page.locator('.jp-Toolbar [data-jp-item-name="mlwidgets-report"] :is(button, jp-button)').first.click()
    form = page.get_by_role("dialog", name="Publish report")
    form.wait_for()
    return form


def test_a_notebook_becomes_a_page_that_the_notification_opens(lab: Lab, page: Page) -> None:
    path = write(lab, "sales.ipynb", "pass")
    lab.open(page, "sales.ipynb")
    edit(page, "sales.ipynb", 3, GOES)
    form = open_form(page)
    expect(form.get_by_label("Name")).to_have_value("sales")
    assert nbformat.read(path, 4).cells[3].source == GOES, "it is saved first"
    expect(form.get_by_label("region")).to_have_value("EU")
    expect(form).to_contain_text("str · EU or US")
    form.get_by_label("Name").fill("../sales")
    form.get_by_label("price").fill("cheap")
    form.get_by_role("button", name="Publish").click()
    expect(form.locator(".mlw-wrong", has_text="A letter or digit first")).to_be_visible()
    form.get_by_label("Name").fill("sales")
    form.get_by_label("region").fill("US")
    form.get_by_role("button", name="Publish").click()
    expect(form.get_by_role("alert").filter(has_text="the parameter 'price' is float (default 2.5)")).to_be_visible()
    look(page, "report-form")
    form.get_by_label("price").fill("3")
    form.get_by_label("Name").fill("../sales")
    form.get_by_role("button", name="Publish").click()
    expect(form.get_by_role("alert").filter(has_text="the parameter 'price'")).to_have_count(0)
    form.get_by_label("Name").fill("sales")
    form.get_by_role("button", name="Publish").click()
    form.wait_for(state="detached")
    toast = page.locator(".Toastify__toast", has_text="sales")
    toast.get_by_text(re.compile("Publishing sales")).wait_for()
    look(page, "report-progress")
    toast.get_by_text("Published: sales").wait_for()
    look(page, "report-published")
    expect(page.locator(".Toastify__toast")).to_have_count(1)
    with page.context.expect_page() as opened:
        toast.get_by_role("button", name="Open").click()
    report = opened.value
    report.get_by_text("US: 300 sold").wait_for()
    assert report.url == f"{lab.url}/reports/sales/"
    report.get_by_role("link", name="All reports").click()
    report.get_by_role("link", name="Sales of the week").click()
    report.get_by_text("US: 300 sold").wait_for()
    with report.expect_download() as notebook:
        report.get_by_role("link", name="Notebook").click()
    assert "300 sold" in notebook.value.path().read_text()


def test_a_notebook_that_fails_shows_its_cause(lab: Lab, page: Page) -> None:
    write(lab, "broken.ipynb", FAILS)
    lab.open(page, "broken.ipynb")
    form = open_form(page)
    form.get_by_role("button", name="Publish").click()
    toast = page.locator(".Toastify__toast", has_text="broken failed")
    toast.get_by_text("no rows for EU").wait_for()
    look(page, "report-failed")
    toast.get_by_role("button", name="Show run").click()
    page.locator(".mlw-opened .mlw-badge", has_text="failed").wait_for()
    with page.context.expect_page() as opened:
        lab.command(page, "mlwidgets:show-reports")
    opened.value.get_by_text("no rows for EU").first.wait_for()
    lab.command(page, "mlwidgets:open-panel")
    # How far it came is no metric.
    expect(row(page, "broken").locator(".mlw-row-value")).to_have_text("")
    with page.context.expect_page() as opened:
        choose(page, row(page, "broken"), "Open report")
    opened.value.get_by_text("no rows for EU").first.wait_for()
