"""torch where there is a GPU for it; elsewhere the module that asks is skipped."""

from __future__ import annotations

from types import ModuleType

import pytest

from mlwidgets.runner import nvml


def torch_with_a_gpu() -> ModuleType:
    """Return torch; without a driver it is not imported, as every run of the other tests would have to do so too."""
    if not nvml.has_driver():
        pytest.skip("needs a CUDA GPU", allow_module_level=True)
    torch: ModuleType = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU", allow_module_level=True)
    return torch
