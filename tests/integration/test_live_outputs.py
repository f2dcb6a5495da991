"""What a cell's output holds from a run's first moment to its end, as a client without a browser sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from mlwidgets.views.static import MIME
from tests.unit.views_support import make_run

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
SETUP = "%load_ext mlwidgets\nimport sys, time\nfrom mlwidgets import log"
SHORT = "%%train lenet\nlog(loss=1.0)\nlog(loss=0.5)\nprint('trained')"
LONG = "%%train lenet\nfor i in range(20):\n    log(loss=1 / (i + 1))\n    time.sleep(0.1)"
STILL = {MIME, "text/html", "image/png", "text/plain"}


def execute(folder: Path, *cells: str) -> list[list[dict[str, Any]]]:
    """Execute a notebook headless; return the outputs of each cell."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (SETUP, *cells)])
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute()
    assert "widgets" not in notebook.metadata or not notebook.metadata.widgets
    # Hints about the machine, such as a container that runs end with, come before the rest.
    shown = [[o for o in cell.outputs if not o.get("text", "").startswith("mlwidgets: ")] for cell in notebook.cells]
    return shown[1:]


def test_a_headless_notebook_keeps_the_still_picture(tmp_path: Path) -> None:
    train, _ = execute(tmp_path, LONG, "lenet.wait();")
    assert [set(output["data"]) for output in train] == [STILL]
    assert "✓ lenet  finished" in train[0]["data"]["text/plain"]


def test_a_cell_that_waits_holds_the_still_picture_itself(tmp_path: Path) -> None:
    (train,) = execute(tmp_path, SHORT.replace("lenet", "lenet --wait", 1))
    assert [set(output["data"]) for output in train] == [STILL]
    assert "trained" in train[0]["data"]["text/html"]


def test_it_comes_with_the_first_cell_after_the_end_and_only_once(tmp_path: Path) -> None:
    loop = "while not lenet.ended:\n    time.sleep(0.05)"
    count = "from mlwidgets.views import live\nprint(len(live._open))"
    train, _, left = execute(tmp_path, SHORT, loop, count)
    assert set(train[0]["data"]) == STILL
    assert left[0]["text"] == "0\n"


def test_a_notebook_that_ends_earlier_keeps_how_far_the_run_was(tmp_path: Path) -> None:
    seen = "while lenet.metrics.shape[0] < 3:\n    time.sleep(0.05)"
    # Long enough for the kernel to end before it, however busy the machine is.
    train, *_ = execute(tmp_path, LONG.replace("20", "200"), seen)
    data = train[0]["data"]
    assert set(data) == STILL - {"image/png"}
    (saved,) = data[MIME]["runs"]
    assert saved["header"]["state"] == "running"
    assert saved["series"][0]["n"] >= 3
    assert data["text/plain"].startswith("● lenet  running")


def test_without_anywidget_the_rest_works(tmp_path: Path) -> None:
    train, _ = execute(tmp_path, "sys.modules['anywidget'] = None", LONG, "lenet.wait();")[1:]
    assert set(train[0]["data"]) == STILL


def test_an_ended_run_is_shown_as_it_ended(tmp_path: Path) -> None:
    *_, again = execute(tmp_path, SHORT, "lenet.wait();", "%runs show lenet")
    assert set(again[0]["data"]) == STILL


def test_outside_a_kernel_a_run_is_shown_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mlwidgets.views.live import flush_finished, show

    show(make_run(tmp_path, "lenet", metrics={"loss": [2.0, 1.0]}, output="done\n"))
    flush_finished()
    text = capsys.readouterr().out
    assert text.startswith("✓ lenet  finished")
    assert "loss" in text
    assert text.endswith("done\n")
