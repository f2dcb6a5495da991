"""Every process may die at any moment; what is shown afterwards is true, and nothing is lost or left over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import mlwidgets
from mlwidgets.runs.alive import holder
from mlwidgets.runs.run import Run
from tests.notebook import Notebook
from tests.waiting import processes_of, until

LOGGING = """
from mlwidgets import log
import time
i = 0
while True:
    log(step_value=i)
    i += 1
    print("at", i)
    time.sleep(0.002)
"""


def pid_of(run: Run, role: str) -> int:
    pid = holder(run.path / "alive", role)  # type: ignore[arg-type]
    assert pid is not None
    return pid


@pytest.fixture
def run() -> Iterator[Run]:
    started = mlwidgets.train(LOGGING, name="logging", namespace={})
    until(lambda: len(started.metrics) > 20)
    yield started
    if started.path.exists():
        started.stop()
        started.wait(30)


def test_worker_killed(run: Run) -> None:
    os.kill(pid_of(run, "worker"), signal.SIGKILL)
    run.wait(30)
    assert run.state == "killed"
    assert "SIGKILL" in str(run.cause)
    steps = run.columns()["step_value"]
    assert steps.values.tolist() == list(range(len(steps.values)))
    until(lambda: not processes_of(run))
    with pytest.raises(mlwidgets.errors.ResultNotAvailable, match="it was killed"):
        _ = run.result


def test_worker_interrupted_from_outside(run: Run) -> None:
    os.kill(pid_of(run, "worker"), signal.SIGTERM)
    run.wait(30)
    assert (run.state, run.cause) == ("killed", "interrupted from outside by SIGTERM")


def test_times_of_a_run_that_was_silent_and_killed() -> None:
    silent = mlwidgets.train("import time\ntime.sleep(60)", name="silent", namespace={})
    until(lambda: silent.state == "running")
    time.sleep(2.5)
    pids = pid_of(silent, "supervisor"), pid_of(silent, "worker")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    until(lambda: silent.state == "killed", seconds=5)
    assert 1 <= silent.elapsed <= 10


def test_deleted_run_says_so(run: Run) -> None:
    kept = mlwidgets.train("pass", name="deleted", namespace={}).wait(60)
    shutil.rmtree(kept.path)
    with pytest.raises(mlwidgets.errors.UnknownRun, match="was deleted"):
        _ = kept.state
    assert "was deleted" in repr(kept)


def test_stop_right_after_the_submit() -> None:
    for _ in range(3):
        hasty = mlwidgets.train("import time\ntime.sleep(60)", name="hasty", namespace={})
        until(lambda: holder(hasty.path / "alive", "supervisor") is not None)
        hasty.stop()
        hasty.wait(30)
        assert (hasty.state, hasty.cause) == ("stopped", "stopped by user")


def test_stop_while_a_command_runs_ends_the_code() -> None:
    shell = mlwidgets.train("!sleep 30\nprint('went on')", name="command", namespace={})
    until(lambda: shell.state == "running")
    time.sleep(0.5)
    shell.stop()
    shell.wait(30)
    assert shell.state == "stopped"
    assert "went on" not in shell.output


def test_stop_that_the_code_makes_an_error_of() -> None:
    code = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    raise RuntimeError('no') from None"
    wrapped = mlwidgets.train(code, name="wrapped", namespace={})
    until(lambda: wrapped.state == "running")
    time.sleep(0.5)
    wrapped.stop()
    assert wrapped.wait(30).state == "stopped"


def test_seen_from_another_process_namespace(run: Run) -> None:
    script = f"""
import pathlib
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.state import settle
print(settle(RunFolder(pathlib.Path({str(run.path)!r}))).state)
"""
    command = ["unshare", "-Urpf", sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "unshare" in done.stderr or shutil.which("unshare") is None:
        pytest.skip("namespaces cannot be made here")
    assert done.stdout == "running\n", done.stderr
    assert run.state == "running"


def test_a_run_that_was_given_up_is_not_started_any_more(tmp_path: Path) -> None:
    from mlwidgets.runs.folder import RunFolder
    from mlwidgets.runs.spec import RunSpec
    from mlwidgets.runs.state import KILLED, Outcome, write_outcome

    (tmp_path / "runs").mkdir()
    folder = RunFolder.create(tmp_path / "runs", RunSpec("late", "late", "open('touched', 'w')"))
    write_outcome(folder, Outcome(KILLED, "its supervisor never started"))
    subprocess.run([sys.executable, "-m", "mlwidgets.runner.supervisor", str(folder.path)], check=True, timeout=60)
    assert folder.events.read_text().count("started") == 0


def test_orphans_leave_no_zombies() -> None:
    started = mlwidgets.train(
        "import os, time\nfor _ in range(20):\n    os.system('true &')\nprint('all', flush=True)\ntime.sleep(60)",
        name="orphans",
        namespace={},
    )
    until(lambda: "all" in started.output)
    supervisor = psutil.Process(pid_of(started, "supervisor"))
    until(lambda: not [c for c in supervisor.children() if c.status() == psutil.STATUS_ZOMBIE])
    started.stop()
    started.wait(30)


def test_more_buffers_than_descriptors() -> None:
    program = """
import resource
import mlwidgets, numpy as np
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
code = "total = sum(float(a[0]) for a in arrays)\\nmine = [a + 1 for a in arrays]"
arrays = [np.full(30_000, float(i)) for i in range(300)]
ended = mlwidgets.train(code, name="many", namespace={"arrays": arrays}).wait(120)
print(ended.state, ended.cause, float(ended.result["mine"][299][0]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=200, check=True)
    assert done.stdout.splitlines()[-1] == "finished None 300.0"


def test_files_of_processes_that_children_start_stay_open() -> None:
    code = """
import multiprocessing as mp, tempfile
def grandchild(file, told):
    told.put(file.read())
def child(told):
    with open(data.name) as file:  # its number is the lowest one that is free
        process = mp.Process(target=grandchild, args=(file, told))
        process.start()
        process.join()
data = tempfile.NamedTemporaryFile("w")
data.write("hello")
data.flush()
told = mp.Queue()
process = mp.Process(target=child, args=(told,))
process.start()
said = told.get(timeout=60)
process.join()
"""
    # Which number it is depends on what the worker has open: in one of the two it was that of the slots.
    for cold in (True, False):
        ended = mlwidgets.train(code, name="nested", namespace={}, cold=cold).wait(100)
        assert ended.state == "finished", (ended.cause, ended.output)
        assert ended.result["said"] == "hello"


def test_segmentation_fault_is_named() -> None:
    ended = mlwidgets.train("import ctypes\nctypes.string_at(0)", name="crash", namespace={}).wait(60)
    assert (ended.state, ended.cause) == ("killed", "crashed with a segmentation fault (SIGSEGV)")


def test_process_that_leaves_by_itself() -> None:
    ended = mlwidgets.train("import os\nos._exit(3)", name="left", namespace={}).wait(60)
    assert (ended.state, ended.cause) == ("failed", "its process exited with status 3 before the code had ended")


def test_supervisor_killed_the_worker_goes_on_and_ends_honestly() -> None:
    started = mlwidgets.train(
        "import time\nfrom mlwidgets import log\nfor i in range(40):\n    log(x=i)\n    time.sleep(0.05)\nlast = i",
        name="orphan",
        namespace={},
    )
    until(lambda: len(started.metrics) > 2)
    os.kill(pid_of(started, "supervisor"), signal.SIGKILL)
    until(lambda: holder(started.path / "alive", "supervisor") is None)
    assert started.state == "running"
    started.wait(60)
    assert started.state == "finished"
    assert started.result["last"] == 39
    assert started.columns()["x"].values.tolist() == list(range(40))


def test_supervisor_killed_then_stopped(run: Run) -> None:
    os.kill(pid_of(run, "supervisor"), signal.SIGKILL)
    until(lambda: holder(run.path / "alive", "supervisor") is None)
    run.stop()
    run.wait(30)
    assert run.state == "stopped"
    until(lambda: not processes_of(run))


def test_both_killed(run: Run) -> None:
    supervisor, worker = pid_of(run, "supervisor"), pid_of(run, "worker")
    os.kill(supervisor, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    until(lambda: run.state == "killed", seconds=5)
    assert "killed from outside" in str(run.cause)
    assert (run.path / "outcome.json").exists(), "whoever looks first records the end"
    steps = run.columns()["step_value"].values.tolist()
    assert steps == list(range(len(steps)))


def test_supervisor_told_to_end_stops_the_run(run: Run) -> None:
    os.kill(pid_of(run, "supervisor"), signal.SIGTERM)
    run.wait(30)
    assert run.state == "stopped"
    assert "by the system" in str(run.cause)


def test_deleted_while_it_runs(run: Run) -> None:
    supervisor, worker = pid_of(run, "supervisor"), pid_of(run, "worker")
    shutil.rmtree(run.path)
    os.kill(worker, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(supervisor) or psutil.Process(supervisor).status() == psutil.STATUS_ZOMBIE)


def test_leftovers_of_a_finished_run_are_ended() -> None:
    ended = mlwidgets.train(
        "import subprocess\nchild = subprocess.Popen(['sleep', '600'], start_new_session=True).pid",
        name="leaver",
        namespace={},
    ).wait(60)
    assert ended.state == "finished"
    child = ended.result["child"]
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_run_outlives_the_kernel_and_a_new_one_shows_it(tmp_path: Path) -> None:
    nb = Notebook(tmp_path)
    nb.run(f"%%train outlives\n{LOGGING}")
    nb.run("import time\nwhile len(outlives.metrics) < 5: time.sleep(0.05)")
    nb.kill()
    nb.start()
    try:
        nb.run("import mlwidgets\noutlives = mlwidgets.run('outlives')")
        seen = nb.value("(outlives.state, len(outlives.metrics))")
        assert seen[0] == "running"
        nb.run(f"import time\nwhile len(outlives.metrics) <= {seen[1]}: time.sleep(0.05)")
        shown = nb.run("%runs show outlives").shown
        assert "running" in shown[0]["text/plain"]
        assert "asked to stop" in nb.run("%runs stop outlives").text
        nb.run("outlives.wait(30)")
        assert nb.value("outlives.state") == "stopped"
    finally:
        nb.close()


@pytest.mark.parametrize("moment", range(5))
def test_submitter_killed_at_any_moment(tmp_path: Path, moment: int) -> None:
    """Whatever is in the store afterwards is a whole run that runs or ends honestly, or nothing."""
    script = tmp_path / "submit.py"
    script.write_text(
        "import mlwidgets\nmlwidgets.train('x = 1', name='short', namespace={})\nprint('done', flush=True)\n"
    )
    store = tmp_path / "store"
    environment = {**os.environ, "MLWIDGETS_STORE": str(store)}
    process = subprocess.Popen([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE)
    runs = store / "runs"
    if moment == 0:
        until(store.exists)
    elif moment == 1:
        until(runs.exists)
    elif moment == 2:
        until(lambda: runs.exists() and list(runs.iterdir()))
    elif moment == 3:
        until(lambda: runs.exists() and [p for p in runs.iterdir() if not p.name.startswith(".")])
    else:
        assert process.stdout is not None
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    whole = [Run(p) for p in (runs.iterdir() if runs.exists() else ()) if not p.name.startswith(".")]
    for found in whole:
        assert found.name == "short"
        until(lambda: found.ended or found.state == "submitted", seconds=20)
        if (found.path / "events.jsonl").stat().st_size:
            found.wait(60)
            assert found.state == "finished"


@pytest.fixture
def small_memory() -> Iterator[Path]:
    """A memory cgroup (version 1 or 2) whose processes may use 400 MB."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, name = line.split(":", 2)
        old = controllers == "memory"
        base = Path("/sys/fs/cgroup", "memory" if old else "", name.lstrip("/"))
        if not old and (controllers or not (base / "cgroup.controllers").exists()):
            continue
        group = base / "mlwidgets-test"
        try:
            group.mkdir()
            (group / ("memory.limit_in_bytes" if old else "memory.max")).write_text(str(400 << 20))
        except OSError:
            continue
        yield group
        until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()
        return
    pytest.skip("no memory cgroup can be made here")


def test_out_of_memory_is_said(small_memory: Path) -> None:
    code = """
import os
open(group + "/cgroup.procs", "w").write(str(os.getpid()))
hog = [bytearray(b"1" * (1 << 20)) for _ in range(2000)]
"""
    ended = mlwidgets.train(code, name="hungry", namespace={}, params={"group": str(small_memory)}).wait(120)
    assert ended.state == "killed"
    # Whoever changes its control group and is killed at once is known by the machine's count alone.
    assert str(ended.cause).startswith(
        ("out of memory", "killed (SIGKILL) at a moment when the system killed for memory")
    )


def test_python_running_out_of_memory_is_an_exception() -> None:
    code = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))\nhog = bytearray(1 << 32)"
    ended = mlwidgets.train(code, name="modest", namespace={}).wait(60)
    assert ended.state == "failed"
    assert str(ended.cause).startswith("MemoryError")


def test_full_disk(tmp_path: Path) -> None:
    """The code goes on to its end, says what was not recorded, and the run ends honestly once there is room."""
    mounted = tmp_path / "small disk"
    mounted.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(mounted)], check=False).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        code = """
from mlwidgets import log
import os, time
log(x=0.0)
hog = open(os.path.join(folder, "hog"), "wb", buffering=0)
try:
    while True:
        hog.write(b"0" * 4096)
except OSError:
    pass
try:
    while True:
        hog.write(b"0")
except OSError:
    pass
for i in range(1, 1000):
    log(x=float(i))
open(marker, "w").write("the code reached its end")
time.sleep(1)
"""
        marker = tmp_path / "marker"
        os.environ["MLWIDGETS_STORE"] = str(mounted / "store")
        started = mlwidgets.train(
            code, name="full", namespace={}, params={"folder": str(mounted), "marker": str(marker)}
        )
        until(marker.exists)
        assert started.state == "running"
        with pytest.raises(mlwidgets.errors.StoreError, match="free some space there"):
            mlwidgets.train("x = blob", name="second", namespace={"blob": b"1" * 100_000})
        (mounted / "hog").unlink()
        started.wait(60)
        assert started.state == "finished"
        assert "metric records could not be written" in str(started.cause)
        values = started.columns()["x"].values.tolist()
        assert values == [float(i) for i in range(len(values))]
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)
