"""Environment variables that shape what libraries compute: known at submit, the same in each process of the run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

from mlwidgets.runs.spec import RunSpec

HASH_SEED = "PYTHONHASHSEED"
"""By which texts are hashed, and sets of them iterate: Python draws one for each process unless it is told one."""

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
"""What cuBLAS may use beside its operands. It is read when the first operation on a GPU begins."""

_REPEATABLE = (":4096:8", ":16:8")
"""With these cuBLAS gives the same bits each time (its manual, "Results Reproducibility")."""

_SHAPING = re.compile(
    # Where files and machines are is no part of it, nor is what scikit-learn sets when it is imported.
    r"(?!\w+_(HOME|DIR|PATH|FILE|ROOT|HOST|ADDR|PORT|IFNAME|DUPLICATE_LIB_OK|INIT_AT_FORK)$)"
    rf"({HASH_SEED}|{CUBLAS}|CUDA_LAUNCH_BLOCKING|CUDA_DEVICE_ORDER|NVIDIA_TF32_OVERRIDE|TZ|LANG|LC_\w+"
    r"|(OMP|KMP|GOMP|MKL|OPENBLAS|BLIS|VECLIB|NUMEXPR|TORCH|PYTORCH|CUDNN|NCCL|TF|XLA|JAX)_\w+)"
)


def gather() -> dict[str, str]:
    """Return those that a run submitted by this process has."""
    mine = {name: value for name, value in os.environ.items() if _SHAPING.fullmatch(name)}
    mine[HASH_SEED] = _hash_seed(mine)
    if sys.flags.ignore_environment:
        # With python -E, or -I, all that this process starts draws one.
        del mine[HASH_SEED]
    return dict(sorted(mine.items()))


def shaped(environment: Mapping[str, str], variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment for a process that runs code.

    Parameters
    ----------
    variables
        What `gather` returned at submit: those of the family that are not among them are left out. Without any, the
        environment's own stay.
    """
    own = dict(environment)
    if variables:
        own = {name: value for name, value in own.items() if not _SHAPING.fullmatch(name)}
        own |= {name: value for name, value in variables.items() if _SHAPING.fullmatch(name)}
    own[HASH_SEED] = _hash_seed(own)
    return own


def environment_of(spec: RunSpec, environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with what was asked of a run: the variables that it was submitted with, and determinism."""
    own = shaped(environment, spec.variables)
    if spec.deterministic and own.get(CUBLAS) not in _REPEATABLE:
        own[CUBLAS] = _REPEATABLE[0]
    return own


def same_shape(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether libraries that were imported in one environment do as in the other."""

    def read_early(environment: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in environment.items() if _SHAPING.fullmatch(name) and name != CUBLAS}

    return read_early(one) == read_early(other)


def _hash_seed(environment: Mapping[str, str]) -> str:
    """Return the user's own, else 0: ``random`` is no choice of one, and with what is none Python does not start."""
    told = environment.get(HASH_SEED, "")
    return told if re.fullmatch(r"0*\d{1,10}", told, re.ASCII) and int(told) < 2**32 else "0"
