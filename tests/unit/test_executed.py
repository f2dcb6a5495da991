"""What a kernel remembers of the cells that it executed."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from mlwidgets.capture import executed
from mlwidgets.capture.executed import MOST_BYTES, MOST_CELLS, ExecutedCells
from mlwidgets.capture.provenance import provenance
from mlwidgets.history.located import locate
from mlwidgets.history.notebooks.executed import Executed, overlaid
from mlwidgets.history.notebooks.notebook import Cell
from mlwidgets.history.notebooks.notebook import Notebook as NotebookState
from mlwidgets.runs.folder import RunFolder
from mlwidgets_magics.executed import remember


@pytest.fixture(autouse=True)
def _nothing_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executed, "here", ExecutedCells())


@pytest.fixture
def shell() -> InteractiveShell:
    return InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))


@pytest.fixture
def written(new_run: Callable[..., RunFolder]) -> Callable[[], list[dict[str, Any]]]:
    """Return the cells that a run submitted now would know of."""

    def read() -> list[dict[str, Any]]:
        folder = new_run("executed")
        executed.here.write(folder)
        found = json.loads(folder.executed.read_bytes())["cells"] if folder.executed.exists() else []
        assert isinstance(found, list)
        return found

    return read


def test_cells_are_kept_as_typed_with_the_ids_and_numbers_of_the_front_end(shell: Any, written: Any) -> None:
    shell.run_cell("before = 1", store_history=True)
    shell.run_cell("%lsmagic\n!true", store_history=True)
    remember(shell)
    shell.run_cell("a = 1\n\n", store_history=True, cell_id="one")
    shell.run_cell("%%capture said\nprint('ü \\ud800')  # 'quoted'", store_history=True, cell_id="two")
    shell.run_cell("1 / 0", store_history=True, cell_id="three")
    shell.run_cell("def broken(:", store_history=True, cell_id="four")
    shell.run_cell("a = 2", store_history=True, cell_id="one")
    seen: list[Any] = []
    shell.user_ns["look"] = lambda: seen.extend(written())
    shell.run_cell("look()", store_history=True, cell_id="five")
    assert [tuple(cell.values()) for cell in seen] == [
        (None, 1, "before = 1"),
        (None, 2, "%lsmagic\n!true"),
        ("one", 3, "a = 1\n\n"),
        ("two", 4, "%%capture said\nprint('ü \\ud800')  # 'quoted'"),
        ("three", 5, "1 / 0"),
        ("four", 6, "def broken(:"),
        ("one", 7, "a = 2"),
        ("five", 8, "look()"),
    ]
    assert [list(cell) for cell in seen] == [["id", "count", "source"]] * 8
    assert executed.here.cells() == [Executed(*cell.values()) for cell in seen]
    assert [cell["source"].rstrip() for cell in seen] == shell.history_manager.input_hist_raw[1:]


def test_what_is_no_cell_of_the_notebook_is_not_kept(shell: Any, written: Any) -> None:
    remember(shell)
    shell.run_cell("a = 1", silent=True)
    shell.run_cell("a = 1", store_history=False, cell_id="x")
    shell.run_cell("  \n", store_history=True, cell_id="x")
    shell.run_cell("get_ipython().run_cell('inner = 1')", store_history=True, cell_id={"no": "text"})
    assert written() == [{"id": None, "count": 1, "source": "get_ipython().run_cell('inner = 1')"}]


def test_numbers_begin_again_after_a_reset(shell: Any, written: Any) -> None:
    remember(shell)
    shell.run_cell("a = 1", store_history=True)
    shell.run_cell("b = 1", store_history=True)
    shell.reset(new_session=True)
    shell.run_cell("c = 1", store_history=True)
    assert [(cell["count"], cell["source"]) for cell in written()] == [(1, "a = 1"), (2, "b = 1"), (1, "c = 1")]


def test_the_oldest_cells_are_forgotten(written: Any) -> None:
    for count in range(1, MOST_CELLS + 51):
        executed.here.add("x", count, "pass")
    counts = [cell["count"] for cell in written()]
    assert counts == list(range(51, MOST_CELLS + 51))
    large = "é" * (MOST_BYTES // 60)
    for count in range(1, 13):
        executed.here.add("x", count, large)
    cells = written()
    assert [cell["count"] for cell in cells if cell["source"] == large] == list(range(4, 13))
    assert sum(len(json.dumps(cell)) for cell in cells) <= MOST_BYTES
    executed.here.add("x", 13, "x" * MOST_BYTES)
    assert written() == cells, "one that is too large takes no other one's place"
    for count in range(1, MOST_CELLS):
        executed.here.add("x", count, "pass")
    assert len(written()) == MOST_CELLS


def test_a_run_that_no_notebook_sent_has_no_cells(new_run: Callable[..., RunFolder]) -> None:
    folder = new_run()
    executed.here.write(folder)
    assert not folder.executed.exists()


def test_a_folder_that_cannot_be_written_keeps_nothing_from_running(new_run: Callable[..., RunFolder]) -> None:
    folder = new_run()
    folder.executed.mkdir()
    executed.here.add("x", 1, "pass")
    executed.here.write(folder)
    assert list(folder.executed.iterdir()) == []


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Write notebooks with these cell ids, each newer than the one before."""
    times = itertools.count(1_700_000_000)

    def write(name: str, *ids: str) -> Path:
        path = tmp_path / name
        cells = [{"cell_type": "code", "id": one, "source": "", "metadata": {}, "outputs": []} for one in ids]
        path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        os.utime(path, (time := next(times), time))
        return path

    return write


def test_a_notebook_that_was_renamed_is_found_by_its_cells(folder: Callable[..., Path], tmp_path: Path) -> None:
    old = tmp_path / "ä old.ipynb"
    assert locate(old, ["a", "b"]) is None
    renamed = folder("new name.ipynb", "a", "b")
    folder("other.ipynb", "x", "ab")
    (tmp_path / "damaged.ipynb").write_bytes(b"\xff{")
    (tmp_path / "folder.ipynb").mkdir()
    assert locate(old, ["a"]) == renamed
    assert locate(old, ["a", "not-saved-yet"]) == renamed
    assert locate(old, []) is None
    assert locate(old, ["gone"]) is None
    # Another notebook has got its old name since.
    folder(old.name, "c")
    assert locate(old, ["a"]) == renamed
    # The cell that executes is the one that tells.
    later = folder("later.ipynb", "a", "last")
    assert locate(old, ["a", "last"]) == later
    assert locate(old, ["last", "b"]) == renamed


def test_a_notebook_that_is_where_it_was_is_that_one(folder: Callable[..., Path]) -> None:
    own, copy = folder("own.ipynb", "a", "b"), folder("own-Copy1.ipynb", "a", "b")
    assert locate(own, ["a"]) == own
    assert locate(copy, ["a"]) == copy
    assert locate(own, []) == own
    assert locate(own, ["new-cell", "another"]) == own, "none of its cells has been saved yet"


def test_a_run_after_a_rename_names_the_notebook_as_it_is_called_now(
    folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = folder("before.ipynb", "a")
    monkeypatch.setenv("JPY_SESSION_NAME", str(old))
    executed.here.add("a", 1, "pass")
    assert provenance().notebook == str(old)
    new = old.rename(old.with_name("after.ipynb"))
    assert provenance().notebook == str(new)
    newer = new.rename(old.with_name("after that.ipynb"))
    assert provenance().notebook == str(newer)
    newer.unlink()
    assert provenance().notebook == str(old), "all that is known"
    monkeypatch.setenv("JPY_SESSION_NAME", str(old.with_name("console-1")))
    assert provenance().notebook == str(old.with_name("console-1"))


def said(saved: dict[str | None, str], *cells: tuple[str | None, str]) -> list[str]:
    """The sources of a notebook with these cells after these executions."""
    notebook = NotebookState(tuple(Cell(cell, "code", source) for cell, source in saved.items()))
    found = overlaid(notebook, [Executed(cell, count, source) for count, (cell, source) in enumerate(cells, 1)])
    return [cell.source for cell in found.cells]


def test_a_front_end_that_calls_cells_otherwise_than_the_file_adds_none() -> None:
    saved: dict[str | None, str] = {"a": "import x", "b": "lr = 1", "c": "plot()"}
    uri = "vscode-notebook-cell:/p/a.ipynb#W{}sZmlsZQ%3D%3D".format
    assert said(saved, (uri(0), "import x"), (uri(1), "lr = 1"), (uri(2), "plot()")) == list(saved.values())
    # Edited, saved and executed again; edited, executed and not saved.
    assert said(saved, (uri(1), "lr = 0"), (uri(1), "lr = 1"), (uri(2), "plot()")) == list(saved.values())
    assert said(saved, (uri(1), "lr = 1"), (uri(1), "lr = 9"), (uri(0), "import x")) == ["import x", "lr = 9", "plot()"]
    # A cell of its own that the file does not have, also where another one of the file says the same.
    assert said(saved, (uri(1), "lr = 1"), (uri(7), "new()")) == ["import x", "lr = 1", "new()", "plot()"]
    assert said(saved, ("b", "lr = 1"), ("new", "lr = 1")) == ["import x", "lr = 1", "lr = 1", "plot()"]
    twice: dict[str | None, str] = {"a": "step()", "b": "step()", "c": "end()"}
    assert said(twice, (uri(0), "step()"), (uri(1), "step()"), (uri(1), "step(2)")) == ["step()", "step(2)", "end()"]
