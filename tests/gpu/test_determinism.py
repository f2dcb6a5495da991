"""The same bits on a real GPU, and what the GPU has no deterministic form of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mlwidgets
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.nondeterminism import nondeterministic
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import new_run_id
from mlwidgets.submit import open_store, send_off
from tests.gpu.cuda import torch_with_a_gpu
from tests.notebook import Notebook

torch = torch_with_a_gpu()

TRAINING = """
import torch
net = torch.nn.Sequential(
    torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Flatten(), torch.nn.Linear(16 * 36, 4)
).cuda()
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
table = torch.zeros(50, 8, device="cuda")
losses = []
for _ in range(30):
    x, y = torch.randn(64, 3, 8, 8, device="cuda"), torch.randint(0, 4, (64,), device="cuda")
    loss = torch.nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    table.index_add_(0, torch.randint(0, 50, (4096,), device="cuda"), torch.randn(4096, 8, device="cuda"))
    losses.append(loss.item().hex())
losses += [value.hex() for value in table.flatten().tolist()]
"""


def _finished(run: Run) -> Run:
    assert run.wait(200).state == "finished", (run.cause, run.output, run.error)
    return run


def test_a_training_has_the_same_bits_again() -> None:
    first = _finished(mlwidgets.train(TRAINING, name="first", namespace={}, gpus=1, deterministic=True, cold=True))
    store = open_store()
    again = replace(store.find(first.id).read_spec(), id=new_run_id("again"), resources=first.spec.resources)
    second = _finished(mlwidgets.run(send_off(store, again).id))
    assert len(set(first.result["losses"])) > 100
    assert second.result["losses"] == first.result["losses"]
    assert nondeterministic(RunFolder(second.path)) == []


def test_a_backward_pass_without_a_deterministic_form_is_told() -> None:
    code = """import torch
x = torch.randn(3, 4, 5, 6, requires_grad=True, device="cuda")
y = torch.nn.AvgPool3d(1)(x).sum()
y.backward()
"""
    run = _finished(mlwidgets.train(code, name="x", namespace={}, gpus=1, deterministic=True, cold=True))
    (sentence,) = nondeterministic(RunFolder(run.path))
    assert sentence.startswith("avg_pool3d_backward_cuda has no deterministic form here")
    assert "line 4" in sentence
    assert sentence in run.output


def test_a_gpu_that_the_notebook_has_not_used_begins_as_it_would_inline(tmp_path: Path) -> None:
    nb = Notebook(tmp_path)
    try:
        nb.run("import torch\ntorch.manual_seed(7)")
        nb.train("first", "noise = torch.randn(3, device='cuda').cpu()")
        assert not nb.value("torch.cuda.is_initialized()")
        nb.run("expected = torch.randn(3, device='cuda').cpu()")
        assert nb.value("torch.equal(first.result['noise'], expected)")
    finally:
        nb.close()
