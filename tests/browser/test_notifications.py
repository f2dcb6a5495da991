"""What the browser itself says when a run has ended while nobody looks at JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

import mlwidgets
from mlwidgets.runs.run import Run
from tests.browser.conftest import PATIENCE
from tests.browser.test_panel import open_panel

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

WATCH = """\
window.said = [];
window.Notification = class extends Notification {
  constructor(title, options) {
    super(title, options);
    window.said.push({ title, tag: this.tag, body: this.body, click: () => this.onclick() });
  }
};"""
"""Notes each notification that is really made: no page can read them back."""


@pytest.fixture
def allowed(browser: Browser, lab: Lab) -> Iterator[Page]:
    """A page whose user has allowed notifications."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, permissions=["notifications"])
    context.set_default_timeout(PATIENCE)
    context.add_init_script(WATCH)
    yield context.new_page()
    context.close()


def leave(page: Page, *, leaves: bool) -> None:
    """Take the focus from the page, or give it back: a browser that is driven says that each page has it."""
    page.evaluate(f"() => {{ document.hasFocus = () => {str(not leaves).lower()}; }}")


def test_the_browser_says_that_a_run_has_ended_while_nobody_looks(
    lab: Lab, allowed: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(lab.store))

    def run(name: str, code: str, **given: Any) -> Run:
        return mlwidgets.train(code, name=name, cpus=0, gpus=0, **given).wait()

    open_panel(lab, allowed)
    assert allowed.evaluate("() => Notification.permission") == "granted"
    seen = run("seen", "pass")
    allowed.locator(".Toastify__toast", has_text="seen finished").wait_for()
    assert allowed.evaluate("() => window.said.length") == 0, "who looks at the page is told there"

    leave(allowed, leaves=True)
    good = run("unseen", "pass")
    allowed.wait_for_function("() => window.said.length === 1")
    bad = run("unseen-bad", "raise ValueError('too much')")
    allowed.wait_for_function("() => window.said.length === 2")
    first, second = allowed.evaluate("() => window.said.map(({ title, tag }) => ({ title, tag }))")
    assert first["title"].startswith("unseen finished after")
    assert second["title"].startswith("unseen-bad failed after")
    assert "too much" in second["title"]
    assert [first["tag"].split("\n")[1], second["tag"].split("\n")[1]] == [good.id, bad.id]
    assert seen.id not in {first["tag"], second["tag"]}

    leave(allowed, leaves=False)
    allowed.evaluate("() => window.said[1].click()")
    allowed.locator(".lm-TabBar-tabLabel", has_text="unseen-bad").wait_for()
    allowed.locator(".lm-DockPanel").get_by_text("ValueError: too much").first.wait_for()
