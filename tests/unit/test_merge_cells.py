from __future__ import annotations

import json
from typing import Any

import pytest

from mlwidgets.errors import NotebookError
from mlwidgets.history.merging.conflicts import conflicts_in, forget_settled
from mlwidgets.history.merging.documents import Document, nothing, read
from mlwidgets.history.merging.merge import Merged, merge
from mlwidgets.history.notebooks.notebook import read_notebook
from mlwidgets.history.setup.outputs import without_outputs
from mlwidgets.history.setup.shown import text_of
from tests.git_torture import check_notebook, merge_in_memory, source_of, written
from tests.unit.awkward import READABLE, code, markdown, notebook

pytestmark = pytest.mark.filterwarnings("ignore::nbformat.warnings.MissingIDFieldWarning")

A = "first = load('a file')\nsecond = first + 1\nthird = second * 2"
B = "model = Model(layers=3)\nmodel.fit(first, second)"
C = "plot(model.history)"


def cell(given: str | None, source: str, printed: str | None = None, **more: Any) -> dict[str, Any]:
    outputs = [{"output_type": "stream", "name": "stdout", "text": printed}] if printed else []
    return code(source, **({"id": given} if given else {}), **{"outputs": outputs, **more})


def doc(*cells: dict[str, Any], minor: int = 5, **metadata: Any) -> Document:
    return read(written(notebook(*cells, minor=minor, **metadata)), "a notebook")


def three(*, ids: bool = True) -> list[dict[str, Any]]:
    return [cell(given if ids else None, source) for given, source in (("a", A), ("b", B), ("c", C))]


def cells(merged: Merged) -> list[dict[str, Any]]:
    document = json.loads(merged.data)
    check_notebook(document)
    return document["cells"]


def sources(merged: Merged) -> list[str]:
    return [source_of(one) for one in cells(merged)]


def merged(base: list[Any], ours: list[Any], theirs: list[Any], minor: int = 5) -> Merged:
    return merge(*(doc(*some, minor=minor) for some in (base, ours, theirs)))


@pytest.mark.parametrize("ids", [True, False])
def test_different_cells_never_conflict(ids: bool) -> None:
    minor = 5 if ids else 4
    ours, theirs = three(ids=ids), three(ids=ids)
    ours[0]["source"] = A.replace("second * 2", "second * 3")
    theirs[1]["source"] = B.replace("layers=3", "layers=4")
    theirs.insert(1, cell("n" if ids else None, "added by theirs"))
    found = merged(three(ids=ids), ours, theirs, minor)
    assert sources(found) == [ours[0]["source"], "added by theirs", theirs[2]["source"], C]
    assert found.conflicts == []


def test_different_lines_of_a_cell_meet_without_outputs_that_nobody_has_seen() -> None:
    ours, theirs = three(), three()
    ours[0] = cell("a", A.replace("a file", "our file"), "of ours", execution_count=3)
    theirs[0] = cell("a", A.replace("* 2", "* 4"), "of theirs", execution_count=9)
    found = merged(three(), ours, theirs)
    assert cells(found)[0]["source"] == "first = load('our file')\nsecond = first + 1\nthird = second * 4"
    assert (cells(found)[0]["outputs"], cells(found)[0]["execution_count"]) == ([], None)


def test_the_same_line_on_both_sides_is_a_conflict_in_a_notebook_that_opens() -> None:
    ours, theirs = three(), three()
    ours[2]["source"], theirs[2]["source"] = "plot(model.history, 'red')", "plot(model.history, 'blue')"
    theirs[0] = cell("a", A, "executed")
    found = merged(three(), ours, theirs)
    marked = cells(found)[2]
    assert source_of(marked).split("\n") == [
        "<<<<<<< ours",
        "plot(model.history, 'red')",
        "=======",
        "plot(model.history, 'blue')",
        ">>>>>>> theirs",
    ]
    assert marked["metadata"]["mlwidgets"]["conflict"]["kind"] == "edited"
    assert [(one.number, one.id, one.kind) for one in found.conflicts] == [(3, "c", "edited")]
    assert cells(found)[0]["outputs"]


def test_a_conflict_is_settled_when_its_markers_are_gone() -> None:
    ours, theirs = three(), three()
    ours[2]["source"], theirs[2]["source"] = "ours", "theirs"
    document = json.loads(merged(three(), ours, theirs).data)
    assert len(conflicts_in(document)) == 1
    document["cells"][2]["source"] = "settled"
    assert conflicts_in(document) == []
    assert forget_settled(document)
    assert document["cells"][2]["metadata"] == {}
    # Who writes about git's markers has no conflict.
    document["cells"][2]["source"] = "<<<<<<< ours"
    assert conflicts_in(document) == []


def test_outputs_and_counts_never_conflict_and_belong_to_their_source() -> None:
    base, ours, theirs = ([cell("a", A, said, execution_count=n)] for n, said in enumerate(("one", "two", "three")))
    kept = cells(merged(base, ours, theirs))[0]
    assert (kept["outputs"][0]["text"], kept["execution_count"]) == ("two", 1)
    # What only one side has executed is that side's.
    assert cells(merged(base, base, theirs))[0]["outputs"][0]["text"] == "three"
    # Of an edit, the outputs of the side that made it.
    theirs[0]["source"] = A + "\nmore"
    kept = cells(merged(base, ours, theirs))[0]
    assert (kept["outputs"][0]["text"], kept["execution_count"]) == ("three", 2)


def test_of_two_executions_that_say_when_the_later_one_is_kept() -> None:
    def executed(at: str, said: str) -> list[dict[str, Any]]:
        return [cell("a", A, said, metadata={"execution": {"shell.execute_reply": at}})]

    base, ours = executed("2026-01-01T00:00:00Z", "one"), executed("2026-02-01T00:00:00Z", "two")
    theirs = executed("2026-03-01T00:00:00Z", "three")
    for found in (merged(base, ours, theirs), merged(base, theirs, ours)):
        assert cells(found)[0]["outputs"][0]["text"] == "three"
        assert cells(found)[0]["metadata"]["execution"] == {"shell.execute_reply": "2026-03-01T00:00:00Z"}
        assert found.clashes == []


@pytest.mark.parametrize("swapped", [False, True])
def test_a_cell_that_one_side_deleted_and_the_other_edited_stays_with_a_note(swapped: bool) -> None:
    deleted, edited = [three()[0], three()[2]], three()
    edited[1] = cell("b", B + "\nmodel.save()", "saved")
    found = merged(three(), edited, deleted) if swapped else merged(three(), deleted, edited)
    note, *lines = source_of(cells(found)[1]).split("\n")
    assert note.startswith("<<<<<<< edited in ours, deleted in theirs" if swapped else "<<<<<<< edited in theirs, del")
    assert "\n".join(lines) == B + "\nmodel.save()"
    assert cells(found)[1]["outputs"]
    assert [one.kind for one in found.conflicts] == ["deleted"]


def test_a_cell_that_one_side_deleted_and_the_other_only_executed_or_moved_is_gone() -> None:
    other = [three()[2], cell("b", B, "executed"), three()[0]]
    found = merged(three(), [three()[0], three()[2]], other)
    assert sources(found) == [C, A]
    assert found.conflicts == []


def test_a_moved_cell_takes_the_other_sides_edit_along() -> None:
    ours = [three()[1], three()[2], three()[0]]
    theirs = three()
    theirs[0]["source"] = A + "\nfourth = 4"
    assert sources(merged(three(), ours, theirs)) == [B, C, A + "\nfourth = 4"]
    assert sources(merged(three(), theirs, ours)) == [B, C, A + "\nfourth = 4"]


def test_cells_of_both_sides_at_one_place_are_both_there_and_the_same_ones_once() -> None:
    common = "import numpy as np"
    ours = [*three(), cell("x", common), cell("y", "of ours")]
    theirs = [*three(), cell("z", common), cell("w", "of theirs")]
    assert sources(merged(three(), ours, theirs)) == [A, B, C, common, "of ours", "of theirs"]


def test_what_both_moved_elsewhere_is_where_ours_has_it() -> None:
    ours, theirs = [three()[1], three()[0], three()[2]], [three()[1], three()[2], three()[0]]
    assert sorted(sources(merged(three(), ours, theirs))) == sorted([A, B, C])


def test_notebooks_that_come_from_none() -> None:
    ours, theirs = [cell("a", A), cell("b", B)], [cell("a", A), cell("c", C)]
    found = merge(nothing(), doc(*ours), doc(*theirs))
    assert sources(found) == [A, B, C]
    theirs[0]["source"] = A.replace("a file", "another file")
    assert [one.id for one in merge(nothing(), doc(*ours), doc(*theirs)).conflicts] == ["a"]


def test_metadata_are_merged_by_key() -> None:
    def with_metadata(cell_: dict[str, Any], **metadata: Any) -> Document:
        return doc(cell("a", A, metadata=cell_), **metadata)

    base = with_metadata({"tags": ["one", "two"], "slideshow": {"slide_type": "slide"}}, language_info={"name": "py"})
    ours = with_metadata({"tags": ["two", "three"], "slideshow": {"slide_type": "skip"}}, title="ours", authors=["me"])
    theirs = with_metadata(
        {"tags": ["one", "two", "four"], "slideshow": {"slide_type": "notes"}, "collapsed": True},
        title="theirs",
        language_info={"name": "py", "version": "3"},
    )
    found = merge(base, ours, theirs)
    document = json.loads(found.data)
    assert document["cells"][0]["metadata"] == {
        "tags": ["two", "three", "four"],
        "slideshow": {"slide_type": "skip"},
        "collapsed": True,
    }
    assert document["metadata"] == {"title": "ours", "authors": ["me"], "language_info": {"name": "py", "version": "3"}}
    assert sorted(found.clashes) == ["slideshow.slide_type", "title"]
    assert found.conflicts == []


def test_the_kernel_is_of_one_side_as_a_whole() -> None:
    def of(name: str, display: str) -> Document:
        return doc(cell("a", A), kernelspec={"name": name, "display_name": display})

    found = merge(of("python3", "Python"), of("ours", "Python"), of("python3", "Theirs"))
    assert json.loads(found.data)["metadata"]["kernelspec"] == {"name": "ours", "display_name": "Python"}


def test_two_attachments_of_one_name_are_both_kept() -> None:
    def with_image(data: str) -> list[dict[str, Any]]:
        return [markdown("![](attachment:i.png)", id="a", attachments={"i.png": {"image/png": data}})]

    found = merged(with_image("b25l"), with_image("dHdv"), with_image("dGhyZWU="))
    kept = cells(found)[0]
    assert kept["attachments"] == {"i.png": {"image/png": "dHdv"}, "theirs-i.png": {"image/png": "dGhyZWU="}}
    assert [one.kind for one in found.conflicts] == ["attachment"]


def test_a_cell_of_another_kind_has_what_that_kind_has() -> None:
    ours, theirs = three(), three()
    ours[0] = markdown(A, id="a")
    theirs[0]["source"] = A + "\nmore"
    kept = cells(merged(three(), ours, theirs))[0]
    assert (kept["cell_type"], kept["source"]) == ("markdown", A + "\nmore")
    assert "outputs" not in kept
    kept = cells(merged(three(), theirs, ours))[0]
    assert (kept["cell_type"], kept["source"]) == ("markdown", A + "\nmore")


def test_every_cell_has_an_id_of_its_own() -> None:
    ours = [*three(), cell("new", "of ours, and quite long")]
    theirs = [*three(), cell("new", "something else that theirs wrote")]
    found = merged(three(), ours, theirs)
    assert len(cells(found)) == 5
    assert cells(found)[3]["id"] == "new"
    assert found.data == merged(three(), ours, theirs).data
    # A notebook of an older format has none, and gets them where the other side has.
    without = [doc(*three(ids=False), minor=4), doc(*three(ids=False), cell(None, "x"), minor=4)]
    mixed = merge(without[0], without[1], doc(*three(), cell("y", "of theirs")))
    assert json.loads(mixed.data)["nbformat_minor"] == 5
    assert all("id" in one for one in cells(mixed))
    # Copied by hand, ids and all.
    twice = merged(
        [*three(), three()[0]], [*three(), three()[0], cell("o", "o")], [*three(), three()[0], cell("t", "t")]
    )
    assert sources(twice) == [A, B, C, A, "o", "t"]


def test_the_file_is_written_as_it_was() -> None:
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"title": "é 中"},
        "cells": [{"cell_type": "raw", "id": "a", "metadata": {}, "source": ["é\n", "2"]}],
    }
    other = json.loads(json.dumps(document))
    other["cells"].append({"cell_type": "raw", "id": "b", "metadata": {}, "source": ["new"]})
    mine = json.loads(json.dumps(document))
    mine["cells"][0]["source"] = ["é\n", "3"]
    for how in ({"indent": 2, "ensure_ascii": False}, {"indent": "\t"}, {}):
        for end in ("", "\n"):
            base, ours, theirs = ((json.dumps(one, **how) + end) for one in (document, mine, other))
            both = json.loads(ours)
            both["cells"].append(other["cells"][1])
            found = merge(*(read(one.encode(), "x") for one in (base, ours, theirs)))
            assert found.data.decode() == json.dumps(both, **how) + end
    lines = [(json.dumps(one, indent=1) + "\n").replace("\n", "\r\n").encode() for one in (document, mine, other)]
    found = merge(*(read(one, "x") for one in lines))
    assert found.data.count(b"\n") == found.data.count(b"\r\n") > 5


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "is not JSON"),
        (b"", "is empty"),
        (b"[]", "is no notebook"),
        (b"<<<<<<< HEAD\n{}\n", "holds conflict markers"),
        (b'{"nbformat": 3, "worksheets": [], "metadata": {}}', "of notebook format 3"),
        (b'{"nbformat": 4, "cells": [3]}', "cell 1 is no cell"),
        (b'{"nbformat": 4, "cells": ' + b"[" * 100_000, "cannot be read"),
    ],
)
def test_what_is_no_notebook_is_named_in_one_line(data: bytes, words: str) -> None:
    with pytest.raises(NotebookError, match=words) as caught:
        read(data, "some.ipynb")
    assert "\n" not in str(caught.value)


def test_damaged_cells_are_merged_as_they_are() -> None:
    def damaged(*sources_: Any) -> Document:
        bare = [{"cell_type": "code", "source": one} for one in sources_]
        return read(json.dumps({"nbformat": 4, "cells": [*bare, {"metadata": None}]}).encode(), "x")

    found = merge(damaged("a = 1", None), damaged("a = 1", None, "ours"), damaged(["a = 1\n", "b = 2"], None))
    assert [source_of(one) if one.get("source") else "" for one in json.loads(found.data)["cells"]] == [
        "a = 1\nb = 2",
        "",
        "ours",
        "",
    ]


@pytest.mark.parametrize("name", READABLE)
def test_notebooks_that_are_hard_to_read_are_merged_and_shown(name: str) -> None:
    data = READABLE[name]
    text_of(read_notebook(data, name), outputs=True)
    if b"worksheets" in data:
        with pytest.raises(NotebookError, match="format 3"):
            read(data, name)
        return
    base = read(data, name)
    without_outputs(data)
    added = {"cell_type": "raw", "metadata": {}, "source": "of ours"}
    sides = []
    for said in ("of ours", "of theirs"):
        raw = json.loads(data.decode("utf-8-sig"))
        raw["cells"].append({**added, "source": said})
        sides.append(read(json.dumps(raw).encode(), name))
    found = json.loads(merge(base, *sides).data)
    assert [cell.get("source") for cell in found["cells"]] == [
        *(cell.get("source") for cell in json.loads(data.decode("utf-8-sig"))["cells"]),
        "of ours",
        "of theirs",
    ]


@pytest.mark.parametrize("seed", range(5))
def test_no_line_is_ever_lost(seed: int) -> None:
    for n in range(60):
        merge_in_memory(60 * seed + n)
