"""What views, texts and JSON say of a run's checkpoints and of its best epoch."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mlwidgets.cli import main
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import FOLDER_VARIABLE
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.tracking import active, checkpoint
from mlwidgets.tracking.log import MetricLog
from mlwidgets.views.data import snapshot
from mlwidgets.views.follow import Follower
from mlwidgets.views.page import page
from mlwidgets.views.static import bundle
from mlwidgets.views.summary import summary

TURN = "validation has been getting worse since epoch 4 (val_loss 0 → 16) while training got better"


@pytest.fixture
def folder(new_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run of ten epochs, the fifth of which was the best."""
    folder = new_run()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder.path))
    monkeypatch.setattr(active, "_told", set())
    log = MetricLog(folder.metrics, folder.events)
    for epoch in range(10):
        log(loss=-epoch, val_loss=(epoch - 4.0) ** 2, speed=abs(epoch - 7))
        checkpoint([0], epoch=epoch, val_loss=(epoch - 4.0) ** 2)
    return folder


def end(folder: RunFolder) -> None:
    write_outcome(folder, Outcome("killed", None, 1.0, 2.0, 0))


def test_in_words(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(folder.path)
    assert run.best_epoch == 4
    assert run.insight.lines() == ["best val_loss 0 at epoch 4", TURN]
    end(folder)
    shot = snapshot(run)
    assert f"\n  best val_loss 0 at epoch 4\n  {TURN}" in summary(shot, 10.0)
    drawn = page(shot, 10.0)
    assert "Best val_loss 0 at epoch 4" in drawn
    assert "Validation has been getting worse since epoch 4" in drawn
    assert main(["--store", str(folder.store), "show", folder.id, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["best_epoch"], told["insight"][0]) == (4, "best val_loss 0 at epoch 4")
    assert main(["--store", str(folder.store), "show", folder.id, "--csv"]) == 0
    assert "best_epoch" in capsys.readouterr().out


def test_the_best_epoch_of_what_is_judged_by_a_value_that_is_not_logged(folder: RunFolder) -> None:
    checkpoint([0], epoch=10, best="max:quality", quality=3.0)
    checkpoint([0], epoch=11, best="max:quality", quality=2.0)
    assert Run(folder.path).best_epoch == 10
    checkpoint([0], epoch=12, best="min:speed", speed=0)
    assert Run(folder.path).best_epoch == 7, "it is logged, and was lowest then"


def test_what_a_view_lists(folder: RunFolder) -> None:
    run = Run(folder.path)
    follower = Follower(run)
    told = follower.changes()["details"]["checkpoints"]
    assert told["judged"] == "min:val_loss"
    assert [[number, where, values, marks] for number, where, values, _, marks in told["rows"]] == [
        [5, "epoch 4", "val_loss 0", "best"],
        [10, "epoch 9", "val_loss 25", "last"],
    ]
    end(folder)
    saved = json.dumps(bundle(run))
    assert "min:val_loss" in saved, "a saved notebook keeps them"


def test_a_run_without_any(new_run: Callable[..., RunFolder]) -> None:
    run = Run(new_run().path)
    assert (run.checkpoints, run.best_checkpoint, run.best_epoch, run.insight.lines()) == ([], None, None, [])
    assert snapshot(run).details is not None
