"""The notebook of a run: what a real kernel had executed when it submitted, kept in real git."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mlwidgets
from mlwidgets import doctor
from mlwidgets.history.snapshots import History
from mlwidgets.history.submitted import notebook_of_run
from mlwidgets.history.which import resolve
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.run import Run
from tests.laws import soon
from tests.notebook import Notebook

SAVED = {
    "c0": "%load_ext mlwidgets",
    "c1": "lr = 1  # as saved",
    "c2": "%%train saved --cpus 0\ny = lr",
    "c3": "print('never executed')",
}


def write(path: Path, cells: dict[str, str]) -> Path:
    """Save a notebook."""
    document: list[dict[str, Any]] = [
        {"cell_type": "code", "id": one, "source": source, "metadata": {}, "execution_count": None, "outputs": []}
        for one, source in cells.items()
    ]
    path.write_text(json.dumps({"cells": document, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def execute(nb: Notebook, cell: str, code: str) -> None:
    """Execute a cell as a front end does that says which one it is."""
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = nb._client.session.msg("execute_request", content, metadata={"cellId": cell})
    nb._client.shell_channel.send(message)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        reply: dict[str, Any] = nb._client.get_shell_msg(timeout=60)
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            assert reply["content"]["status"] == "ok", reply["content"]
            return
    raise AssertionError("the kernel did not answer")


def git(folder: Path, *arguments: str) -> str:
    user = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    return subprocess.run(("git", *user, *arguments), cwd=folder, capture_output=True, text=True, check=True).stdout


def ended(name: str) -> Run:
    """Return the newest run of that name once all its processes are done."""
    run = mlwidgets.run(name).wait(120)
    assert soon(lambda: RunFolder(run.path).environment.exists() and not _is_gathering(run), 60)
    return run


def _is_gathering(run: Run) -> bool:
    folder = RunFolder(run.path)
    return not folder.snapshot.exists() and "no_snapshot" not in (read_json(folder.environment) or {})


def executed_of(run: Run) -> list[tuple[str | None, int, str]]:
    cells = (read_json(RunFolder(run.path).executed) or {})["cells"]
    return [(cell["id"], cell["count"], cell["source"]) for cell in cells]


def sources(run: Run) -> list[str]:
    notebook = notebook_of_run(RunFolder(run.path))
    assert notebook is not None
    return [cell.source for cell in notebook.cells]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a notebook in it, saved and committed."""
    folder = tmp_path_factory.mktemp("ä project")
    git(folder, "init", "--quiet")
    write(folder / "a b.ipynb", SAVED)
    git(folder, "add", "a b.ipynb")
    git(folder, "commit", "--quiet", "--message", "First")
    return folder


@pytest.fixture(scope="module")
def nb(project: Path) -> Iterator[Notebook]:
    opened = Notebook(project, {"JPY_SESSION_NAME": str(project / "a b.ipynb")})
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _store(request: pytest.FixtureRequest, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(project / ".mlwidgets"))


def test_a_run_has_the_notebook_as_it_was_executed(nb: Notebook, project: Path) -> None:
    before = git(project, "status", "--porcelain"), git(project, "rev-parse", "HEAD"), git(project, "branch", "--all")
    execute(nb, "c1", "lr = 5")
    execute(nb, "c1", "lr = 2  # not saved")
    execute(nb, "c9", "extra = !echo not in the file")
    execute(nb, "c2", SAVED["c2"])
    run = ended("saved")
    assert run.state == "finished", run.error
    assert executed_of(run) == [
        (None, 1, "%load_ext mlwidgets"),
        ("c1", 2, "lr = 5"),
        ("c1", 3, "lr = 2  # not saved"),
        ("c9", 4, "extra = !echo not in the file"),
        ("c2", 5, SAVED["c2"]),
    ]
    effective = [SAVED["c0"], "lr = 2  # not saved", "extra = !echo not in the file", SAVED["c2"], SAVED["c3"]]
    assert sources(run) == effective
    history = History(project / "a b.ipynb")
    (snapshot,) = history.snapshots()
    kept = read_json(RunFolder(run.path).snapshot) or {}
    assert (snapshot.kind, snapshot.run, kept["id"], kept["commit"]) == ("submit", run.id, snapshot.id, snapshot.commit)
    assert kept["notebook"] == str(project / "a b.ipynb")
    text = git(project, "show", f"{snapshot.commit}:executed.py")
    assert text.index("lr = 5") < text.index("lr = 2") < text.index("not in the file") < text.index("%%train saved")
    assert [cell.source for cell in resolve(history, f"run:{run.id}")[0].cells] == effective
    now = git(project, "status", "--porcelain"), git(project, "rev-parse", "HEAD"), git(project, "branch", "--all")
    assert now == before
    assert json.loads((project / "a b.ipynb").read_text())["cells"][1]["source"] == SAVED["c1"]
    assert RunFolder(run.path).supervisor_log.read_text() == ""


def test_a_run_that_is_tried_again_is_kept_once(nb: Notebook, project: Path) -> None:
    execute(nb, "c2", "%%train flaky --cpus 0 --retries 2\nraise RuntimeError('again')")
    run = ended("flaky")
    assert (run.state, run.output.count("attempt ")) == ("failed", 2)
    of_run = [one for one in History(project / "a b.ipynb").snapshots() if one.run == run.id]
    assert [one.kind for one in of_run] == ["submit"]


def test_a_sweep_is_kept_and_its_trials_are_not(nb: Notebook, project: Path) -> None:
    line = "%%sweep search --maximize score --trials 2 --concurrent 1 --cpus 0 --sampler random x=uniform(0, 1)"
    execute(nb, "c2", f"{line}\nfrom mlwidgets import log\nlog(score=x)")
    sweep = ended("search")
    assert sweep.state == "finished", sweep.error
    assert executed_of(sweep)[-1][2].startswith(line)
    history = History(project / "a b.ipynb")
    runs = [one.run for one in history.snapshots()]
    trial = mlwidgets.run("search-0")
    assert sweep.id in runs
    assert not set(runs) & {trial.id, mlwidgets.run("search-1").id}
    for path in (RunFolder(trial.path).executed, RunFolder(trial.path).snapshot):
        assert not path.exists()
    notebook, label, _ = resolve(history, f"run:{trial.id}")
    assert (label, [cell.source for cell in notebook.cells]) == ("run search-0", sources(sweep))


def test_a_run_that_the_notebook_sends_by_a_call(nb: Notebook) -> None:
    nb.run("import mlwidgets")
    execute(nb, "c3", "called = mlwidgets.train('z = 1', name='called', cpus=0)")
    run = ended("called")
    assert executed_of(run)[-1][::2] == ("c3", "called = mlwidgets.train('z = 1', name='called', cpus=0)")
    assert "called = mlwidgets.train('z = 1', name='called', cpus=0)" in sources(run)


def test_a_notebook_that_was_renamed_keeps_its_history(nb: Notebook, project: Path) -> None:
    known = [one.id for one in History(project / "a b.ipynb").snapshots()]
    (project / "a b.ipynb").rename(project / "c d.ipynb")
    History(project / "c d.ipynb").follow_rename(project / "a b.ipynb")
    execute(nb, "c1", "lr = 3")
    execute(nb, "c2", "%%train renamed --cpus 0\ny = lr")
    run = ended("renamed")
    assert run.spec.provenance is not None
    assert run.spec.provenance.notebook == str(project / "c d.ipynb")
    found = History(project / "c d.ipynb").snapshots()
    assert (found[0].run, [one.id for one in found[1:]]) == (run.id, known)


def test_where_nothing_can_be_kept_the_run_is_none_the_worse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to("/bin/sh")
    path = write(tmp_path / "a.ipynb", SAVED)
    opened = Notebook(tmp_path, {"JPY_SESSION_NAME": str(path), "PATH": str(tmp_path / "bin")})
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path / ".mlwidgets"))
    try:
        execute(opened, "c2", "%%train job --cpus 0\ny = 1")
        run = ended("job")
    finally:
        opened.close()
    assert (run.state, run.result["y"]) == ("finished", 1)
    assert "no git on PATH" in run.environment["no_snapshot"]
    assert run.environment["packages"]
    assert not RunFolder(run.path).snapshot.exists()
    assert RunFolder(run.path).supervisor_log.read_text() == ""
    said = [one.text for one in doctor.history(tmp_path / ".mlwidgets") if one.level == "warn"]
    assert len(said) == 1
    assert run.id in said[0]


def test_a_program_has_no_notebook(tmp_path: Path) -> None:
    program = "import mlwidgets; mlwidgets.train('y = 1', name='plain', cpus=0, namespace={}).wait(60)"
    environment = {**os.environ, "MLWIDGETS_STORE": str(tmp_path / ".mlwidgets")}
    environment.pop("JPY_SESSION_NAME", None)
    subprocess.run((sys.executable, "-c", program), cwd=tmp_path, env=environment, check=True, timeout=120)
    (folder,) = (RunFolder(path) for path in (tmp_path / ".mlwidgets" / "runs").iterdir())
    assert soon(folder.environment.exists, 60)
    assert not folder.executed.exists()
    assert "no_snapshot" not in (read_json(folder.environment) or {})
