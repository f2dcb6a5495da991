"""The example reports: executed as a user does it, and read as who gets them does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from notebooks import demo
from tests.unit.report_support import Page, assert_harmless

# Minutes on a machine that is busy with other tests.
pytestmark = pytest.mark.timeout(900)


def report(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, checks: int) -> Page:
    store = folder / ".mlwidgets"
    monkeypatch.setenv("MLWIDGETS_STORE", str(store))
    command = [sys.executable, "-m", "mlwidgets.cli", "report", "run", str(demo.NOTEBOOKS / f"{name}.ipynb")]
    done = subprocess.run([*command, "--name", "example"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (edition,) = store.glob("reports/example/editions/*")
    told = json.loads((edition / "edition.json").read_text(encoding="utf-8"))
    assert told["state"] == "published"
    assert [one["text"] for one in told["checks"] if not one["passed"]] == []
    assert len(told["checks"]) == checks
    page = Page((edition / "index.html").read_text(encoding="utf-8"))
    assert_harmless(page)
    assert not page.classed("r-error")
    assert not page.classed("r-stderr")
    assert not page.classed("r-note")
    anchors = {one["href"][1:] for one in page.all("a") if one["href"].startswith("#")}
    assert anchors <= {attributes.get("id") for _, attributes in page.tags}
    assert len(anchors) > 6
    # Words for a figure say what is on it, not only where it stands.
    figures = re.findall(r'<figure class="r-figure" id="[^"]*"><img src="[^"]*" alt="([^"]*)"', page.html)
    assert len(figures) == len(page.classed("r-figure")) > 2
    assert [one for one in figures if len(one) < 40 or not re.search(r"\d", one)] == []
    return page


def test_credit_default_risk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = report("03-credit", tmp_path, monkeypatch, checks=18)

    assert page.text.startswith("Credit default risk")
    assert "All 18 checks passed" in page.text
    assert "model boosting target_recall 0.8 cost_of_default 5.0 seed 0" in page.text
    assert [one["id"] for one in page.classed("r-figure")] == [f"figure-{number}" for number in range(1, 6)]
    assert len(page.all("table")) == 5
    assert len(page.all("math")) > 5
    summary = page.text.split("In short")[3][:600]
    ranked, caught = re.search(r"AUC of (0\.\d+)", summary), re.search(r"it catches (\d+) % of the defaults", summary)
    assert ranked is not None
    assert caught is not None
    assert 0.7 < float(ranked[1]) < 0.9
    assert int(caught[1]) > 80
    assert "% less than the best rule without a model" in summary


def test_a_training_report_of_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = report("04-sweep-report", tmp_path, monkeypatch, checks=9)

    assert page.text.startswith("Digits: which network reads them best")
    assert "All 9 checks passed" in page.text
    assert page.classed("r-run"), "the sweep's own view"
    assert "Trained again, it came out the same to the last bit." in page.text
    assert "%%sweep digits-search-narrow --maximize val_accuracy" in page.text
    why = re.search(r"(\d+) of 12 trials ended early; that saved (\d+) of 72 epochs", page.text)
    assert why is not None
    assert int(why[1]) > 0
    assert page.text.count("median") > int(why[1])
