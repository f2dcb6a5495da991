"""Pairing the notebooks of a project, from the command line, and taking it back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlwidgets.cli import main
from mlwidgets.errors import TwinError
from mlwidgets.history.snapshots import History
from mlwidgets.history.twins.helper import Helper
from mlwidgets.history.twins.planning import pair, plan, unpair
from mlwidgets.history.twins.syncing import sync
from mlwidgets.history.twins.undoing import plan_undo, undo
from tests.twin_support import cell, notebook, ran, read, sources, write


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLWIDGETS_STORE")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".mlwidgets").mkdir(mode=0o700)
    for path in ("sub dir", ".hidden", "node_modules", "env"):
        (tmp_path / path).mkdir()
        write(tmp_path / path / "ü.ipynb", notebook(cell("z = 1", given="z")))
    (tmp_path / "env" / "pyvenv.cfg").touch()
    write(tmp_path / "lenet.ipynb", notebook(ran(cell("x = 1", given="a"), "1\n"), cell("y = 2", given="b")))
    write(tmp_path / "train.ipynb", notebook(cell("import train", given="a")))
    (tmp_path / "train.py").write_text("def train():\n    return 1\n")
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".mlwidgets" not in path.parts
    }


def test_a_plan_writes_nothing_and_says_everything(project: Path) -> None:
    before = files(project)
    found = plan(project)
    assert files(project) == before
    assert [twin.relative_to(project).as_posix() for _, twin in found.write] == ["lenet.py", "sub dir/ü.py"]
    assert found.apart == ((project / "train.ipynb", "train.py is another file"),)
    assert (found.before, found.after) == (None, b'formats = "ipynb,py:percent"\n')


def test_pairing_and_taking_it_back(project: Path) -> None:
    before = files(project)
    assert pair(plan(project)) == []
    now = files(project)
    assert set(now) - set(before) == {"jupytext.toml", "lenet.py", "sub dir/ü.py"}
    assert now["train.py"] == before["train.py"]
    assert read(project / "train.ipynb")["metadata"]["jupytext"] == {"formats": "ipynb"}
    assert sync(project / "train.ipynb").twin is None
    again = plan(project)
    assert not again.writes
    undo(plan_undo(project))
    assert files(project) == before
    assert plan_undo(project) == []


def test_what_somebody_wrote_since_stays(project: Path) -> None:
    pair(plan(project))
    (project / "jupytext.toml").write_text('formats = "ipynb,py:percent"\ncell_metadata_filter = "-all"\n')
    (project / "lenet.py").write_text((project / "lenet.py").read_text().replace("y = 2", "y = 5"))
    (one,) = plan_undo(project)
    assert [path.name for path, _ in one.stay] == ["jupytext.toml", "lenet.py"]
    undo([one])
    assert "y = 5" in (project / "lenet.py").read_text()
    assert "-all" in (project / "jupytext.toml").read_text()
    assert not (project / "sub dir" / "ü.py").exists()


def test_settings_that_are_there_are_respected(project: Path) -> None:
    settings = project / "jupytext.toml"
    settings.write_text('# ours\nformats = "ipynb,md"\nnotebook_metadata_filter = "-all"\n')
    before = settings.read_bytes()
    found = plan(project)
    assert (found.before, found.after) == (before, before)
    assert pair(found) == []
    assert settings.read_bytes() == before
    assert (project / "lenet.md").read_text().startswith("```python\nx = 1")
    # Another format is a change of one line, which is shown first.
    assert plan(project, "Rmd").after == before.replace(b"ipynb,md", b"ipynb,Rmd")
    with pytest.raises(TwinError, match=r"jupytext\.toml has settings of Jupytext already"):
        plan(project / "sub dir", "Rmd")


def test_settings_without_formats_get_them(project: Path) -> None:
    settings = project / "jupytext.toml"
    settings.write_text('cell_metadata_filter = "-all"\n')
    pair(plan(project, "md:myst"))
    assert settings.read_text() == 'formats = "ipynb,md:myst"\ncell_metadata_filter = "-all"\n'
    undo(plan_undo(project))
    assert settings.read_text() == 'cell_metadata_filter = "-all"\n'


def test_settings_in_pyproject(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.jupytext]\nformats = "ipynb,md"\n')
    found = plan(project)
    assert found.settings == project / "pyproject.toml"
    assert pair(found) == []
    assert (project / "lenet.md").exists()
    assert not (project / "jupytext.toml").exists()


@pytest.mark.parametrize("text_format", ["nothing", "py:nothing", "", "ipynb"])
def test_unknown_formats(project: Path, text_format: str) -> None:
    before = files(project)
    if text_format == "ipynb":
        assert plan(project, text_format).write == ()
    else:
        with pytest.raises(TwinError, match=r"py:percent, md, md:myst or Rmd|no settings"):
            plan(project, text_format)
    assert files(project) == before


def test_a_twin_that_is_there_already_is_taken_on(project: Path) -> None:
    command = [sys.executable, "-m", "jupytext", "--to", "py:percent", "lenet.ipynb"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    before = (project / "lenet.py").read_bytes()
    found = plan(project)
    assert (project / "lenet.ipynb", project / "lenet.py") in found.present
    assert pair(found) == []
    assert (project / "lenet.py").read_bytes() == before
    undo(plan_undo(project))
    assert (project / "lenet.py").read_bytes() == before


def test_a_damaged_notebook_is_said_and_stops_no_other(project: Path) -> None:
    (project / "bad.ipynb").write_text("{")
    lines = pair(plan(project))
    assert len(lines) == 1
    assert "bad.ipynb" in lines[0]
    assert (project / "lenet.py").exists()


def test_a_notebook_is_unpaired(project: Path) -> None:
    pair(plan(project))
    assert unpair(project / "lenet.ipynb") == project / "lenet.py"
    text = (project / "lenet.py").read_bytes()
    raw = read(project / "lenet.ipynb")
    raw["cells"][1]["source"] = ["y = 9"]
    write(project / "lenet.ipynb", raw)
    assert sync(project / "lenet.ipynb").twin is None
    assert (project / "lenet.py").read_bytes() == text
    assert unpair(project / "lenet.ipynb") is None


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


def test_commands(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = said(capsys, "init")
    assert (status, "add --yes" in err) == (1, True)
    assert "lenet.py" in out
    assert not (project / "lenet.py").exists()
    assert said(capsys, "init", "--yes")[0] == 0
    assert said(capsys, "sync") == (0, "", "")
    twin, path = project / "lenet.py", project / "lenet.ipynb"
    twin.write_text(twin.read_text().replace("y = 2", "y = 3"))
    assert said(capsys, "sync")[1] == "lenet.ipynb: takes over what changed in lenet.py\n"
    raw = read(path)
    raw["cells"][0]["source"], raw["cells"][1]["source"] = ["x = 5"], ["y = 5"]
    write(path, raw)
    twin.write_text(twin.read_text().replace("x = 1", "x = 4").replace("y = 3", "y = 4"))
    before = files(project)
    status, out, _ = said(capsys, "sync")
    assert status == 1
    assert "2 cells changed on both sides" in out
    status, out, _ = said(capsys, "sync", "--conflicts", "lenet.ipynb")
    assert "      | x = 5\n    lenet.py (--theirs)\n      | x = 4\n" in out
    assert files(project) == before
    assert "is in no conflict" in said(capsys, "sync", "lenet.ipynb", "--ours", "--cells", "7")[2]
    assert "name the notebook" in said(capsys, "sync", "--ours")[2]
    assert files(project) == before
    assert said(capsys, "sync", "lenet.ipynb", "--theirs", "--cells", "1")[0] == 1
    assert said(capsys, "sync", "lenet.py", "--ours")[0] == 0
    assert sources(read(path)) == ["x = 4", "y = 5"]
    assert said(capsys, "sync")[1] == ""
    assert "stays as it is" in said(capsys, "unpair", "lenet.ipynb")[1]
    assert "has no text twin" in said(capsys, "sync", "lenet.ipynb")[2]
    assert said(capsys, "init", "--undo", "--yes")[0] == 0
    assert not (project / "jupytext.toml").exists()
    assert "no notebook here has a text twin" in said(capsys, "sync")[1]


def test_a_clone_that_has_only_the_texts(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair(plan(project))
    for path in (*project.glob("*.ipynb"), *(project / ".mlwidgets" / "twins").iterdir()):
        path.unlink()
    assert said(capsys, "sync")[0] == 0
    assert sources(read(project / "lenet.ipynb")) == ["x = 1", "y = 2"]
    assert not (project / "train.ipynb").exists()


def test_the_helper_does_the_same_and_comes_back(project: Path) -> None:
    pair(plan(project))
    helper = Helper()
    try:
        assert helper.sync(project / "lenet.ipynb").changed == "none"
        raw = read(project / "lenet.ipynb")
        raw["cells"][0]["source"] = ["x = 5"]
        write(project / "lenet.ipynb", raw)
        twin = project / "lenet.py"
        twin.write_text(twin.read_text().replace("x = 1", "x = 4"))
        os.utime(twin, (time.time() - 5, time.time() - 5))
        (one,) = helper.sync(project / "lenet.ipynb").conflicts
        assert (one.notebook, one.twin) == ("x = 5", "x = 4")
        assert helper._process is not None
        helper._process.kill()
        assert helper.settle(project / "lenet.ipynb", {one.id: "both"}).changed == "both"
        assert sources(read(project / "lenet.ipynb"))[:2] == ["x = 5", "x = 4"]
        process = helper._process
    finally:
        helper.close()
    assert process is not None
    assert process.returncode == 0


def test_another_format_takes_the_place_of_one(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair(plan(project))
    gone = (project / "lenet.py").read_bytes()
    edited = project / "sub dir" / "ü.py"
    edited.write_text(edited.read_text().replace("z = 1", "z = 2"))
    before = files(project)
    found = plan(project, "md")
    assert files(project) == before
    assert [one.twin for one in found.leave] == [project / "lenet.py"]
    assert [twin for twin, _ in found.stay] == [edited]

    status, out, _ = said(capsys, "init", "--format", "md", "--yes")
    assert status == 0
    assert "  lenet.py " in out
    assert "is removed: lenet.ipynb says the same" in out
    assert "stays: it says something else than its notebook" in out
    assert "In git it is a deletion that you commit" in out
    now = files(project)
    assert set(before) - set(now) == {"lenet.py"}
    assert now["sub dir/ü.py"] == before["sub dir/ü.py"]
    assert now["train.py"] == before["train.py"]
    assert {"lenet.md", "sub dir/ü.md"} <= set(now)
    # What is removed was kept, to the byte.
    history = History(project / "lenet.ipynb")
    places = [history.place_of(one) for one in history.snapshots() if one.kind == "twin"]
    shown = [["git", "-C", str(place), "show", f"{commit}:twin.py"] for place, commit in places]
    assert gone in [subprocess.run(one, check=True, capture_output=True).stdout for one in shown]

    # And back again.
    assert said(capsys, "init", "--format", "py:percent", "--yes")[0] == 0
    assert not (project / "lenet.md").exists()
    assert (project / "lenet.py").read_bytes() == gone


def test_of_several_formats_one_is_left(project: Path) -> None:
    pair(plan(project, "py:percent,md"))
    assert pair(plan(project, "md")) == []
    assert not (project / "lenet.py").exists()
    assert (project / "lenet.md").exists()
    # Without what the store knows, what both files say decides.
    shutil.rmtree(project / ".mlwidgets" / "twins")
    assert [one.twin.name for one in plan(project, "Rmd").leave] == ["lenet.md", "ü.md"]
    (project / "lenet.md").write_text((project / "lenet.md").read_text().replace("x = 1", "x = 7"))
    assert [twin.name for twin, _ in plan(project, "Rmd").stay] == ["lenet.md"]
    # Another way to write the same file is no other file.
    assert (plan(project, "md:myst").leave, plan(project, "md:myst").stay) == ((), ())


def test_a_text_that_was_edited_after_the_plan_stays(project: Path) -> None:
    pair(plan(project))
    found = plan(project, "md")
    twin = project / "lenet.py"
    twin.write_text(twin.read_text().replace("x = 1", "x = 7"))
    assert [line.partition(" stays: ")[0] for line in pair(found)] == [str(twin)]
    assert "x = 7" in twin.read_text()


def test_what_other_settings_say_stays(project: Path) -> None:
    pair(plan(project))
    raw = read(project / "lenet.ipynb")
    raw["metadata"]["jupytext"] = {"formats": "ipynb,py:percent"}
    write(project / "lenet.ipynb", raw)
    assert [one.twin.name for one in plan(project, "md").leave] == ["ü.py"]
    assert pair(plan(project, "md")) == []
    assert (project / "lenet.py").exists()
