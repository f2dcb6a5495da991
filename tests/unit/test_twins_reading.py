"""Long texts are read as others are, without a copy of the rest of them for each cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlwidgets.history.twins.conversion import notebook_of, text_of
from mlwidgets.history.twins.pairing import Pairing
from mlwidgets.history.twins.remaining import Remaining, Text
from tests.twin_support import Editor, cell, notebook, sources

AWKWARD = notebook(
    cell("def f():\n    return 1\n\n\nclass A:\n    pass"),
    cell("s = '''\n# %% no cell\n'''"),
    cell("```\nno end", "markdown"),
    cell("| a | b |\n\n```python\n# %%\n```", "markdown"),
    cell("a\u2028c", "raw"),
    cell(""),
    cell("# +\nx = 1\n\n\ny = 2\n# -"),
    cell("%matplotlib inline\n!ls"),
)


def read_by(text: str, fmt: str) -> dict[str, Any]:
    import jupytext

    found = jupytext.reads(text, fmt)
    return {
        "metadata": found.metadata,
        "cells": [{key: one[key] for key in one if key != "id"} for one in found.cells],
    }


@pytest.mark.parametrize(
    "fmt", ["py:percent", "py:light", "py:hydrogen", "md", "Rmd", "R:spin", "md:myst", "jl:percent"]
)
def test_a_text_is_read_as_a_list_of_its_lines_is(tmp_path: Path, fmt: str) -> None:
    pairing = Pairing(tmp_path / "n.ipynb", tmp_path / f"n.{fmt.partition(':')[0]}", fmt, tmp_path / "jupytext.toml")
    for raw in [AWKWARD, *(Editor(seed).notebook() for seed in range(25))]:
        text = text_of(raw, pairing)
        # Not by way of a second try.
        assert read_by(Text(text), fmt) == read_by(text, fmt)
        assert read_by(Text(text.partition("\n\n")[2]), fmt) == read_by(text.partition("\n\n")[2], fmt)


def test_a_reader_that_needs_a_list_gets_one(tmp_path: Path) -> None:
    pairing = Pairing(tmp_path / "n.ipynb", tmp_path / "n.py", "py:sphinx", tmp_path / "jupytext.toml")
    text = '"""Title\nand more"""\n\nx = 1\n'
    with pytest.raises(TypeError):
        read_by(Text(text), "py:sphinx")
    assert sources(notebook_of(text, pairing).raw) == ["%matplotlib inline", "Title\nand more", "x = 1"]


def test_what_is_left_is_a_view_and_a_piece_of_it_a_list() -> None:
    lines = Text("a\nb\nc\nd\n").splitlines()
    rest = lines[1:]
    assert isinstance(rest, Remaining)
    assert isinstance(rest[1:], Remaining)
    assert list(rest[1:]) == ["c", "d"]
    assert (rest[0], rest[-1], len(rest), rest[:2], rest[1:9]) == ("b", "d", 3, ["b", "c"], ["c", "d"])
    assert not rest[3:]
    with pytest.raises(IndexError):
        rest[3]
