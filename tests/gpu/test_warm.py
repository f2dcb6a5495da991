"""Warm starts on a real GPU: nothing that is kept warm has touched it, and what is forked from it may."""

from __future__ import annotations

import time
from pathlib import Path

import mlwidgets
from mlwidgets.runner import warm
from tests.gpu.cuda import torch_with_a_gpu

torch = torch_with_a_gpu()

CODE = """
import os, torch
forked = "warm_server" in open("/proc/self/cmdline").read()
visible = os.environ["CUDA_VISIBLE_DEVICES"]
before = torch.cuda.is_initialized()
total = float((torch.ones(512, 512, device="cuda") @ torch.ones(512, 512, device="cuda")).sum())
devices = torch.cuda.device_count()
"""


def _uses_gpu(pid: int) -> bool:
    """Whether a process has opened a GPU's device file."""
    return any("/dev/nvidia" in str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir())


def test_forked_runs_use_the_gpu_and_what_they_are_forked_from_does_not() -> None:
    mlwidgets.train("import torch", name="first", namespace={"torch": torch}).wait(120)
    warm.prepare()
    deadline = time.monotonic() + 120
    while not any("torch" in process.modules for process in warm.warm_processes()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for _ in range(3):
        run = mlwidgets.train(CODE, name="cuda", namespace={"torch": torch}, gpus=1).wait(120)
        assert run.state == "finished", (run.cause, run.output, run.error)
        assert run.result["total"] == 512.0**3
        assert (run.result["forked"], run.result["before"], run.result["devices"]) == (True, False, 1)
        assert run.result["visible"].startswith(("GPU-", "MIG-"))
    assert not any(_uses_gpu(process.pid) for process in warm.warm_processes())


def test_a_run_without_a_gpu_sees_none() -> None:
    run = mlwidgets.train("import torch\nseen = torch.cuda.is_available()", name="none", namespace={}, gpus=0)
    assert run.wait(120).result["seen"] is False
