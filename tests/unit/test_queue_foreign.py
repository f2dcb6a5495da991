"""GPUs that programs outside the queue use: the real bindings, with a library that stands in for the driver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_devices import ROOT, driver

__all__ = ["driver"]  # a fixture

USED = """
import json, os, signal, subprocess, sys, time
user = subprocess.Popen(["sleep", "600"])
os.environ["USER_PID"] = str(user.pid)
from mlwidgets.runner import nvml
from mlwidgets.runner.queue import *
from mlwidgets.runner.slots import overview
nvml._DRIVER = ("/dev/null",)
said = {}
"""


def told(driver: Path, queue: Path, code: str) -> dict[str, Any]:
    """Run code on a machine whose one GPU a program uses; return what it says."""
    queue.mkdir()
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(driver),
        "CALLS": str(queue.parent / "calls"),
        "MLWIDGETS_QUEUE": str(queue),
        "CUDA_VISIBLE_DEVICES": "GPU-a",
    }
    command = [sys.executable, "-c", f"{USED}{code}\nprint(json.dumps(said))\nuser.kill()"]
    done = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_a_gpu_that_a_program_uses_is_waited_for(driver: Path, tmp_path: Path) -> None:
    said = told(
        driver,
        tmp_path / "queue",
        """
ticket = enter(Request("run", "run", "/store", 1, 1))
said["granted"] = ticket.attempt() is not None
said["patience"] = [ticket.patience()] + [(ticket.attempt(), ticket.patience())[1] for _ in range(8)]
said["why"] = place("run").replace(str(user.pid), "PID")
said["foreign"] = overview().gpus[0].foreign.replace(str(user.pid), "PID")
behind = enter(Request("behind", "behind", "/store", 1, 1))
said["behind"] = [behind.attempt() is not None, behind.patience()]
others = enter(Request("cpu", "cpu", "/store", 0, 1)).attempt()
said["cpu"] = others.environment()
user.send_signal(signal.SIGKILL)
os.waitid(os.P_PID, user.pid, os.WEXITED | os.WNOWAIT)
grant = ticket.attempt()
said["after"] = [grant.gpus, ticket.patience()]
""",
    )
    user = subprocess.check_output(["id", "-un"], text=True).strip()
    assert said["granted"] is False
    # Soon at first, as its end may be what has just been waited for; then every two seconds.
    assert said["patience"] == sorted(said["patience"])
    assert said["patience"][0] <= 0.1
    assert said["patience"][-1] == 2
    assert said["why"] == f"1st in the queue: waits for 1 GPU: GPU-a is used by sleep (pid PID, {user})"
    assert said["foreign"] == f"sleep (pid PID, {user})"
    # Who is not the first does not look by the clock.
    assert said["behind"] == [False, None]
    assert said["cpu"] == {"CUDA_VISIBLE_DEVICES": ""}
    assert said["after"] == [["GPU-a"], None]


def test_the_notebook_that_submits_may_use_the_gpu(driver: Path, tmp_path: Path) -> None:
    said = told(
        driver,
        tmp_path / "queue",
        """
grant = enter(Request("run", "run", "/store", 1, 1, kernel_pid=os.getpid())).attempt()
said["gpus"] = grant and grant.gpus
""",
    )
    assert said == {"gpus": ["GPU-a"]}


def test_a_gpu_that_a_run_holds_is_not_asked_about(driver: Path, tmp_path: Path) -> None:
    said = told(
        driver,
        tmp_path / "queue",
        """
held = enter(Request("one", "one", "/store", 0.5, 1, kernel_pid=os.getpid())).attempt()
calls = open(os.environ["CALLS"]).read()
said["second"] = enter(Request("two", "two", "/store", 0.5, 1)).attempt().gpus
third = enter(Request("three", "three", "/store", 0.25, 1))
said["third"] = [third.attempt(), third.patience()]
said["asked"] = open(os.environ["CALLS"]).read() != calls
""",
    )
    assert said == {"second": ["GPU-a"], "third": [None, None], "asked": False}


@pytest.mark.parametrize("order", ["first", "second"])
def test_whoever_may_not_have_it_lets_the_other_go(driver: Path, tmp_path: Path, order: str) -> None:
    """Two runs may see the same program differently: one's own notebook is no obstacle."""
    said = told(
        driver,
        tmp_path / "queue",
        f"""
one = enter(Request("one", "one", "/store", 0.5, 1))
two = enter(Request("two", "two", "/store", 0.5, 1, kernel_pid=os.getpid()))
tickets = [one, two] if {order!r} == "first" else [two, one]
said["granted"] = [[ticket is two, bool(ticket.attempt())] for ticket in tickets]
""",
    )
    # The first is blocked by the program, and may take the GPU when that ends: the second would be in its way.
    assert said["granted"] in ([[False, False], [True, False]], [[True, False], [False, False]])
