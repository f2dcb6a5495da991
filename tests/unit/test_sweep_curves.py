"""Following a trial, and noticing what it never logs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.store import RunStore
from mlwidgets.sweeps.control.curves import Following, Others, followed
from mlwidgets.sweeps.control.missing import Mentions, describe, missing
from mlwidgets.tracking.log import MetricLog


@pytest.fixture
def trial(new_run: Callable[..., RunFolder]) -> RunFolder:
    return new_run("hunt-0", trial_of="hunt", trial=0)


def test_points_are_read_as_they_come(trial: RunFolder) -> None:
    following = Following(trial, ["score", "cost"], curious=True)
    assert not following.advance()
    log = MetricLog(trial.metrics, trial.events)
    log(score=0.5, loss=3.0)
    assert following.advance()
    assert not following.advance()
    log(score=0.25, step=7)
    log(cost=1.0)
    assert following.advance()
    score, cost = following.points
    assert (score.steps, score.values) == ([0, 7], [0.5, 0.25])
    assert (cost.steps, cost.values) == ([0], [1.0])
    assert score.times == sorted(score.times)
    assert following.others == {"loss": Others(1, {0})}
    following.close()


@pytest.mark.parametrize("curious", [True, False])
def test_it_does_not_matter_how_much_comes_at_once(trial: RunFolder, curious: bool) -> None:
    log = MetricLog(trial.metrics, trial.events)
    dice = random.Random(1)
    following = Following(trial, ["score"], curious=curious)
    for i in range(3000):
        log(loss=i)
        log(score=i / 2, step=3 * i)
        if dice.random() < 0.02:
            following.advance()
    following.advance()
    assert following.points[0].values == [i / 2 for i in range(3000)]
    assert following.points[0].steps == [3 * i for i in range(3000)]
    following.close()


def test_a_torn_record_is_not_read(trial: RunFolder) -> None:
    log = MetricLog(trial.metrics, trial.events)
    log(score=1.0)
    log(score=2.0)
    data = trial.metrics.read_bytes()
    trial.metrics.write_bytes(data[:50])
    following = Following(trial, ["score"])
    following.advance()
    assert following.points[0].values == [1.0]
    trial.metrics.write_bytes(data)
    following.advance()
    assert following.points[0].values == [1.0, 2.0]
    following.close()


def test_what_the_run_says_of_itself(trial: RunFolder) -> None:
    following = Following(trial, ["score"])
    write_event(trial.events, "slots", gpus=[], cpus=1)
    following.advance()
    assert following.has_slots
    assert following.started_at is None
    write_event(trial.events, "started", pid=77)
    following.advance()
    assert following.worker == 77
    assert abs((following.started_at or 0) - time.time()) < 60
    following.close()


def test_a_further_attempt_begins_a_new_curve(trial: RunFolder) -> None:
    write_event(trial.events, "started", pid=1)
    log = MetricLog(trial.metrics, trial.events)
    log(score=1.0)
    following = Following(trial, ["score"])
    following.advance()
    time.sleep(0.002)
    write_event(trial.events, "attempt", number=2, of=2)
    following.advance()
    assert (following.points[0].values, following.has_slots, following.started_at) == ([], False, None)
    time.sleep(0.002)
    log(score=5.0)
    following.advance()
    assert following.points[0].values == [5.0]
    with followed(trial, ["score"]) as other:
        assert other.points[0].values == [5.0], "whoever comes later sees the same"
    following.close()


def mentions(store: RunStore, code: str, **fields: Any) -> Mentions:
    return Mentions(RunSpec("20261120-123010-hunt-abcd", "hunt", code, **fields), ObjectStore(store.path / "objects"))


def test_names_that_the_code_may_make_up(store: RunStore) -> None:
    found = mentions(store, "for part in 'train', 'val':\n    log(**{f'{part}_accuracy': a, 'top1/acc': b})")
    assert found.may_be("val_accuracy")
    assert found.may_be("top1/acc")
    assert found.may_be("test_accuracy"), "the prefix may come from a library"
    assert not found.may_be("val_acuracy")
    assert not found.may_be("val_loss")
    module = store.put(b"def report(x):\n    log(val_loss=x)\n")
    sent = {"name": "helper", "path": "helper.py", "package": False, "digest": module}
    assert mentions(store, "report(3)", modules=(sent,)).may_be("val_loss")


@pytest.mark.parametrize(
    ("others", "metric", "expected"),
    [
        ({}, "lost", False),
        ({"loss": {0}}, "lost", False),
        ({"loss": {0, 1}}, "lost", True),
        ({"loss": {0, 1}}, "score", False),
        ({"loss": {0}}, "score", False),
        ({"loss": {0, 1}, "once": {0}}, "lost", True),
        ({"loss": {0, 1}, "once": {0}}, "score", False),
    ],
)
def test_when_a_metric_is_missing(store: RunStore, others: dict[str, set[int]], metric: str, expected: bool) -> None:
    known = {name: Others(len(steps), steps) for name, steps in others.items()}
    found = mentions(store, "log(loss=loss, epoch=e, once=o)\nif best: log(score=s)")
    assert missing([metric], [], known, found) is expected
    assert not missing([metric], [metric], known, found)


def test_of_large_inputs_the_beginning_is_read(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlwidgets.sweeps.control.missing._LARGEST", 100)
    read: list[int] = []
    monkeypatch.setattr(ObjectStore, "read", lambda *_: read.append(1))
    module = store.put(b"log(early=1)" + b" " * 200 + b"log(late=1)")
    sent = {"name": "helper", "path": "helper.py", "package": False, "digest": module}
    found = mentions(store, "pass", modules=(sent,))
    assert found.may_be("early")
    assert not found.may_be("late")
    assert read == []


def test_it_is_said_in_one_line() -> None:
    assert describe(["val_acc"], [], ["loss", "val_accuracy"]) == (
        "the code never logs 'val_acc'; it logs 'loss', 'val_accuracy'; did you mean 'val_accuracy'?"
    )
    assert describe(["up", "down"], ["up"], []) == "the code never logs 'down'; it logs 'up'"
    assert describe(["score"], [], []).startswith("the code never logs 'score', nor anything else: write log(score=")
