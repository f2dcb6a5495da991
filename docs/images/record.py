"""Make the README's pictures anew: ``python docs/images/record.py`` runs the README's cell in a real JupyterLab.

Needs chromium and what the tests need. Writes ``train.png``, the animated ``train.gif``, ``panel.png``, ``sweep.png``,
``changes.png``, ``report.png`` and ``rerun.png`` beside this file; ``python docs/images/record.py changes`` only
that one.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from tests.browser.conftest import FLAGS, serve  # noqa: E402
from tests.browser.test_changes import commit, edit, in_notebook, open_changes, says  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.conftest import Lab

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


SEARCH = """\
%%train lenet-{number} --seed {number} lr={lr} epochs=10
for epoch in range(epochs):
    for batch in range(60):
        step = 60 * epoch + batch
        log(loss=2.1 * math.exp(-6 * lr * step) + 0.12 + 0.04 * random.random(), progress=(step + 1) / (60 * epochs))
        time.sleep({pause})
print("done")"""
RUNS = [(1, "1e-3", 0), (2, "3e-4", 0), (3, "3e-3", 0), (4, "2e-3", 0.2), (5, "5e-4", 0.15)]
WIDE = (1240, 700)
SWEEP = (
    "%%sweep lenet-search --maximize val_accuracy --trials 30 --concurrent 2 --stop median:delay=3 --seed 3 --cpus 0 "
    "lr=loguniform(1e-5,1e-1) keep=uniform(0.5,1) width=choice(32,64,128) optimizer=choice(sgd,adam)"
    """
best_lr = -2.2 if optimizer == "sgd" else -3
good = math.exp(-abs(math.log10(lr) - best_lr) / 1.5) * (0.9 + 0.1 * keep) * (0.95 + width / 2560)
for epoch in range(12):
    time.sleep(0.25)
    log(val_accuracy=0.1 + 0.89 * good * (1 - math.exp(-epoch / 3)) + 0.015 * random.random())"""
)
LOAD = "%load_ext mlwidgets\nimport torch\nfrom torch import nn\nfrom mlwidgets import log"
NET = """\
class LeNet(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 5, padding=2)
        self.pool = nn.AvgPool2d(2)
        self.head = nn.Linear(6 * 14 * 14, 10)

    def forward(self, x):
        x = self.pool(self.conv(x).relu())
        return self.head(x.flatten(1))"""
TRAINS = """\
%%train lenet --seed 0 lr=1e-3 epochs=10
net = LeNet()
optimizer = torch.optim.Adam(net.parameters(), lr=lr)
for epoch in range(epochs):
    log(loss=train(net, optimizer, batches), accuracy=accuracy(net, held_out))"""
PLOTS = (
    "plot_curves(lenet.metrics)",
    "confusion(net, held_out)",
    "worst = hardest(net, held_out, 16)",
    "show_digits(worst)",
)
AGAIN = """\
%%train lenet --seed 0 lr=5e-4 epochs=24
for epoch in range(epochs):
    time.sleep(0.02)
    fit, noise = math.exp(-300 * lr * epoch), 0.01 * random.random()
    overfit = 0.004 * max(0, epoch * lr / 1e-3 - 9)
    log({"train/loss": 0.05 + 2.2 * fit + noise, "val/loss": 0.3 + 1.9 * fit + overfit + 2 * noise, "epoch": epoch})"""
SEEN = 18
"""Trials that have ended when the picture is taken."""


def main() -> None:
    """Record the cell from its first moment to the end of its run, and the panel beside runs of all kinds."""
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder), sys.executable, "jupyterlab") as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        recorders = {
            "train": record_cell,
            "panel": record_panel,
            "sweep": record_sweep,
            "changes": record_changes,
            "report": record_report,
            "rerun": record_rerun,
        }
        for name in sys.argv[1:] or recorders:
            recorders[name](lab, browser)
        browser.close()


def record_sweep(lab: Lab, browser: Browser) -> None:
    """Take a picture of a search that goes on."""
    page = browser.new_page(viewport={"width": 1100, "height": 1700})
    page.set_default_timeout(120_000)
    lab.write("sweep.ipynb", SETUP, SWEEP)
    lab.open(page, "sweep.ipynb")
    lab.command(page, "application:toggle-left-area")
    page.add_style_tag(content=".jp-OutputArea-child:has([data-mime-type*=std]) { display: none }")
    lab.command(page, "notebook:run-all-cells")
    page.locator(".mlw-badge", has_text="running").wait_for()
    page.get_by_text(re.compile(rf"^{SEEN} of 30 trials|{SEEN} of 30")).first.wait_for()
    page.mouse.move(5, 5)
    shown = page.locator(".jp-OutputArea-output").last.bounding_box()
    assert shown is not None
    page.screenshot(path=HERE / "sweep.png", clip={**shown, "height": 1180})
    page.close()


def record_changes(lab: Lab, browser: Browser) -> None:
    """Take a picture of what changed in a notebook since its last commit."""
    page = browser.new_page(viewport={"width": 1960, "height": 900})
    page.set_default_timeout(60_000)
    commit(lab, "digits/digits.ipynb", [LOAD, NET, TRAINS, *PLOTS], "A first net")
    view = open_changes(lab, page, "digits/digits.ipynb")
    lab.command(page, "application:toggle-left-area")
    net = NET.replace("AvgPool2d", "MaxPool2d").replace("x.flatten(1)", "self.drop(x.flatten(1))")
    net = net.replace("        self.head", "        self.drop = nn.Dropout(0.2)\n        self.head")
    edit(page, "digits.ipynb", 1, net)
    edit(page, "digits.ipynb", 2, TRAINS.replace("lr=1e-3 epochs=10", "lr=3e-4 epochs=20"))
    check = "{ cell_type: 'code', source: 'assert accuracy(net, held_out) > 0.9' }"
    changed = f"content.model.sharedModel.insertCell(3, {check}); content.model.sharedModel.moveCell(7, 5)"
    in_notebook(page, "digits.ipynb", changed)
    says(view, "2 cells edited, 1 added, 1 moved")
    page.mouse.move(5, 5)
    page.wait_for_timeout(500)
    box = page.locator(".mlw-changes-view").bounding_box()
    assert box is not None
    page.screenshot(path=HERE / "changes.png", clip={**box, "height": min(box["height"], 690)})
    page.close()


def record_report(lab: Lab, browser: Browser) -> None:
    """Take a picture of the example report as it is published, its first screens in light and dark side by side."""
    from PIL import Image

    folder = lab.root / "credit"
    shutil.copytree(HERE.parent.parent / "notebooks" / "data", folder / "data")
    shutil.copy(HERE.parent.parent / "notebooks" / "03-credit.ipynb", folder)
    command = [sys.executable, "-m", "mlwidgets.cli", "report", "run", "03-credit.ipynb", "--name", "credit"]
    subprocess.run(command, cwd=folder, env={**os.environ, "MLWIDGETS_STORE": str(lab.store)}, check=True)
    (page_file,) = lab.store.glob("reports/credit/editions/*/index.html")
    halves = []
    for scheme, section in (("light", "#title"), ("dark", "#s-what-a-decision-costs")):
        page = browser.new_page(viewport={"width": 900, "height": 1180}, color_scheme=scheme)
        page.goto(f"{page_file.as_uri()}{section}")
        halves.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
        page.close()
    both = Image.new("RGB", (halves[0].width * 2, halves[0].height))
    for place, half in enumerate(halves):
        both.paste(half, (place * half.width, 0))
    both.save(HERE / "report.png", optimize=True)


def record_rerun(lab: Lab, browser: Browser) -> None:
    """Take a picture of a rerun with another learning rate, its curves beside those of the first run."""
    page = browser.new_page(viewport={"width": 980, "height": 1000})
    page.set_default_timeout(60_000)
    lab.write("rerun.ipynb", SETUP, AGAIN)
    lab.open(page, "rerun.ipynb")
    lab.command(page, "application:toggle-left-area")
    page.add_style_tag(content=".Toastify, .jp-OutputArea-child:has([data-mime-type*=std]) { display: none }")
    lab.command(page, "notebook:run-all-cells")
    page.locator(".mlw-run[data-state=finished]").get_by_role("button", name="Rerun").click()
    dialog = page.get_by_role("dialog", name="Rerun lenet")
    dialog.get_by_label("lr").fill("0.001")
    dialog.get_by_role("button", name="Start").click()
    view = page.locator(".mlw-run", has=page.locator(".mlw-rerun-of .mlw-verdict", has_text="lr changed"))
    view.wait_for()
    page.mouse.move(5, 5)
    page.wait_for_timeout(500)
    view.screenshot(path=HERE / "rerun.png")
    page.close()


def record_panel(lab: Lab, browser: Browser) -> None:
    """Take a picture of the panel while some runs go on, two of them compared."""
    page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]})
    page.set_default_timeout(60_000)
    cells = [SEARCH.format(number=number, lr=lr, pause=pause) for number, lr, pause in RUNS]
    lab.write("search.ipynb", SETUP, *cells[:3], "%runs rerun lenet-1 --wait", *cells[3:])
    lab.open(page, "search.ipynb")
    lab.command(page, "notebook:run-all-cells")
    lab.command(page, "mlwidgets:open-panel")
    page.locator(".mlw-row .mlw-verdict", has_text="same bits").wait_for()
    for number, state in ((3, "finished"), (4, "running"), (5, "running")):
        page.get_by_role("row", name=re.compile(f"lenet-{number}.*{state}|{state}.*lenet-{number}")).wait_for()
    for number in (3, 4):
        page.locator(".mlw-row", has_text=f"lenet-{number}").click(modifiers=["Control"])
    page.get_by_role("button", name="Compare 2").click()
    page.locator(".mlw-runs").last.wait_for()
    page.wait_for_timeout(8000)
    page.mouse.move(WIDE[0] - 5, WIDE[1] - 5)
    page.add_style_tag(content=".Toastify { display: none }")
    page.screenshot(path=HERE / "panel.png")
    page.close()


def record_cell(lab: Lab, browser: Browser) -> None:
    """Record the cell from its first moment to the end of its run."""
    from PIL import Image

    frames = []
    lab.write("train.ipynb", SETUP, CELL)
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
    page.close()
    small = [frame.resize((frame.width * 4 // 5, frame.height * 4 // 5), Image.Resampling.LANCZOS) for frame in frames]
    duration = [PAUSE] * (len(small) - 1) + [3000]
    target = HERE / "train.gif"
    few = small[len(small) // 2].quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small = [frame.quantize(palette=few, dither=Image.Dither.NONE) for frame in small]
    small[0].save(target, save_all=True, append_images=small[1:], duration=duration, loop=0, optimize=True)
    print(f"{target}: {target.stat().st_size / 1e3:.0f} kB, {len(small)} frames")


if __name__ == "__main__":
    main()
