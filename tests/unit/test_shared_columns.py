from __future__ import annotations

import pytest

from mlwidgets.runs.journal import read_metrics
from mlwidgets.tracking.log import MetricLog


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "metrics.bin", tmp_path / "events.jsonl"


def test_metrics_of_the_same_calls_share_steps_and_times_which_nobody_can_change(journal):
    log = MetricLog(*journal)
    for step in range(5):
        log(loss=1.0 - step, acc=float(step), step=2 * step)
    columns = read_metrics(*journal)
    assert columns["loss"].steps is columns["acc"].steps
    assert columns["loss"].times is columns["acc"].times
    assert columns["loss"].steps.tolist() == [0, 2, 4, 6, 8]
    assert columns["loss"].values.tolist() == [1.0, 0.0, -1.0, -2.0, -3.0]
    assert columns["acc"].values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    with pytest.raises(ValueError, match="read-only"):
        columns["loss"].steps[0] = 7
    columns["loss"].values[0] = 7
    assert read_metrics(*journal)["loss"].values[0] == 1.0


def test_metrics_in_lockstep_with_steps_of_their_own_do_not_share_them(journal):
    log = MetricLog(*journal)
    for step in range(3):
        log(loss=0.5, step=step)
        log(val=0.25, step=10 * step)
    columns = read_metrics(*journal)
    assert columns["loss"].steps.tolist() == [0, 1, 2]
    assert columns["val"].steps.tolist() == [0, 10, 20]
    assert (columns["val"].times >= columns["loss"].times).all()
