"""Text twins through the server: after a save, and while a notebook is open in a page."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tornado.httpclient import HTTPClientError

from mlwidgets.history.snapshots import History
from mlwidgets.history.twins.syncing import sync
from mlwidgets.server.twins import TWINS

pytestmark = pytest.mark.integration

Ask = Callable[..., Any]
TOML = 'formats = "ipynb,py:percent"\n'


@pytest.fixture
def folder(jp_root_dir: Path) -> Path:
    """A paired project, with spaces in its name."""
    folder = jp_root_dir / "my project"
    folder.mkdir()
    (folder / "jupytext.toml").write_text(TOML)
    write(folder, "a = 1", "b = 2", "c = 3")
    assert sync(folder / "x.ipynb").changed == "twin"
    return folder


def write(folder: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(one, id=f"cell-{n}") for n, one in enumerate(sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "x.ipynb")
    return folder / "x.ipynb"


def edit(folder: Path, old: str, new: str) -> None:
    """Edit the text as another program does."""
    text = (folder / "x.py").read_text()
    assert old in text
    (folder / "x.py").write_text(text.replace(old, new))


def sources(folder: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(folder / "x.ipynb", 4).cells]


def notebook(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "x.ipynb").read_text())
    for cell in content["cells"]:
        cell["source"] = "".join(cell["source"])
    return content


async def save(jp_fetch: Any, content: dict[str, Any], path: str = "x.ipynb") -> None:
    body = json.dumps({"type": "notebook", "content": content})
    await jp_fetch("api", "contents", "my project", path, method="PUT", body=body)


async def until(there: Callable[[], Any]) -> None:
    for _ in range(600):
        if there():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come")


async def state(ask: Ask, client: str = "") -> dict[str, Any]:
    code, found = await ask("twins", path="my project/x.ipynb", client=client)
    assert code == 200, found
    return found


async def post(ask: Ask, **given: Any) -> tuple[int, Any]:
    return await ask("twins", method="POST", body={"path": "my project/x.ipynb", **given})


async def test_the_twin_is_written_after_a_save(ask: Ask, jp_fetch: Any, folder: Path) -> None:
    assert (await state(ask)) | {"hash": "", "text": ""} == {
        "twin": "my project/x.py", "format": "py:percent", "news": False, "conflicts": [], "problem": None,
        "shared": False, "hash": "", "text": "",
    }  # fmt: skip
    content = notebook(folder)
    content["cells"][1]["source"] = "b = 20"
    await save(jp_fetch, content)
    await until(lambda: "b = 20" in (folder / "x.py").read_text())
    # Saved once more, nothing is touched.
    before = (folder / "x.py").stat().st_mtime_ns
    await save(jp_fetch, content)
    assert not (await state(ask))["news"]
    assert (folder / "x.py").stat().st_mtime_ns == before


async def test_an_edited_twin_comes_with_the_next_save_of_a_notebook_that_nobody_has_open(
    ask: Ask, jp_fetch: Any, folder: Path
) -> None:
    content = notebook(folder)
    edit(folder, "c = 3", "c = 30")
    assert (await state(ask))["news"]
    content["cells"][0]["source"] = "a = 10"
    await save(jp_fetch, content)
    await until(lambda: sources(folder) == ["a = 10", "b = 2", "c = 30"])
    await until(lambda: "a = 10" in (folder / "x.py").read_text())
    assert not (await state(ask))["news"]


async def test_an_open_notebook_is_not_written_and_gets_the_text_by_its_page(
    ask: Ask, jp_fetch: Any, folder: Path
) -> None:
    assert not (await state(ask, "one"))["news"]
    edit(folder, "c = 3", "c = 30\n\n# %%\nd = 4")
    content = notebook(folder)
    content["cells"][0]["source"] = "a = 10"
    await save(jp_fetch, content)
    found = await state(ask, "one")
    assert found["news"]
    assert sources(folder) == ["a = 10", "b = 2", "c = 3"]

    # What is not saved yet is in what it becomes.
    content["cells"][1]["source"] = "b = 20"
    code, merge = await post(ask, do="merge", client="one", notebook=content)
    assert code == 200
    assert merge["conflicts"] == []
    assert merge["metadata"] is None
    assert [cell["source"] for cell in merge["cells"]] == ["a = 10", "b = 20", "c = 30", "d = 4"]
    assert [cell["id"] for cell in merge["cells"]][:3] == ["cell-0", "cell-1", "cell-2"]
    assert sources(folder) == ["a = 10", "b = 2", "c = 3"]
    # Another page that does the same would have the new cell twice.
    assert await post(ask, do="merge", client="two", notebook=content) == (200, None)

    for cell, then in zip(content["cells"], merge["cells"], strict=False):
        cell["source"] = then["source"]
    last = merge["cells"][3]
    content["cells"].append(nbformat.v4.new_code_cell("d = 4", id=last["id"]))
    await save(jp_fetch, content)
    found = await state(ask, "one")
    assert not found["news"]
    assert found["conflicts"] == []
    assert "a = 10" in (folder / "x.py").read_text()
    assert "b = 20" in (folder / "x.py").read_text()


async def test_what_a_closed_page_left_undone_is_done(ask: Ask, folder: Path) -> None:
    await state(ask, "one")
    edit(folder, "c = 3", "c = 30")
    assert (await state(ask, "one"))["news"]
    assert (await post(ask, do="close", client="one"))[0] == 200
    await until(lambda: sources(folder) == ["a = 1", "b = 2", "c = 30"])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("notebook", ["a = 1", "b = 'here'", "c = 3"]),
        ("twin", ["a = 1", "b = 'there'", "c = 3"]),
        ("both", ["a = 1", "b = 'here'", "b = 'there'", "c = 3"]),
    ],
)
async def test_conflicts_are_decided_by_the_page(
    ask: Ask, jp_fetch: Any, folder: Path, choice: str, expected: list[str]
) -> None:
    await state(ask, "one")
    edit(folder, "b = 2", "b = 'there'")
    text = (folder / "x.py").read_text()
    content = notebook(folder)
    content["cells"][1]["source"] = "b = 'here'"
    await save(jp_fetch, content)
    (conflict,) = (await state(ask, "one"))["conflicts"]
    assert (conflict["notebook"], conflict["twin"], conflict["cell"]) == ("b = 'here'", "b = 'there'", 2)
    assert [row[0] for row in conflict["rows"]] == ["~"]
    assert (folder / "x.py").read_text() == text
    assert sources(folder) == ["a = 1", "b = 'here'", "c = 3"]

    code, merge = await post(ask, do="merge", client="one", notebook=content, choices={conflict["id"]: choice})
    assert code == 200
    assert merge["conflicts"] == []
    if merge["cells"] is not None:
        content["cells"] = [nbformat.v4.new_code_cell(cell["source"], id=cell["id"]) for cell in merge["cells"]]
    await save(jp_fetch, content)
    found = await state(ask, "one")
    assert found["conflicts"] == []
    assert not found["news"]
    assert sources(folder) == expected
    assert ("b = 'here'" in (folder / "x.py").read_text()) is (choice != "twin")
    assert ("b = 'there'" in (folder / "x.py").read_text()) is (choice != "notebook")
    # What is gone is kept.
    history = History(folder / "x.ipynb")
    kept = {cell.source for one in history.snapshots() for cell in history.read(one).cells}
    assert {"b = 'here'", "b = 'there'"} <= kept | set(expected)


async def test_an_edit_that_nobody_has_seen_is_not_decided_on(ask: Ask, jp_fetch: Any, folder: Path) -> None:
    await state(ask, "one")
    edit(folder, "b = 2", "b = 'there'")
    content = notebook(folder)
    content["cells"][1]["source"] = "b = 'here'"
    await save(jp_fetch, content)
    (conflict,) = (await state(ask, "one"))["conflicts"]
    code, _ = await post(ask, do="merge", client="one", notebook=content, choices={conflict["id"]: "notebook"})
    assert code == 200
    edit(folder, "b = 'there'", "b = 'once more'")
    await save(jp_fetch, content)
    (left,) = (await state(ask, "one"))["conflicts"]
    assert left["twin"] == "b = 'once more'"
    assert "b = 'once more'" in (folder / "x.py").read_text()


async def test_a_broken_twin_is_told_and_no_save_fails(ask: Ask, jp_fetch: Any, folder: Path) -> None:
    text = (folder / "x.py").read_text()
    (folder / "x.py").write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n")
    content = notebook(folder)
    content["cells"][0]["source"] = "a = 10"
    await save(jp_fetch, content)
    found = await state(ask)
    assert "conflict markers" in found["problem"]
    assert found["twin"] == "my project/x.py"
    assert sources(folder) == ["a = 10", "b = 2", "c = 3"]
    (folder / "x.py").write_text(text)
    found = await state(ask)
    assert found["problem"] is None
    assert (await post(ask, do="sync"))[0] == 200
    assert "a = 10" in (folder / "x.py").read_text()


async def test_a_trusted_notebook_stays_trusted(ask: Ask, jp_serverapp: Any, folder: Path, tmp_path: Path) -> None:
    contents = jp_serverapp.contents_manager
    # In memory, as it is in tests, each thread has signatures of its own.
    contents.config.NotebookNotary.db_file = str(tmp_path / "signatures")
    notary = type(contents.notary)(parent=contents)
    notary.sign(nbformat.read(folder / "x.ipynb", 4))
    edit(folder, "c = 3", "c = 30")
    assert (await post(ask, do="sync"))[0] == 200
    assert sources(folder) == ["a = 1", "b = 2", "c = 30"]
    assert notary.check_signature(nbformat.read(folder / "x.ipynb", 4))


async def test_a_rename_takes_the_twin_along(jp_fetch: Any, folder: Path) -> None:
    body = json.dumps({"path": "my project/y.ipynb"})
    await jp_fetch("api", "contents", "my project", "x.ipynb", method="PATCH", body=body)
    await until(lambda: (folder / "y.py").exists())
    assert not (folder / "x.py").exists()


async def test_a_folder_is_paired_once_it_is_consented_to(ask: Ask, jp_root_dir: Path) -> None:
    project = jp_root_dir / "plain"
    project.mkdir()
    write(project, "a = 1")
    code, plan = await ask("twins", "plan", folder="plain", format="md")
    assert code == 200
    assert plan["settings"] == "plain/jupytext.toml"
    assert plan["created"]
    assert "ipynb,md" in plan["after"]
    assert plan["write"] == [["plain/x.ipynb", "plain/x.md"]]
    assert sorted(os.listdir(project)) == ["x.ipynb"]

    body = {"folder": "plain", "format": "md", "plan": "another"}
    code, said = await ask("twins", "plan", method="POST", body=body)
    assert (code, "look at what would be written" in said["message"]) == (409, True)
    assert sorted(os.listdir(project)) == ["x.ipynb"]

    code, done = await ask("twins", "plan", method="POST", body={**body, "plan": plan["id"]})
    assert (code, done) == (200, {"problems": []})
    assert "a = 1" in (project / "x.md").read_text()
    path = "plain/x.ipynb"
    code, found = await ask("twins", path=path)
    assert found["twin"] == "plain/x.md"

    code, done = await ask("twins", method="POST", body={"path": path, "do": "unpair"})
    assert (code, done) == (200, {"twin": "plain/x.md"})
    code, found = await ask("twins", path=path)
    assert found["twin"] is None
    assert (project / "x.md").exists()


@pytest.mark.parametrize("path", ["../x.ipynb", "none.ipynb", "my project", ".hidden/x.ipynb", "my project/x.py", ""])
async def test_nothing_else_is_read(ask: Ask, folder: Path, path: str) -> None:
    assert (await ask("twins", path=path))[0] == 404


async def test_what_is_asked_wrongly_is_told(ask: Ask, folder: Path) -> None:
    for given in ({}, {"do": "erase"}, {"do": "merge", "notebook": []}, {"do": ["merge"]}):
        code, said = await post(ask, **given)
        assert code == 400, (given, said)
    code, _ = await post(ask, do="merge", notebook=notebook(folder), choices={"x": "mine"})
    assert code == 400
    code, said = await post(ask, do="merge", notebook={"cells": [3]})
    assert code in {400, 409}, said


async def test_a_stranger_sees_and_writes_nothing(jp_fetch: Any, folder: Path) -> None:
    for path, method in (("twins", "GET"), ("twins", "POST"), ("twins/plan", "GET"), ("twins/plan", "POST")):
        with pytest.raises(HTTPClientError) as refused:
            await jp_fetch(
                "mlwidgets", "api", *path.split("/"), method=method, headers={"Authorization": ""},
                params={"path": "my project/x.ipynb", "folder": "my project"}, allow_nonstandard_methods=True,
            )  # fmt: skip
        assert refused.value.code == 403


class TestReadOnly:
    @pytest.fixture
    def read_only(self) -> bool:
        return True

    async def test_nothing_is_written(self, ask: Ask, jp_fetch: Any, folder: Path) -> None:
        assert (await state(ask))["twin"] == "my project/x.py"
        for do in ("merge", "settle", "sync", "unpair", "close"):
            assert (await post(ask, do=do, notebook=notebook(folder)))[0] == 403
        assert (await ask("twins", "plan", method="POST", body={"folder": "my project"}))[0] == 403
        content = notebook(folder)
        content["cells"][0]["source"] = "a = 10"
        await save(jp_fetch, content)
        assert "a = 10" not in (folder / "x.py").read_text()


async def test_the_server_closes_while_a_twin_is_to_be_written(jp_serverapp: Any, jp_fetch: Any, folder: Path) -> None:
    content = notebook(folder)
    content["cells"][0]["source"] = "a = 10"
    await save(jp_fetch, content)
    await asyncio.to_thread(jp_serverapp.web_app.settings[TWINS].twins.close)
    assert "a = 10" in (folder / "x.py").read_text()
