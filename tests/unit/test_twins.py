"""A notebook and its text twin, edited on either side."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.history.merging.documents import load
from mlwidgets.history.merging.merge import merge
from mlwidgets.history.snapshots import History
from mlwidgets.history.twins.finding import paired_in
from mlwidgets.history.twins.pairing import may_be_paired, pairing_of
from mlwidgets.history.twins.syncing import follow_rename, settle, sync
from tests.twin_support import cell, notebook, ran, read, sources, write


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLWIDGETS_STORE")
    (tmp_path / ".mlwidgets").mkdir(mode=0o700)
    (tmp_path / "jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
    return tmp_path


@pytest.fixture
def path(project: Path) -> Path:
    write(
        project / "n.ipynb",
        notebook(
            cell("# Title\n\nwords", "markdown", "a"),
            ran(cell("import os\nx = 1", given="b", tags=["first"]), "one\n"),
            ran(cell("%matplotlib inline\nprint(x)", given="c"), "two\n"),
            cell("", given="d"),
        ),
    )
    assert sync(project / "n.ipynb").changed == "twin"
    return project / "n.ipynb"


def twin_of(path: Path) -> Path:
    return path.with_suffix(".py")


def edit(path: Path, old: str, new: str) -> None:
    """Edit a text, some time ago."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    os.utime(path, (time.time() - 5, time.time() - 5))


def change(path: Path, **by_id: str) -> None:
    raw = read(path)
    for one in raw["cells"]:
        if one.get("id") in by_id:
            one["source"] = by_id[one["id"]].splitlines(keepends=True)
    write(path, raw)


def by_id(path: Path) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in read(path)["cells"]}


def test_the_twin_is_what_jupytext_itself_writes(path: Path) -> None:
    ours = twin_of(path).read_text()
    twin_of(path).unlink()
    subprocess.run([sys.executable, "-m", "jupytext", "--sync", str(path)], check=True, capture_output=True)
    assert twin_of(path).read_text() == ours
    assert sync(path).changed == "none"


def test_nothing_is_touched_where_nothing_changed(path: Path) -> None:
    before = [(one.read_bytes(), one.stat().st_mtime_ns, one.stat().st_ino) for one in (path, twin_of(path))]
    assert sync(path) == sync(twin_of(path))
    assert sync(path).changed == "none"
    assert [(one.read_bytes(), one.stat().st_mtime_ns, one.stat().st_ino) for one in (path, twin_of(path))] == before


def test_a_run_of_cells_alone_writes_nothing(path: Path) -> None:
    raw = read(path)
    raw["cells"][2] = ran(raw["cells"][2], "another\n")
    write(path, raw)
    before = twin_of(path).stat()
    assert sync(path).changed == "none"
    assert twin_of(path).stat().st_mtime_ns == before.st_mtime_ns


def test_an_edited_notebook_comes_to_the_twin(path: Path) -> None:
    change(path, b="import os\nx = 2")
    before = path.read_bytes()
    done = sync(path)
    assert (done.changed, done.problem, done.twin) == ("twin", None, twin_of(path))
    assert "x = 2" in twin_of(path).read_text()
    assert path.read_bytes() == before


def test_an_edited_twin_comes_to_the_notebook_with_outputs_ids_and_metadata(path: Path) -> None:
    raw = read(path)
    raw["cells"][1]["metadata"]["collapsed"] = True
    raw["metadata"]["widgets"] = {"state": {}}
    write(path, raw)
    sync(path)
    edit(twin_of(path), "x = 1", "x = 2")
    edit(twin_of(path), "# words", "# other words")
    text = twin_of(path).read_text()
    assert sync(path).changed == "notebook"
    now = by_id(path)
    assert list(now) == ["a", "b", "c", "d"]
    assert "".join(now["b"]["source"]) == "import os\nx = 2"
    assert "".join(now["a"]["source"]) == "# Title\n\nother words"
    assert now["b"]["outputs"][0]["text"] == ["one\n"]
    assert now["b"]["execution_count"] == 1
    assert now["b"]["metadata"] == {"collapsed": True, "tags": ["first"]}
    assert read(path)["metadata"]["widgets"] == {"state": {}}
    assert twin_of(path).read_text() == text
    assert sync(path).changed == "none"


def test_metadata_that_the_twin_says_can_be_edited_there(path: Path) -> None:
    edit(twin_of(path), '# %% tags=["first"]', '# %% tags=["first", "second"]')
    assert sync(path).changed == "notebook"
    assert by_id(path)["b"]["metadata"]["tags"] == ["first", "second"]


def test_cells_added_removed_and_moved_in_the_twin(path: Path) -> None:
    head, *cells = re.split(r"(?m)^(?=# %%)", twin_of(path).read_text())
    title, _, second, last = cells
    twin_of(path).write_text(f"{head}{second}# %%\nnew = 3\n\n{title}{last}")
    assert sync(path).changed == "notebook"
    assert sources(read(path)) == ["%matplotlib inline\nprint(x)", "new = 3", "# Title\n\nwords", ""]
    now = by_id(path)
    assert set(now) > {"a", "c", "d"}
    assert now["c"]["outputs"]
    assert sync(path).changed == "none"


def test_a_replaced_output_is_kept_to_the_byte(path: Path) -> None:
    before = path.read_bytes()
    head, *cells = re.split(r"(?m)^(?=# %%)", twin_of(path).read_text())
    twin_of(path).write_text("".join([head, cells[0], cells[2]]))
    assert sync(path).changed == "notebook"
    history = History(path)
    result, replaced = history.snapshots()[:2]
    assert (result.kind, replaced.kind) == ("save", "twin")
    history.restore(replaced)
    assert path.read_bytes() == before


def test_what_came_from_the_text_is_kept_for_whoever_saves_an_older_notebook_over_it(path: Path) -> None:
    before = path.read_bytes()
    edit(twin_of(path), "x = 1", "x = 8")
    assert sync(path).changed == "notebook"
    path.write_bytes(before)
    assert sync(path).changed == "twin"
    assert "x = 8" not in twin_of(path).read_text()
    assert any("x = 8" in cell.source for cell in History(path).read(History(path).snapshots()[0]).cells)


def test_different_cells_merge(path: Path) -> None:
    change(path, c="%matplotlib inline\nprint(x + 1)")
    edit(twin_of(path), "x = 1", "x = 2")
    assert sync(path).changed == "both"
    assert sources(read(path))[1:3] == ["import os\nx = 2", "%matplotlib inline\nprint(x + 1)"]
    assert "print(x + 1)" in twin_of(path).read_text()
    assert sync(path).changed == "none"
    # What the notebook and the twin were is kept, and what they are now.
    assert [one.kind for one in History(path).snapshots()] == ["save", "twin", "twin"]


def test_one_cell_on_both_sides_is_a_conflict_and_nothing_is_written(path: Path) -> None:
    change(path, b="import os\nx = 7", c="changed = 1")
    edit(twin_of(path), "x = 1", "x = 8")
    before = path.read_bytes(), twin_of(path).read_bytes()
    done = sync(path)
    assert done.changed == "none"
    (one,) = done.conflicts
    assert (one.cell, one.notebook, one.twin, one.base) == (
        2,
        "import os\nx = 7",
        "import os\nx = 8",
        "import os\nx = 1",
    )
    assert (path.read_bytes(), twin_of(path).read_bytes()) == before
    assert sync(path) == done


@pytest.mark.parametrize(
    ("choice", "stays"),
    [
        ("notebook", ["import os\nx = 7"]),
        ("twin", ["import os\nx = 8"]),
        ("both", ["import os\nx = 7", "import os\nx = 8"]),
    ],
)
def test_a_decision_is_carried_out(path: Path, choice: Any, stays: list[str]) -> None:
    change(path, b="import os\nx = 7")
    edit(twin_of(path), "x = 1", "x = 8")
    edit(twin_of(path), "print(x)", "print(x, x)")
    (one,) = sync(path).conflicts
    done = settle(path, {one.id: choice})
    assert done.conflicts == ()
    assert sources(read(path))[1:-2] == stays
    assert by_id(path)["b"]["outputs"][0]["text"] == ["one\n"]
    assert "print(x, x)" in sources(read(path))[-2]
    assert all(text in twin_of(path).read_text() for text in stays)
    assert sync(path).changed == "none"


def test_decisions_on_some_conflicts_leave_the_others(path: Path) -> None:
    change(path, b="import os\nx = 7", c="y = 7")
    edit(twin_of(path), "x = 1", "x = 8")
    edit(twin_of(path), "print(x)", "y = 8")
    first, second = sync(path).conflicts
    done = settle(path, {first.id: "twin"})
    assert [one.id for one in done.conflicts] == [second.id]
    assert sources(read(path))[1:3] == ["import os\nx = 8", "y = 7"]
    assert "y = 8" in twin_of(path).read_text()
    (left,) = sync(path).conflicts
    assert left == second
    assert settle(path, {left.id: "notebook"}).changed == "twin"
    assert "y = 7" in twin_of(path).read_text()


def test_a_decision_on_what_has_changed_since_is_none(path: Path) -> None:
    change(path, b="import os\nx = 7")
    edit(twin_of(path), "x = 1", "x = 8")
    (one,) = sync(path).conflicts
    edit(twin_of(path), "x = 8", "x = 9")
    before = path.read_bytes(), twin_of(path).read_bytes()
    done = settle(path, {one.id: "notebook"})
    assert [left.twin for left in done.conflicts] == ["import os\nx = 9"]
    assert (path.read_bytes(), twin_of(path).read_bytes()) == before


@pytest.mark.parametrize("gone", ["notebook", "twin"])
@pytest.mark.parametrize("choice", ["notebook", "twin", "both"])
def test_deleted_on_one_side_and_edited_on_the_other(path: Path, gone: str, choice: Any) -> None:
    if gone == "notebook":
        raw = read(path)
        del raw["cells"][1]
        write(path, raw)
        edit(twin_of(path), "x = 1", "x = 8")
    else:
        change(path, b="import os\nx = 8")
        parts = re.split(r"(?m)^(?=# %%)", twin_of(path).read_text())
        twin_of(path).write_text("".join([*parts[:2], *parts[3:]]))
    (one,) = sync(path).conflicts
    assert one.deleted == gone
    assert one.cell == 2
    settle(path, {one.id: choice})
    stays = choice != gone
    assert ("import os\nx = 8" in sources(read(path))) is stays
    assert ("x = 8" in twin_of(path).read_text()) is stays
    assert sync(path).changed == "none"


def test_the_same_edit_on_both_sides_is_no_conflict(path: Path) -> None:
    change(path, b="import os\nx = 2")
    edit(twin_of(path), "x = 1", "x = 2")
    assert sync(path).changed == "none"
    edit(twin_of(path), "x = 2", "x = 3")
    assert sync(path).changed == "notebook"


def test_a_style_of_ones_own_stays_in_the_twin(path: Path) -> None:
    edit(twin_of(path), "x = 1\n\n", "x = 1\n\n\n\n")
    text = twin_of(path).read_text()
    sync(path)
    change(path, c="print(5)")
    sync(path)
    assert twin_of(path).read_text() == text.replace("# %matplotlib inline\nprint(x)", "print(5)")


def test_line_ends_of_the_twin_stay(path: Path) -> None:
    twin = twin_of(path)
    twin.write_bytes(twin.read_bytes().replace(b"\n", b"\r\n"))
    assert sync(path).changed == "none"
    change(path, b="import os\nx = 2")
    assert sync(path).changed == "twin"
    assert twin.read_bytes().count(b"\r\n") == twin.read_bytes().count(b"\n")
    edit_bytes = twin.read_bytes().replace(b"x = 2", b"x = 3")
    twin.write_bytes(edit_bytes)
    assert sync(path).changed == "notebook"
    assert sources(read(path))[1] == "import os\nx = 3"
    assert twin.read_bytes() == edit_bytes


def test_what_the_text_cannot_say_of_a_cell_stays(project: Path) -> None:
    path = project / "n.ipynb"
    odd = ["a = 1\n\n\n", "\n\nb = 2", "# %%\nc = 3", '"""\n# %%\n"""', "%%bash\necho\n\n", "  "]
    write(path, notebook(*(cell(one, given=f"c{n}") for n, one in enumerate(odd)), cell("last = 1", given="z")))
    sync(path)
    edit(twin_of(path), "last = 1", "last = 2")
    done = sync(path)
    assert done.problem is None
    assert sources(read(path)) == [*odd, "last = 2"]
    assert list(by_id(path)) == [*(f"c{n}" for n in range(len(odd))), "z"]


@pytest.mark.parametrize("text_format", ["md", "md:myst", "Rmd", "py:light", "py:hydrogen"])
def test_other_formats(project: Path, path: Path, text_format: str) -> None:
    (project / "jupytext.toml").write_text(f'formats = "ipynb,{text_format}"\n')
    twin_of(path).unlink()
    assert sync(path).problem is None
    pairing = pairing_of(path)
    assert pairing is not None
    twin = pairing.twin
    assert pairing_of(twin) == pairing
    before = by_id(path)
    edit(twin, "x = 1", "x = 2")
    assert sync(path).changed == "notebook"
    now = by_id(path)
    assert "".join(now["b"]["source"]) == "import os\nx = 2"
    assert {key: now[key] for key in "acd" if key in now} == {key: before[key] for key in "acd"}
    change(path, c="print(3)")
    assert sync(path).changed == "twin"
    assert "print(3)" in twin.read_text()


def test_two_twins(project: Path, path: Path) -> None:
    (project / "jupytext.toml").write_text('formats = "ipynb,py:percent,md"\n')
    assert sync(path).changed == "twin"
    edit(path.with_suffix(".md"), "x = 1", "x = 2")
    assert sync(path).changed == "both"
    assert "x = 2" in twin_of(path).read_text()
    assert sources(read(path))[1] == "import os\nx = 2"
    assert sync(path).changed == "none"


def test_twins_in_a_folder_of_their_own(project: Path) -> None:
    (project / "jupytext.toml").write_text('[formats]\n"notebooks" = "ipynb"\n"scripts" = "py:percent"\n')
    (project / "notebooks" / "ü").mkdir(parents=True)
    path = project / "notebooks" / "ü" / "a b.ipynb"
    write(path, notebook(cell("x = 1", given="a")))
    done = sync(path)
    assert done.twin == project / "scripts" / "ü" / "a b.py"
    edit(done.twin, "x = 1", "x = 2")
    assert sync(done.twin).changed == "notebook"
    assert sources(read(path)) == ["x = 2"]


def test_a_notebook_may_say_itself_that_it_is_paired(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    path = tmp_path / "n.ipynb"
    write(path, notebook(cell("x = 1", given="a"), jupytext={"formats": "ipynb,md"}))
    assert sync(path).twin == tmp_path / "n.md"
    write(path, notebook(cell("x = 1", given="a"), jupytext={"formats": "ipynb,../../../x//py"}))
    assert sync(path).changed == "none"
    assert not may_be_paired(tmp_path / "other.ipynb")
    assert sync(tmp_path / "other.ipynb").twin is None


def test_a_notebook_from_elsewhere_does_not_say_where_files_are_written(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / ".mlwidgets").mkdir(parents=True, mode=0o700)
    (tmp_path / "elsewhere").mkdir()
    path = project / "n.ipynb"
    write(path, notebook(cell("x = 1", given="a"), jupytext={"formats": "ipynb,../elsewhere//py"}))
    done = sync(path)
    assert done.problem is not None
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (project / "n.py").symlink_to(tmp_path / "elsewhere" / "victim.py")
    write(path, notebook(cell("x = 1", given="a"), jupytext={"formats": "ipynb,py"}))
    assert "outside of its project" in str(sync(path).problem)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_settings_that_are_a_program_are_not_executed(project: Path, path: Path) -> None:
    (project / "jupytext.toml").unlink()
    (project / ".jupytext.py").write_text(f"open({str(project / 'ran')!r}, 'w')\nc.formats = 'ipynb,py'\n")
    assert "is a program" in str(sync(path).problem)
    assert not (project / "ran").exists()


@pytest.mark.parametrize("settings", ['formats = "ipynb,py:nothing"\n', "formats = [\n", "nonsense = 1\n"])
def test_settings_that_cannot_be_read(project: Path, path: Path, settings: str) -> None:
    (project / "jupytext.toml").write_text(settings)
    before = path.read_bytes(), twin_of(path).read_bytes()
    change(path, b="x = 5")
    done = sync(path)
    assert done.problem is not None
    assert "\n" not in done.problem
    assert twin_of(path).read_bytes() == before[1]


BROKEN = {
    "markers": ("x = 1", "<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other", "conflict markers of a merge (line 22)"),
    "string": ("x = 1", 'x = """', "ends within the string that begins in line 22"),
    "header": ("# ---\n# jupyter:", "# ---\n# [}jupyter:", "cannot be read: it is no YAML"),
    "header in one line": ("# ---\n# jupyter:\n", "# ---\n# jupyter: [\n# ---\n", "cannot be read: it is no YAML"),
    "header without a beginning": ("# ---\n# jupyter:", "# jupyter:", "cannot be read: it is no YAML"),
    "header without an end": ("\n# ---\n\n# %%", "\n\n# %%", "cannot be read: it is no YAML"),
    "value in the header": ("#   kernelspec:", "#   kernelspec: {", "(line "),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_twin_is_left_alone_until_it_is_mended(path: Path, how: str) -> None:
    old, new, said = BROKEN[how]
    whole = twin_of(path).read_text()
    edit(twin_of(path), old, new)
    change(path, c="print(5)")
    before = path.read_bytes(), twin_of(path).read_bytes()
    done = sync(path)
    assert done.problem is not None
    assert said in done.problem
    assert "\n" not in done.problem
    assert (path.read_bytes(), twin_of(path).read_bytes()) == before
    twin_of(path).write_text(whole)
    assert sync(path).changed == "twin"


@pytest.mark.parametrize(
    ("data", "said"), [(b"", "is empty"), (b"\xff\xfe# %%\n", "is not UTF-8"), (b"\n \n", "is empty")]
)
def test_a_twin_without_text(path: Path, data: bytes, said: str) -> None:
    before = path.read_bytes()
    twin_of(path).write_bytes(data)
    assert said in str(sync(path).problem)
    assert path.read_bytes() == before
    assert twin_of(path).read_bytes() == data
    twin_of(path).unlink()
    assert sync(path).changed == "twin"


def test_a_block_without_an_end(project: Path, path: Path) -> None:
    (project / "jupytext.toml").write_text('formats = "ipynb,md"\n')
    sync(path)
    twin = path.with_suffix(".md")
    edit(twin, "x = 1\n```", "x = 1\n")
    before = path.read_bytes()
    assert "ends within the block" in str(sync(path).problem)
    assert path.read_bytes() == before


@pytest.mark.parametrize("data", [b"{", b"", b"<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> x\n", b'{"cells": 1}'])
def test_a_broken_notebook_leaves_the_twin_alone(path: Path, data: bytes) -> None:
    before = twin_of(path).read_bytes()
    edit(twin_of(path), "x = 1", "x = 2")
    before = twin_of(path).read_bytes()
    path.write_bytes(data)
    assert sync(path).problem
    assert twin_of(path).read_bytes() == before
    assert path.read_bytes() == data


def test_cells_in_conflict_after_a_merge_are_settled_first(path: Path) -> None:
    before = load(path)
    twin = twin_of(path).read_bytes()
    change(path, b="x = 7")
    ours = load(path)
    change(path, b="x = 8")
    path.write_bytes(merge(before, ours, load(path)).data)
    assert "cells in conflict (cell 2)" in str(sync(path).problem)
    assert twin_of(path).read_bytes() == twin
    change(path, b="x = 9")
    assert sync(path).changed == "twin"


def test_a_missing_twin_is_written_again(path: Path) -> None:
    text = twin_of(path).read_text()
    twin_of(path).unlink()
    assert sync(path).changed == "twin"
    assert twin_of(path).read_text() == text


def test_a_missing_notebook_is_made_of_its_twin(path: Path) -> None:
    before = read(path)
    path.unlink()
    edit(twin_of(path), "x = 1", "x = 2")
    assert sync(twin_of(path)).changed == "notebook"
    now = read(path)
    assert [one["id"] for one in now["cells"]] == ["a", "b", "c", "d"]
    assert sources(now)[1] == "import os\nx = 2"
    assert now["metadata"] == before["metadata"]
    assert sync(path).changed == "none"


def test_a_twin_without_a_notebook_that_nobody_knows(project: Path) -> None:
    (project / "n.py").write_text(
        "# ---\n# jupyter:\n#   jupytext:\n#     formats: ipynb,py:percent\n# ---\n\n# %%\nx = 1\n"
    )
    assert sync(project / "n.py").changed == "notebook"
    raw = read(project / "n.ipynb")
    assert sources(raw) == ["x = 1"]
    assert raw["cells"][0]["id"]
    assert (raw["nbformat"], raw["nbformat_minor"]) == (4, 5)


def test_a_program_of_the_same_name_is_no_twin(project: Path) -> None:
    write(project / "train.ipynb", notebook(cell("import train", given="a")))
    (project / "train.py").write_text("def train():\n    return 1\n")
    done = sync(project / "train.ipynb")
    assert "is not the text of its notebook" in str(done.problem)
    assert (project / "train.py").read_text() == "def train():\n    return 1\n"


def forget(project: Path) -> None:
    for one in (project / ".mlwidgets" / "twins").glob("*.json"):
        one.unlink()


def test_without_a_base_the_same_is_the_same(project: Path, path: Path) -> None:
    forget(project)
    before = path.stat().st_mtime_ns, twin_of(path).stat().st_mtime_ns
    assert sync(path).changed == "none"
    assert (path.stat().st_mtime_ns, twin_of(path).stat().st_mtime_ns) == before
    edit(twin_of(path), "x = 1", "x = 2")
    assert sync(path).changed == "notebook"


def test_without_a_base_what_differs_is_a_conflict_and_nothing_is_lost(project: Path, path: Path) -> None:
    change(path, b="import os\nx = 7", d="only = 'here'")
    edit(twin_of(path), "x = 1", "x = 8")
    edit(twin_of(path), "# %% [markdown]", "# %%\nonly = 'there'\n\n# %% [markdown]")
    forget(project)
    done = sync(path)
    assert ("import os\nx = 7", "import os\nx = 8", None) in [
        (one.notebook, one.twin, one.base) for one in done.conflicts
    ]
    assert settle(path, {done.conflicts[0].id: "both"}).changed == ("none" if len(done.conflicts) > 1 else "both")
    sync(path, choose="both")
    text = "\n".join(sources(read(path)))
    for said in ("x = 7", "x = 8", "only = 'here'", "only = 'there'"):
        assert said in text
        assert said in twin_of(path).read_text()
    assert sync(path).changed == "none"


def test_a_damaged_base_is_none(project: Path, path: Path) -> None:
    for one in (project / ".mlwidgets" / "twins").glob("*.json"):
        one.write_text('{"version": 1, "notebook": ')
    assert sync(path).changed == "none"
    change(path, b="x = 2")
    assert sync(path).changed == "twin"


def test_a_deleted_header_takes_nothing_from_the_notebook(path: Path) -> None:
    before = read(path)["metadata"]
    twin_of(path).write_text(twin_of(path).read_text().partition("# ---\n\n")[2].replace("x = 1", "x = 2"))
    assert sync(path).changed == "notebook"
    assert read(path)["metadata"] == before
    assert sources(read(path))[:2] == ["# Title\n\nwords", "import os\nx = 2"]


def test_an_edited_header_comes_to_the_notebook(path: Path) -> None:
    edit(twin_of(path), "name: python3", "name: other")
    assert sync(path).changed == "notebook"
    assert read(path)["metadata"]["kernelspec"]["name"] == "other"


def test_a_string_without_an_end_in_the_notebook(project: Path, path: Path) -> None:
    change(path, b='x = """')
    assert sync(path).changed == "twin"
    edit(twin_of(path), "words", "more words")
    assert sync(path).changed == "notebook"
    assert sources(read(path)) == ["# Title\n\nmore words", 'x = """', "%matplotlib inline\nprint(x)", ""]
    assert list(by_id(path)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("what", ["twin", "folder"])
def test_what_cannot_be_written_is_said_and_tried_again(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.delenv("MLWIDGETS_STORE")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
        (folder / ".mlwidgets").mkdir(mode=0o700)
        path = folder / "n.ipynb"
        write(path, notebook(cell("x = 1", given="a"), cell("y = 1", given="b")))
        sync(path)
        change(path, a="x = 2")
        user = 65534 if os.geteuid() == 0 else os.geteuid()
        for one in (folder, *folder.rglob("*")):
            if os.geteuid() == 0:
                os.chown(one, user, -1)
        closed = twin_of(path) if what == "twin" else folder
        mode = closed.stat().st_mode
        closed.chmod(0o444 if what == "twin" else 0o555)
        before = twin_of(path).read_bytes()
        child = os.fork()
        if not child:
            if os.geteuid() == 0:
                os.setuid(user)
            done = sync(path)
            os._exit(0 if done.problem and "\n" not in done.problem and done.changed == "none" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert twin_of(path).read_bytes() == before
        closed.chmod(mode)
        for one in (folder, *folder.rglob("*")):
            os.chown(one, os.geteuid(), -1)
        assert sync(path).changed == "twin"


def test_a_renamed_notebook_keeps_its_twin(path: Path) -> None:
    edit(twin_of(path), "x = 1", "x = 2")
    new = path.with_name("other name.ipynb")
    path.rename(new)
    follow_rename(path, new)
    assert not twin_of(path).exists()
    assert sync(new).changed == "notebook"
    assert sources(read(new))[1] == "import os\nx = 2"


def test_a_notebook_that_was_renamed_outside_is_known_again(path: Path) -> None:
    edit(twin_of(path), "x = 1", "x = 2")
    new = path.with_name("b.ipynb")
    path.rename(new)
    assert sync(new).changed == "notebook"
    assert not twin_of(path).exists()
    assert twin_of(new).exists()


def test_a_copy_is_no_rename(path: Path) -> None:
    new = path.with_name("b.ipynb")
    new.write_bytes(path.read_bytes())
    assert sync(new).changed == "twin"
    assert twin_of(path).exists()
    assert sync(path).changed == "none"


def test_base_of_a_commit_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLWIDGETS_STORE")

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=A", "-c", "user.email=a@b.c")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
    path = tmp_path / "n.ipynb"
    write(path, notebook(cell("x = 1", given="a"), cell("y = 1", given="b")))
    sync(path)
    git("add", "n.ipynb", "n.py")
    git("commit", "-qm", "both")
    # A colleague edits the text alone; then both files are cloned, and the store is not.
    edit(twin_of(path), "x = 1", "x = 2")
    git("commit", "-qam", "text")
    change(path, b="y = 5")
    forget(tmp_path)
    done = sync(path)
    assert (done.changed, done.conflicts) == ("both", ())
    assert sources(read(path)) == ["x = 2", "y = 5"]


@pytest.mark.parametrize(("text_format", "kind", "odd"), [("py:percent", "code", 'x = """'), ("md", "markdown", "```")])
def test_cells_that_are_one_in_the_text_are_never_made_one(
    project: Path, text_format: str, kind: str, odd: str
) -> None:
    (project / "jupytext.toml").write_text(f'formats = "ipynb,{text_format}"\n')
    path = project / "odd.ipynb"
    cells = [ran(cell(f"y{n} = 1", given=f"c{n}"), f"{n}\n") for n in range(4)]
    write(path, notebook(cell("first = 1", given="a"), cell(odd, kind, "b"), *cells))
    twin = sync(path).twin
    assert twin is not None
    before = path.read_bytes()
    edit(twin, "y0 = 1", "y0 = 2")
    text = twin.read_bytes()
    done = sync(path)
    assert "of the notebook are one in its text" in str(done.problem)
    assert (path.read_bytes(), twin.read_bytes()) == (before, text)
    # Once it has an end, all is well again.
    change(path, b="ended = 1" if kind == "code" else "ended")
    twin.unlink()
    assert sync(path).changed == "twin"
    edit(twin, "y2 = 1", "y2 = 2")
    assert sync(path).changed == "notebook"
    assert by_id(path)["c2"]["outputs"][0]["text"] == ["2\n"]
    assert sources(read(path))[4] == "y2 = 2"


def test_where_nothing_changed_jupytext_is_not_imported(project: Path, path: Path) -> None:
    write(project / "sub.ipynb", notebook(cell("y = 1", given="a")))
    sync(project / "sub.ipynb")
    code = "import sys; from mlwidgets.cli import main; print(main(sys.argv[1:]), 'jupytext' in sys.modules)"

    def said(*arguments: str) -> str:
        command = [sys.executable, "-c", code, "sync", *arguments]
        return subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout

    for arguments in ([], ["n.ipynb"], ["n.py"], ["n.ipynb", "sub.py"]):
        assert said(*arguments) == "0 False\n", arguments
    settings = (project / "jupytext.toml").read_text()
    (project / "jupytext.toml").write_text('formats = "ipynb,md"\n')
    assert said("n.ipynb") == "n.md: written\n0 True\n"
    (project / "jupytext.toml").write_text(settings)
    assert said("n.ipynb") == "0 True\n"
    edit(twin_of(path), "x = 1", "x = 2")
    assert said("n.ipynb") == "n.ipynb: takes over what changed in n.py\n0 True\n"
    assert said("n.py") == "0 False\n"
    forget(project)
    assert said("n.ipynb") == "0 True\n"
    assert len(list((project / ".mlwidgets" / "twins").glob("*.json"))) == 1


def test_a_folder_is_synchronised_and_what_was_deleted_or_renamed_stays_so(project: Path, path: Path) -> None:
    edit(twin_of(path), "x = 1", "x = 2")
    path.rename(project / "z.ipynb")
    write(project / "gone.ipynb", notebook(cell("y = 1", given="q")))
    sync(project / "gone.ipynb")
    (project / "gone.ipynb").unlink()
    found = list(paired_in(project))
    assert found == [project / "z.ipynb"]
    assert [sync(one).changed for one in found] == ["notebook"]
    assert sorted(one.name for one in project.glob("*.*") if one.is_file()) == [
        "gone.py",
        "jupytext.toml",
        "z.ipynb",
        "z.py",
    ]
    assert sources(read(project / "z.ipynb"))[1] == "import os\nx = 2"
    # Who asks for it by its name gets it back.
    assert sync(project / "gone.py").changed == "notebook"


def test_a_twin_that_lost_all_of_its_cells_takes_none_from_the_notebook(path: Path) -> None:
    before, text = path.read_bytes(), twin_of(path).read_text()
    twin_of(path).write_text(text[: text.index("# %%")])
    os.utime(twin_of(path), (time.time() - 5, time.time() - 5))
    assert "holds no cell any more" in str(sync(path).problem)
    assert path.read_bytes() == before
    twin_of(path).unlink()
    assert sync(path).changed == "twin"
    assert twin_of(path).read_text() == text


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_no_twin_and_is_not_waited_for(path: Path, make: Any) -> None:
    before = path.read_bytes()
    twin_of(path).unlink()
    make(twin_of(path))
    assert "is no file" in str(sync(path).problem)
    assert path.read_bytes() == before
    assert not twin_of(path).is_file()


@pytest.mark.parametrize(("choice", "replaced"), [("notebook", "x = 8"), ("twin", "x = 7")])
def test_the_version_that_does_not_stay_comes_back_from_its_snapshot(path: Path, choice: Any, replaced: str) -> None:
    change(path, b="import os\nx = 7")
    edit(twin_of(path), "x = 1", "x = 8")
    assert sync(path, choose=choice).conflicts == ()
    assert replaced not in path.read_text() + twin_of(path).read_text()
    history = History(path)
    kept = next(one for one in history.snapshots() if replaced in history.text(one))
    assert kept.kind == "twin"
    history.restore(kept)
    assert sources(read(path))[1] == f"import os\n{replaced}"
    assert sync(path).changed == "twin"
    assert replaced in twin_of(path).read_text()
