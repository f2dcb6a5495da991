"""One damaged run folder: whatever is wrong with it, lists show the others."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mlwidgets
from mlwidgets import api
from mlwidgets.cli import main
from mlwidgets.errors import ResultNotAvailable, UnknownRun
from mlwidgets.runs import index
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import RunIndex, RunSummary
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.tracking.log import MetricLog
from mlwidgets.views.table import RunTable

Make = Callable[..., RunFolder]
Damage = Callable[[RunFolder], object]


@pytest.fixture
def ended(new_run: Make) -> Make:
    """Make runs that have logged, printed, shown something and finished."""

    def make(name: str) -> RunFolder:
        folder = new_run(name, params={"lr": "0.1"}, submitted_at=1.7e9)
        write_event(folder.events, "started")
        MetricLog(folder.metrics, folder.events)(loss=0.25)
        folder.output.write_text("epoch 1\n")
        write_event(folder.displays, "display", data={"text/plain": "x"}, offset=0)
        write_outcome(folder, Outcome("finished", None, 1.7e9, 1.7e9 + 5, 0))
        return folder

    return make


def spec(**fields: Any) -> Damage:
    """Other values in the spec."""
    return lambda folder: folder.spec.write_text(json.dumps({**json.loads(folder.spec.read_bytes()), **fields}))


def outcome(**fields: Any) -> Damage:
    """Other values in the outcome."""
    return lambda folder: folder.outcome.write_text(json.dumps({**json.loads(folder.outcome.read_bytes()), **fields}))


def orphan(line: Any) -> Damage:
    """Another event, in a run whose outcome nobody wrote."""

    def damage(folder: RunFolder) -> None:
        folder.outcome.unlink()
        with open(folder.events, "a") as file:
            file.write(f"{json.dumps(line)}\n")

    return damage


def directory(name: str) -> Damage:
    """A directory in a file's place."""

    def damage(folder: RunFolder) -> None:
        (folder.path / name).unlink()
        (folder.path / name).mkdir()

    return damage


def instead(make: Callable[[Path], None]) -> Damage:
    """Something else in the folder's place."""

    def damage(folder: RunFolder) -> None:
        shutil.rmtree(folder.path)
        make(folder.path)

    return damage


def content(name: str, data: bytes) -> Damage:
    """Other bytes in a file."""
    return lambda folder: (folder.path / name).write_bytes(data)


def without_outcome(damage: Damage) -> Damage:
    """More damage, in a run whose outcome nobody wrote."""

    def both(folder: RunFolder) -> None:
        folder.outcome.unlink()
        damage(folder)

    return both


DAMAGES: dict[str, Damage] = {
    "empty folder": instead(Path.mkdir),
    "a file": instead(Path.touch),
    "a name of any bytes": lambda folder: os.rename(folder.path, bytes(folder.path.parent) + b"/\xff"),
    "no spec": lambda folder: folder.spec.unlink(),
    "no code": lambda folder: folder.code.unlink(),
    "spec is a directory": directory("spec.json"),
    "spec is empty": content("spec.json", b""),
    "spec is a list": content("spec.json", b"[]"),
    "spec is null": content("spec.json", b"null"),
    "spec is nested without end": content("spec.json", b"[" * 100_000),
    "spec is no UTF-8": content("spec.json", b"\xff"),
    "code is no UTF-8": content("code.py", b"\xff"),
    "name": spec(name=7),
    "params are a list": spec(params=["lr"]),
    "params are text": spec(params="lr"),
    "a parameter is a number": spec(params={"lr": 0.1}),
    "a parameter is half a character": spec(params={"lr": "\ud800"}),
    "tags": spec(tags=[1]),
    "submitted as text": spec(submitted_at="yesterday"),
    "submitted never": spec(submitted_at=None),
    "submitted long after": spec(submitted_at=1e300),
    "submitted at NaN": spec(submitted_at=float("nan")),
    "inputs": spec(inputs=[1]),
    "inputs are text": spec(inputs="x"),
    "names of inputs": spec(inputs={"stream": "", "buffers": [], "names": [1], "nbytes": 0}),
    "provenance": spec(provenance="here"),
    "notebook": spec(provenance=dict.fromkeys(("cwd", "executable", "python", "host", "user", "notebook"), 1)),
    "resources": spec(resources=[1]),
    "modules": spec(modules=3),
    "outcome is a directory": directory("outcome.json"),
    "outcome is empty": content("outcome.json", b""),
    "state": outcome(state=["finished"]),
    "started as text": outcome(started_at="now"),
    "started at infinity": outcome(started_at=float("inf")),
    "ended long after": outcome(ended_at=1e300),
    "events are a directory": directory("events.jsonl"),
    "events are a directory, no outcome": without_outcome(directory("events.jsonl")),
    "metrics are a directory": directory("metrics.bin"),
    "metrics are cut": content("metrics.bin", b"\1" * 77),
    "displays are a directory": directory("displays.jsonl"),
    "output is a directory": directory("output.log"),
    "alive is a directory": without_outcome(directory("alive")),
    "metric without a name": orphan({"event": "metric", "time": 1.0}),
    "metric whose name is a list": orphan({"event": "metric", "time": 1.0, "name": []}),
    "event is a list": orphan({"event": ["started"], "time": 1.0}),
    "event without a time": orphan({"event": "started"}),
    "event whose time is text": orphan({"event": "started", "time": "now"}),
    "event whose time is huge": orphan({"event": "started", "time": 10**400}),
    "event whose time is infinite": orphan({"event": "started", "time": float("inf")}),
    "end without a state": orphan({"event": "end", "time": 1.0}),
    "submitted without a supervisor": orphan({"event": "submitted", "time": 1.0}),
    "supervisor is text": orphan({"event": "submitted", "time": 1.0, "supervisor": "7"}),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_lists_show_the_healthy_run(
    store: RunStore, ended: Make, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(store.path))
    healthy, damaged = ended("healthy"), ended("damaged")
    DAMAGES[kind](damaged)

    for _ in range(2):  # from the folders, and from the index
        found = api.summaries()
        assert next(s for s in found if s.name == "healthy").metrics == {"loss": 0.25}
        table = RunTable(found)
        assert b"healthy" in repr(table).encode()
        assert b"healthy" in table._repr_html_().encode()

    runs = mlwidgets.runs()
    assert "<Run 'healthy', finished, 5.0 s, loss=0.25>" in repr(runs)

    assert main(["runs"]) == 0
    assert "healthy" in capsys.readouterr().out
    assert main(["runs", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["id"] for line in lines if line["name"] == "healthy"] == [healthy.id]
    assert store.find("healthy") == healthy


@pytest.mark.parametrize(
    "damage", [spec(name=7), content("spec.json", b"[" * 100_000), content("spec.json", b"[]"), directory("spec.json")]
)
def test_a_damaged_run_says_so(ended: Make, damage: Damage) -> None:
    folder = ended("bad")
    damage(folder)
    run = Run(folder.path)
    assert repr(run).startswith(f"<Run folder {folder.id} is damaged: ")
    with pytest.raises(UnknownRun, match="is gone or damaged"):
        _ = run.spec


def test_a_run_that_is_gone_says_so(ended: Make) -> None:
    folder = ended("bad")
    run = Run(folder.path)
    shutil.rmtree(folder.path)
    assert repr(run) == f"<run {folder.id!r} is gone: its folder {folder.path} was deleted>"


def test_metrics_without_their_names(ended: Make) -> None:
    folder = ended("bad")
    with open(folder.events, "a") as file:
        file.write('{"event": "metric", "time": 1}\n{"event": "metric", "time": 1, "name": 3}\n')
        file.write('{"event": "artifact", "time": 1}\n')
    run = Run(folder.path)
    assert run.last_values() == {"loss": 0.25}
    assert run.artifacts == []


@pytest.mark.parametrize("name", ["events.jsonl", "metrics.bin"])
def test_a_directory_in_place_of_the_journal(ended: Make, name: str) -> None:
    folder = ended("bad")
    directory(name)(folder)
    assert Run(folder.path).columns() == {}


@pytest.mark.parametrize(
    "manifest", ["", "[]", "{}", '{"frozen": 1, "bound": [], "changed": [], "missing": {}}', '{"frozen": {}}']
)
def test_a_damaged_manifest(ended: Make, manifest: str) -> None:
    folder = ended("bad")
    folder.manifest.write_text(manifest)
    with pytest.raises(ResultNotAvailable, match="no readable result"):
        _ = api.open_run(folder.path).result


def test_a_run_that_ends_while_it_is_listed(store: RunStore, new_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = new_run("lenet")
    summarize = index.summarize

    def then_end(run: Run) -> RunSummary:
        summary = summarize(run)
        write_outcome(folder, Outcome("finished", None, 1.0, 2.0, 0))
        return summary

    monkeypatch.setattr(index, "summarize", then_end)
    assert [s.state for s in RunIndex(store).summaries()] == ["submitted"]
    monkeypatch.undo()
    assert [s.state for s in RunIndex(store).summaries()] == ["finished"]


def test_the_index_is_private(store: RunStore, ended: Make) -> None:
    ended("lenet")
    before = os.umask(0o022)
    try:
        RunIndex(store).summaries()
    finally:
        os.umask(before)
    assert Path(store.path / "index.sqlite").stat().st_mode & 0o777 == 0o600
