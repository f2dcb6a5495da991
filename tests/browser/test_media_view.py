"""Histograms, images, confusion matrices and tables as a reader sees and uses them: a real browser, no kernel."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import expect

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.media import Image
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import RunSpec, new_run_id
from mlwidgets.tracking import log_confusion_matrix, log_histogram, log_image, log_table
from mlwidgets.tracking import media as tracked
from mlwidgets.views.media import media

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

RANDOM = np.random.default_rng(0)
THEMES = {"light": "color:#212121;background:#fff", "dark": "color:#e0e0e0;background:#111"}


@pytest.fixture(scope="session")
def built(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The views as one script and one style sheet, built from the sources."""
    esbuild = root / "node_modules" / ".bin" / "esbuild"
    if shutil.which("node") is None or not esbuild.exists():
        reason = "building the views needs node and `npm ci`"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    folder = tmp_path_factory.mktemp("built")
    views = root / "labextension" / "views"
    (folder / "page.ts").write_text(
        "".join(f"import {str(style)!r};\n" for style in sorted(views.glob("*.css")))
        + f"import {{ mountMedia }} from {str(views / 'media' / 'index.ts')!r};\n"
        "Object.assign(window, { mountMedia });\n"
    )
    command = [str(esbuild), str(folder / "page.ts"), "--bundle", f"--outdir={folder}", "--log-level=error"]
    subprocess.run(command, check=True, cwd=root)
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run in whose folder this process logs."""
    folder = RunFolder.create(tmp_path, RunSpec(new_run_id("seen"), "seen", "pass\n"))
    monkeypatch.setenv("MLWIDGETS_RUN_FOLDER", str(folder.path))
    monkeypatch.setattr(tracked, "_active", None)
    return Run(folder.path)


@pytest.fixture
def mount(page: Page, built: Path) -> Iterator[Callable[..., Locator]]:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def mount(shown: Any, theme: str = "light", width: int = 900) -> Locator:
        page.set_viewport_size({"width": width, "height": 900})
        page.set_content(f"<html style='{THEMES[theme]}'><body><article class='mlw-run'></article></body></html>")
        page.add_style_tag(path=str(built / "page.css"))
        page.add_script_tag(path=str(built / "page.js"))
        page.evaluate("m => { window.view = mountMedia(document.querySelector('.mlw-run'), m); }", shown)
        return page.locator(".mlw-media")

    yield mount
    assert errors == []


def log_all(step: int) -> None:
    log_histogram("weights", RANDOM.normal(step, 0.5, 1000), step=step)
    log_histogram("gradients", [0.0, float("nan")] if step == 1 else RANDOM.normal(size=50), step=step)
    log_image("samples", RANDOM.random((3, 8, 8, 3)), step=step, caption=[f"a{step}", f"b{step}", f"c{step}"])
    log_confusion_matrix("validation", counts=[[8, 2], [step, 5]], class_names=["cat", "dog"], step=step)
    log_table("worst", [{"file": f"f{i}", "loss": (i * 7) % 10} for i in range(150)], step=step)


def have_widths(images: Locator, widths: list[int]) -> None:
    """Wait until there are these images; pictures are decoded aside."""
    expect(images).to_have_count(len(widths))
    for image, width in zip(images.all(), widths, strict=True):
        expect(image).to_have_js_property("naturalWidth", width)


PAINTED = """canvas => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, i) => i % 4 === 3 && value).length;
}"""
"""How many pixels of a canvas are not empty."""


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [900, 340])
def test_everything_is_drawn_and_fits(run: Run, mount: Callable[..., Locator], theme: str, width: int) -> None:
    for step in range(4):
        log_all(step)
    view = mount(media(run), theme, width)
    expect(view.locator(".mlw-section-name")).to_have_text(["Distributions", "Images", "Confusion matrices", "Tables"])
    canvas = view.locator("canvas").first
    view.page.wait_for_function(f"() => ({PAINTED})(document.querySelector('canvas')) > 2000")
    assert view.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    have_widths(view.locator(".mlw-media-picture img"), [8, 8, 8])
    before = canvas.evaluate("c => c.toDataURL()")
    other = THEMES["dark" if theme == "light" else "light"]
    view.page.evaluate("style => document.documentElement.setAttribute('style', style)", other)
    view.page.wait_for_function("old => document.querySelector('canvas').toDataURL() !== old", arg=before)


def test_the_slider_goes_through_the_steps(run: Run, mount: Callable[..., Locator]) -> None:
    for step in range(3):
        log_all(step)
    card = mount(media(run)).locator(".mlw-media-images")
    expect(card.locator(".mlw-media-step")).to_have_text("step 2, the latest")
    card.get_by_role("slider").focus()
    card.page.keyboard.press("ArrowLeft")
    expect(card.locator(".mlw-media-step")).to_have_text("step 1")
    expect(card.locator("img").first).to_have_attribute("alt", "a1")
    # What comes meanwhile leaves the reader where they are; who is at the latest sees what comes.
    log_all(3)
    matrix = card.page.locator(".mlw-media-confusion")
    card.page.evaluate("m => window.view.update(m)", media(run))
    expect(card.locator(".mlw-media-step")).to_have_text("step 1")
    expect(matrix.locator(".mlw-media-step")).to_have_text("step 3, the latest")
    expect(matrix.locator("tbody td")).to_have_text(["8", "2", "3", "5"])


def test_the_pointer_looks_at_a_step_for_a_moment_and_a_click_stays(run: Run, mount: Callable[..., Locator]) -> None:
    for step in range(3):
        log_all(step)
    card = mount(media(run)).locator(".mlw-media-histogram").nth(1)
    canvas, label, words = card.locator("canvas"), card.locator(".mlw-media-step"), card.locator(".mlw-media-words")
    box = canvas.bounding_box()
    assert box is not None
    expect(words).not_to_contain_text("NaN")
    middle = {"x": box["width"] * 0.4, "y": 60}
    canvas.hover(position=middle)
    expect(label).to_have_text("step 1")
    expect(words).to_contain_text("1 NaN")
    card.page.mouse.move(0, 0)
    expect(label).to_have_text("step 2, the latest")
    canvas.click(position=middle)
    card.page.mouse.move(0, 0)
    expect(label).to_have_text("step 1")
    expect(canvas).to_have_attribute("aria-label", re.compile("1 NaN"))


def test_confusion_matrix_by_pointer_and_keys(run: Run, mount: Callable[..., Locator]) -> None:
    log_all(1)
    card = mount(media(run)).locator(".mlw-media-confusion")
    words = card.locator(".mlw-media-words")
    expect(words).to_have_text("16 samples · accuracy 81.3%")
    card.locator("tbody td").nth(1).hover()
    expected = (
        "cat taken for dog: 2 (20% of cat) · cat: recall 80%, precision 88.9% · dog: recall 83.3%, precision 71.4%"
    )
    expect(words).to_have_text(expected)
    card.locator("thead th").nth(1).hover()
    expect(words).to_have_text(re.compile(r"^dog, right: 5 \(83\.3% of dog\)"))
    card.page.mouse.move(0, 0)
    card.locator(".mlw-media-grid").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight"):
        card.page.keyboard.press(key)
    expect(words).to_have_text(expected)
    card.locator("select").select_option("true")
    expect(card.locator("tbody td")).to_have_text(["80%", "20%", "16.7%", "83.3%"])
    card.locator("select").select_option("predicted")
    expect(card.locator("tbody td")).to_have_text(["88.9%", "28.6%", "11.1%", "71.4%"])


def test_table_is_sorted_by_a_click_and_says_what_it_lacks(run: Run, mount: Callable[..., Locator]) -> None:
    log_all(1)
    card = mount(media(run)).locator(".mlw-media-table")
    expect(card.locator(".mlw-media-words")).to_have_text(re.compile("^The first 100 of 150 rows; all are in media/"))
    by_loss = card.get_by_role("button", name="loss")
    by_loss.focus()
    card.page.keyboard.press("Enter")
    expect(card.locator("th").nth(1)).to_have_attribute("aria-sort", "ascending")
    losses = [int(row.split("\t")[1]) for row in card.locator("tbody tr").all_inner_texts()]
    assert losses == sorted(losses)
    card.page.keyboard.press("Enter")
    expect(card.locator("tbody tr").first.locator("td").nth(1)).to_have_text("9")


def test_nothing_to_show_takes_no_room(run: Run, mount: Callable[..., Locator]) -> None:
    view = mount(media(run))
    expect(view).to_be_hidden()
    log_all(0)
    view.page.evaluate("m => window.view.update(m)", media(run))
    expect(view).to_be_visible()
    view.page.evaluate("() => window.view.destroy()")
    expect(view.page.locator(".mlw-media")).to_have_count(0)


def test_many_names_wait_until_they_are_asked_for(run: Run, mount: Callable[..., Locator]) -> None:
    for layer in range(40):
        log_histogram(f"layer {layer}", RANDOM.normal(size=10))
    view = mount(media(run))
    expect(view.locator("canvas")).to_have_count(12)
    view.get_by_role("button", name="Show all 40").click()
    expect(view.locator("canvas")).to_have_count(40)


def test_names_are_text(run: Run, mount: Callable[..., Locator]) -> None:
    odd = "<img src=x onerror='window.bad=1'>"
    log_histogram(odd, [1.0])
    log_image(odd, np.zeros((4, 4)), caption=odd)
    log_confusion_matrix(odd, [odd], [odd])
    log_table(odd, [{odd: odd}])
    view = mount(media(run))
    expect(view.locator("img")).to_have_count(1)
    assert view.page.evaluate("window.bad") is None


READ = """m => {
    window.asked = [];
    const read = async file => {
        window.asked.push(file);
        if (window.dead) throw new Error('The kernel is gone.');
        return new DataView(Uint8Array.from(atob(window.whole), c => c.charCodeAt(0)).buffer);
    };
    window.view.destroy();
    window.view = mountMedia(document.querySelector('.mlw-run'), m, read);
}"""


def test_a_click_shows_one_image_as_large_as_it_is(run: Run, mount: Callable[..., Locator]) -> None:
    log_image("large", [RANDOM.random((300, 400)), RANDOM.random((8, 8))], caption=["first", "second"])
    view = mount(media(run))
    whole = next(one for one in run.media() if isinstance(one, Image)).path
    view.page.evaluate("data => { window.whole = data; }", base64.b64encode(whole.read_bytes()).decode())
    view.page.evaluate(READ, media(run))
    images = view.locator(".mlw-media-picture img")
    have_widths(images, [134, 8])
    images.first.click()
    view.page.wait_for_function("() => document.querySelector('.mlw-media img').naturalWidth === 400")
    expect(images).to_have_count(1)
    assert view.page.evaluate("window.asked") == [f"media/{whole.name}"]
    view.page.keyboard.press("Enter")
    have_widths(images, [134, 8])
    view.page.evaluate("window.dead = true")
    images.nth(1).click()
    expect(images).to_have_count(1)
    expect(view.locator("figcaption").nth(1)).to_have_text("second")


def test_a_table_is_saved_whole(run: Run, mount: Callable[..., Locator]) -> None:
    log_table("worst ones", [{"x": 1}], step=3)
    view = mount(media(run))
    button = view.page.get_by_role("button", name="Download all rows")
    expect(button).to_be_hidden()
    view.page.evaluate("window.whole = btoa('{}')")
    view.page.evaluate(READ, media(run))
    with view.page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename == "worst-ones-3.jsonl"
    assert Path(download.value.path()).read_text() == "{}"
    view.page.evaluate("window.dead = true")
    button.click()
    expect(view.locator(".mlw-media-words")).to_have_text("The kernel is gone.")
