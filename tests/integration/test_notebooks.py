"""The example notebooks: committed clean, and executed with a real kernel as ``make demo`` does."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

import mlwidgets
from notebooks import demo

NOTEBOOKS = sorted(demo.NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path / ".mlwidgets"))
    return tmp_path / ".mlwidgets"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_committed_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs"), f"cell {cell.id} of {path.name} has outputs: clear them before a commit"
        assert cell.get("execution_count") is None, f"cell {cell.id} of {path.name} has an execution count"


def test_train_notebook_ends_with_finished_runs_and_a_page(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLWIDGETS_MNIST", raising=False)

    assert demo.main(["--pages", str(tmp_path)]) == 0, capsys.readouterr().err

    fast, slow = (mlwidgets.run(name) for name in ("lenet", "lenet_slow"))
    assert [fast.state, slow.state] == ["finished", "finished"]
    assert fast.params == {"lr": 2e-3, "epochs": 10}
    assert len(fast.columns()["loss"].values) == 450
    assert fast.columns()["test_accuracy"].values[-1] > 0.9 > slow.columns()["test_accuracy"].values[0]
    printed = capsys.readouterr().out
    assert "lenet  finished" in printed
    assert str(tmp_path / "01-train.html") in printed


def test_page_shows_the_charts_and_needs_no_net(store: Path, tmp_path: Path) -> None:
    demo.write_page(demo.execute(demo.NOTEBOOKS / "01-train.ipynb"), tmp_path / "page.html")

    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    trained = page.partition('id="cell-id=train"')[2].partition('id="cell-id=wait-text"')[0]
    assert "data:image/png;base64," in trained, "the run's own output has no static picture of its charts"
    assert re.findall(r'(?:src|href)="?https?://[^"]*\.(?:js|mjs|css)', page) == []
    assert "<script src=" not in page


def test_a_failing_cell_is_named(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("undefined_name + 1")])
    nbformat.write(notebook, tmp_path / "bad.ipynb")

    assert demo.main([str(tmp_path / "bad.ipynb"), "--pages", str(tmp_path)]) == 1

    message = capsys.readouterr().err
    assert "bad.ipynb: a cell failed" in message
    assert "undefined_name" in message
    assert not (tmp_path / "bad.html").exists()
