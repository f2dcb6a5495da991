from __future__ import annotations

import math
from pathlib import Path

import pytest

from mlwidgets.views.data import read_series
from mlwidgets.views.grouping import place, place_system
from mlwidgets.views.groups import charts
from tests.unit.views_support import make_run


@pytest.mark.parametrize(
    ("name", "group", "role"),
    [
        ("loss", "loss", ""),
        ("val_loss", "loss", "validation"),
        ("loss_val", "loss", "validation"),
        ("train/loss", "loss", "train"),
        ("loss/train", "loss", "train"),
        ("metrics/val/acc", "metrics/acc", "validation"),
        ("train_loss_epoch", "loss_epoch", "train"),
        ("Validation-Loss", "Loss", "validation"),
        ("test_accuracy", "accuracy", "test"),
        ("eval.f1", "f1", "validation"),
        ("train", "train", ""),
        ("trainable_weights", "trainable_weights", ""),
        ("interval", "interval", ""),
    ],
)
def test_train_and_validation_of_one_name_share_a_chart(name: str, group: str, role: str) -> None:
    assert place(name)[:2] == (group, role)


@pytest.mark.parametrize(
    ("name", "better"), [("val_loss", -1), ("accuracy", 1), ("top1", 1), ("lr", 0), ("glossary", 0)]
)
def test_a_name_may_tell_what_is_better(name: str, better: int) -> None:
    assert place(name).better == better


def test_gpus_share_a_chart_for_each_figure() -> None:
    assert place_system("gpu.0.memory")[:2] == ("gpu.memory", "GPU 0")
    assert place_system("gpu.11.memory")[:2] == ("gpu.memory", "GPU 11")
    assert place_system("disk.read")[:2] == ("disk", "read")
    assert place_system("cpu")[:2] == ("cpu", "")


def test_lines_that_count_differently_are_drawn_over_time(tmp_path: Path) -> None:
    metrics = {"train_loss": [1.0 / (i + 1) for i in range(400)], "val_loss": [0.5, 0.4], "lr": [0.1] * 400}
    together, alone = charts(read_series(make_run(tmp_path / "unlike", metrics=metrics)))
    assert together.timed
    assert not alone.timed
    train, validation = together.lines
    assert train.x[0] == 0
    assert validation.x[-1] == pytest.approx(validation.series.times[-1] - train.series.times[0])
    assert not math.isclose(validation.x[-1], validation.series.steps[-1])
    alike = {"train_loss": [1.0, 0.5, 0.2], "val_loss": [0.5, 0.4]}
    (chart,) = charts(read_series(make_run(tmp_path / "alike", metrics=alike)))
    assert chart.lines[0].x.tolist() == [0, 1, 2]
