"""Schedules in the panel: added by the form, run, paused, edited, removed and brought back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.timetable import Schedules
from tests.browser.test_live_view import look, use_theme
from tests.browser.test_reports import write

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser


def schedule(page: Page, name: str) -> Locator:
    return page.locator(".mlw-schedule").filter(has=page.get_by_text(name, exact=True))


def choose(page: Page, row: Locator, item: str) -> None:
    row.locator(".mlw-schedule-head").click(button="right")
    page.get_by_role("menuitem", name=item, exact=True).click()


def test_a_schedule_is_added_run_paused_edited_and_removed(lab: Lab, page: Page) -> None:
    write(lab, "weekly.ipynb", "print(f'{region}: {100 * price:.0f} sold')")
    lab.open(page, "weekly.ipynb")
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    page.wait_for_function("() => window.jupyterapp.commands.isEnabled('mlwidgets:schedule-notebook')")
    lab.command(page, "mlwidgets:schedule-notebook")

    # The next times are said while one types, and what is wrong where it is.
    form = page.get_by_role("dialog", name="New schedule")
    form.get_by_label("Time zone").fill("Europe/Berlin")
    times = form.locator(".mlw-form-times")
    expect(times).to_contain_text("at 07:00 from Monday to Friday, Europe/Berlin")
    expect(times.get_by_role("listitem")).to_have_text([re.compile(r"^(Mon|Tue|Wed|Thu|Fri) .* 07:00 CES?T$")] * 5)
    form.get_by_label("How often").select_option(label="By cron")
    cron = form.get_by_label("Minute, hour, day")
    expect(cron).to_have_value("0 7 * * 1-5")
    cron.fill("7 7")
    expect(form.get_by_role("alert").filter(has_text="'7 7' is no cron expression")).to_be_visible()
    form.get_by_label("How often").select_option(label="Every week")
    expect(times).to_contain_text("at 07:00 on Mondays, Europe/Berlin")
    form.get_by_label("price").fill("cheap")
    form.get_by_role("button", name="Schedule").click()
    expect(form.get_by_role("alert").filter(has_text="the parameter 'price' is float")).to_be_visible()
    form.get_by_label("price").fill("3")
    look(page, "schedule-form")
    form.get_by_role("button", name="Schedule").click()
    form.wait_for(state="detached")

    row = schedule(page, "weekly")
    expect(row).to_contain_text("at 07:00 on Mondays, Europe/Berlin")
    expect(row).to_contain_text("never ran")
    kept = Schedules(RunStore(lab.store)).find("weekly")
    assert (kept.cron, kept.params, kept.notify) == ("0 7 * * 1", {"price": "3"}, {"failure": ["browser"]})

    row.hover()
    row.get_by_role("button", name="Run weekly now").click()
    expect(row).to_have_attribute("data-state", "started")
    expect(row).to_have_attribute("data-state", "finished")
    expect(row.locator(".mlw-schedule-last")).to_have_text(re.compile(r"finished\s*just now · [\d.:]+"))

    # Opened with the keyboard, it shows its times and the way to what it made.
    row.locator(".mlw-schedule-head").focus()
    page.keyboard.press("ArrowRight")
    expect(row.locator(".mlw-schedule-times li")).to_have_count(5)
    with page.context.expect_page() as opened:
        row.get_by_role("button", name=re.compile("^finished today")).click()
    opened.value.get_by_text("EU: 300 sold").wait_for()
    opened.value.close()
    look(page, "schedules")

    row.hover()
    row.get_by_role("button", name="Pause weekly").click()
    expect(row.locator(".mlw-schedule-next")).to_have_text("paused")
    choose(page, row, "Edit…")
    form = page.get_by_role("dialog", name="Edit weekly")
    expect(form.get_by_label("How often")).to_have_value("week")
    form.get_by_label("At", exact=True).fill("18:30")
    form.get_by_label("Name", exact=True).fill("of-the-week")
    form.get_by_role("button", name="Save").click()
    form.wait_for(state="detached")
    row = schedule(page, "of-the-week")
    expect(row).to_contain_text("at 18:30 on Mondays, Europe/Berlin")
    edited = Schedules(RunStore(lab.store)).find("of-the-week")
    assert (edited.id, edited.enabled, edited.params) == (kept.id, False, {"price": "3"})

    use_theme(lab, page, "JupyterLab Dark")
    look(page, "schedules-dark")
    use_theme(lab, page, "JupyterLab Light")
    row.locator(".mlw-schedule-head").focus()
    page.keyboard.press("Delete")
    row.wait_for(state="detached")
    assert [one.name for one in Schedules(RunStore(lab.store)).list()] == []
    page.locator(".mlw-toast", has_text="of-the-week was removed").get_by_role("button", name="Undo").click()
    row.wait_for()
    assert Schedules(RunStore(lab.store)).firings("of-the-week")[0].state == "finished"
