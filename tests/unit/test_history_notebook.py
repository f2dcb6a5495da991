"""Any notebook is read; where there is none, one line says so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwidgets.errors import MlwidgetsError, NotebookError
from mlwidgets.history.notebooks.counting import count_changes
from mlwidgets.history.notebooks.executed import Executed, overlaid
from mlwidgets.history.notebooks.notebook import Cell, Notebook, encode, load_notebook, read_notebook, to_json
from tests.unit.awkward import BROKEN, READABLE, code, markdown, notebook, written


def read(name: str) -> Notebook:
    return read_notebook(READABLE[name], name)


@pytest.mark.parametrize("name", READABLE)
def test_awkward_notebooks_are_read_and_come_back(name: str) -> None:
    found = read(name)
    assert all(isinstance(cell.source, str) and cell.kind in {"code", "markdown", "raw"} for cell in found.cells)
    again = read_notebook(encode(to_json(found, outputs=True)), name)
    assert [(c.kind, c.source, c.metadata, c.outputs) for c in again.cells] == [
        (c.kind, c.source, c.metadata, c.outputs) for c in found.cells
    ] or name == "not numbers"
    assert encode(to_json(again)) == encode(to_json(found)) == encode(to_json(read(name)))


@pytest.mark.parametrize("name", READABLE)
def test_what_is_written_is_valid(name: str) -> None:
    import nbformat

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document = json.loads(encode(to_json(read(name), outputs=name != "odd outputs")))
        nbformat.validate(document)


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_without_a_notebook_says_so_in_one_line(name: str) -> None:
    data, said = BROKEN[name]
    with pytest.raises(NotebookError, match=said) as raised:
        read_notebook(data, "a/b.ipynb")
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("a/b.ipynb ")
    assert isinstance(raised.value, MlwidgetsError)


def test_the_path_is_checked(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="there is no notebook"):
        load_notebook(tmp_path / "x.ipynb")
    with pytest.raises(NotebookError, match="Is a directory"):
        load_notebook(tmp_path)
    (tmp_path / "é.ipynb").write_bytes(READABLE["plain"])
    assert load_notebook(tmp_path / "é.ipynb") == read("plain")


def test_json_that_was_read_and_text_are_taken_too() -> None:
    assert read_notebook(json.loads(READABLE["plain"]), "x") == read("plain")
    assert read_notebook("\ufeff" + READABLE["plain"].decode(), "x") == read("plain")


def test_format_3() -> None:
    cells = read("format 3").cells
    assert [(c.kind, c.source) for c in cells] == [
        ("markdown", "## A heading"),
        ("code", "x = 1\nx"),
        ("markdown", "<i>html</i>"),
        ("raw", "second sheet"),
    ]
    assert cells[1].execution_count == 7
    assert [output["output_type"] for output in cells[1].outputs] == [
        "execute_result",
        "stream",
        "error",
        "display_data",
    ]
    assert cells[1].outputs[0]["data"] == {"text/plain": "1", "image/png": "aGk="}
    assert cells[1].outputs[1] == {"output_type": "stream", "name": "stderr", "text": "careful\n"}


@pytest.mark.parametrize("name", ["format 3"])
def test_format_3_is_read_as_nbformat_does(name: str) -> None:
    import nbformat

    theirs = nbformat.v4.upgrade(nbformat.reads(READABLE[name].decode(), as_version=3))
    ours = to_json(read(name), outputs=True)["cells"]
    assert [(c["cell_type"], "".join(c["source"])) for c in ours] == [(c.cell_type, c.source) for c in theirs.cells]
    assert [o["output_type"] for o in ours[1]["outputs"]] == [o.output_type for o in theirs.cells[1].outputs]


def test_ids() -> None:
    assert [c.id for c in read("missing ids").cells] == ["a", None, None, None]
    assert [c.id for c in read("duplicate ids").cells] == ["a", None, None]
    assert [c.id for c in read("ids of Colab").cells] == ["Qw3_x"]
    assert [c.id for c in read("format 4.4").cells] == [None] * 3
    kept = to_json(read("missing ids"))["cells"]
    assert kept[0]["id"] == "a"
    assert len({c["id"] for c in kept}) == 4
    plain = to_json(read("format 4.4"))
    assert plain["nbformat_minor"] == 4
    assert not any("id" in c for c in plain["cells"])


def test_languages() -> None:
    names = ("plain", "R", "Julia", "C++", "SQL", "OCaml", "language_info alone", "unknown language", "no metadata")
    assert [read(name).language for name in names] == [
        *("python", "r", "julia", "c++", "sql", "ocaml", "julia", "brainfuck", "python")
    ]


def test_noise_is_left_out_and_what_was_chosen_is_not() -> None:
    found = read("noise")
    assert [c.metadata for c in found.cells] == [{"tags": ["keep"], "slideshow": {"slide_type": "slide"}}, {}]
    assert set(found.metadata) == {"kernelspec", "language_info"}
    assert found.metadata["language_info"] == {"name": "python"}
    assert read("widget state").metadata == {}
    assert read("attachments").cells[0].attachments == {"a.png": {"image/png": "aGk="}}


def test_outputs_are_joined() -> None:
    found = read("outputs").cells[0]
    assert found.execution_count == 3
    assert found.outputs[0]["text"] == "one\ntwo\n"
    assert found.outputs[1]["data"] == {"text/plain": "12"}
    assert found.outputs[2]["data"]["application/json"] == [1, 2]
    assert to_json(read("outputs"))["cells"][0]["outputs"] == []


def test_sources_are_exact() -> None:
    assert [c.source for c in read("CRLF").cells] == ["a\r\nb", "c\rd"]
    assert [c.source for c in read("source as list").cells] == ["a\nb\n\nc", "# x\n"]
    assert read("lone surrogates").cells[0].source == "x = '\ud800'"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)
_KEYS = st.sampled_from(["cell_type", "source", "metadata", "id", "outputs", "attachments", "execution_count", "data"])
_CELLS = st.lists(st.dictionaries(_KEYS, _JSON | st.sampled_from(["code", "markdown"]), max_size=6) | _JSON, max_size=4)


@settings(max_examples=150, deadline=None)
@given(cells=_CELLS, metadata=_JSON, version=st.sampled_from([3, 4]))
def test_whatever_is_in_the_file_it_is_read_or_refused(cells: list[Any], metadata: Any, version: int) -> None:
    document = {"metadata": metadata, "nbformat": version}
    document |= {"cells": cells} if version == 4 else {"worksheets": [{"cells": cells}]}
    try:
        found = read_notebook(written(document), "x")
    except NotebookError:
        return
    written_down = to_json(found, outputs=True)
    again = read_notebook(encode(written_down), "x")
    assert [c.id for c in again.cells] == [c.get("id") for c in written_down["cells"]]
    assert [replace(c, id=None) for c in again.cells] == [replace(c, id=None) for c in found.cells]


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=60) | st.text(max_size=60))
def test_no_file_is_answered_by_another_error(data: bytes | str) -> None:
    with pytest.raises(NotebookError):
        read_notebook(data, "x")


def cells(*sources: str, ids: bool = True) -> Notebook:
    return Notebook(tuple(Cell(f"{s[:1]}" if ids else None, "code", s) for s in sources))


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ((), (), (0, 0, 0)),
        (("a", "b"), ("a", "b"), (0, 0, 0)),
        (("a", "b"), ("b", "a"), (0, 0, 0)),
        (("a", "b"), ("a", "x", "b"), (1, 0, 0)),
        (("a", "b"), ("b",), (0, 1, 0)),
        (("a1", "b"), ("a2", "b"), (0, 0, 1)),
        (("a1", "b", "c"), ("a2", "c", "x", "y", "z"), (3, 1, 1)),
    ],
)
def test_changes_are_counted(ids: bool, old: tuple[str, ...], new: tuple[str, ...], counts: tuple[int, ...]) -> None:
    if not ids and counts == (3, 1, 1):
        counts = (2, 0, 2)
    assert count_changes(cells(*old, ids=ids), cells(*new, ids=ids)) == counts


def test_executed_sources_are_laid_over_the_saved_ones() -> None:
    saved = Notebook(
        (Cell("a", "code", "a1"), Cell("m", "markdown", "text"), Cell("b", "code", "b1"), Cell("c", "code", "c"))
    )
    executed = [
        Executed("a", 1, "a2"),
        Executed("new", 2, "n1"),
        Executed("b", 3, "b2"),
        Executed("new", 4, "n2"),
        Executed(None, 5, "c"),
        Executed(None, 6, "nowhere"),
        Executed("a", 7, "a3"),
    ]
    found = overlaid(saved, executed)
    assert [(c.id, c.source, c.execution_count) for c in found.cells] == [
        ("a", "a3", 7),
        ("new", "n2", 4),
        ("m", "text", None),
        ("b", "b2", 3),
        ("c", "c", 5),
    ], "what ran before ids were told, and is in the file no more, may be there in another form"
    untold = overlaid(saved, [Executed(None, 1, "c"), Executed(None, 2, "nowhere")])
    assert [c.source for c in untold.cells] == ["a1", "text", "b1", "c", "nowhere"]
    assert overlaid(saved, []) == saved
    assert [c.source for c in overlaid(None, executed[:3]).cells] == ["a2", "n1", "b2"]
    assert [c.source for c in overlaid(saved, [Executed("x", 1, "first")]).cells] == ["first", "a1", "text", "b1", "c"]


def test_nothing_heavy_is_imported() -> None:
    program = "import sys, mlwidgets.history.snapshots, mlwidgets.history.submitted; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"mlwidgets.history.text.percent"} <= set(done.stdout.split())
    assert not {"numpy", "nbformat", "jupytext", "IPython", "jupyter_core", "yaml"} & set(done.stdout.split())


def test_the_corpus_is_what_it_says() -> None:
    assert all(re.compile(said) for _, said in BROKEN.values())
    assert len(READABLE) > 30
    assert json.loads(written(notebook(code("x"), markdown("y"))))["cells"][1]["cell_type"] == "markdown"
