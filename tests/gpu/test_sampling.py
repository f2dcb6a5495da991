"""What a run uses of a real GPU."""

from __future__ import annotations

import mlwidgets
from tests.gpu.cuda import torch_with_a_gpu

torch = torch_with_a_gpu()

CODE = """
import time, torch
held = torch.ones(1 << 28, device="cuda")
factor = torch.ones(4096, 4096, device="cuda")
end = time.time() + 6
while time.time() < end:
    factor @ factor
    torch.cuda.synchronize()
"""


def test_the_runs_own_gpu_is_sampled() -> None:
    run = mlwidgets.train(CODE, name="busy", namespace={"torch": torch}, gpus=1).wait(120)
    assert run.state == "finished", (run.cause, run.output)
    frame = run.system
    assert frame["gpu.0.memory"].max() > 1 << 30
    assert 0 < frame["gpu.0.utilization"].max() <= 100
    # A virtual machine's driver may not tell these.
    for name, most in (("gpu.0.power", 2000), ("gpu.0.temperature", 120)):
        if name in frame:
            assert 0 < frame[name].max() < most
    assert not [name for name in frame if name.startswith("gpu.1")]
