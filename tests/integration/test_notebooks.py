"""The example notebooks: committed clean, and executed with a real kernel as ``make demo`` does."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
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


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the demo has left a store, its page and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLWIDGETS_STORE", str(folder / ".mlwidgets"))
        patch.delenv("MLWIDGETS_MNIST", raising=False)
        # Its models are so small that threads mostly wait for one another, and longer where other tests run.
        patch.setenv("OMP_NUM_THREADS", "1")
        printed = io.StringIO()
        with redirect_stdout(printed):
            assert demo.main(["--pages", str(folder)]) == 0
    (folder / "printed.txt").write_text(printed.getvalue(), encoding="utf-8")
    return folder


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_committed_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs"), f"cell {cell.id} of {path.name} has outputs: clear them before a commit"
        assert cell.get("execution_count") is None, f"cell {cell.id} of {path.name} has an execution count"


def test_the_demo_shows_its_finished_runs(shown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(shown / ".mlwidgets"))

    fast, slow = (mlwidgets.run(name) for name in ("lenet", "lenet_slow"))
    assert [fast.state, slow.state] == ["finished", "finished"]
    assert fast.params == {"lr": 2e-3, "epochs": 10}
    assert len(fast.columns()["loss"].values) == 450
    assert fast.columns()["test_accuracy"].values[-1] > 0.9 > slow.columns()["test_accuracy"].values[0]
    printed = (shown / "printed.txt").read_text(encoding="utf-8")
    assert "lenet  finished" in printed
    assert "test_accuracy: " in printed
    assert str(shown / "01-train.html") in printed


def test_the_page_shows_the_charts_and_needs_no_net(shown: Path) -> None:
    page = (shown / "01-train.html").read_text(encoding="utf-8")
    trained = page.partition('id="cell-id=train"')[2].partition('id="cell-id=wait-text"')[0]

    for chart in ('alt="loss: last ', 'alt="test_accuracy: last '):
        assert chart in trained
    assert "data:image/png;base64," in trained, "the confusion matrix"
    assert "epoch 10: " in trained
    assert "<script src=" not in page
    assert re.findall(r'(?:src|href)="?https?://[^"]*', page) == []


def test_a_failing_cell_is_named(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("undefined_name + 1")])
    nbformat.write(notebook, tmp_path / "bad.ipynb")

    assert demo.main([str(tmp_path / "bad.ipynb"), "--pages", str(tmp_path)]) == 1

    message = capsys.readouterr().err
    assert "bad.ipynb: a cell failed" in message
    assert "undefined_name" in message
    assert not (tmp_path / "bad.html").exists()
