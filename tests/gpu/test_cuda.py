"""What only a real GPU can show."""

from __future__ import annotations

from pathlib import Path

from tests.gpu.cuda import torch_with_a_gpu
from tests.notebook import Notebook

torch = torch_with_a_gpu()


def test_cuda_tensors_models_and_random_states_travel(tmp_path: Path) -> None:
    nb = Notebook(tmp_path)
    try:
        nb.run(
            """
            import torch
            from mlwidgets import log
            torch.cuda.manual_seed_all(7)
            model = torch.nn.Linear(8, 1).cuda()
            data = torch.arange(32.0, device="cuda").reshape(4, 8)
            view = data[1]
            """
        )
        cell = """
            noise = torch.randn(3, device="cuda")
            data[1, 0] = -1
            shared = view[0].item()
            loss = model(data).pow(2).mean()
            loss.backward()
            log(loss=loss)
            where = str(next(model.parameters()).device)
            """
        nb.train("first", cell)
        nb.run("expected = torch.randn(3, device='cuda')")
        assert nb.value("first.result['where']") == "cuda:0"
        assert nb.value("first.result['shared']") == -1.0
        assert nb.value("torch.equal(first.result['noise'], expected)")
        nb.run("%runs load first")
        assert nb.value("(data[1, 0].item(), view[0].item(), str(data.device))") == (-1.0, -1.0, "cuda:0")
        assert nb.value("model.weight.grad is not None and model.weight.grad.is_cuda")
        nb.run("import time\nwhile not first.environment: time.sleep(0.05)")
        assert nb.value("bool(first.environment['gpus'][0]['driver_version'])")
    finally:
        nb.close()
