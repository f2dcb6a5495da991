"""Make the README's pictures anew: ``python docs/images/record.py`` runs the README's cell in a real JupyterLab.

Needs chromium and what the tests need. Writes ``train.png`` and the animated ``train.gif`` beside this file.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from tests.browser.conftest import FLAGS, serve  # noqa: E402

SETUP = "%load_ext mlwidgets\nimport math, random, time\nfrom mlwidgets import log"
CELL = """\
%%train lenet --seed 0 lr=1e-3 epochs=10
for epoch in range(epochs):
    for batch in range(60):
        step = 60 * epoch + batch
        log(train_loss=2.1 * math.exp(-6 * lr * step) + 0.12 + 0.08 * random.random())
        time.sleep(0.012)
    log(val_loss=2.2 * math.exp(-0.3 * epoch) + 0.2, accuracy=0.98 - 0.7 * math.exp(-0.4 * epoch))
    print(f"epoch {epoch + 1} of {epochs}")"""
SIZE = (980, 900)
FRAMES, PAUSE = 36, 250


def main() -> None:
    """Record the cell from its first moment to the end of its run."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    frames = []
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder), sys.executable, "jupyterlab") as lab:
        lab.write("train.ipynb", SETUP, CELL)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
            page.set_default_timeout(60_000)
            lab.open(page, "train.ipynb")
            lab.command(page, "application:toggle-left-area")
            # What this machine has to say about itself is no part of the picture.
            page.add_style_tag(content=".jp-OutputArea-child:has([data-mime-type*=std]) { display: none }")
            lab.command(page, "notebook:run-cell-and-select-next")
            page.locator(".jp-InputPrompt", has_text="[1]").wait_for()
            panel = page.locator(".jp-WindowedPanel-outer").first
            lab.command(page, "notebook:run-cell")
            for _ in range(FRAMES):
                frames.append(Image.open(io.BytesIO(panel.screenshot())).convert("RGB"))
                page.wait_for_timeout(PAUSE)
                if len(frames) == FRAMES // 2:
                    panel.screenshot(path=HERE / "train.png")
            page.locator(".mlw-badge", has_text="finished").wait_for()
            frames.append(Image.open(io.BytesIO(panel.screenshot())).convert("RGB"))
            browser.close()
    small = [frame.resize((frame.width * 4 // 5, frame.height * 4 // 5), Image.Resampling.LANCZOS) for frame in frames]
    duration = [PAUSE] * (len(small) - 1) + [3000]
    target = HERE / "train.gif"
    few = small[len(small) // 2].quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small = [frame.quantize(palette=few, dither=Image.Dither.NONE) for frame in small]
    small[0].save(target, save_all=True, append_images=small[1:], duration=duration, loop=0, optimize=True)
    print(f"{target}: {target.stat().st_size / 1e3:.0f} kB, {len(small)} frames")


if __name__ == "__main__":
    main()
