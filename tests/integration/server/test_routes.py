"""What the REST routes answer."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import RunIndex
from mlwidgets.runs.run import Run
from mlwidgets.runs.store import RunStore
from mlwidgets.server.routes import API, ONE, ROUTES
from tests.notebook import Notebook
from tests.unit.sweep_support import SweepFolder
from tests.unit.views_support import add_values, end, make_run

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


async def test_info_and_stores(ask: Any, jp_root_dir: Path) -> None:
    import mlwidgets

    status, info = await ask("info")
    assert (status, info["version"], info["read_only"]) == (200, mlwidgets.__version__, False)
    (jp_root_dir / "a" / "b" / ".mlwidgets").mkdir(parents=True, mode=0o700)
    (jp_root_dir / "a" / "b" / "c").mkdir()
    (jp_root_dir / "d").mkdir()
    _, found = await ask("stores", path="a/b/c")
    assert found == {"stores": [{"store": "", "name": "root_dir"}, {"store": "a/b", "name": "b"}]}
    _, found = await ask("stores", query=[("path", "gone"), ("path", "a/b/c"), ("path", "../x")])
    assert [one["store"] for one in found["stores"]] == ["", "a/b"]
    _, found = await ask("stores", path="d")
    assert [one["store"] for one in found["stores"]] == [""]


async def test_a_store_above_the_root_is_the_roots_own(ask: Any, jp_root_dir: Path, tmp_path: Path) -> None:
    (jp_root_dir / ".mlwidgets").rmdir()
    (tmp_path / ".mlwidgets").mkdir(mode=0o700)
    make_run(tmp_path / ".mlwidgets" / "runs", "above")
    (jp_root_dir / "a").mkdir()
    _, found = await ask("stores", path="a")
    assert [one["store"] for one in found["stores"]] == [""]
    _, listed = await ask("runs")
    assert [run["name"] for run in listed["runs"]] == ["above"]


async def test_a_list_of_runs(ask: Any, runs: Path, jp_root_dir: Path) -> None:
    params = {"lr": 0.1, "optimizer": "adam", "long": "x" * 900}
    old = make_run(runs, "old", params=params, tags={"k": "v"}, note="n", metrics={"loss": [2, float("nan")]})
    going = make_run(runs, "going", state="running", params={"epochs": 4}, metrics={"loss": [3.0, 2.0]})
    add_values(going.path, "epoch", [1])
    (runs / "20260101-000000-damaged-aaaa").mkdir()
    (runs / "20260101-000000-damaged-aaaa" / "spec.json").write_text("{")
    (runs / "20260101-000000-linked-aaaa").symlink_to(old.path)
    for _ in ("from the folders", "from the index"):
        status, found = await ask("runs")
        assert (status, found["store"], found["total"], found["cursor"]) == (200, "", 3, None)
        first, second = found["runs"]
        assert (first["name"], first["state"], first["metrics"]["loss"], first["stopping"]) == (
            "going",
            "running",
            2,
            False,
        )
        assert first["progress"]["label"] == "epoch 2 of 4"
        assert second["params"] == {"lr": "0.1", "optimizer": "adam", "long": "x" * 199 + "…"}
        assert (second["metrics"], second["tags"], second["note"]) == ({"loss": "NaN"}, {"k": "v"}, "n")
        assert (second["submitted"], second["ended"]) == (old.submitted_at, old.ended_at)
        assert (second["store"], second["pinned"], second["progress"]) == ("", False, None)
    assert (await ask("runs", old.id))[1] == second
    (jp_root_dir / "empty").mkdir()
    assert (await ask("runs", store="empty"))[1]["runs"] == []


async def test_the_cell_that_a_run_came_from(ask: Any, jp_root_dir: Path) -> None:
    notebook = Notebook(jp_root_dir, {"JPY_SESSION_NAME": str(jp_root_dir / "work" / "a b.ipynb")})
    try:
        code = "%%train here --cpus 0\nx = 1"
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        session, shell = notebook._client.session, notebook._client.shell_channel
        shell.send(session.msg("execute_request", content, metadata={"cellId": "4f1c-a"}))
        found: list[Any] = []
        deadline = time.monotonic() + 60
        while not found and time.monotonic() < deadline:
            found = (await ask("runs"))[1]["runs"]
            await asyncio.sleep(0.05)
        assert [(row["name"], row["notebook"], row["cell"]) for row in found] == [("here", "work/a b.ipynb", "4f1c-a")]
        Run(jp_root_dir / ".mlwidgets" / "runs" / found[0]["id"]).wait(60)
    finally:
        notebook.close()


async def test_pages_of_a_list(ask: Any, runs: Path) -> None:
    made = [make_run(runs, f"r{i}").id for i in range(7)]
    listed: list[str] = []
    cursor: str | None = None
    for expected in (3, 3, 1):
        more = {"after": cursor} if cursor else {}
        _, found = await ask("runs", limit="3", **more)
        assert found["total"] == 7
        assert len(found["runs"]) == expected
        listed += [run["id"] for run in found["runs"]]
        cursor = found["cursor"]
    assert cursor is None
    assert listed == sorted(made, key=lambda one: (one[:15], one[-4:]), reverse=True)


async def test_annotations(ask: Any, runs: Path) -> None:
    run = make_run(runs, tags={"a": "1"}, note="first")
    spec = RunFolder(run.path).spec.read_bytes()
    status, row = await ask("runs", run.id, method="PATCH", body={"pinned": True, "note": "second"})
    assert (status, row["pinned"], row["note"], row["tags"]) == (200, True, "second", {"a": "1"})
    _, row = await ask("runs", run.id, method="PATCH", body={"tags": {"b": "2"}})
    assert (row["pinned"], row["tags"]) == (True, {"b": "2"})
    assert (run.tags, run.note, run.pinned) == ({"b": "2"}, "second", True)
    _, row = await ask("runs", run.id, method="PATCH", body={"name": "best"})
    assert (row["id"], row["name"], run.name) == (run.id, "best", "best")
    _, row = await ask("runs", run.id, method="PATCH", body={"name": None, "tags": None, "note": None, "pinned": False})
    assert (row["name"], row["pinned"], row["tags"], row["note"]) == (run.spec.name, False, {"a": "1"}, "first")
    assert RunFolder(run.path).spec.read_bytes() == spec
    tags = ({"tags": {"": "x"}}, {"tags": {"a": 1}})
    for wrong in (*tags, {"pinned": "yes"}, {"note": 3}, {"name": "a b"}, {"name": 3}, {"state": "x"}, {}, [], "{"):
        status, found = await ask("runs", run.id, method="PATCH", body=wrong)
        assert status == 400, wrong
        assert "\n" not in found["message"]


async def test_trials_are_called_after_their_sweep(ask: Any, runs: Path) -> None:
    sweep = SweepFolder(runs)
    trial = sweep.trial(0, {"lr": 0.1}, [0.5])
    await ask("runs", sweep.folder.id, method="PATCH", body={"name": "lr"})
    assert {row["name"] for row in (await ask("runs"))[1]["runs"]} == {"lr", "lr-0"}
    assert (await ask("runs", trial))[1]["name"] == "lr-0"


async def test_deleting_with_undo(ask: Any, runs: Path, jp_root_dir: Path) -> None:
    run, going = make_run(runs, "done"), make_run(runs, "going", state="submitted")
    before = (await ask("runs", run.id))[1]
    status, found = await ask("runs", run.id, method="DELETE")
    assert status == 200
    assert found["undo_until"] > time.time() + 86400
    assert (await ask("runs", run.id))[0] == 404
    assert [row["id"] for row in (await ask("runs"))[1]["runs"]] == [going.id]
    assert RunIndex(RunStore(jp_root_dir / ".mlwidgets")).kept([run.id]) == {}
    assert (await ask("runs", run.id, method="DELETE"))[0] == 404
    status, found = await ask("runs", run.id, "restore", method="POST", body="")
    assert (status, found) == (200, before)
    assert (await ask("runs", run.id, "restore", method="POST", body=""))[0] == 404
    status, found = await ask("runs", going.id, method="DELETE")
    assert (status, found["message"]) == (409, "run 'going' is submitted; stop it first")


async def test_a_real_run_is_stopped(ask: Any, jp_root_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlwidgets

    monkeypatch.chdir(jp_root_dir)
    run = mlwidgets.train("import time\ntime.sleep(600)", name="long", namespace={}, gpus=0)
    status, row = await ask("runs", run.id, "stop", method="POST", body="")
    assert (status, row["stopping"]) == (202, True)
    run.wait(60)
    _, row = await ask("runs", run.id)
    assert (row["state"], row["stopping"]) == ("stopped", False)
    # What has ended stays as it is.
    assert (await ask("runs", run.id, "stop", method="POST", body=""))[1]["state"] == "stopped"


async def test_bundles_and_sparklines(ask: Any, runs: Path) -> None:
    values = np.linspace(1, 0, 100_000)
    values[500] = np.inf
    run = make_run(runs, metrics={"loss": values.tolist(), "few": [1, 2, 3]})
    going = make_run(runs, "going", state="running", metrics={"loss": [1.0]})
    status, found = await ask("runs", run.id, "bundle", request_timeout=60)
    assert status == 200
    assert found["application/vnd.mlwidgets.run+json"]["runs"][0]["header"]["id"] == run.id
    assert {"text/html", "text/plain"} < set(found)
    _, found = await ask("sparklines", metric="loss", ids=f"{run.id},{going.id},nothing")
    lines = found["sparklines"]
    assert set(lines) == {run.id, going.id}
    points = lines[run.id]["points"]
    assert (lines[run.id]["n"], lines[run.id]["last"], len(points)) == (100_000, 0, 40)
    assert points == sorted(points, reverse=True)
    assert lines[going.id] == {"points": [1], "n": 1, "last": 1}
    add_values(going.path, "loss", [0.5])
    assert (await ask("sparklines", metric="loss", ids=going.id))[1]["sparklines"][going.id]["points"] == [1, 0.5]
    assert (await ask("sparklines", metric="few", ids=going.id))[1]["sparklines"] == {}
    assert (await ask("sparklines", metric="loss", ids=",".join(["x"] * 201)))[0] == 400


async def test_slots_name_this_servers_runs(ask: Any, jp_root_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlwidgets

    monkeypatch.chdir(jp_root_dir)
    run = mlwidgets.train("import time\ntime.sleep(600)", name="long", namespace={}, gpus=0)
    try:
        deadline = time.monotonic() + 60
        found: Any = {}
        while time.monotonic() < deadline and [run.id, ""] not in found.get("mine", []):
            status, found = await ask("slots")
            assert status == 200
        assert run.id in {one["run"] for one in [*found["running"], *found["waiting"]]}
    finally:
        run.stop()
        run.wait(60)


async def test_the_panels_page(jp_fetch: Any, jp_base_url: str) -> None:
    found = await jp_fetch("mlwidgets")
    text = found.body.decode()
    assert f'data-base-url="{jp_base_url}"' in text
    assert f'src="{jp_base_url}mlwidgets/panel.js"' in text
    assert "_xsrf=" in found.headers["Set-Cookie"]
    assert found.headers["Cache-Control"] == "no-store"
    policy = dict(part.split(maxsplit=1) for part in found.headers["Content-Security-Policy"].split("; "))
    # Nothing that a run brought bears what this page alone was told.
    (nonce,) = re.findall(r"<script type=\"module\" nonce=\"([\w-]{20,})\"", text)
    assert policy["script-src"] == f"'nonce-{nonce}'"
    assert (policy["default-src"], policy["frame-src"], policy["base-uri"]) == ("'none'",) * 3
    assert nonce not in (await jp_fetch("mlwidgets")).body.decode()


@pytest.mark.parametrize("read_only", [True])
async def test_reading_only(ask: Any, runs: Path, connect: Any) -> None:
    run = make_run(runs, state="running")
    assert (await ask("info"))[1]["read_only"] is True
    assert (await ask("runs", run.id))[0] == 200
    for path, method, body in (
        ((run.id,), "PATCH", {"pinned": True}),
        ((run.id,), "DELETE", None),
        ((run.id, "stop"), "POST", {}),
        ((run.id, "restore"), "POST", {}),
    ):
        status, found = await ask("runs", *path, method=method, body=body)
        assert (status, "--read-only" in found["message"]) == (403, True)
    socket = await connect()
    await socket.send(type="open", channel=1, store="", runs=[run.id])
    await socket.send(type="message", channel=1, message={"type": "stop", "run": run.id})
    assert "not stop" in (await socket.until(lambda m: m["type"] == "error"))["message"]
    assert not RunFolder(run.path).stop_request.exists()


async def test_nothing_is_unpickled(
    ask: Any, runs: Path, connect: Any, monkeypatch: pytest.MonkeyPatch, jp_fetch: Any
) -> None:
    import pickle

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    run = make_run(runs, metrics={"loss": [1]}, traceback=["Traceback"], state="failed")
    folder = RunFolder(run.path)
    folder.manifest.write_text(json.dumps({"names": {}}))
    for path in (folder.outputs / "model.pkl", folder.result / "x.pkl"):
        path.write_bytes(pickle.dumps(os.getcwd))
    for name in ("load", "loads", "Unpickler", "_Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    every = [(method, pattern.replace(ONE, run.id)) for pattern, handler in ROUTES for method in METHODS
             if method.lower() in vars(handler)]  # fmt: skip
    assert len(every) > 10
    # What is to be restored is deleted first, both at last.
    every.sort(key=lambda one: (one[1].endswith("restore"), one[0] == "DELETE"))
    for method, path in every:
        body = {"PATCH": {"note": "n"}, "POST": {}}.get(method)
        status, found = await ask(path.removeprefix(API), method=method, body=body, metric="loss", ids=run.id)
        assert status < 300, (path, method, found)
    socket = await connect()
    await socket.send(type="open", channel=1, store="", runs=[run.id])
    await socket.send(type="message", channel=1, message={"type": "file", "to": 1, "run": run.id, "name": "model.pkl"})
    assert await socket.until(lambda m: m.get("message", {}).get("type") == "answer")


def test_a_run_that_ends_is_read_to_its_end(runs: Path) -> None:
    from mlwidgets.server.going import Going

    run = make_run(runs, state="running", metrics={"loss": [1.0]})
    going = Going(run)
    going.look(0)
    add_values(run.path, "loss", [0.5])
    end(run, "finished")
    going.look(0.1)
    assert (going.summary.state, going.summary.metrics) == ("finished", {"loss": 0.5})
