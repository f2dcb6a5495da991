from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.run import Run
from mlwidgets.tracking import active, save


@pytest.fixture
def folder(new_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run folder; this process executes in it."""
    folder = new_run()
    monkeypatch.setenv(active.FOLDER_VARIABLE, str(folder.path))
    return folder


def test_files_and_folders(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"123")
    (tmp_path / "logs" / "deep").mkdir(parents=True)
    (tmp_path / "logs" / "deep" / "a.txt").write_text("a")
    assert save(tmp_path / "model.bin") == folder.outputs / "model.bin"
    assert save(str(tmp_path / "model.bin"), "best/model.bin") == folder.outputs / "best" / "model.bin"
    assert save(tmp_path / "logs") == folder.outputs / "logs"
    assert (folder.outputs / "logs" / "deep" / "a.txt").read_text() == "a"
    assert (tmp_path / "model.bin").read_bytes() == b"123"
    assert Run(folder.path).artifacts == ["model.bin", "best/model.bin", "logs"]
    assert [e["bytes"] for e in read_lines(folder.events)] == [3, 3, 1]


def test_saving_again_replaces_it_whole(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "old").write_text("old")
    save(tmp_path / "logs")
    (tmp_path / "logs" / "old").rename(tmp_path / "logs" / "new")
    save(tmp_path / "logs")
    assert [p.name for p in (folder.outputs / "logs").iterdir()] == ["new"]
    save(b"a file now", "logs")
    assert (folder.outputs / "logs").read_bytes() == b"a file now"
    assert [p.name for p in folder.outputs.iterdir()] == ["logs"]
    assert Run(folder.path).artifacts == ["logs"]


def test_texts_and_bytes(folder: RunFolder) -> None:
    save("héllo", "note.txt")
    save(bytearray(b"\0\1"), "raw")
    assert (folder.outputs / "note.txt").read_text(encoding="utf-8") == "héllo"
    assert (folder.outputs / "raw").read_bytes() == b"\0\1"


def test_arrays_and_tables(folder: RunFolder) -> None:
    save(np.arange(3))
    save(np.eye(2), "matrix")
    save(pd.DataFrame({"a": [1, 2]}), "t.csv")
    assert np.load(folder.outputs / "array.npy").tolist() == [0, 1, 2]
    assert np.load(folder.outputs / "matrix").tolist() == [[1, 0], [0, 1]]
    assert pd.read_csv(folder.outputs / "t.csv")["a"].tolist() == [1, 2]


def test_figures(folder: RunFolder) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2])
    png, svg = save(figure), save(figure, "plots/loss.svg")
    assert png is not None
    assert svg is not None
    assert png.read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in svg.read_bytes()


def test_torch(folder: RunFolder) -> None:
    torch = pytest.importorskip("torch")
    model = torch.nn.Linear(2, 1)
    save(model)
    save({"model": model.state_dict(), "epoch": 3}, "checkpoint.pt")
    assert torch.load(folder.outputs / "Linear.pt")["weight"].equal(model.weight)
    assert torch.load(folder.outputs / "checkpoint.pt")["epoch"] == 3


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x", ".", ""])
def test_names_that_lead_out(folder: RunFolder, name: str) -> None:
    if name:
        with pytest.raises(ValueError, match=r"leads out of the run's outputs"):
            save(b"x", name)
    else:
        with pytest.raises(TypeError, match="cannot save a bytes"):
            save(b"x")
    assert not list(folder.outputs.iterdir())
    assert not list(read_lines(folder.events))


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("nowhere.bin", FileNotFoundError, "there is no file 'nowhere.bin'"),
        (Path("nowhere.bin"), FileNotFoundError, "there is no file"),
        (object(), TypeError, "cannot save a object: write it to a file"),
        ({"a": 1}, TypeError, "cannot save a dict"),
        (sys, TypeError, "cannot save a module"),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_what_cannot_be_saved(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, value: Any, error: type, message: str, inside: bool
) -> None:
    if not inside:
        monkeypatch.delenv(active.FOLDER_VARIABLE)
    with pytest.raises(error, match=message):
        save(value)
    assert not list(folder.outputs.iterdir())


class Unwritable:
    """Saves half of itself, then fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def to_csv(self, path: Path) -> None:
        path.write_text("half")
        raise self._error


def test_full_disk_leaves_nothing_and_the_code_goes_on(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    save("first", "t.csv")
    assert save(Unwritable(OSError(28, "No space left on device")), "t.csv") is None
    assert "t.csv could not be saved" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        save(Unwritable(ZeroDivisionError()), "t.csv")
    assert [p.name for p in folder.outputs.iterdir()] == ["t.csv"]
    assert (folder.outputs / "t.csv").read_text() == "first"
