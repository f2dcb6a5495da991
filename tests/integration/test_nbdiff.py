"""``%nbdiff``, ``mlwidgets diff`` and ``mlwidgets history``, with a real kernel and real git."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlwidgets.cli import main
from mlwidgets.history.notebooks.notebook import load_notebook
from mlwidgets.history.snapshots import History
from tests.notebook import Notebook

LOAD = "%load_ext mlwidgets"
FIRST = "lr = 0.1\nepochs = 10\nprint(lr * epochs)"


def write(path: Path, *sources: str) -> None:
    about = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{**about, "id": hashlib.md5(source[:3].encode()).hexdigest(), "source": source} for source in sources]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")


def git(folder: Path, *command: str) -> None:
    about = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    subprocess.run(["git", *command], cwd=folder, env={**os.environ, **about}, check=True, capture_output=True)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A notebook in a repository, committed."""
    path = tmp_path / "an analysis.ipynb"
    write(path, LOAD, FIRST, "print('same')")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", path.name)
    git(tmp_path, "commit", "-q", "-m", "first")
    return path


@pytest.fixture
def nb(book: Path) -> Iterator[Notebook]:
    notebook = Notebook(book.parent, {"JPY_SESSION_NAME": str(book)})
    yield notebook
    notebook.close()


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, book: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a command prints, with its exit status where that is not 0."""
    monkeypatch.chdir(book.parent)
    monkeypatch.setenv("MLWIDGETS_STORE", str(book.parent / ".mlwidgets"))

    def run(*words: str) -> str:
        status = main(words)
        told = capsys.readouterr()
        return told.out + told.err + (f"[{status}]" if status else "")

    return run


def test_a_notebook_says_what_changed_since_its_commit_its_save_and_its_runs(nb: Notebook, book: Path) -> None:
    assert "Nothing has changed since commit" in plain(nb, "%nbdiff")
    write(book, LOAD, FIRST.replace("0.1", "0.2"), "print('same')")
    told = plain(nb, "%nbdiff")
    assert "1 cell edited" in told
    assert "lr = [-0.1-]{+0.2+}" in told
    page = nb.run("%nbdiff").shown[0]["text/html"]
    assert "<del" in page
    assert "<script" not in page

    # Between two runs; what was executed counts, whatever the file says.
    nb.run("lr = 0.5")
    nb.train("one", "from mlwidgets import log\nlog(loss=lr)")
    nb.train("two", "from mlwidgets import log\nlog(loss=lr * 2)")
    told = plain(nb, "%nbdiff one two")
    assert "+ log(loss=lr * 2)" in told
    assert "run one" in told
    assert "run two" in told


def plain(nb: Notebook, line: str) -> str:
    return str(nb.run(line).shown[0]["text/plain"])


def test_mistakes_are_one_line(nb: Notebook) -> None:
    for line, said in (
        ("%nbdiff --sace", "usage: %nbdiff"),
        ("%nbdiff a b c", "usage: %nbdiff"),
        ("%nbdiff nothere", "no run 'nothere'"),
    ):
        reply = nb.run(line, fails=True)
        told = reply.text + reply.error
        assert said in told
        assert "Traceback" not in told
    assert "there is no earlier state" in nb.run("%nbdiff --save").text
    assert "since the last commit" in nb.run("%nbdiff --help").text


def test_a_notebook_in_no_commit_is_compared_with_its_save(nb: Notebook, book: Path) -> None:
    git(book.parent, "mv", book.name, "old.ipynb")
    git(book.parent, "commit", "-q", "-m", "moved")
    write(book, "a = 1")
    told = nb.run("%nbdiff")
    assert "in no commit yet" in told.text
    assert "last save" in told.shown[0]["text/plain"]


def test_diff_of_a_file_since_its_commit_and_of_two(book: Path, say: Callable[..., str]) -> None:
    assert say("diff", book.name, "--exit-code").startswith("Nothing has changed since commit")
    write(book, LOAD, FIRST.replace("10", "20"), "new = 1", "print('same')")
    told = say("diff", book.name, "--exit-code")
    assert told.endswith("[1]")
    assert "epochs = [-10-]{+20+}" in told
    assert "1 added" in told
    document = json.loads(say("diff", f"{book.name}@commit", "--json", book.name))
    assert document["diff"]["counts"]["edited"] == 1
    page = say("diff", book.name, "--html")
    assert page.lower().startswith("<!doctype html>")
    assert "://" not in page


def test_outputs_alone_are_a_difference_where_they_are_asked_for(book: Path, say: Callable[..., str]) -> None:
    notebook = json.loads(book.read_text())
    notebook["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1.0"}]
    book.write_text(json.dumps(notebook))
    assert not say("diff", book.name, "--exit-code").endswith("[1]")
    assert say("diff", book.name, "--exit-code", "--outputs").endswith("[1]")
    assert History(book).take("save", load_notebook(book)) is not None
    told = say("diff", f"{book.name}@~0", book.name, "--outputs", "--exit-code")
    assert "outputs are not compared" in told
    assert not told.endswith("[1]")


def test_half_a_character_is_no_hindrance(book: Path, say: Callable[..., str]) -> None:
    write(book, "text = '\ud83d'")
    assert History(book).take("save", load_notebook(book)) is not None
    assert "\\ud83d" in say("history", book.name, "open", "~0")
    say("history", book.name, "open", "~0", "-o", "half.ipynb")
    assert load_notebook(book.with_name("half.ipynb")).cells[0].source == "text = '\ud83d'"


def test_what_a_command_cannot_compare_it_names(book: Path, say: Callable[..., str]) -> None:
    book.with_name("helper.py").touch()
    book.with_name("broken.ipynb").write_text("<<<<<<< ours\n{}")
    for words, said in (
        (["nothere.ipynb"], "there is no file nothere.ipynb"),
        (["nothere"], "no run 'nothere'"),
        (["broken.ipynb", book.name], "conflict"),
        ([f"{book.name}@commit:zzz", book.name], "there is no commit zzz"),
        ([f"{book.name}@commit:--output=x", book.name], "names no commit"),
        ([f"{book.name}@nosuch", book.name], "nosuch"),
        ([book.name, "--save"], "there is no earlier state"),
        ([f"{book.name}@~2", "--save"], "without @~2"),
        ([f"{book.name}@"], "say which state"),
        (["helper.py"], "helper.py is no notebook"),
        ([book.name, "--what"], "what is --what?"),
    ):
        told = say("diff", *words)
        assert said in told
        assert told.startswith("mlwidgets: ")
        assert told.endswith("\n[1]")
        assert told.count("\n") == 1


def test_a_history_is_listed_opened_named_restored_and_pruned(book: Path, say: Callable[..., str]) -> None:
    assert "no snapshots" in say("history", book.name)
    history = History(book)
    for number in range(4):
        write(book, FIRST.replace("10", str(number)), "print('same')")
        assert history.take("save", load_notebook(book)) is not None
    assert len(say("history", book.name).splitlines()) == 4
    newest, *_, oldest = (json.loads(line) for line in say("history", book.name, "--json").splitlines())
    assert say("history", "-n", "1", book.name, "--json").count("\n") == 1
    assert "epochs = 2" in say("history", book.name, "open", "~1")
    assert "written to" in say("history", book.name, "open", "~1", "-o", "before.ipynb")
    assert load_notebook(book.with_name("before.ipynb")).cells[0].source.splitlines()[1] == "epochs = 2"
    assert say("history", book.name, "open", "~1", "-o", "before.ipynb").endswith("[1]")

    assert "is called" in say("history", book.name, "name", oldest["id"], "the good one")
    write(book, "not kept = yet")
    told = say("history", book.name, "restore", "the good one")
    assert "epochs = 0" in load_notebook(book).cells[0].source
    kept = next(line for line in told.splitlines() if "what it was until now" in line).split()[-1]
    assert "not kept" in say("history", book.name, "open", kept)

    assert say("history", book.name, "prune").endswith("[1]")
    assert "there is no notebook" in say("history", "nothere.ipynb")
    would = say("history", book.name, "prune", "--keep", "1", "--dry-run")
    assert newest["id"] in would
    assert oldest["id"] not in would
    assert len(say("history", book.name).splitlines()) >= 5
    assert "forgotten" in say("history", book.name, "prune", "--keep", "1")
    left = say("history", book.name)
    assert "the good one" in left
    assert newest["id"] not in left
