"""System metrics: figures of real process trees, against what the processes themselves know."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mlwidgets.runner import sampling, warm
from mlwidgets.runner.processes import LinuxTree, PortableTree, Tree
from mlwidgets.runner.sampling import Sampler
from mlwidgets.runner.tree import children
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines, write_event
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import RunSpec
from tests.laws import soon

linux = pytest.mark.skipif(sys.platform != "linux", reason="as Linux tells it")
MIB = 2**20


@pytest.fixture(scope="module", autouse=True)
def _alone() -> None:
    """Warm processes of tests before these are children of this process too."""
    pids = {process.pid for process in warm.warm_processes()}
    warm.end_warm_processes()
    assert soon(lambda: not pids.intersection(children(os.getpid())))


class Program:
    """A Python process that prints JSON lines and goes on when it is told to."""

    def __init__(self, source: str, *arguments: object) -> None:
        told = "import json, os, subprocess, sys, time\ndef tell(value): print(json.dumps(value), flush=True)\n"
        self.process = subprocess.Popen(
            [sys.executable, "-c", told + textwrap.dedent(source), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def hear(self) -> object:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], 60)[0], "the program says nothing"
        return json.loads(self.process.stdout.readline())

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self) -> None:
        for pid in [*LinuxTree(self.process.pid)._look()] if sys.platform == "linux" else [self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        self.process.communicate()


@pytest.fixture
def program() -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def start(source: str, *arguments: object) -> Program:
        started.append(Program(source, *arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end()


BURN = "def burn(seconds):\n    while time.process_time() < seconds: pass\n"


@pytest.fixture(params=[pytest.param(LinuxTree, marks=linux), PortableTree])
def kind(request: pytest.FixtureRequest) -> Callable[[int], Tree]:
    return request.param


def test_processor_time_is_what_the_process_itself_counts(kind, program) -> None:
    tree = kind(os.getpid())
    child = program(BURN + "input(); burn(0.5); tell(time.process_time()); input()")
    tree.read()
    child.go_on()
    used = child.hear()
    assert tree.read().cpu == pytest.approx(used, abs=0.1)
    assert tree.read().cpu == pytest.approx(used, abs=0.1)


def test_the_root_is_not_counted(kind, program) -> None:
    child = program("input()")
    tree = kind(os.getpid())
    tree.read()
    begin = time.process_time()
    while time.process_time() < begin + 0.5:
        pass
    assert tree.read().cpu < 0.3
    child.go_on()


@linux
def test_children_that_have_ended_are_counted(program) -> None:
    tree = LinuxTree(os.getpid())
    tree.read()
    child = program(
        "for _ in range(8): subprocess.run([sys.executable, '-c', 'sum(range(2_000_000))'])\n"
        "t = os.times(); tell(t.user + t.system + t.children_user + t.children_system); input()"
    )
    used = child.hear()
    assert tree.read().cpu == pytest.approx(used, abs=0.1)
    child.go_on()
    child.process.wait()
    assert tree.read().cpu == pytest.approx(used, abs=0.15), "and the child itself when it has ended"


@linux
def test_nothing_is_counted_twice_while_children_end(program) -> None:
    child = program(
        "for _ in range(40): subprocess.run([sys.executable, '-S', '-c', 'sum(range(500_000))'])\n"
        "t = os.times(); tell(t.user + t.system + t.children_user + t.children_system); input()"
    )
    tree = LinuxTree(os.getpid())
    begin = tree.read().cpu
    seen = [begin]
    while not select.select([child.process.stdout], [], [], 0)[0]:
        seen.append(tree.read().cpu)
    used = child.hear()
    seen.append(tree.read().cpu)
    assert seen == sorted(seen)
    assert seen[-1] <= used + 0.1
    assert len(seen) > 10


@linux
def test_adopted_orphans_belong_to_the_tree(program) -> None:
    root = program(
        """
        import ctypes
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
        code = "import time\\nwhile time.process_time() < 0.4: pass\\ntime.sleep(600)"
        child = "import os, subprocess, sys; print(subprocess.Popen([sys.executable, '-c', sys.argv[1]],"
        child += " stdout=subprocess.DEVNULL, start_new_session=True).pid)"
        pid = int(subprocess.run([sys.executable, '-c', child, code], stdout=subprocess.PIPE).stdout)
        tell(pid)
        input()
        """
    )
    tree = LinuxTree(root.process.pid)
    tree.read()
    orphan = psutil.Process(root.hear())
    assert orphan.ppid() == root.process.pid
    deadline = time.monotonic() + 60
    while tree.read().cpu < 0.3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    orphan.kill()


@linux
def test_runs_that_the_run_has_submitted_are_left_out(program) -> None:
    source = """
        import ctypes
        ctypes.CDLL(None).prctl(15, b"mlwidgets-run")
        code = "import time; [0 for _ in iter(lambda: time.process_time() < 0.6, False)]"
        inner = subprocess.Popen([sys.executable, "-c", code])
        inner.wait()
        tell(0)
        input()
    """
    tree = LinuxTree(os.getpid())
    tree.read()
    supervisor = program(source)
    before = sum(os.times()[2:4])
    supervisor.hear()
    assert tree.read().cpu < 0.3
    supervisor.go_on()
    supervisor.process.wait()
    assert sum(os.times()[2:4]) - before > 0.5
    assert tree.read().cpu < 0.3


def test_memory_of_programs_is_added_up(kind, program) -> None:
    tree = kind(os.getpid())
    source = f"data = bytearray({64 * MIB})\nfor i in range(0, len(data), 4096): data[i] = 1\ntell(0); input()"
    empty = tree.read().memory
    for one in (program(source), program(source)):
        one.hear()
    assert 128 * MIB <= tree.read().memory - empty <= 192 * MIB


@linux
def test_memory_that_forks_share_is_counted_once(program) -> None:
    empty = LinuxTree(os.getpid()).read().memory
    child = program(
        f"""
        data = bytearray({128 * MIB})
        for i in range(0, len(data), 4096): data[i] = 1
        pids = []
        for _ in range(3):
            pid = os.fork()
            if not pid: time.sleep(600)
            pids.append(pid)
        writer = os.fork()
        if not writer:
            input()
            for i in range(0, {64 * MIB}, 4096): data[i] = 2
            tell("written")
            time.sleep(600)
        tell(pids)
        time.sleep(600)
        """
    )
    child.hear()
    tree = LinuxTree(os.getpid())
    assert 128 * MIB <= tree.read().memory - empty <= 160 * MIB
    child.go_on()
    assert child.hear() == "written"
    deadline = time.monotonic() + 60
    while tree.read().memory - empty < 190 * MIB:
        assert time.monotonic() < deadline, "what a fork writes to becomes its own"
        time.sleep(0.1)
    assert tree.read().memory - empty <= 224 * MIB


@linux
def test_disk_is_what_the_system_counts_for_the_process(program, tmp_path: Path) -> None:
    tree = LinuxTree(os.getpid())
    before = tree.read().disk
    if before is None:
        pytest.skip("this system does not count")
    child = program(
        """
        with open(sys.argv[1], "wb") as file:
            file.write(bytes(20_000_000)); file.flush(); os.fsync(file.fileno())
        tell({k: int(v) for k, v in (line.split(": ") for line in open("/proc/self/io"))})
        input()
        """,
        tmp_path / "file",
    )
    counted = child.hear()
    after = tree.read().disk
    assert after is not None
    assert after[1] - before[1] == pytest.approx(counted["write_bytes"], abs=MIB)
    child.go_on()
    child.process.wait()
    ended = tree.read().disk
    assert ended is not None
    assert ended[1] >= after[1]


@linux
def test_files_of_the_root_are_not_counted(tmp_path: Path) -> None:
    tree = LinuxTree(os.getpid())
    before = tree.read()
    with open(tmp_path / "file", "wb") as file:
        file.write(bytes(20 * MIB))
        file.flush()
        os.fsync(file.fileno())
    after = tree.read()
    assert after.disk == before.disk


@linux
def test_the_systems_count_of_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = psutil.net_io_counters(pernic=True)
    found = sampling._Network()._linux()
    assert found.keys() == counters.keys() - {"lo"}
    assert all(found[name][0] >= counters[name].bytes_recv for name in found)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples may follow each other faster than in life."""
    monkeypatch.setattr(sampling, "_SOONEST", 0.0)


def sample(sampler: Sampler, folder: RunFolder) -> None:
    """Take one more sample and wait until it is written."""
    size = folder.system.stat().st_size
    time.sleep(0.05)
    deadline = time.monotonic() + 60
    while folder.system.stat().st_size == size:
        sampler.sample()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_samples_become_a_frame(new_run, program, often: None) -> None:
    folder = new_run()
    write_event(folder.events, "supervising")
    write_event(folder.events, "started")
    child = program("tell(0); input()")
    child.hear()
    sampler = Sampler(folder, os.getpid())
    for _ in range(3):
        sample(sampler, folder)
    sampler.close()
    run = Run(folder.path)
    frame = run.system
    assert {"cpu", "memory"} <= set(frame)
    assert len(frame) >= 3
    assert frame.index.name == "seconds"
    assert frame.index.is_monotonic_increasing
    assert 0 < frame.index[0] < 60
    assert frame.notna().all(axis=None)
    assert frame["memory"].iloc[-1] > MIB
    assert list(run.system_columns()) == list(frame)
    assert not run.columns(), "they are no metrics of the code's"
    assert not len(run.metrics)


def test_a_run_without_samples_has_an_empty_frame(new_run) -> None:
    frame = Run(new_run().path).system
    assert frame.empty
    assert frame.index.name == "seconds"


def test_names_are_told_once_and_another_attempt_goes_on(new_run, often: None) -> None:
    folder = new_run()
    for _ in range(2):
        sampler = Sampler(folder, os.getpid())
        sample(sampler, folder)
        sampler.close()
    names = [e["name"] for e in read_lines(folder.events) if e["event"] == "system"]
    assert len(names) == len(set(names))
    column = Run(folder.path).system_columns()["memory"]
    assert column.steps.tolist() == list(range(len(column.steps)))
    assert len(column.steps) >= 2


def test_calls_in_quick_succession_are_one_sample(new_run) -> None:
    folder = new_run()
    sampler = Sampler(folder, os.getpid())
    deadline = time.monotonic() + 60
    while not folder.system.stat().st_size:
        sampler.sample()
        assert time.monotonic() < deadline
    sampler.close()
    assert len(Run(folder.path).system_columns()["memory"].steps) == 1


def test_a_closed_sampler_has_no_thread_and_no_file(new_run, often: None) -> None:
    folder = new_run()
    sampler = Sampler(folder, os.getpid())
    sample(sampler, folder)
    before = folder.system.stat().st_size
    sampler.close()
    assert sampler._thread is not None
    assert not sampler._thread.is_alive()
    sampler.sample()
    sampler.close()
    assert folder.system.stat().st_size == before
    assert str(folder.system) not in [f.path for f in psutil.Process().open_files()]


@pytest.mark.parametrize("gone", ["folder", "root"])
def test_what_is_gone_is_passed_over(gone: str, new_run, tmp_path: Path, often: None) -> None:
    folder = new_run()
    ended = subprocess.Popen(["true"])
    ended.wait()
    sampler = Sampler(folder, ended.pid if gone == "root" else os.getpid())
    if gone == "folder":
        os.rename(folder.path, tmp_path / "moved")
    for _ in range(5):
        sampler.sample()
        time.sleep(0.02)
    sampler.close()
    assert folder.path.exists() == (gone == "root")
    if gone == "root":
        assert "memory" not in Run(folder.path).system_columns()


def test_gpus_that_do_not_exist_leave_the_other_figures(new_run, often: None) -> None:
    folder = new_run()
    sampler = Sampler(folder, os.getpid(), ("GPU-00000000-0000-0000-0000-000000000000",))
    sample(sampler, folder)
    sampler.close()
    assert "memory" in Run(folder.path).system_columns()
    assert not [name for name in Run(folder.path).system_columns() if name.startswith("gpu")]


@linux
def test_a_full_disk_loses_samples_and_no_more(tmp_path: Path, often: None) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if ctypes.CDLL(None, use_errno=True).mount(b"tmpfs", os.fsencode(disk), b"tmpfs", 0, b"size=256k"):
        pytest.skip("only root can mount a small disk")
    try:
        folder = RunFolder.create(disk, RunSpec("20261120-123010-lenet-abcd", "lenet", "pass"))
        sampler = Sampler(folder, os.getpid())
        sample(sampler, folder)
        filler = disk / "filler"
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        # There is room in the file's own last page.
        deadline = time.monotonic() + 60
        while folder.system.stat().st_size < 4096:
            sampler.sample()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for _ in range(20):
            sampler.sample()
            time.sleep(0.01)
        assert folder.system.stat().st_size == 4096
        filler.unlink()
        sample(sampler, folder)
        sampler.close()
        steps = Run(folder.path).system_columns()["memory"].steps.tolist()
        assert steps == sorted(set(steps))
        assert steps[-1] > len(steps), "those in between are lost"
    finally:
        ctypes.CDLL(None).umount2(os.fsencode(disk), 2)
