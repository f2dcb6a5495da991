"""``%runs diff``, ``mlwidgets compare`` and ``%runs --where`` over real runs of a real kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlwidgets.cli import main
from tests.notebook import Notebook

CODE = """
import numpy as np
from mlwidgets import log
w = np.zeros(3)
for step in range(20):
    w = w - lr * (w - data.mean(axis=0)) + np.random.normal(0, 1e-3, 3)
    log(loss=float(((w - 1) ** 2).sum()), seen=step)
"""


def test_runs_beside_each_other(notebook: Notebook, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    notebook.run("import numpy as np\ndata = np.ones((30_000, 3))\nsame = [1, 2]\nlr = 0.1")
    notebook.train("first --seed 1 lr=0.1", CODE + "same\n")
    notebook.train("again --seed 1 lr=0.1", CODE + "same\n")
    notebook.run("data[7, 1] = 5.0")
    notebook.train("other --seed 1 lr=0.2", CODE + "same  # edited\n")

    told = notebook.run("%runs diff first again").shown[0]
    assert "2 metrics bitwise equal" in told["text/plain"]
    assert "Parameters" not in told["text/plain"]
    assert "Variables" not in told["text/plain"]

    shown = notebook.run("%runs diff first other").shown[0]
    assert "1 of 2 metrics differs" in shown["text/plain"]
    assert "bitwise equal: seen" in shown["text/plain"]
    assert "from step 0 on" in shown["text/plain"]
    assert "# edited" in shown["text/plain"]
    assert "<script" not in shown["text/html"]
    found = json.loads(notebook.run("%runs diff first again other --json").text)
    assert found["facts"]["parameters"] == [["lr", ["0.1", "0.1", "0.2"]]]
    (variable,) = found["facts"]["variables"]
    name, (old, same, new) = variable
    assert (name, old) == ("data", same)
    assert old.startswith("numpy.ndarray 30000×3 float64 #")
    assert new != old
    loss = next(one for one in found["metrics"] if one["name"] == "loss")
    assert loss["first"][0] is None
    assert (loss["first"][1]["step"], loss["first"][1]["index"]) == (0, 0)
    assert (loss["better"], loss["best"][0]) == (-1, loss["runs"][0]["low"])

    assert "it takes two runs" in notebook.run("%runs diff first", fails=True).text

    # The same from a shell, and runs chosen by what they logged.
    store = ["--store", str(tmp_path / ".mlwidgets")]
    assert main([*store, "compare", "first", "again", "other", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    assert main([*store, "compare", "first", "other", "--exit-code", "--html"]) == 1
    assert capsys.readouterr().out.startswith("<!doctype html>")
    notebook.run("chosen = get_ipython().run_line_magic('runs', '--where \"lr < 0.15\" --sort loss')")
    assert notebook.value("[one.name for one in chosen]") == ["again", "first"]
    notebook.run("frame = get_ipython().run_line_magic('runs', '--sort lr --frame -n 2')")
    assert notebook.value("(list(frame['params.lr']), frame['state'].iloc[0])") == ([0.1, 0.1], "finished")
    assert notebook.value("__import__('mlwidgets').runs(where='lr > 0.15')[0].name") == "other"
    said = notebook.run("%runs --where 'lrr < 1'", fails=True).text
    assert "no run has 'lrr'; did you mean 'lr'?" in said
