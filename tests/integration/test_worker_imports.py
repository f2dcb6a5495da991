from __future__ import annotations

import torch

import mlwidgets

CODE = """
import sys, torch
compiler = "torch._inductor" in sys.modules
modes = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
"""


def test_torchs_compiler_is_not_imported_to_set_what_is_set_already():
    assert torch.get_num_threads()  # torch is here, so its options travel
    # A warm process would have what this one has imported, for whatever test.
    run = mlwidgets.train(CODE, namespace={}, cold=True).wait()
    assert run.raise_for_state().result["compiler"] is False
    assert run.result["modes"] == (False, False)


def test_a_wish_for_deterministic_algorithms_travels():
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        run = mlwidgets.train(CODE, namespace={}).wait()
    finally:
        torch.use_deterministic_algorithms(False)
    assert run.raise_for_state().result["modes"] == (True, True)
