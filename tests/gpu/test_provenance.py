"""What a run on a real GPU says of it."""

from __future__ import annotations

from pathlib import Path

from mlwidgets.capture.hardware import cuda_driver, gpus
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.libraries import read_libraries
from tests.gpu.cuda import torch_with_a_gpu
from tests.notebook import Notebook

torch = torch_with_a_gpu()


def test_the_driver_says_which_gpus_there_are() -> None:
    found = gpus()
    assert found
    assert all({"name", "uuid", "driver_version", "memory.total"} <= one.keys() for one in found)
    driver = cuda_driver()
    assert driver is not None
    assert [int(part) for part in driver.split(".")] >= [int(part) for part in torch.version.cuda.split(".")[:1]]


def test_what_the_code_used_of_the_gpu(tmp_path: Path) -> None:
    nb = Notebook(tmp_path)
    try:
        nb.train("first --gpus 1", "import torch\nx = torch.ones(3, device='cuda').sum().item()")
        nb.train("second --gpus 1", "import torch\nx = torch.ones(3).sum().item()")
        first, second = (
            read_libraries(RunFolder(Path(nb.value(f"str({name}.path)"))))["torch"] for name in ("first", "second")
        )
    finally:
        nb.close()
    assert first["cuda"] == torch.version.cuda
    assert first["cudnn"] == torch.backends.cudnn.version()
    (gpu,) = first["gpus"]
    assert gpu.startswith(torch.cuda.get_device_name(0))
    # Asking would begin to use it.
    assert "gpus" not in second
