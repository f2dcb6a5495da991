"""Notebooks that Jupyter saves, kept in real git: what the server knows of their past, and the way back."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth import Authorizer
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from tornado.httpclient import HTTPClientError

from mlwidgets.errors import MlwidgetsError
from mlwidgets.history.notebooks.notebook import load_notebook
from mlwidgets.history.snapshots import History
from mlwidgets.history.which import resolve
from mlwidgets.server import saves
from mlwidgets.server.app import NoFiles
from mlwidgets.server.handler import Handler
from tests.unit.views_support import make_run


def git(folder: Path, *arguments: str) -> str:
    """Run git as the user would."""
    user = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(("git", *user, *arguments), cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def notebook(*sources: str, **outputs: str) -> dict[str, Any]:
    """Return a notebook whose cells have the ids c0, c1, …; what a cell printed may be given under its id."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "source": source,
            "metadata": {},
            "execution_count": None,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": text}]
            if (text := outputs.get(f"c{number}"))
            else [],
        }
        for number, source in enumerate(sources)
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def contents(jp_fetch: Any) -> Callable[..., Any]:
    """Send a request to Jupyter's own routes of files; return status and JSON."""

    async def send(path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body)
        try:
            found = await jp_fetch("api", "contents", path, method=method, body=data, allow_nonstandard_methods=True)
        except HTTPClientError as error:
            return error.code, None
        return found.code, json.loads(found.body or b"null")

    return send


@pytest.fixture
def save(contents: Any) -> Callable[..., Any]:
    """Save a notebook as JupyterLab does."""

    async def send(path: str, content: dict[str, Any]) -> None:
        body = {"type": "notebook", "format": "json", "content": content}
        assert (await contents(path, "PUT", body))[0] in {200, 201}

    return send


@pytest.fixture
def repository(jp_root_dir: Path) -> Path:
    """Make the server's root a git repository with one commit in it, of a notebook too."""
    git(jp_root_dir, "init", "--quiet")
    (jp_root_dir / "a.ipynb").write_text(json.dumps(notebook("lr = 1", "train()")))
    (jp_root_dir / "staged.txt").write_text("staged")
    git(jp_root_dir, "add", "a.ipynb")
    git(jp_root_dir, "commit", "--quiet", "--message", "First")
    git(jp_root_dir, "add", "staged.txt")
    return jp_root_dir


def sources(found: dict[str, Any]) -> list[str]:
    return ["".join(cell["source"]) for cell in found["notebook"]["cells"]]


async def test_each_save_is_kept_and_nothing_of_the_users_is_touched(
    repository: Path, ask: Any, save: Any, contents: Any
) -> None:
    own = ("rev-parse", "HEAD"), ("branch", "--all"), ("status", "--porcelain=v2"), ("stash", "list"), ("config", "-l")
    index = (repository / ".git" / "index").read_bytes()
    (repository / ".git" / "index.lock").touch()
    for first in ("lr = 2", "lr = 3", "lr = 3"):
        await save("a.ipynb", notebook(first, "train()", c1="trained\n"))
        status, found = await ask("history", path="a.ipynb")
        assert status == 200
    assert (found["path"], found["where"]) == ("a.ipynb", "this repository")
    assert [(one["kind"], one["run"], one["run_name"], one["names"]) for one in found["snapshots"]] == [
        ("save", None, None, [])
    ] * 2
    assert found["snapshots"][0]["time"] > found["snapshots"][1]["time"]
    assert [one["changed"] for one in found["snapshots"]] == [[0, 0, 1], None]
    (commit,) = found["commits"]
    assert git(repository, "rev-parse", commit["id"]) == git(repository, "rev-parse", "HEAD")
    assert commit["subject"] == "First"
    assert commit["time"] == int(git(repository, "log", "-1", "--format=%ct"))
    (repository / ".git" / "index.lock").unlink()
    assert (repository / ".git" / "index").read_bytes() == index
    said = [git(repository, *command) for command in own]
    assert said[1] == "* main"
    assert "staged.txt" in said[2]
    assert "mlwidgets" not in "".join(said).replace(".mlwidgets", "")
    for which, first in (("save", "lr = 3"), ("save-before", "lr = 2"), ("commit", "lr = 1")):
        status, found = await ask("history", "notebook", path="a.ipynb", of=which)
        assert (status, sources(found)) == (200, [first, "train()"])


async def test_a_run_goes_by_the_name_that_it_has_by_now(repository: Path, ask: Any, save: Any) -> None:
    await save("a.ipynb", notebook("lr = 1"))
    history = History(repository / "a.ipynb")
    run = make_run(history.store / "runs")
    assert history.take("submit", load_notebook(repository / "a.ipynb"), run=run.id) is not None
    for name in ("lenet", "best-so-far"):
        run.rename(name)
        (newest, *_) = (await ask("history", path="a.ipynb"))[1]["snapshots"]
        assert (newest["run"], newest["run_name"]) == (run.id, name)
    assert resolve(history, f"snapshot:{newest['id']}")[1] == "run best-so-far"


@pytest.mark.filterwarnings("ignore:The synchronous ContentsManager")
@pytest.mark.parametrize("server_options", [{"ServerApp": {"contents_manager_class": LargeFileManager}}])
async def test_without_a_repository_it_is_kept_in_the_store(ask: Any, save: Any, jp_root_dir: Path) -> None:
    path = "ä b/ü-é 日本.ipynb"
    (jp_root_dir / "ä b").mkdir()
    for text in ("x = 1", "x = 'ß \U0001f600'"):
        await save(path, notebook(text))
    status, found = await ask("history", path=path)
    assert (status, found["path"], found["where"], found["commits"]) == (200, path, "the store", [])
    assert (jp_root_dir / ".mlwidgets" / "history.git" / "HEAD").exists()
    newest = found["snapshots"][0]["id"]
    status, found = await ask("history", "notebook", path=path, of=f"snapshot:{newest}")
    assert sources(found) == ["x = 'ß \U0001f600'"]
    status, found = await ask("changes", path=path)
    assert (status, "commit" in found["message"]) == (404, True)
    status, found = await ask("changes", path=path, **{"from": "save-before", "to": "save"})
    assert (found["old"]["label"], found["new"]["label"]) == ("save before", "last save")
    assert found["diff"]["counts"] == {"added": 0, "removed": 0, "edited": 1, "moved": 0, "same": 0}


async def test_what_changed(repository: Path, ask: Any, save: Any) -> None:
    committed = git(repository, "rev-parse", "--short=7", "HEAD")
    await save("a.ipynb", notebook("lr = 2", "train()", c1="one\n"))
    status, found = await ask("changes", path="a.ipynb")
    assert (status, found["old"]["label"].startswith(f"commit {committed}"), found["new"]["label"]) == (
        200,
        True,
        "now",
    )
    assert abs(found["new"]["time"] - (repository / "a.ipynb").stat().st_mtime) < 1
    assert [cell["change"] for cell in found["diff"]["cells"]] == ["edited", "same"]
    assert all("outputs" not in cell for cell in found["diff"]["cells"])
    _, found = await ask("changes", path="a.ipynb", outputs="1", **{"from": "commit:main", "to": "save"})
    assert [bool(cell.get("outputs")) for cell in found["diff"]["cells"]] == [False, True]
    unsaved = {"path": "a.ipynb", "from": "save", "notebook": notebook("lr = 2", "train()", "new()", c1="two\n")}
    status, found = await ask("changes", method="POST", body=unsaved)
    assert (status, found["old"]["label"], found["new"]) == (
        200,
        "last save",
        {"label": "now (not saved)", "time": None},
    )
    assert found["diff"]["counts"] == {"added": 1, "removed": 0, "edited": 0, "moved": 0, "same": 2}
    _, found = await ask("changes", method="POST", body={**unsaved, "outputs": True, "from": "file"})
    assert [bool(cell.get("outputs")) for cell in found["diff"]["cells"]] == [False, True, False]
    large = {**unsaved, "notebook": notebook("x", c0="é" * 300_000)}
    assert (await ask("changes", method="POST", body=large))[0] == 200
    for damaged in ({}, {"cells": 3}, {"cells": [3]}, {"cells": [], "nbformat": 5}):
        status, found = await ask("changes", method="POST", body={**unsaved, "notebook": damaged})
        assert (status, "\n" in found["message"]) == (409, False), damaged


async def test_restore_name_and_keep(repository: Path, ask: Any, save: Any) -> None:
    for text in ("one", "two"):
        await save("a.ipynb", notebook(text, "train()", c1="said\n"))
        _, listed = await ask("history", path="a.ipynb")
    second, first = [one["id"] for one in listed["snapshots"]]
    os.chmod(repository / "a.ipynb", 0o640)
    (repository / "a.ipynb").write_text(json.dumps(notebook("three, not saved in Jupyter", "train()", c1="said\n")))
    status, found = await ask("history", method="POST", body={"path": "a.ipynb", "do": "restore", "snapshot": first})
    assert status == 200
    saved = json.loads((repository / "a.ipynb").read_text())
    assert ["".join(cell["source"]) for cell in saved["cells"]] == ["one", "train()"]
    assert saved["cells"][1]["outputs"][0]["name"] == "stdout", "outputs stay with what is the same"
    assert (repository / "a.ipynb").stat().st_mode & 0o777 == 0o640
    _, listed = await ask("history", path="a.ipynb")
    assert (listed["snapshots"][0]["id"], listed["snapshots"][0]["kind"]) == (found["kept"], "kept")
    _, kept = await ask("history", "notebook", path="a.ipynb", of=f"snapshot:{found['kept']}")
    assert sources(kept)[0] == "three, not saved in Jupyter"
    name = {"path": "a.ipynb", "do": "name", "snapshot": second}
    for given, names in (("it works: ä", ["it works: ä"]), ("renamed", ["renamed"]), (None, [])):
        status, found = await ask("history", method="POST", body={**name, "name": given})
        assert (status, found) == (200, {"kept": None})
        _, listed = await ask("history", path="a.ipynb")
        assert next(one["names"] for one in listed["snapshots"] if one["id"] == second) == names
    (repository / "a.ipynb").write_text(json.dumps(notebook("four")))
    body = {"path": "a.ipynb", "do": "snapshot", "name": "four"}
    _, found = await ask("history", method="POST", body=body)
    _, listed = await ask("history", path="a.ipynb", limit="1")
    assert [(one["id"], one["names"]) for one in listed["snapshots"]] == [(found["kept"], ["four"])]
    assert (await ask("history", method="POST", body={**body, "name": "again"}))[1] == {"kept": None}
    _, listed = await ask("history", path="a.ipynb", limit="1")
    assert listed["snapshots"][0]["names"] == ["again"]


async def test_renamed_copied_deleted(repository: Path, ask: Any, save: Any, contents: Any) -> None:
    async def history(path: str) -> list[str]:
        _, found = await ask("history", path=path)
        return [one["id"] for one in found["snapshots"]]

    for text in ("one", "two"):
        await save("a.ipynb", notebook(text))
        known = await history("a.ipynb")
    assert len(known) == 2
    (repository / "in").mkdir()
    await contents("a.ipynb", "PATCH", {"path": "in/ä b.ipynb"})
    assert await history("in/ä b.ipynb") == known
    await save("a.ipynb", notebook("another notebook of that name"))
    assert len(await history("a.ipynb")) == 1
    await save("in/ä b.ipynb", notebook("three"))
    assert len(await history("in/ä b.ipynb")) == 3
    await contents("in", "PATCH", {"path": "moved"})
    await save("moved/ä b.ipynb", notebook("four"))
    assert (await history("moved/ä b.ipynb"))[2:] == known
    _, copied = await contents("moved", "POST", {"copy_from": "moved/ä b.ipynb"})
    assert len(await history(copied["path"])) == 1
    await save("moved/ä b.ipynb", notebook("five"))
    assert (await contents("moved/ä b.ipynb", "DELETE"))[0] == 204
    assert (await history("moved/ä b.ipynb"))[-2:] == known
    status, said = await ask("changes", path="moved/ä b.ipynb", **{"from": "save-before"})
    assert (status, "there is no notebook" in said["message"]) == (409, True)
    refs = git(repository, "for-each-ref", "--format=%(refname)", "refs/mlwidgets").splitlines()
    assert not any("checkpoint" in ref for ref in refs)
    assert (repository / "moved" / ".ipynb_checkpoints").exists()


async def test_many_saves_at_once(repository: Path, ask: Any, save: Any) -> None:
    async def burst(name: str) -> None:
        for number in range(8):
            await save(f"{name}.ipynb", notebook(f"x = {number}"))

    names = [f"n{number}" for number in range(10)]
    await asyncio.gather(*map(burst, names))
    for name in names:
        _, found = await ask("history", path=f"{name}.ipynb")
        assert 1 <= len(found["snapshots"]) <= 8
        _, newest = await ask("history", "notebook", path=f"{name}.ipynb", of=f"snapshot:{found['snapshots'][0]['id']}")
        assert sources(newest) == ["x = 7"]


async def test_a_large_notebook_is_read_elsewhere(
    repository: Path, ask: Any, save: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saves, "LARGE", 100_000)
    # This process could not.
    monkeypatch.setattr(saves, "_take", None)
    await save("large.ipynb", notebook("x = 1", c0="é" * 100_000))
    found: dict[str, Any] = {"snapshots": []}
    for _ in range(20):
        _, found = await ask("history", path="large.ipynb")
        if found["snapshots"]:
            break
    assert len(found["snapshots"]) == 1
    (repository / "large.ipynb").write_text("{" * 200_000)
    with pytest.raises(MlwidgetsError, match=r"large\.ipynb is not JSON"):
        saves.keep_save(repository / "large.ipynb")


async def test_a_server_that_ends_keeps_what_was_saved(
    repository: Path, save: Any, jp_serverapp: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b", "c"):
        await save(f"{name}.ipynb", notebook("the last words"))
    await jp_serverapp.cleanup_extensions()
    refs = git(repository, "for-each-ref", "--format=%(refname)", "refs/mlwidgets").splitlines()
    assert len(refs) == 3
    await save("a.ipynb", notebook("after the end"))


WITHOUT = ("no git", "read-only store", "folder in the way")


@pytest.mark.parametrize("what", WITHOUT)
async def test_a_save_succeeds_where_nothing_can_be_kept(
    what: str,
    ask: Any,
    save: Any,
    jp_root_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = jp_root_dir / ".mlwidgets"
    if what == "no git":
        (tmp_path / "empty").mkdir()
        monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    elif what == "read-only store":
        store.rmdir()
        store.write_text("no folder")
    else:
        (store / "history.git").write_text("no repository")
    with caplog.at_level(logging.WARNING, "mlwidgets"):
        for number in range(3):
            await save("a.ipynb", notebook(f"x = {number}"))
            status, found = await ask("history", path="a.ipynb")
            assert status == 200 if what != "no git" else (status, "\n" in found["message"]) == (409, False)
    assert "x = 2" in (jp_root_dir / "a.ipynb").read_text()
    said = [record.getMessage() for record in caplog.records if record.name.startswith("mlwidgets")]
    assert len(said) == 1, said
    assert "not kept" in said[0]
    assert "\n" not in said[0]
    status, found = await ask(
        "changes", method="POST", body={"path": "a.ipynb", "from": "file", "notebook": notebook()}
    )
    assert status in {200, 409}


async def test_what_is_no_notebook_any_more(
    repository: Path, ask: Any, save: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await save("a.ipynb", notebook("x = 1"))
    _, listed = await ask("history", path="a.ipynb")
    (first,) = [one["id"] for one in listed["snapshots"]]
    conflict = '{"cells": [\n<<<<<<< HEAD\n=======\n>>>>>>> other\n]}'
    for text in ("", "{", conflict, "[]", "\x00\xff"):
        (repository / "a.ipynb").write_text(text, encoding="latin-1")
        for query in ({}, {"from": f"snapshot:{first}"}, {"from": "save-before", "to": "save"}):
            status, found = await ask("changes", path="a.ipynb", **query)
            assert (status, "\n" in found["message"], "a.ipynb" in found["message"]) == (409, False, True), (
                text,
                found,
            )
        for body in ({"do": "restore", "snapshot": first}, {"do": "snapshot"}):
            status, found = await ask("history", method="POST", body={"path": "a.ipynb", **body})
            assert (status, "\n" in found["message"]) == (409, False)
        assert (repository / "a.ipynb").read_text(encoding="latin-1") == text, "it is left as it is"
        _, found = await ask("history", "notebook", path="a.ipynb", of=f"snapshot:{first}")
        assert sources(found) == ["x = 1"]


async def test_requests_that_make_no_sense(repository: Path, ask: Any, save: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside.ipynb"
    outside.write_text(json.dumps(notebook("secret")))
    await save("a.ipynb", notebook("x = 1"))
    (repository / ".hidden").mkdir()
    (repository / ".hidden" / "a.ipynb").write_text(json.dumps(notebook("secret")))
    (repository / "folder.ipynb").mkdir()
    assert (await ask("history", path="a.ipynb"))[0] == 200
    before = git(repository, "for-each-ref")
    paths = [
        "../outside.ipynb", str(outside), "x/../../outside.ipynb", "..", ".", "/", "staged.txt", "a.ipynb\0", "\0",
        "x" * 5000, "~/a.ipynb", ".hidden/a.ipynb", "..\\outside.ipynb", ".git/config", "--x.ipynb/../..",
        "folder.ipynb", "nothing.ipynb",
    ]  # fmt: skip
    for path in paths:
        for route in (("history",), ("changes",), ("history", "notebook")):
            status, found = await ask(*route, path=path, of="file")
            assert status in {404, 409, 431}, (path, found)
            assert "secret" not in json.dumps(found)
        for name, more in (("history", {"do": "snapshot"}), ("changes", {"notebook": notebook("x")})):
            status, _ = await ask(name, method="POST", body={"path": path, **more})
            assert status in {404, 409}, path
    body = {"path": "\ud800.ipynb", "do": "snapshot", "notebook": notebook("x")}
    assert (await ask("history", method="POST", body=body))[0] == 404
    assert (await ask("changes", method="POST", body=body))[0] == 404
    assert (await ask("history"))[0] == 400
    revs = ["commit:--output=x", "commit:-h", "commit:", "commit:HEAD:a.ipynb", "commit:main..HEAD", "commit:a b",
            "commit:x\ny", "snapshot:", "run:", "", "x", "file:x", "save:1", "SAVE", "commit:" + "x" * 300]  # fmt: skip
    for which in revs:
        status, found = await ask("changes", path="a.ipynb", **{"from": which})
        assert (status, "\n" in found["message"]) == (400, False), which
    gone = ["commit:nothing", "commit:" + "f" * 40, "snapshot:--all", "snapshot:nothing", "snapshot:~9", "run:../x",
            "run:nothing", "run:--x"]  # fmt: skip
    for which in gone:
        status, found = await ask("changes", path="a.ipynb", **{"from": which})
        assert (status, "\n" in found["message"]) == (404, False), (which, found)
    bodies: list[Any] = [
        {}, {"path": 3}, {"path": "a.ipynb", "do": "format"}, {"path": "a.ipynb", "do": ["x"]},
        {"path": "a.ipynb", "do": "restore"}, {"path": "a.ipynb", "do": "restore", "snapshot": 3},
        {"path": "a.ipynb", "do": "name", "snapshot": "x\ny"}, {"path": "a.ipynb", "do": "snapshot", "name": "x" * 999},
        "[]", "{", b"\xff",
    ]  # fmt: skip
    for body in bodies:
        status, found = await ask("history", method="POST", body=body)
        assert (status, "\n" in found["message"]) == (400, False), body
    bodies = [
        {}, {"path": "a.ipynb"}, {"path": "a.ipynb", "notebook": []}, "[" * 30_000,
        {"path": "a.ipynb", "notebook": {}, "from": 3}, {"path": ["a"], "notebook": {}},
    ]  # fmt: skip
    for body in bodies:
        status, found = await ask("changes", method="POST", body=body)
        assert (status, "\n" in found["message"]) == (400, False), body
    nested: Any = {}
    for _ in range(500):
        nested = {"x": nested}
    odd = {**notebook("x"), "metadata": nested}
    odd["cells"][0]["metadata"] = {**nested, "nan": float("nan")}
    status, found = await ask("changes", method="POST", body={"path": "a.ipynb", "from": "file", "notebook": odd})
    assert status in {200, 409}
    status, _ = await ask("history", method="POST", body={"path": "a.ipynb", "do": "restore", "snapshot": "nothing"})
    assert status == 404
    assert not (repository / "x").exists()
    assert git(repository, "for-each-ref") == before


async def test_the_notebook_of_a_run(repository: Path, ask: Any, save: Any, runs: Path) -> None:
    await save("a.ipynb", notebook("x = 1"))
    run = make_run(runs, "lenet")
    status, found = await ask("changes", path="a.ipynb", **{"from": f"run:{run.id}"})
    assert (status, found["old"]["label"]) == (200, "run lenet")
    assert abs(found["old"]["time"] - run.submitted_at) < 1


@pytest.mark.parametrize("read_only", [True])
async def test_reading_only(repository: Path, ask: Any, save: Any) -> None:
    await save("a.ipynb", notebook("x = 1"))
    status, found = await ask("history", path="a.ipynb")
    assert (status, len(found["snapshots"])) == (200, 1)
    text = (repository / "a.ipynb").read_bytes()
    for do in ("restore", "name", "snapshot"):
        body = {"path": "a.ipynb", "do": do, "snapshot": found["snapshots"][0]["id"], "name": "x"}
        status, said = await ask("history", method="POST", body=body)
        assert (status, "--read-only" in said["message"]) == (403, True)
    unsaved = {"path": "a.ipynb", "notebook": notebook("x = 2")}
    assert (await ask("changes", method="POST", body=unsaved))[0] == 200
    assert (await ask("history", path="a.ipynb"))[1] == found
    assert (repository / "a.ipynb").read_bytes() == text


class NoNotebooks(Authorizer):
    """Lets everybody see runs, and nobody the files."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource != "contents"


@pytest.fixture
def server_options() -> dict[str, Any]:
    return {}


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], server_options: dict[str, Any]) -> dict[str, Any]:
    for section, options in server_options.items():
        jp_server_config[section].update(options)
    return jp_server_config


@pytest.mark.parametrize("server_options", [{"ServerApp": {"authorizer_class": NoNotebooks}}])
async def test_whoever_may_not_read_files_may_not_read_what_they_were(repository: Path, ask: Any) -> None:
    assert (await ask("runs"))[0] == 200
    for route, method, body in (
        (("history",), "GET", None),
        (("changes",), "GET", None),
        (("history", "notebook"), "GET", None),
        (("history",), "POST", {"path": "a.ipynb", "do": "snapshot"}),
        (("changes",), "POST", {"path": "a.ipynb", "notebook": notebook()}),
    ):
        assert (await ask(*route, method=method, body=body, path="a.ipynb"))[0] == 403


@pytest.mark.parametrize("server_options", [{"ServerApp": {"contents_manager_class": NoFiles}}])
async def test_where_notebooks_are_no_files_they_have_no_history(ask: Any, repository: Path) -> None:
    assert (await ask("info"))[1]["history"] is False
    for route in (("history",), ("changes",), ("history", "notebook")):
        assert (await ask(*route, path="a.ipynb"))[0] == 404


@pytest.mark.parametrize("server_options", [{"MlwidgetsApp": {"snapshots": False}}])
async def test_snapshots_can_be_switched_off(ask: Any, repository: Path, save: Any) -> None:
    await save("a.ipynb", notebook("x = 1"))
    status, found = await ask("history", path="a.ipynb")
    assert (status, found["snapshots"], len(found["commits"])) == (200, [], 1)
    assert (await ask("info"))[1]["history"] is True


async def test_earlier_snapshots_come_when_they_are_asked_for_and_named_ones_always(
    repository: Path, ask: Any, save: Any
) -> None:
    for number in range(6):
        await save("a.ipynb", notebook(f"x = {number}"))
        _, found = await ask("history", path="a.ipynb")
    ids = [one["id"] for one in found["snapshots"]]
    assert (len(ids), found["more"]) == (6, False)
    await ask("history", method="POST", body={"path": "a.ipynb", "do": "name", "snapshot": ids[4], "name": "early"})
    for query, at, more in (
        ({"limit": "2"}, (0, 1, 4), True),
        ({"limit": "2", "before": ids[1]}, (2, 3, 4), True),
        ({"limit": "5"}, (0, 1, 2, 3, 4), True),
        ({"limit": "2", "before": ids[3]}, (4, 5), False),
        ({"limit": "2", "before": ids[5]}, (), False),
    ):
        _, found = await ask("history", path="a.ipynb", **query)
        assert [one["id"] for one in found["snapshots"]] == [ids[one] for one in at], query
        assert found["more"] is more
    for gone in ("", "nothing", "~1", "early"):
        status, found = await ask("history", path="a.ipynb", before=gone)
        assert (status, "is gone" in found["message"], "\n" in found["message"]) == (404, True, False)


def read_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server's process, and none that it starts, fail where it reads a notebook or a large body."""
    body = Handler.body

    def small_body(self: Handler) -> dict[str, Any]:
        assert len(self._body) < 100_000
        return body(self)

    def read(data: Any, where: str) -> Any:
        raise AssertionError(f"{where} was read in the server")

    monkeypatch.setattr(saves, "LARGE", 100_000)
    monkeypatch.setattr(Handler, "body", small_body)
    monkeypatch.setattr("mlwidgets.history.notebooks.notebook.read_document", read)


async def test_what_is_asked_of_a_large_notebook_is_read_elsewhere(
    repository: Path, ask: Any, save: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for first in ("one", "two"):
        await save("a.ipynb", notebook(first, "train()", c1="é" * 100_000))
        _, listed = await ask("history", path="a.ipynb")
    one = listed["snapshots"][1]["id"]
    read_no_notebook(monkeypatch)
    status, found = await ask("changes", path="a.ipynb", **{"from": f"snapshot:{one}"})
    assert (status, [cell["change"] for cell in found["diff"]["cells"]]) == (200, ["edited", "same"])
    status, found = await ask("history", "notebook", path="a.ipynb", of="file")
    assert (status, sources(found)) == (200, ["two", "train()"])
    for query, expected in (({"from": "commit:nothing"}, 404), ({"from": "x"}, 400)):
        status, found = await ask("changes", path="a.ipynb", **query)
        assert (status, "\n" in found["message"]) == (expected, False)
    status, _ = await ask("history", method="POST", body={"path": "a.ipynb", "do": "restore", "snapshot": one})
    assert (status, '"one"' in (repository / "a.ipynb").read_text()) == (200, True)
    (repository / "a.ipynb").write_text(json.dumps(notebook("three", c0="é" * 100_000)))
    body = {"path": "a.ipynb", "do": "snapshot", "name": "third"}
    status, found = await ask("history", method="POST", body=body)
    _, listed = await ask("history", path="a.ipynb", limit="1")
    newest = listed["snapshots"][0]
    assert (status, newest["id"], newest["names"]) == (200, found["kept"], ["third"])
    (repository / "a.ipynb").write_text("{" * 200_000)
    status, said = await ask("history", method="POST", body=body)
    assert (status, "a.ipynb is not JSON" in said["message"]) == (409, True)


async def test_a_large_notebook_that_is_sent_is_read_elsewhere(
    repository: Path, ask: Any, save: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save("a.ipynb", notebook("one"))
    assert (await ask("history", path="a.ipynb"))[0] == 200
    read_no_notebook(monkeypatch)
    sent = {"path": "a.ipynb", "from": "save", "notebook": notebook("one", "new()", c1="é" * 100_000)}
    status, found = await ask("changes", method="POST", body=sent)
    assert (status, found["old"]["label"], found["new"]["label"]) == (200, "last save", "now (not saved)")
    assert [cell["change"] for cell in found["diff"]["cells"]] == ["same", "added"]
    for wrong, expected in (
        ({"path": "gone.txt"}, 404),
        ({"path": ["a.ipynb"]}, 400),
        ({"from": 3}, 400),
        ({"from": "nothing"}, 400),
        ({"from": "commit:nothing"}, 404),
        ({"notebook": ["x" * 200_000]}, 400),
        ({"notebook": {"cells": "x" * 200_000}}, 409),
    ):
        status, found = await ask("changes", method="POST", body={**sent, **wrong})
        assert (status, "\n" in found["message"]) == (expected, False), (wrong, found)
    assert (await ask("changes", method="POST", body="[" * 200_000))[0] == 400


async def test_a_notebook_that_was_large_when_it_was_committed_is_read_elsewhere(
    repository: Path, ask: Any, save: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "a.ipynb").write_text(json.dumps(notebook("one", c0="é" * 100_000)))
    git(repository, "commit", "--quiet", "--all", "--message", "With outputs")
    await save("a.ipynb", notebook("one"))
    assert (await ask("history", path="a.ipynb"))[0] == 200
    read_no_notebook(monkeypatch)
    status, found = await ask("changes", path="a.ipynb", outputs="1")
    assert (status, [bool(cell.get("outputs")) for cell in found["diff"]["cells"]]) == (200, [True])
    status, found = await ask("changes", method="POST", body={"path": "a.ipynb", "notebook": notebook("two")})
    assert (status, found["old"]["label"][:6], found["diff"]["counts"]["edited"]) == (200, "commit", 1)
