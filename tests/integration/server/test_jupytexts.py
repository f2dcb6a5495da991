"""A server with Jupytext's own contents manager: pairs are no business of its."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_core.utils import ensure_async
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager, FileContentsManager
from jupytext import build_async_jupytext_contents_manager_class, build_sync_jupytext_contents_manager_class

from mlwidgets.history.twins.syncing import sync
from mlwidgets.server.history import file_of
from mlwidgets.server.jupytexts import leave_pairs

pytestmark = pytest.mark.integration


@pytest.fixture(params=["sync", "async"])
def contents(request: pytest.FixtureRequest, jp_root_dir: Path) -> Any:
    (jp_root_dir / "jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 1")])
    nbformat.write(notebook, jp_root_dir / "x.ipynb")
    assert sync(jp_root_dir / "x.ipynb").changed == "twin"
    if request.param == "sync":
        return build_sync_jupytext_contents_manager_class(FileContentsManager)(root_dir=str(jp_root_dir))
    return build_async_jupytext_contents_manager_class(AsyncFileContentsManager)(root_dir=str(jp_root_dir))


async def test_a_save_does_not_write_over_an_edited_twin(contents: Any, jp_root_dir: Path) -> None:
    leave_pairs(contents, partial(file_of, contents))
    twin = jp_root_dir / "x.py"
    twin.write_text(twin.read_text().replace("a = 1", "a = 'text'"))
    later = twin.stat().st_mtime_ns + 5_000_000_000
    os.utime(twin, ns=(later, later))
    model = await ensure_async(contents.get("x.ipynb", content=True, type="notebook"))
    assert model["content"]["cells"][0]["source"] == "a = 1"
    model["content"]["cells"][0]["source"] = "a = 2"
    await ensure_async(contents.save({"type": "notebook", "content": model["content"]}, "x.ipynb"))
    assert "a = 'text'" in twin.read_text()
    assert json.loads((jp_root_dir / "x.ipynb").read_text())["cells"][0]["source"] == ["a = 2"]
    # Nothing says "changed on disk" because of the twin.
    asked = await ensure_async(contents.get("x.ipynb", content=False))
    assert asked["last_modified"].timestamp() == pytest.approx((jp_root_dir / "x.ipynb").stat().st_mtime)


async def test_text_is_a_notebook_as_before(contents: Any, jp_root_dir: Path) -> None:
    leave_pairs(contents, partial(file_of, contents))
    (jp_root_dir / "jupytext.toml").unlink()
    (jp_root_dir / "alone.py").write_text("# %%\nb = 1\n")
    model = await ensure_async(contents.get("alone.py", content=True, type="notebook"))
    assert model["content"]["cells"][0]["source"] == "b = 1"


def test_another_contents_manager_is_left_as_it_is(jp_root_dir: Path) -> None:
    plain = FileContentsManager(root_dir=str(jp_root_dir))
    leave_pairs(plain, partial(file_of, plain))
    assert "get" not in vars(plain)
    assert "save" not in vars(plain)
