from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlwidgets.runs.journal import MetricColumn
from mlwidgets.views.progress import Progress, progress
from mlwidgets.views.tracks import track


def after(params: dict[str, Any], **metrics: list[tuple[float, float]]) -> Progress | None:
    """Return the progress of a run that began at 100 and logged these (time, value)."""
    columns = {
        name: MetricColumn(np.arange(len(points)), *np.array(points, dtype=float).T) for name, points in metrics.items()
    }
    return progress(params, {one.name: one for one in track(columns)}, 100.0)


def test_a_number_of_steps_tells_how_far_it_is() -> None:
    found = after({"max_steps": 40}, loss=[(100.0 + i, 1.0) for i in range(1, 11)])
    assert found == Progress(0.25, "step 10 of 40", pytest.approx(30.0), 110.0)


def test_a_metric_called_progress_comes_first() -> None:
    found = after({"steps": 4}, progress=[(104.0, 0.4)], loss=[(104.0, 1.0)])
    assert found is not None
    assert (found.fraction, found.label, found.remaining) == (0.4, "", pytest.approx(6.0))


def test_epochs_that_are_logged_at_their_end() -> None:
    found = after({"epochs": 10}, epoch=[(110.0, 0), (120.0, 1)], loss=[(110.0, 1), (120.0, 1)])
    assert found is not None
    assert (found.fraction, found.label, found.remaining) == (0.2, "epoch 3 of 10", pytest.approx(80.0))
    found = after({"epochs": 10}, epoch=[(110.0, 1), (120.0, 2)])
    assert found is not None
    assert found.fraction == 0.2


def test_epochs_that_are_logged_with_every_batch() -> None:
    batches = [(100.0 + i, i // 10) for i in range(25)]
    found = after({"epochs": 10}, epoch=batches, loss=batches)
    assert found is not None
    assert found.label == "epoch 3 of 10"
    assert found.fraction == pytest.approx(0.24)


def test_metrics_that_come_once_an_epoch_count_them() -> None:
    found = after({"epochs": 8}, loss=[(101.0 + i / 50, 1) for i in range(400)], val_loss=[(104.0, 1), (108.0, 1)])
    assert found is not None
    assert (found.fraction, found.label) == (0.25, "epoch 3 of 8")


def test_nothing_is_said_where_nothing_tells() -> None:
    assert after({}, loss=[(101.0, 1.0)]) is None
    assert after({"epochs": 3}, loss=[(100.0 + i / 100, 1.0) for i in range(3)]) is None
    assert after({"epochs": 3}, loss=[(100.0 + i, 1.0) for i in range(50)]) is None
    assert after({"epochs": True}, epoch=[(101.0, 1)]) is None
    assert progress({"steps": 3}, {}, 100.0) is None


def test_a_run_that_logs_more_than_it_said_is_at_its_end_and_then_silent() -> None:
    found = after({"steps": 100}, loss=[(100.0 + i, 1.0) for i in range(101)])
    assert found is not None
    assert (found.fraction, found.label) == (1.0, "step 100 of 100")
    assert after({"steps": 10}, loss=[(100.0 + i, 1.0) for i in range(100)]) is None


def test_a_run_that_goes_on_from_a_checkpoint_has_only_the_rest_to_do() -> None:
    """Ten of twenty epochs were there already, and two more took ten seconds each: eight are left."""
    times = [(float(at), 1.0) for at in (*range(10), 110, 120)]
    columns = {"loss": MetricColumn(np.arange(12), *np.array(times).T)}
    tracks = {one.name: one for one in track(columns)}
    before = {"epoch": 9, "step": None}
    found = progress({"epochs": 20}, tracks, 100.0, before)
    assert found is not None
    assert (found.label, found.fraction, found.remaining) == ("epoch 13 of 20", 0.6, pytest.approx(80.0))
    unknown = progress({"steps": 20}, tracks, 100.0, before)
    assert unknown is not None
    assert unknown.remaining is None
