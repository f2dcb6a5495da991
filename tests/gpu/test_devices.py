"""GPUs as the real driver tells of them, and the queue on them."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlwidgets.runner import devices
from mlwidgets.runner.nvml import parts
from mlwidgets.runner.queue import Request, default_gpus, enter, place
from mlwidgets.runner.slots import overview
from tests.gpu.cuda import torch_with_a_gpu
from tests.integration.test_queue_crowd import Day, check

torch = torch_with_a_gpu()

USE = "import torch, time; held = torch.zeros(1000, device='cuda'); print('here', flush=True); time.sleep(600)"


@contextmanager
def program(**environment: str) -> Iterator[subprocess.Popen[str]]:
    """Use the first GPU from a program that knows nothing of the queue."""
    import os

    command = [sys.executable, "-c", USE]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    try:
        assert process.stdout
        assert process.stdout.readline() == "here\n"
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_inventory_is_what_torch_sees() -> None:
    gpus = devices.inventory().gpus
    assert len(gpus) == torch.cuda.device_count()
    assert gpus[0].name == torch.cuda.get_device_name(0)
    assert gpus[0].memory >= torch.cuda.get_device_properties(0).total_memory * 0.9
    assert gpus[0].uuid.startswith(("GPU-", "MIG-"))
    assert default_gpus(sys.modules) == 1


def test_what_was_kept_is_what_the_driver_says() -> None:
    first = devices.machine_gpus()
    assert first == devices.machine_gpus()
    assert [gpu.uuid for gpu in first] == [part.uuid for part in parts()]


def test_a_grant_confines_a_process_to_its_gpu() -> None:
    grant = enter(Request("run", "run", "/store", 1, 1)).attempt()
    assert grant is not None
    code = "import torch; print(torch.cuda.device_count(), torch.zeros(1, device='cuda').device)"
    environment = {"PATH": "/usr/bin:/bin", **grant.environment()}
    output = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert output == "1 cuda:0\n"
    grant.release()


def test_a_gpu_that_a_program_uses_is_waited_for() -> None:
    uuid = devices.inventory().gpus[0].uuid
    with program(CUDA_VISIBLE_DEVICES=uuid) as user:
        if not devices.foreign([uuid]):
            pytest.skip("the driver does not name processes here")
        assert f"(pid {user.pid}, " in devices.foreign([uuid])[uuid]
        assert devices.foreign([uuid], [user.pid]) == {}
        everything = len(devices.inventory().gpus)
        ticket = enter(Request("run", "run", "/store", everything, 1))
        assert ticket.attempt() is None
        assert 0 < (ticket.patience() or 0) <= 2
        assert f"used by python (pid {user.pid}" in str(place("run"))
        assert overview().gpus[0].foreign is not None
        # The notebook that submits may use it.
        ours = enter(Request("own", "own", "/store", 0.5, 1, kernel_pid=user.pid, priority=1))
        granted = ours.attempt()
        assert granted is not None
        granted.release()
    deadline = time.monotonic() + 60
    while (grant := ticket.attempt()) is None:
        assert time.monotonic() < deadline
        patience = ticket.patience()
        assert patience is not None
        time.sleep(patience)
    grant.release()


def test_a_crowd_on_the_real_machine(tmp_path: Path) -> None:
    dice = random.Random(3)
    has = devices.inventory()
    asked = [
        {"gpus": dice.choice([0, 0.25, 0.5, 1, len(has.gpus)]), "cpus": 1, "priority": dice.choice([0, 0, 1])}
        for _ in range(40)
    ]
    plan = {"cpus": has.cpus, "gpus": [gpu.uuid for gpu in has.gpus], "hold": 0.02, "asked": asked}
    day = Day(tmp_path, plan, 8, seed=4)
    check(day, 8)
    now = overview()
    assert now.waiting == now.running == ()
