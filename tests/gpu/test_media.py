"""Tensors on a GPU as histograms, images and so on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import RunSpec, new_run_id
from mlwidgets.tracking import log_confusion_matrix, log_histogram, log_image, log_table, media
from tests.gpu.cuda import torch_with_a_gpu

torch = torch_with_a_gpu()


@pytest.fixture
def logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Any]]:
    folder = RunFolder.create(tmp_path, RunSpec(new_run_id("gpu"), "gpu", "pass\n"))
    monkeypatch.setenv("MLWIDGETS_RUN_FOLDER", str(folder.path))
    monkeypatch.setattr(media, "_active", None)
    return Run(folder.path).media


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_tensors_of_a_gpu(logged: Callable[[], list[Any]], dtype: Any) -> None:
    weight = torch.linspace(0, 1, 100, device="cuda", dtype=dtype, requires_grad=True)
    log_histogram("weight", weight)
    log_image("image", torch.ones(3, 4, 6, device="cuda", dtype=dtype))
    log_confusion_matrix("matrix", torch.tensor([0, 1], device="cuda"), torch.eye(2, device="cuda", dtype=dtype))
    log_table("table", {"x": torch.arange(3, device="cuda")})
    histogram, image, matrix, table = logged()
    assert (histogram.n, histogram.min, histogram.max) == (100, 0.0, 1.0)
    assert (image.width, image.height) == (6, 4)
    assert matrix.counts.tolist() == [[1, 0], [0, 1]]
    assert table.frame["x"].tolist() == [0, 1, 2]
