from __future__ import annotations

import json
import os
import subprocess
import sys

from mlwidgets.runner import warm

PROGRAM = """
import json
import torch
import mlwidgets

CODE = '''
import sys, torch
compiler = "torch._inductor" in sys.modules
modes = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
'''
assert torch.get_num_threads(), "torch is here, so its options travel"
plain = mlwidgets.train(CODE, namespace={})
torch.use_deterministic_algorithms(True, warn_only=True)
wished = mlwidgets.train(CODE, namespace={})
results = [run.wait(60).raise_for_state().result for run in (plain, wished)]
print(json.dumps([(result["compiler"], result["modes"]) for result in results]))
"""


def test_what_is_set_already_imports_no_compiler_and_a_wish_for_deterministic_algorithms_travels() -> None:
    """The submitter is a process of its own: with torch in that of the tests, all their runs would import it."""
    # A warm process would have what its user has imported.
    environment = {**os.environ, warm.VARIABLE: "off"}
    command = [sys.executable, "-c", PROGRAM]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200, env=environment)
    (compiler, plain), (_, wished) = json.loads(said.stdout.splitlines()[-1])
    assert compiler is False
    assert (plain, wished) == ([False, False], [True, True])
