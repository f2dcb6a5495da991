"""Figures of GPUs through the real bindings, from a library that stands in for the driver's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run

COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None or sys.platform != "linux", reason="needs a C compiler")

# Two GPUs, the second an instance that has no figures but its memory; GPU-hangs never answers.
DRIVER = r"""
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void note(const char *what) {
    FILE *file = fopen(getenv("CALLS"), "a");
    fprintf(file, "%s\n", what);
    fclose(file);
}
int nvmlInitWithFlags(unsigned flags) { (void)flags; note("init"); return 0; }
int nvmlInit_v2(void) { note("init"); return 0; }
int nvmlShutdown(void) { note("shutdown"); return 0; }
const char *nvmlErrorString(int code) { (void)code; return "an error"; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    if (!strcmp(uuid, "GPU-a")) { *handle = (void *)1; return 0; }
    if (!strcmp(uuid, "MIG-b")) { *handle = (void *)2; return 0; }
    if (!strcmp(uuid, "GPU-hangs")) { note("hangs"); sleep(600); }
    return 6;
}
int nvmlDeviceGetUtilizationRates(void *handle, unsigned *rates) {
    if (handle == (void *)2) { note("asked in vain"); return 3; }
    rates[0] = 97; rates[1] = 12;
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long *info) {
    info[0] = 80000000000; info[2] = handle == (void *)2 ? 1000000000 : 12000000000; info[1] = info[0] - info[2];
    return 0;
}
int nvmlDeviceGetPowerUsage(void *handle, unsigned *milliwatts) {
    *milliwatts = 351500;
    return handle == (void *)2 ? 3 : 0;
}
int nvmlDeviceGetTemperature(void *handle, int sensor, unsigned *degrees) {
    *degrees = 64 + sensor;
    return handle == (void *)2 ? 3 : 0;
}
"""
SAMPLE = """
import json, os, sys, threading, time
from pathlib import Path
from mlwidgets.runner import sampling
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.spec import RunSpec
sampling._SOONEST = 0.0
folder = RunFolder.create(Path(sys.argv[1]), RunSpec("20261120-123010-lenet-abcd", "lenet", "pass"))
sampler = sampling.Sampler(folder, os.getpid(), tuple(sys.argv[2:]))
deadline = time.monotonic() + 60
patience = 1 if "GPU-hangs" in sys.argv else 60
while b'"gpu.' not in folder.events.read_bytes() and time.monotonic() < deadline and patience > 0:
    sampler.sample()
    time.sleep(0.1)
    patience -= 0.1
for _ in range(3):
    sampler.sample()
    time.sleep(0.1)
sampler.close()
print(json.dumps([thread.name for thread in threading.enumerate()][1:]))
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("pynvml")
    folder = tmp_path_factory.mktemp("driver")
    (folder / "driver.c").write_text(DRIVER)
    library = folder / "libnvidia-ml.so.1"
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", library, folder / "driver.c"], check=True)
    return folder


def _run(driver: Path, folder: Path, *uuids: str) -> tuple[Run, list[str], list[str]]:
    calls = folder / "calls"
    environment = {**os.environ, "LD_LIBRARY_PATH": str(driver), "CALLS": str(calls)}
    command = [sys.executable, "-c", SAMPLE, folder, *uuids]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, timeout=120)
    run = Run(RunFolder(folder / "20261120-123010-lenet-abcd").path)
    return run, json.loads(done.stdout), calls.read_text().splitlines()


def test_what_the_driver_tells(driver: Path, tmp_path: Path) -> None:
    run, threads, calls = _run(driver, tmp_path, "GPU-a", "MIG-b", "GPU-gone")
    last = {name: float(c.values[-1]) for name, c in run.system_columns().items() if name.startswith("gpu")}
    assert last == {
        "gpu.0.utilization": 97,
        "gpu.0.memory": 12e9,
        "gpu.0.power": 351.5,
        "gpu.0.temperature": 64,
        "gpu.1.memory": 1e9,
    }
    assert threads == []
    assert calls == ["init", "asked in vain", "shutdown"]


def test_a_driver_that_hangs_holds_up_nobody(driver: Path, tmp_path: Path) -> None:
    run, threads, calls = _run(driver, tmp_path, "GPU-hangs")
    assert calls == ["init", "hangs"]
    assert "mlwidgets-gpus" in threads, "it is left behind"
    assert len(run.system["memory"]) > 3, "the other figures go on"
