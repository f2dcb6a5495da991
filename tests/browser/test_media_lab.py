"""Media of a run in a real JupyterLab: live, by the kernel, and from the saved output, without one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

SETUP = """\
%load_ext mlwidgets
import time
import numpy as np
from mlwidgets import log, log_confusion_matrix, log_histogram, log_image, log_table"""
TRAIN = """\
%%train rich
import os
rng = np.random.default_rng(0)
step = 0
while not os.path.exists("enough"):
    log(loss=1 / (1 + step), step=step)
    log_histogram("weights", rng.normal(step / 10, 1, 1000), step=step)
    log_image("large", rng.random((300, 400)), step=step, caption=f"noise {step}")
    log_confusion_matrix("validation", [0, 1, 1, 0], [0, 1, step % 2, 1], class_names=["cat", "dog"], step=step)
    log_table("worst", {"file": ["a.png", "b.png"], "loss": [2.5, step]}, step=step)
    step += 1
    time.sleep(0.3)"""


def look(page: Page, name: str) -> None:
    """Keep a picture of the page for human eyes, where somebody asked for it."""
    folder = os.environ.get("MLWIDGETS_SCREENSHOTS")
    if folder:
        page.locator(".mlw-run").first.screenshot(path=Path(folder) / f"{name}.png")


def test_media_live_and_from_the_saved_output(lab: Lab, page: Page) -> None:
    lab.write("rich.ipynb", SETUP, TRAIN, "time.sleep(0)")
    lab.open(page, "rich.ipynb")
    lab.command(page, "notebook:run-all-cells")
    view = page.locator(".mlw-media")
    view.locator("canvas").wait_for()
    expect(view.locator(".mlw-section-name")).to_have_text(["Distributions", "Images", "Confusion matrices", "Tables"])
    page.wait_for_function(
        "() => Number(document.querySelector('.mlw-media-images .mlw-media-step').textContent.match(/\\d+/)) > 3"
    )
    # The kernel hands out the picture itself, not only its preview. The one before the latest stays on show.
    view.locator(".mlw-media-images").get_by_role("slider").focus()
    page.keyboard.press("ArrowLeft")
    view.locator(".mlw-media-images img").click()
    page.wait_for_function("() => document.querySelector('.mlw-media-images img').naturalWidth === 400")
    look(page, "media-live")
    (lab.root / "enough").touch()
    page.locator(".mlw-badge", has_text="finished").wait_for()
    lab.save(page, "rich.ipynb")

    page.goto(f"{lab.url}/lab/tree/rich.ipynb?token={lab.token}&reset")
    view.locator("canvas").wait_for()
    expect(view.locator(".mlw-media-matrix tbody th")).to_have_text(["cat", "dog"])
    expect(view.locator(".mlw-media-rows td").nth(0)).to_have_text("a.png")
    expect(view.locator(".mlw-media-rows td").nth(1)).to_have_text("2.5")
    look(page, "media-saved")
