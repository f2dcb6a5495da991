"""Doing runs again through the REST routes: with the run's own interpreter, refused where it cannot be."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import mlwidgets
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.store import RunStore

CODE = "from mlwidgets import log\nfor step in range(5):\n    log(loss=lr * step)\n"


@pytest.fixture
def run(jp_root_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MLWIDGETS_STORE", str(jp_root_dir / ".mlwidgets"))
    made = mlwidgets.train(CODE, name="lenet", params={"lr": 0.5, "model": "cnn"}, namespace={}, cpus=0, gpus=0)
    monkeypatch.delenv("MLWIDGETS_STORE")
    return made.wait(60)


async def ended(ask: Any, run_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        _, row = await ask("runs", run_id)
        if row["ended"] and (row["rerun"] is None or row["rerun"]["verdict"] is not None):
            return dict(row)
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_a_run_is_done_again_and_compared(ask: Any, run: Run) -> None:
    status, plan = await ask("runs", run.id, "rerun")
    assert status == 200
    assert (plan["kind"], plan["params"], plan["problems"]) == ("run", {"lr": "0.5", "model": "cnn"}, [])
    status, row = await ask("runs", run.id, "rerun", method="POST", body={})
    assert (status, row["name"], row["rerun"]["of"]) == (202, "lenet", run.id)
    row = await ended(ask, row["id"])
    assert (row["rerun"]["changed"], row["rerun"]["verdict"]["equal"]) == ([], True)
    assert row["rerun"]["verdict"]["chip"] == "same bits"

    status, row = await ask("runs", run.id, "rerun", method="POST", body={"params": {"lr": "0.25"}})
    row = await ended(ask, row["id"])
    assert (status, row["params"]["lr"], row["metrics"]["loss"]) == (202, "0.25", 1.0)
    assert (row["rerun"]["changed"], row["rerun"]["verdict"]["equal"]) == ([["lr", "0.5", "0.25"]], None)
    _, listed = await ask("runs")
    assert [(one["rerun"] or {}).get("of") for one in listed["runs"]] == [run.id, run.id, None]


async def test_what_is_in_the_way_is_said_and_nothing_is_started(
    ask: Any, run: Run, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, said = await ask("runs", run.id, "rerun", method="POST", body={"params": {"lx": "1"}})
    assert (status, said["forcible"]) == (409, False)
    assert "lx" in said["problems"][0]
    for wrong in ({"params": {"lr": 1}}, {"seed": "1"}, {"seed": True}, {"force": 1}, {"code": "x"}):
        assert (await ask("runs", run.id, "rerun", method="POST", body=wrong))[0] == 400, wrong
    assert (await ask("runs", "20260101-000000-gone-aaaa", "rerun"))[0] == 404
    store = RunStore(runs.parent)
    monkeypatch.setenv("MLWIDGETS_STORE", str(runs.parent))
    lacking = mlwidgets.train(f"import no_such_module_{'x' * 8}\n", name="lacking", namespace={}, cpus=0, gpus=0).wait(
        60
    )
    monkeypatch.delenv("MLWIDGETS_STORE")
    status, plan = await ask("runs", lacking.id, "rerun")
    assert (status, plan["forcible"], len(plan["problems"]) > 0) == (200, True, True)
    status, said = await ask("runs", lacking.id, "rerun", method="POST", body={})
    assert (status, said["problems"]) == (409, plan["problems"])
    assert len(store.ids()) == 2
    status, row = await ask("runs", lacking.id, "rerun", method="POST", body={"force": True})
    assert status == 202
    assert (await ended(ask, row["id"]))["state"] == "failed"


async def test_the_runs_own_interpreter_does_it(ask: Any, run: Run, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path / "asked"}\necho noise\nexec {sys.executable} "$@"\n')
    python.chmod(0o700)
    folder = RunFolder(run.path)
    spec = json.loads(folder.spec.read_text())
    spec["provenance"]["executable"] = str(python)
    folder.spec.write_text(json.dumps(spec))
    assert (await ask("runs", run.id, "rerun"))[1]["params"]["lr"] == "0.5"
    assert "mlwidgets.reruns.elsewhere" in (tmp_path / "asked").read_text()
    # One that is broken, or gone, is stood in for; that of an archive is nobody's to start.
    python.write_text("#!/bin/sh\nexit 1\n")
    assert (await ask("runs", run.id, "rerun"))[0] == 200
    python.write_text(f"#!/bin/sh\ntouch {tmp_path / 'started'}\n")
    folder.imported.write_text(json.dumps({"made": {"host": "elsewhere"}}))
    status, plan = await ask("runs", run.id, "rerun")
    assert (status, plan["forcible"]) == (200, False)
    assert "trust" in plan["problems"][0]
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("read_only", [True])
async def test_a_server_that_only_shows_runs_starts_none(ask: Any, run: Run, runs: Path) -> None:
    for method, body in (("GET", None), ("POST", {})):
        status, said = await ask("runs", run.id, "rerun", method=method, body=body)
        assert (status, "--read-only" in said["message"]) == (403, True)
    assert len(list(runs.iterdir())) == 1


async def test_nobody_starts_runs_without_logging_in(ask: Any, run: Run, runs: Path) -> None:
    for method, body in (("GET", None), ("POST", {})):
        assert (await ask("runs", run.id, "rerun", method=method, body=body, headers={"Authorization": ""}))[0] == 403
    assert len(list(runs.iterdir())) == 1


GOES_ON = """
from mlwidgets import checkpoint, log, resume
state = {"sum": 0}
for epoch in range(resume(state), epochs):
    state["sum"] += epoch
    log(sum=state["sum"])
    checkpoint(state, epoch=epoch)
    if epoch == cut:
        raise SystemExit("cut short")
"""


async def test_a_run_that_was_cut_short_goes_on(
    ask: Any, run: Run, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await ask("runs", run.id, "rerun"))[1]["resumes"] is None
    monkeypatch.setenv("MLWIDGETS_STORE", str(runs.parent))
    cut = mlwidgets.train(GOES_ON, name="cut", params={"epochs": 5, "cut": 2}, namespace={}, cpus=0, gpus=0).wait(60)
    monkeypatch.delenv("MLWIDGETS_STORE")
    status, plan = await ask("runs", cut.id, "rerun")
    assert (status, plan["resumes"], plan["params"]) == (200, "epoch 2", {"epochs": "5", "cut": "2"})
    assert (plan["finished"], plan["resume_differences"]) == (False, plan["differences"])
    assert [(await ask("runs", one.id))[1]["resumes"] for one in (cut, run)] == ["epoch 2", None]
    body = {"resume": True, "params": {"cut": "-1"}}
    status, row = await ask("runs", cut.id, "rerun", method="POST", body=body)
    assert (status, row["rerun"]) == (202, None)
    row = await ended(ask, row["id"])
    gone_on = Run(runs / row["id"])
    assert (row["state"], gone_on.spec.resumes) == ("finished", cut.id)
    assert gone_on.columns()["sum"].values.tolist() == [0, 1, 3, 6, 10]
    assert "goes on from checkpoint 3" in gone_on.output
    # What has finished can go on, too; it is told that there may be nothing left, and nobody is asked to.
    plan = (await ask("runs", row["id"], "rerun"))[1]
    begins_anew = f"it went on from a checkpoint of {cut.id}: now it begins at the first step"
    assert (row["resumes"], plan["resumes"], plan["finished"]) == (None, "epoch 4", True)
    assert [one for one in plan["differences"] if one not in plan["resume_differences"]] == [begins_anew]
    status, said = await ask("runs", run.id, "rerun", method="POST", body={"resume": True})
    assert (status, said["forcible"]) == (409, False)
    assert "it has no checkpoint" in said["problems"][0]
