"""The shell in which a run's code executes."""

from __future__ import annotations

import subprocess
import sys

import pytest

# A process has one such shell: a fresh one for each test.
PROGRAM = """
import signal
from mlwidgets.runner.shell import blank_shell
shell = blank_shell()
signals = {signals}
shell.interrupts = signals
shell.user_ns["interrupt"] = lambda: signals.append(signal.SIGTERM)
result = shell.run_cell({code!r})
print(type(result.error_in_exec).__name__, shell.user_ns.get("reached"))
"""


@pytest.mark.parametrize(
    ("signals", "code", "came_of_it"),
    [
        ("[signal.SIGTERM]", "reached = 1\nreached = 2", "KeyboardInterrupt None"),
        ("[]", "interrupt()\nreached = 1", "NoneType 1"),
    ],
    ids=["swallowed-before-the-first-line-it-ends-the-code-there", "caught-by-the-code-it-does-not-end-it-later"],
)
def test_an_interrupt(signals: str, code: str, came_of_it: str) -> None:
    program = PROGRAM.format(signals=signals, code=code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == came_of_it
