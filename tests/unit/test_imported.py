from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading, time, types
sys.path.insert(0, {folder!r})
from mlwidgets.capture.ambient import gather
from mlwidgets.capture.freeze import Freezer

def helper():
    return 1

importing = threading.Thread(target=lambda: __import__("numpy"))
importing.start()
while "numpy" not in sys.modules:
    pass
gather(random_states=True)
values = {{"helper": helper, "plain": [1, 2.5]}}
Freezer(globals(), values=values).freeze(["helper", "plain"], [], lambda data: "digest")
print("sent", importing.is_alive())
"""
SLOW = """
import time
time.sleep(0.5)
ndarray = type("ndarray", (), {})
random = None
def get_printoptions(): return {}
def geterr(): return {}
"""


def test_a_library_that_another_thread_is_importing_is_no_error(tmp_path) -> None:
    (tmp_path / "numpy.py").write_text(SLOW)
    program = PROGRAM.format(folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sent")
