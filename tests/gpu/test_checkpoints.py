"""A training on a GPU that is killed and goes on logs the same bits as one that was not."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlwidgets
from mlwidgets.history.comparing.metrics import first_difference
from tests.gpu.cuda import torch_with_a_gpu

torch = torch_with_a_gpu()

CODE = """
import os, signal
import torch
from mlwidgets import checkpoint, log, resume

x = torch.randn(256, 16, device="cuda")
y = (x.sum(1, keepdim=True) > 0).float()
layers = torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(32, 1)
model = torch.nn.Sequential(*layers).cuda()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
noise = torch.Generator("cuda").manual_seed(1)
for epoch in range(resume(model, optimizer, noise), 8):
    for _ in range(4):
        optimizer.zero_grad()
        seen = x + 0.1 * torch.randn(x.shape, device="cuda", generator=noise)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(seen), y)
        loss.backward()
        optimizer.step()
    log(loss=loss)
    checkpoint(model, optimizer, noise, epoch=epoch, loss=loss)
    if epoch == 4 and not os.path.exists(killed):
        open(killed, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path / ".mlwidgets"))
    (tmp_path / "never").touch()
    runs = []
    for name in ("never", "once"):
        params = {"killed": str(tmp_path / name)}
        run = mlwidgets.train(CODE, name=name, namespace={}, params=params, seed=1, retries=1, deterministic=True)
        runs.append(run.wait(300))
    assert [run.state for run in runs] == ["finished", "finished"], [run.output for run in runs]
    assert "goes on from checkpoint 5" in runs[1].output
    assert first_difference(runs[0].columns(), runs[1].columns()) == {}


HELD = """
import os, signal
import torch
from mlwidgets import checkpoint, log, resume

class Average:
    def __init__(self):
        self.weights = None

model = torch.nn.Linear(4, 1).cuda()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
scaler = torch.amp.GradScaler("cuda")
average, buffers = Average(), {}
for epoch in range(resume(model, optimizer, scaler, average, buffers), 6):
    optimizer.zero_grad()
    with torch.autocast("cuda"):
        loss = model(torch.randn(32, 4, device="cuda")).square().mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    weights = torch.cat([one.detach().flatten() for one in model.parameters()])
    average.weights = weights if average.weights is None else average.weights.lerp(weights, 0.1)
    buffers["sum"] = buffers.get("sum", 0) + weights
    log(loss=loss, average=average.weights.sum(), sum=buffers["sum"].sum(), scale=scaler.get_scale())
    checkpoint(model, optimizer, scaler, average, buffers, epoch=epoch, loss=loss)
    if epoch == 2 and not os.path.exists(killed):
        open(killed, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_tensors_inside_other_objects_come_back_to_the_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path / ".mlwidgets"))
    (tmp_path / "never").touch()
    runs = []
    for name in ("never", "once"):
        params = {"killed": str(tmp_path / name)}
        run = mlwidgets.train(HELD, name=name, namespace={}, params=params, seed=1, retries=1, deterministic=True)
        runs.append(run.wait(300))
    assert [run.state for run in runs] == ["finished", "finished"], [run.output for run in runs]
    assert "goes on from checkpoint 3" in runs[1].output
    assert first_difference(runs[0].columns(), runs[1].columns()) == {}
