"""What the machine has, as far as it can be told without a GPU; the driver is a library that stands in for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlwidgets import cli
from mlwidgets.errors import StoreError
from mlwidgets.runner import devices
from mlwidgets.runner.devices import Device, cpu_places, cpu_quota, inventory, visible
from mlwidgets.runner.need import check

GPUS = tuple(Device(f"GPU-{c}{c}11", "H200", 1 << 37) for c in "abc")
DIVIDED = (
    Device("GPU-aa11", "H200"),
    Device("MIG-1111", "H200 MIG 1g.18gb", whole="GPU-bb11"),
    Device("MIG-1222", "H200 MIG 1g.18gb", whole="GPU-bb11"),
)


@pytest.mark.parametrize(
    ("setting", "left"),
    [
        (None, "abc"),
        ("", ""),
        ("2,0", "ca"),
        ("1, 0", "ba"),
        ("GPU-b", "b"),
        ("GPU-cc11,GPU-a", "ca"),
        ("0,7,1", "a"),
        ("0,-1,1", "a"),
        ("NoDevFiles", ""),
        ("GPU-", ""),
        ("1,1", ""),
        ("0,GPU-aa11", ""),
    ],
)
def test_visible_devices_are_read_as_cuda_reads_them(setting: str | None, left: str) -> None:
    assert [gpu.uuid[4] for gpu in visible(GPUS, setting)] == list(left)


@pytest.mark.parametrize(
    ("setting", "left"),
    [
        ("1", ["MIG-1111", "MIG-1222"]),
        ("0,1", ["GPU-aa11", "MIG-1111", "MIG-1222"]),
        ("MIG-12", ["MIG-1222"]),
        ("MIG-1", []),
        ("GPU-bb11", ["MIG-1111", "MIG-1222"]),
        ("MIG-1222,MIG-1111", ["MIG-1222", "MIG-1111"]),
        ("GPU-bb11,MIG-1222", []),
    ],
)
def test_a_divided_gpu_stands_for_its_instances(setting: str, left: list[str]) -> None:
    assert [gpu.uuid for gpu in visible(DIVIDED, setting)] == left


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"cpu.max": "nonsense"}, None),
        ({}, None),
    ],
)
def test_a_control_group_may_allow_fewer_cpus(files: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cpu_quota(tmp_path) == quota
    assert cpu_places() >= 1


@pytest.mark.skipif(sys.platform != "linux", reason="binds a process to a CPU")
def test_a_process_bound_to_one_cpu_has_one_place() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nfrom mlwidgets.runner import devices\n"
    assert subprocess.check_output([sys.executable, "-c", f"{code}print(devices.cpu_places())"], text=True) == "1\n"


def test_an_injected_machine_takes_the_place_of_the_real_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(tmp_path))
    machine = {"cpus": 3, "gpus": [{"uuid": "GPU-x", "name": "T4", "memory": 5}, {"uuid": "GPU-y"}]}
    (tmp_path / "machine.json").write_text(json.dumps(machine))
    assert inventory() == devices.Inventory((Device("GPU-x", "T4", 5), Device("GPU-y", "GPU")), 3)
    (tmp_path / "machine.json").write_text("{}")
    assert inventory() == devices.Inventory((), cpu_places())


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "[]",
        '{"cpus": "many", "gpus": []}',
        '{"cpus": -1}',
        '{"cpus": 0}',
        f'{{"cpus": {1 << 21}}}',
        '{"gpus": 5}',
        '{"gpus": [7]}',
        '{"gpus": [{"name": "no uuid"}]}',
        '{"gpus": [{"uuid": "GPU-x"}, {"uuid": "GPU-x"}]}',
    ],
)
def test_a_wrong_machine_file_is_said_in_one_line(
    odd: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(tmp_path))
    (tmp_path / "machine.json").write_text(odd)
    with pytest.raises(StoreError, match=r"machine\.json does not say what this machine has: .* or remove it$"):
        check(1, 1)
    assert cli.main(["slots"]) == 1
    said = capsys.readouterr().err
    assert "machine.json does not say" in said
    assert said.count("\n") == 1


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to be another user")
def test_not_every_user_may_say_what_the_machine_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(tmp_path))
    (tmp_path / "machine.json").write_text('{"cpus": 997}')
    assert inventory().cpus == 997
    os.chown(tmp_path / "machine.json", 65534, 65534)
    assert inventory().cpus == cpu_places()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_that_do_not_count() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        assert devices._counts(child.pid, [])
        assert not devices._counts(child.pid, [child.pid])
        assert not devices._counts(child.pid, [os.getpid()])
        assert devices._counts(os.getpid(), [child.pid])
        assert f"(pid {child.pid}, {devices.user_name(os.getuid())})" in devices.describe_process(child.pid)
    finally:
        child.kill()
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        pass
    assert not devices._counts(child.pid, [])
    child.wait()


IN_CONTAINER = """
import os
from mlwidgets.runner import devices
print([devices._counts(pid, []) for pid in (os.getpid(), 4194303)], devices._in_container())
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a PID namespace of its own")
def test_in_a_container_a_pid_that_is_not_there_says_nothing() -> None:
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", IN_CONTAINER]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr:
        pytest.skip("nobody may make one here")
    assert done.stdout == "[True, False] True\n"


# GPU 0 whole and used by $USER_PID, GPU 1 lost, GPU 2 divided into two instances of the three that could be.
ROOT = Path(__file__).resolve().parents[2]
DRIVER = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static const char *uuids[] = {"", "GPU-a", "GPU-lost", "GPU-c", "MIG-c1", "MIG-c2"};
static void note(const char *what) {
    FILE *file = fopen(getenv("CALLS"), "a");
    fprintf(file, "%s\n", what);
    fclose(file);
}
int nvmlInitWithFlags(unsigned flags) { (void)flags; note("init"); return 0; }
int nvmlInit_v2(void) { note("init"); return 0; }
int nvmlShutdown(void) { note("shutdown"); return 0; }
const char *nvmlErrorString(int code) { (void)code; return "an error"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    *handle = (void *)(long)(index + 1);
    return index == 1 ? 15 : 0;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    for (long i = 1; i < 6; i++)
        if (!strcmp(uuid, uuids[i])) { *handle = (void *)i; return 0; }
    return 6;
}
int nvmlDeviceGetUUID(void *handle, char *text, unsigned length) {
    (void)length; strcpy(text, uuids[(long)handle]); return 0;
}
int nvmlDeviceGetName(void *handle, char *text, unsigned length) {
    (void)length; strcpy(text, (long)handle > 3 ? "H200 MIG" : "H200"); return 0;
}
int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long *info) {
    if ((long)handle == 5) return 3;
    info[0] = (long)handle * 1000; info[1] = info[2] = 0; return 0;
}
int nvmlDeviceGetMigMode(void *handle, unsigned *now, unsigned *next) {
    if ((long)handle == 1) return 3;
    *now = *next = 1; return 0;
}
int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count) { (void)handle; *count = 3; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **instance) {
    (void)handle;
    if (index == 1) return 6;
    *instance = (void *)(index ? 5L : 4L); return 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, void *list) {
    unsigned room = *count;
    *count = (long)handle == 1;
    if (!*count) return 0;
    if (!room || !list) return 7;
    memset(list, 0, 24);
    *(unsigned *)list = (unsigned)atoi(getenv("USER_PID"));
    return 0;
}
"""
ASK = """
import json, sys
from mlwidgets.runner import devices, nvml
nvml._DRIVER = ("/dev/null",)
gpus = [g.uuid for g in devices.inventory().gpus]
print(json.dumps([[vars(g) for g in devices.machine_gpus()], gpus, devices.foreign(["GPU-a", "MIG-c1", "GPU-gone"]),
                  devices.foreign(["GPU-a"], [int(sys.argv[1])])]))
"""


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None or sys.platform != "linux":
        pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("driver")
    (folder / "nvml.c").write_text(DRIVER)
    command = ["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(folder / "libnvidia-ml.so.1"), "nvml.c"]
    subprocess.run(command, cwd=folder, check=True)
    return folder


def ask(driver: Path, queue: Path, **environment: str) -> list:
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(driver),
        "CALLS": str(queue.parent / "calls"),
        "USER_PID": str(os.getpid()),
        "MLWIDGETS_QUEUE": str(queue),
        **environment,
    }
    code = [sys.executable, "-c", ASK, str(os.getpid())]
    return json.loads(subprocess.run(code, env=environment, check=True, capture_output=True).stdout)


def test_the_driver_is_asked_once_and_left_at_once(driver: Path, tmp_path: Path) -> None:
    queue = tmp_path / "queue"
    queue.mkdir()
    gpus, visible_ones, foreign, but = ask(driver, queue)
    assert gpus == [
        {"uuid": "GPU-a", "name": "H200", "memory": 1000, "whole": ""},
        {"uuid": "MIG-c1", "name": "H200 MIG", "memory": 4000, "whole": "GPU-c"},
        {"uuid": "MIG-c2", "name": "H200 MIG", "memory": 0, "whole": "GPU-c"},
    ]
    assert visible_ones == ["GPU-a", "MIG-c1", "MIG-c2"]
    assert foreign == {"GPU-a": devices.describe_process(os.getpid())}
    assert but == {}
    # Once for the devices, twice for those who use them; never left open.
    assert (tmp_path / "calls").read_text().split() == ["init", "shutdown"] * 3
    assert ask(driver, queue, CUDA_VISIBLE_DEVICES="MIG-c2,0")[1] == ["MIG-c2", "GPU-a"]
    assert (tmp_path / "calls").read_text().split() == ["init", "shutdown"] * 5


def test_what_was_kept_of_the_driver_s_answer_is_asked_again_when_it_may_have_changed(
    driver: Path, tmp_path: Path
) -> None:
    queue = tmp_path / "queue"
    queue.mkdir()
    ask(driver, queue)
    kept = queue / f"gpus-{os.getuid()}.json"
    data = json.loads(kept.read_text())
    for odd in (data | {"stamp": ["another boot"]}, data | {"gpus": [{"name": 7}]}, {}, []):
        kept.write_text(json.dumps(odd))
        assert ask(driver, queue)[1] == ["GPU-a", "MIG-c1", "MIG-c2"]
        assert json.loads(kept.read_text()) == data


def test_an_answer_that_cannot_be_kept_leaves_nothing(driver: Path, tmp_path: Path) -> None:
    kept = tmp_path / "queue" / f"gpus-{os.getuid()}.json"
    kept.mkdir(parents=True)
    assert ask(driver, tmp_path / "queue")[1] == ["GPU-a", "MIG-c1", "MIG-c2"]
    assert list((tmp_path / "queue").iterdir()) == [kept]


def test_a_driver_that_cannot_be_asked_means_no_gpus(tmp_path: Path) -> None:
    (tmp_path / "queue").mkdir()
    assert ask(tmp_path, tmp_path / "queue") == [[], [], {}, {}]
