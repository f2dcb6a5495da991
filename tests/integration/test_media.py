"""Histograms, images, confusion matrices and tables of real runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import mlwidgets
from mlwidgets.runs.media import ConfusionMatrix, Histogram, Image, Table
from mlwidgets.views.media import media

CODE = """
import numpy as np
from mlwidgets import log_confusion_matrix, log_histogram, log_image, log_table
for step in range(epochs):
    log_histogram("weights", np.linspace(-1, 1, 100) * step, step=step)
    log_image("samples", np.full((8, 8), step, np.uint8), step=step, caption=f"epoch {step}")
    log_confusion_matrix("validation", [0, 1, 1], [0, 1, 0], class_names=["cat", "dog"], step=step)
    log_table("worst", {"file": ["a.png", "b.png"], "loss": [2.5, step]}, step=step)
"""


def test_a_run_keeps_what_it_logged() -> None:
    run = mlwidgets.train(CODE, name="rich", namespace={}, params={"epochs": 3}).wait(60).raise_for_state()
    found = run.media()
    assert [one.step for one in found] == [step for step in range(3) for _ in range(4)]
    histogram, image, matrix, table = found[-4:]
    assert isinstance(histogram, Histogram)
    assert (histogram.n, histogram.min, histogram.max) == (100, -2.0, 2.0)
    assert isinstance(image, Image)
    assert (image.caption, image.path.parent) == ("epoch 2", run.path / "media")
    assert isinstance(matrix, ConfusionMatrix)
    assert matrix.counts.tolist() == [[1, 0], [1, 1]]
    assert isinstance(table, Table)
    assert table.frame.to_dict("list") == {"file": ["a.png", "b.png"], "loss": [2.5, 2.0]}
    shown = media(run)
    assert [
        len(track["steps"]) for kind in ("histograms", "images", "matrices", "tables") for track in shown[kind]
    ] == [3] * 4


def test_full_disk_does_not_end_the_code_and_the_run_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = tmp_path / "small disk"
    mounted.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(mounted)], check=False).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        code = f"""
{CODE}
hog = open(os.path.join(folder, "hog"), "wb", buffering=0)
for size in (4096, 1):
    try:
        while True:
            hog.write(b"0" * size)
    except OSError:
        pass
for step in range(500):
    log_image("noise", np.random.default_rng(step).random((64, 64)), step=step)
    log_table("rows", [{{"text": "x" * 1000}}] * 10, step=step)
    log_histogram("weights", np.linspace(-1, 1, 100), step=step + 100)
hog.close()
os.unlink(hog.name)
log_image("after", np.zeros((4, 4)))
"""
        monkeypatch.setenv("MLWIDGETS_STORE", str(mounted / "store"))
        params = {"folder": str(mounted), "epochs": 2}
        ended = mlwidgets.train(f"import os\n{code}", name="full", namespace={}, params=params).wait(60)
        assert ended.state == "finished"
        assert "images, histograms or tables could not be written" in str(ended.cause)
        found = ended.media()
        assert [one.name for one in found[:4]] == ["weights", "samples", "validation", "worst"]
        assert found[-1].name == "after"
        for one in found:
            if isinstance(one, Table):
                assert len(list(one.head())) == one.rows
            elif isinstance(one, Image):
                assert one.path.stat().st_size == one.bytes
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)
