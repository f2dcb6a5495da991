"""Environment variables that shape what libraries compute."""

from __future__ import annotations

import os
import re

_SHAPING = re.compile(
    r"PYTHONHASHSEED|CUBLAS_WORKSPACE_CONFIG|CUDA_LAUNCH_BLOCKING|CUDA_DEVICE_ORDER|NVIDIA_TF32_OVERRIDE|TZ|LANG|LC_\w+"
    r"|(OMP|KMP|GOMP|MKL|OPENBLAS|BLIS|VECLIB|NUMEXPR|TORCH|PYTORCH|CUDNN|NCCL|TF|XLA|JAX)_\w+"
)


def gather() -> dict[str, str]:
    """Return those of this process."""
    return {name: value for name, value in sorted(os.environ.items()) if _SHAPING.fullmatch(name)}
