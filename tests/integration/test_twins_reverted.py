"""Git puts older files there, and somebody edits them before the first synchronisation: nothing passes for deleted."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from mlwidgets.history.snapshots import History
from mlwidgets.history.twins.syncing import settle, sync
from tests.twin_support import cell, notebook, ran, read, sources, write


class Work:
    """A clone with a paired notebook: one commit, then a cell more on both sides."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path, self.twin = folder, folder / "n.ipynb", folder / "n.py"
        self.git("init", "-q")
        (folder / "jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
        write(self.path, notebook(*(ran(cell(f"x{n} = 1", given=f"c{n}"), f"{n}\n") for n in range(3))))
        assert sync(self.path).changed == "twin"
        self.commit("n.ipynb", "n.py", "jupytext.toml")

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=A", "-c", "user.email=a@b.c")
        subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True)

    def commit(self, *paths: str) -> None:
        self.git("add", *paths)
        self.git("commit", "-qm", "work", "--", *paths)

    def add(self, source: str) -> None:
        raw = read(self.path)
        raw["cells"].append(ran(cell(source, given=source.partition(" ")[0]), "added\n"))
        write(self.path, raw)

    def edit_notebook(self, given: str, source: str) -> None:
        raw = read(self.path)
        next(one for one in raw["cells"] if one["id"] == given)["source"] = [source]
        write(self.path, raw)

    def edit_twin(self, old: str, new: str) -> None:
        text = self.twin.read_text()
        assert old in text
        self.twin.write_text(text.replace(old, new))
        os.utime(self.twin, (time.time() - 5, time.time() - 5))

    def both(self) -> list[str]:
        """Return the cells, which both sides have."""
        found = sources(read(self.path))
        text = self.twin.read_text()
        assert all(one in text for one in found)
        assert text.count("# %%") == len(found)
        return found


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.delenv("MLWIDGETS_STORE", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    (tmp_path / "project").mkdir()
    return Work(tmp_path / "project")


@pytest.mark.parametrize("edited", ["neither", "notebook", "twin", "both"])
def test_one_side_was_committed_alone_and_git_puts_the_other_back(work: Work, edited: str) -> None:
    work.add("added = 1")
    assert sync(work.path).changed == "twin"
    work.commit("n.ipynb")
    # The commit has the new notebook and the old text, as the stash leaves them.
    work.git("stash", "-q")
    if edited in {"notebook", "both"}:
        work.edit_notebook("c0", "x0 = 'notebook'")
    if edited in {"twin", "both"}:
        work.edit_twin("x2 = 1", "x2 = 'twin'")
    done = sync(work.path)
    assert (done.problem, done.conflicts) == (None, ())
    assert work.both() == [
        "x0 = 'notebook'" if edited in {"notebook", "both"} else "x0 = 1",
        "x1 = 1",
        "x2 = 'twin'" if edited in {"twin", "both"} else "x2 = 1",
        "added = 1",
    ]
    assert read(work.path)["cells"][3]["outputs"]


@pytest.mark.parametrize("edited", ["notebook", "twin", "both"])
def test_the_text_was_committed_alone_and_git_puts_the_notebook_back(work: Work, edited: str) -> None:
    work.edit_twin("x2 = 1\n", "x2 = 1\n\n# %%\nadded = 1\n")
    assert sync(work.path).changed == "notebook"
    work.commit("n.py")
    work.git("checkout", "-q", "--", ".")
    if edited in {"notebook", "both"}:
        work.edit_notebook("c0", "x0 = 'notebook'")
    if edited in {"twin", "both"}:
        work.edit_twin("x1 = 1", "x1 = 'twin'")
    done = sync(work.path)
    assert (done.problem, done.conflicts) == (None, ())
    assert "added = 1" in work.both()


def test_both_were_put_back_and_one_was_edited(work: Work) -> None:
    work.add("added = 1")
    sync(work.path)
    work.git("stash", "-q")
    work.edit_twin("x1 = 1", "x1 = 'twin'")
    assert sync(work.path).changed == "notebook"
    assert work.both() == ["x0 = 1", "x1 = 'twin'", "x2 = 1"]
    work.git("add", "-A", "n.ipynb", "n.py")
    work.git("commit", "-qm", "other")
    work.git("stash", "drop", "-q")


def test_a_commit_between_two_edits_makes_no_conflict(work: Work) -> None:
    for n in range(3):
        work.edit_notebook("c0", f"x0 = {n + 5}")
        assert sync(work.path).changed == "twin"
        work.edit_twin(f"x0 = {n + 5}", f"x0 = {n + 50}")
        if n == 1:
            work.commit("n.ipynb", "n.py")
        elif n == 2:
            work.commit("n.py")
        done = sync(work.path)
        assert (done.changed, done.conflicts) == ("notebook", ())
        assert work.both()[0] == f"x0 = {n + 50}"


@pytest.mark.parametrize("back", ["n.ipynb", "n.py"])
@pytest.mark.parametrize("edited", [False, True])
def test_one_file_alone_is_put_back(work: Work, back: str, edited: bool) -> None:
    work.add("added = 1")
    work.edit_notebook("c0", "x0 = 'not committed'")
    assert sync(work.path).changed == "twin"
    text, exact = work.twin.read_bytes(), read(work.path)
    work.git("checkout", "-q", "--", back)
    if edited and back == "n.py":
        work.edit_twin("x1 = 1", "x1 = 'edited'")
    elif edited:
        work.edit_notebook("c1", "x1 = 'edited'")
    done = sync(work.path)
    assert done.problem is None
    if done.conflicts:
        assert "added = 1" in "\n".join(sources(read(work.path))) + work.twin.read_text()
        settle(work.path, {one.id: "both" for one in done.conflicts})
        assert "added = 1" in work.both()
        assert "x0 = 'not committed'" in work.both()
        return
    # It is what was asked of git; what the other file still had comes back.
    assert work.both() == ["x0 = 1", "x1 = 'edited'" if edited else "x1 = 1", "x2 = 1"]
    history = History(work.path)
    kept = next(one for one in history.snapshots() if "added = 1" in history.text(one))
    assert kept.kind == "twin"
    history.restore(kept)
    assert sources(read(work.path)) == sources(exact)
    assert sync(work.path).changed == "twin"
    assert work.twin.read_bytes() == text
