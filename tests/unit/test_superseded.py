"""Nothing is lost of what a run goes back behind, and whoever follows it sees what is there now."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import FOLDER_VARIABLE, RECORD_SIZE, metric_key, read_records, write_event
from mlwidgets.runs.run import Run
from mlwidgets.runs.superseded import supersede
from mlwidgets.server.numbers import Numbers
from mlwidgets.server.sparklines import Sparklines
from mlwidgets.sweeps.control.curves import Following
from mlwidgets.tracking import active, checkpoint, log, log_histogram, resume
from mlwidgets.views.follow import Follower
from mlwidgets.views.sweepnumbers import Numbers as TrialNumbers


@pytest.fixture
def folder(new_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    folder = new_run()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder.path))
    begin_attempt(folder, monkeypatch)
    return folder


def begin_attempt(folder: RunFolder, monkeypatch: pytest.MonkeyPatch, number: int = 1) -> None:
    for name in ("log", "media"):
        monkeypatch.setattr(import_module(f"mlwidgets.tracking.{name}"), "_active", None)
    monkeypatch.setattr(active, "_told", set())
    monkeypatch.setattr(import_module("mlwidgets.tracking.checkpoints"), "_made", (0, []))
    if number > 1:
        write_event(folder.events, "attempt", number=number, of=number, state="failed", cause=None)
    write_event(folder.events, "started", pid=os.getpid())


class Seen:
    """The curves of a view that takes in what a follower tells."""

    def __init__(self, folder: RunFolder) -> None:
        self.follower = Follower(Run(folder.path))
        self.curves: dict[str, Any] = {}
        self.histograms: list[int] = []
        self.look()

    def look(self) -> None:
        self.follower._media._due = 0.0
        found = self.follower.changes()
        for one in found.get("series", []):
            points = np.frombuffer(one["points"]).reshape(4, -1)
            before = self.curves.get(one["name"], np.empty((4, 0)))[:, : one["keep"]]
            self.curves[one["name"]] = np.concatenate([before, points], axis=1)
        for shown in found.get("media", {}).get("histograms", []):
            self.histograms = [step["step"] for step in shown["steps"]]

    def values(self, name: str) -> list[float]:
        return [float(value) for value in self.curves[name][2]]


def test_who_follows_sees_what_is_logged_again(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, sparklines, seen = Numbers(folder), Sparklines(), Seen(folder)
    points, trial = Following(folder, ["loss"]), TrialNumbers(folder, [metric_key("loss")], -1, retried=True)

    def look() -> None:
        seen.look()
        numbers.advance()
        points.advance()
        trial.advance(None)

    for epoch in range(4):
        log(loss=float(epoch))
        log_histogram("weights", [epoch])
        if epoch == 1:
            checkpoint([], epoch=1)
    look()
    assert seen.values("loss") == [0, 1, 2, 3]
    assert sparklines.read(folder.path, "loss") == {"points": [0, 1, 2, 3], "n": 4, "last": 3}
    begin_attempt(folder, monkeypatch, 2)
    points.advance()
    assert points.points[0].values == [], "until it is known that it goes on"
    assert resume([]) == 2
    for value in (20.0, 30.0):
        log(loss=value)
        log_histogram("weights", [value])
    # All is as long as it was before.
    look()
    assert seen.values("loss") == [0, 1, 20, 30]
    assert seen.histograms == [0, 1, 2, 3]
    assert (numbers.last(), numbers.by_name["loss"].n) == ({"loss": 30}, 4)
    assert sparklines.read(folder.path, "loss") == {"points": [0, 1, 20, 30], "n": 4, "last": 30}
    assert points.points[0].values == [0, 1, 20, 30], "a policy counts on from the checkpoint"
    assert (trial.n, trial.best, trial.last) == (4, 0, [30])
    log(loss=40.0)
    look()
    assert (seen.values("loss"), points.points[0].values) == ([0, 1, 20, 30, 40], [0, 1, 20, 30, 40])
    whole = Follower(Run(folder.path)).changes()["series"]
    assert np.frombuffer(whole[0]["points"]).reshape(4, -1)[2].tolist() == [0, 1, 20, 30, 40]


def test_who_looks_while_it_is_shorter(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, numbers = Seen(folder), Numbers(folder)
    for epoch in range(3):
        log(loss=float(epoch))
        if epoch == 0:
            checkpoint([], epoch=0)
    begin_attempt(folder, monkeypatch, 2)
    seen.look()
    numbers.advance()
    resume([])
    seen.look()
    assert seen.values("loss") == [0]
    assert numbers.advance()
    assert numbers.by_name["loss"].n == 1
    assert not numbers.advance()


def test_nothing_is_lost(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    for epoch in range(3):
        log(loss=float(epoch))
        log_histogram("weights", [epoch])
        if epoch == 0:
            checkpoint([], epoch=0)
    before = folder.metrics.read_bytes(), folder.media.read_bytes()
    for number in (2, 3):
        begin_attempt(folder, monkeypatch, number)
        resume([])
        now = folder.metrics.read_bytes(), folder.media.read_bytes()
        kept = [(folder.path / "superseded" / name).read_bytes() for name in ("metrics.bin", "media.jsonl")]
        assert [a + b for a, b in zip(now, kept, strict=True)] == list(before)
    assert read_records(folder.path / "superseded" / "metrics.bin")["value"].tolist() == [1, 2]


def test_what_cannot_be_kept_is_not_taken_out(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint([], epoch=0)
    log(loss=1.0)
    (folder.path / "superseded").write_text("in the way")
    begin_attempt(folder, monkeypatch, 2)
    resume([])
    assert folder.metrics.stat().st_size == RECORD_SIZE
    assert "what is logged again now is there twice" in capsys.readouterr().err
    supersede(folder.path / "nothing", 0)
