from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.capture.environment import write_environment
from mlwidgets.history.submitted import snapshot_of_submit
from mlwidgets.runs.alive import hold
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import Frozen, FrozenName, Provenance, RunSpec, new_run_id
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.views import changes as views
from mlwidgets.views.changes import read_changes
from mlwidgets.views.changesfit import fitted, size
from mlwidgets.views.data import snapshot
from mlwidgets.views.follow import Follower
from mlwidgets.views.static import MIME, bundle
from mlwidgets.views.summary import summary
from tests.unit.views_support import add_values

LOOP = "for epoch in range(epochs):\n    loss = step(lr)\n"
CELLS = ("import torch", "net = Net(hidden=32)", "print('the end')")

Submit = Callable[..., Run]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


@pytest.fixture
def submit(project: Path) -> Submit:
    """Leave the folder of a run as a submit, a supervisor and a worker do, each ten minutes after the one before."""
    store = RunStore(project / ".mlwidgets")
    store.prepare()
    begin = time.time() - 7200
    numbers = iter(range(100))

    def make(
        name: str = "lenet",
        code: str = LOOP,
        *,
        cells: Sequence[str] | None = None,
        module: str | None = None,
        metrics: dict[str, list[float]] | None = None,
        state: str | None = "finished",
        gathered: bool = True,
        **fields: Any,
    ) -> Run:
        at = begin + 600 * next(numbers)
        heading = f"%%train {name} {' '.join(f'{k}={v}' for k, v in fields.get('params', {}).items())}".rstrip()
        notebook = None
        if cells is not None:
            notebook = project / "work.ipynb"
            write_notebook(notebook, [*cells, f"{heading}\n{code}"])
        if module is not None:
            digest = store.put(module.encode())
            fields["modules"] = ({"name": "pack.utils", "path": "utils.py", "package": False, "digest": digest},)
        origin = Provenance(str(project), "python", "3.12", "host", "user", notebook and str(notebook), cell="c-last")
        fields = {"provenance": origin, "heading": heading, "submitted_at": at, **fields}
        folder = store.create_run(RunSpec(new_run_id(name, at), name, code, **fields))
        write_event(folder.events, "supervising")
        if state is None:
            hold(folder.alive, "worker")
        write_event(folder.events, "started")
        if gathered and notebook:
            snapshot_of_submit(folder)
        for metric, values in (metrics or {}).items():
            add_values(folder.path, metric, values)
        if state:
            write_outcome(folder, Outcome(state, None, at + 1, at + 60, 0, None))
        return Run(folder.path)

    return make


def write_notebook(path: Path, sources: Sequence[str]) -> None:
    ids = [f"c{n}" for n in range(len(sources) - 1)] + ["c-last"]
    cells = [
        {"cell_type": "code", "id": i, "metadata": {}, "source": s, "outputs": [], "execution_count": None}
        for i, s in zip(ids, sources, strict=True)
    ]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def changes_of(run: Run) -> dict[str, Any]:
    found = read_changes(run)
    assert found is not None
    json.dumps(found, allow_nan=False)
    return found


def test_the_first_run_of_a_name(submit: Submit) -> None:
    submit("other")
    assert read_changes(submit()) is None
    assert read_changes(submit("lenet-0", trial_of="20261120-123010-lenet-abcd", trial=0)) is None


def test_what_changed_and_what_came_of_it(submit: Submit) -> None:
    metrics = {"val_accuracy": [0.5, 0.91, 0.9], "x": [1.0], "epoch": [3.0]}
    before = submit(params={"lr": "0.001", "momentum": "0.9"}, metrics=metrics)
    submit("other", params={"lr": "7"})
    code = LOOP.replace("    loss", "    loss, accuracy") + "    log(loss=loss)\n"
    run = submit(code=code, params={"lr": "0.0003", "seed_": "1"}, metrics={"val_accuracy": [0.93]}, seed=3)
    found = changes_of(run)
    assert found["since"] == {
        "id": before.id, "name": "lenet", "state": "finished", "submitted": before.submitted_at
    }  # fmt: skip
    assert found["params"] == [
        ["lr", "0.001", "0.0003"], ["seed_", None, "1"], ["seed", None, "3"], ["momentum", "0.9", None]
    ]  # fmt: skip
    assert found["cell"] == [
        ["=", 1, 1, "for epoch in range(epochs):"],
        ["~", 2, 2, [[0, "    loss"], [0, " = step(lr)"]], [[0, "    loss"], [1, ", accuracy"], [0, " = step(lr)"]]],
        ["+", 3, "    log(loss=loss)"],
    ]
    assert found["metrics"] == [["val_accuracy", 1, 0.9, 0.91], ["x", 0, 1.0, None]]
    assert (found["notebook"], found["modules"], found["environment"]) == (None, [], [])
    assert "left_out" not in found


def test_nothing_changed(submit: Submit) -> None:
    submit(module="x = 1\n", cells=CELLS)
    run = submit(code=LOOP + "\n", module="x = 1\n", cells=CELLS)
    found = changes_of(run)
    assert [found[key] for key in ("params", "cell", "notebook", "modules", "environment")] == [[], None, None, [], []]
    assert "since lenet, 10 min earlier: nothing changed" in summary(snapshot(run), time.time())


def test_other_cells_of_the_notebook(submit: Submit) -> None:
    submit(cells=CELLS)
    run = submit(code=LOOP + "    save()\n", cells=(CELLS[0], "net = Net(hidden=64)", "extra = 1"), params={"lr": "1"})
    found = changes_of(run)["notebook"]
    assert [(cell["change"], (cell["new"] or cell["old"])["id"]) for cell in found["cells"]] == [
        ("edited", "c1"), ("edited", "c2")
    ]  # fmt: skip
    assert found["counts"] == {"added": 0, "removed": 0, "edited": 2, "moved": 0, "same": 1}
    assert all("outputs" not in cell for cell in found["cells"])


def test_a_snapshot_that_is_gone_says_nothing(submit: Submit, project: Path) -> None:
    submit(cells=CELLS)
    run = submit(cells=(*CELLS, "extra = 1"))
    assert changes_of(run)["notebook"] is not None
    views._read.clear()
    shutil.rmtree(project / ".git")
    assert changes_of(run)["notebook"] is None


def test_a_run_of_the_same_name_from_another_notebook(submit: Submit, project: Path) -> None:
    submit(cells=("# one", "two = 2"))
    (project / "work.ipynb").unlink()
    shutil.copy(__file__, project / "elsewhere.py")
    folder = RunFolder(submit(cells=CELLS).path)
    told = json.loads(folder.snapshot.read_bytes())
    folder.snapshot.write_text(json.dumps({**told, "notebook": str(project / "other.ipynb")}))
    ids = changes_of(Run(folder.path))["notebook"]
    # It was renamed, as its cells have kept their ids.
    assert ids is not None


def test_modules_and_inputs(submit: Submit) -> None:
    def inputs(summary: str, *more: FrozenName) -> Frozen:
        return Frozen("digest" + summary, names=(FrozenName("data", "DataFrame", summary), *more))

    submit(module="def f(x):\n    return x\n", inputs=inputs("1000 × 3"))
    run = submit(module="def f(x):\n    return x + 1\n", inputs=inputs("1200 × 3", FrozenName("n", "int", "3")))
    found = changes_of(run)
    ((name, rows),) = found["modules"]
    assert (name, [row[0] for row in rows]) == ("pack/utils.py", ["=", "~"])
    assert found["environment"] == [
        ["variable data", "DataFrame 1000 × 3", "DataFrame 1200 × 3"], ["variable n", None, "int 3"]
    ]  # fmt: skip
    assert "pack/utils.py +1 −1 lines; other environment" in summary(snapshot(run), time.time())


def test_the_environment(submit: Submit) -> None:
    before, run = submit(), submit(provenance=Provenance("/", "python", "3.13", "host", "user"))
    assert changes_of(run)["environment"] == [["python", "3.12", "3.13"]]
    for one, torch, gpu in ((before, "2.12", "A"), (run, "2.13", "B")):
        told = {
            "packages": {"numpy": "2.0", "torch": torch, f"only-{gpu}": "1"},
            "git": {"branch": "main", "commit": gpu * 40, "dirty": gpu == "B"},
            "gpus": [{"name": gpu, "driver_version": "550"}],
            "platform": "Linux",
        }
        RunFolder(one.path).environment.write_text(json.dumps(told))
    assert changes_of(run)["environment"] == [
        ["python", "3.12", "3.13"],
        ["git", "main at AAAAAAA", "main at BBBBBBB, edited"],
        ["machine's GPUs", "A", "B"],
        ["package torch", "2.12", "2.13"],
        ["package only-B", None, "1"],
        ["package only-A", "1", None],
    ]


def test_sweeps_are_compared_with_sweeps(submit: Submit) -> None:
    def sweep(**space: str) -> dict[str, Any]:
        return {
            "objectives": [{"metric": "val_loss", "direction": "minimize"}],
            "space": space,
            "sampler": "tpe",
            "limits": {"trials": 20},
        }

    before = submit(sweep=sweep(lr="uniform(0,1)"))
    submit()
    found = changes_of(submit(sweep={**sweep(lr="loguniform(1e-5,1)"), "limits": {"trials": 40}}))
    assert found["since"]["id"] == before.id
    assert found["params"] == [["lr", "uniform(0,1)", "loguniform(1e-5,1)"], ["trials", "20", "40"]]
    assert found["best"] == ["val_loss", -1, None]


def test_what_is_final_is_read_once(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    before = submit(metrics={"loss": [0.5]}, state=None)
    run = submit()
    assert changes_of(run)["metrics"] == [["loss", -1, 0.5, 0.5]]
    add_values(before.path, "loss", [0.25])
    assert changes_of(run)["metrics"] == [["loss", -1, 0.25, 0.25]]
    write_outcome(RunFolder(before.path), Outcome("failed", None, 1.0, 2.0, 1))
    found = changes_of(run)
    assert found["since"]["state"] == "failed"
    monkeypatch.setattr(views, "_changes", lambda *_: pytest.fail("read again"))
    monkeypatch.setattr(views, "_metrics", lambda *_: pytest.fail("read again"))
    assert read_changes(Run(run.path)) is found
    assert "since lenet, 10 min earlier (failed): nothing changed" in summary(snapshot(run), time.time())


def test_a_previous_run_that_is_deleted_or_damaged(submit: Submit) -> None:
    first, second, run = submit(params={"a": "1"}), submit(params={"a": "2"}), submit(params={"a": "3"})
    assert changes_of(run)["since"]["id"] == second.id
    shutil.rmtree(second.path)
    assert changes_of(run)["params"] == [["a", "1", "3"]]
    (first.path / "spec.json").write_text("{")
    views._previous.clear()
    assert read_changes(Run(run.path)) is None


@pytest.mark.parametrize("damage", [{"modules": [{"digest": 1}]}, {"modules": 3}, {"inputs": {"names": 1}}])
def test_an_earlier_run_that_is_damaged_hides_nothing(submit: Submit, damage: dict[str, Any]) -> None:
    spec = RunFolder(submit(module="x = 1").path).spec
    spec.write_text(json.dumps({**json.loads(spec.read_text()), **damage}))
    run = submit(module="x = 2")
    assert read_changes(run) is None
    assert snapshot(run).details


def test_a_view_that_was_open_before_gets_it(submit: Submit, project: Path) -> None:
    submit(cells=CELLS)
    run = submit(cells=(*CELLS[:2], "print('another end')"), gathered=False, state=None)
    follower = Follower(run)
    assert follower.changes()["details"]["changes"]["notebook"] is None
    write_environment(RunFolder(run.path), str(project))
    follower._header_due = 0.0
    (cell,) = follower.changes()["details"]["changes"]["notebook"]["cells"]
    assert cell["new"]["id"] == "c2"
    assert follower.full()["details"]["packages"]


def test_a_view_of_a_run_that_ended_before_it_was_known(submit: Submit, project: Path) -> None:
    submit(cells=CELLS)
    run = submit(cells=CELLS[:2], gathered=False)
    follower = Follower(run)
    assert follower.changes()["details"]["changes"]["notebook"] is None
    assert follower.ended
    assert follower.annotated() == {}
    write_environment(RunFolder(run.path), str(project))
    late = follower.annotated()
    assert [cell["change"] for cell in late["details"]["changes"]["notebook"]["cells"]] == ["removed"]
    assert late["details"]["packages"]
    assert follower.annotated() == {}


def test_a_line_of_text(submit: Submit) -> None:
    submit(params={"lr": "0.001"}, metrics={"loss": [0.4], "val_accuracy": [0.91]})
    fields: dict[str, Any] = {"params": {"lr": "0.0003"}, "metrics": {"loss": [0.5], "val_accuracy": [0.93, 0.92]}}
    said = summary(snapshot(submit(**fields)), time.time()).split("\n")
    assert "  since lenet, 10 min earlier: lr 0.001 → 0.0003; val_accuracy 0.91 → 0.93 (better)" in said


def test_what_a_notebook_keeps(submit: Submit) -> None:
    hostile = "x = '<script>alert(1)</script>\u202e'"
    submit(cells=CELLS, params={"lr": "0.001"}, metrics={"loss": [0.4]})
    cells = (CELLS[0], hostile, CELLS[2])
    run = submit(code=f"{LOOP}    {hostile}\n", cells=cells, params={"lr": "<b>"}, metrics={"loss": [0.5]})
    data = bundle(run, patience=0)
    kept = data[MIME]["runs"][0]["details"]["changes"]
    assert kept == changes_of(run)
    html = data["text/html"]
    for text in ("Since lenet, 10 min earlier", "Code of the cell", "Other cells of the notebook", "0.5 (worse)"):
        assert text in html
    assert "<script" not in html
    assert "\u202e" not in html
    assert "<b>" not in html.replace("<b>Cell", "")
    assert "since lenet" in data["text/plain"]


def big(lines: int) -> dict[str, Any]:
    rows = [["=", n, n, f"same {n}"] for n in range(1, 500)] + [["+", 500 + n, f"new {n}"] for n in range(lines)]
    cells = [
        {"change": "added", "kind": "code", "old": None, "new": {"index": n}, "source": "a\n" * lines} for n in range(3)
    ]
    return {
        "since": {"id": "x", "name": "lenet", "state": "finished", "submitted": 0.0},
        "params": [["lr", "1", "2"]],
        "cell": rows,
        "notebook": {"version": 1, "counts": {}, "cells": cells, "metadata": []},
        "modules": [["utils.py", rows]],
        "environment": [[f"package {n}", "1", "2"] for n in range(lines)],
        "metrics": [["loss", -1, 1.0, 0.5]],
    }


@pytest.mark.parametrize("most", [2000, 6000, 40_000])
def test_changes_have_their_limit_and_say_what_is_left_out(most: int) -> None:
    found = fitted(big(2000), most)
    assert size(found) <= most
    assert found["params"] == [["lr", "1", "2"]]
    assert found["metrics"] == [["loss", -1, 1.0, 0.5]]
    shown = sum(row[0] == "+" for rows in (found["cell"], *(rows for _, rows in found["modules"])) for row in rows)
    shown += sum(2001 for _ in (found["notebook"] or {"cells": []})["cells"])
    assert found["left_out"] == 2 * 2000 + 3 * 2001 - shown + 2000 - min(40, most // 150)
    few = big(10)
    assert fitted(few, 10**6) is few
    near = fitted(few, size(few) - 1)
    assert [row[0] for row in near["cell"]] == ["="] * 3 + ["+"] * 10
    assert "left_out" not in near


def test_a_line_of_a_megabyte_finds_room() -> None:
    one = {**big(1), "cell": [["~", 1, 1, [[0, "a" * 10**6], [1, "b"]], [[0, "a" * 10**6], [1, "c"]]]], "modules": []}
    found = fitted(one, 40_000)
    assert [piece for _, piece in found["cell"][0][3]] == ["a" * 300 + "…", "b"]
