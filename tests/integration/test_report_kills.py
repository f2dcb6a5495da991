"""Processes of a report may be killed at any line, and its disk may be full: what is said afterwards is true."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from mlwidgets.reports.publishing.editions import FAILED, Report
from mlwidgets.reports.publishing.publish import catch_up
from mlwidgets.runs.alive import holder
from mlwidgets.runs.state import END_STATES
from mlwidgets.submit import open_store
from tests.integration.report_support import (
    DEAF,
    FILL,
    SLEEP,
    asleep,
    executed,
    leaves_nothing,
    printed,
    send,
)
from tests.waiting import processes_of, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these tests look for processes in /proc")


def test_the_executor_is_killed(tmp_path: Path) -> None:
    run = asleep(send(tmp_path, "print('done')", "import time\ntime.sleep(1.2)", SLEEP, publish=True))
    until(lambda: "done" in json.dumps(executed(run)))
    worker = holder(run.path / "alive", "worker")
    assert worker
    os.kill(worker, signal.SIGKILL)
    run.wait(60)
    assert run.state == "killed"
    assert "SIGKILL" in str(run.cause)
    assert printed(executed(run)[0]) == "done\n"
    report = Report(open_store(), "n")
    until(lambda: report.find(run.id) is not None)
    edition = report.edition(run.id)
    assert (edition.state, edition.failed_cell) == (FAILED, 3)
    until(lambda: not processes_of(run))


def test_the_supervisor_is_killed(tmp_path: Path) -> None:
    cell = "import pathlib, time\nprint('asleep')\nwhile not pathlib.Path('go').exists(): time.sleep(0.05)"
    run = asleep(send(tmp_path, cell, "print('went on')", publish=True))
    supervisor = holder(run.path / "alive", "supervisor")
    assert supervisor
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: holder(run.path / "alive", "supervisor") is None)
    assert run.state == "running"
    (tmp_path / "go").touch()
    assert run.wait(60).state == "finished"
    assert printed(executed(run)[1]) == "went on\n"
    until(lambda: Report(open_store(), "n").latest() is not None)
    assert leaves_nothing(run)


def test_stop_where_the_supervisor_is_dead(tmp_path: Path) -> None:
    run = asleep(send(tmp_path, DEAF))
    supervisor = holder(run.path / "alive", "supervisor")
    assert supervisor
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: holder(run.path / "alive", "supervisor") is None)
    run.stop("a test")
    assert (run.wait(60).state, run.cause) == ("stopped", "stopped by a test")
    assert leaves_nothing(run)


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    cells = [f"import time\ntime.sleep(0.05)\nprint({n})" for n in range(20)]
    run = send(tmp_path, *cells, publish=True)
    time.sleep(chance.uniform(0.1, 4))
    killed = chance.sample(["supervisor", "worker"], chance.choice([1, 2]))
    for role in killed:
        pid = holder(run.path / "alive", role)  # type: ignore[arg-type]
        if pid:
            os.kill(pid, signal.SIGKILL)
    run.wait(120)
    assert run.state in END_STATES
    until(lambda: not processes_of(run))
    if (run.outputs / "n.ipynb").exists():
        shown = [printed(cell) for cell in executed(run)]
        done = [f"{n}\n" for n in range(20)]
        count = sum(map(bool, shown))
        assert shown == done[:count] + [""] * (20 - count)
        if run.state == "finished":
            assert count == 20
    # Somebody publishes it, or says that it failed, whoever was killed.
    catch_up(open_store())
    edition = Report(open_store(), "n").edition(run.id)
    assert (edition.state == "published") == (run.state == "finished")


def test_a_full_disk(tmp_path: Path) -> None:
    mounted = tmp_path / "small"
    mounted.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(mounted)], check=False).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLWIDGETS_STORE", str(mounted / ".mlwidgets"))
            fill = FILL.format(path=str(mounted / "filler"))
            run = send(tmp_path, "print('before')", fill, "print('x' * 100_000)")
            # Its last words need room, for which it waits.
            until(lambda: _is_full(mounted) and not any(map(_is_kernel, processes_of(run))))
            assert not run.ended
            (mounted / "filler").unlink()
            run.wait(60)
            assert run.state == "failed"
            assert str(run.cause).startswith("the executed notebook could not be written: No space left on device")
            assert printed(executed(run)[0]) in {"", "before\n"}
            assert leaves_nothing(run)
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)


def _is_kernel(process: psutil.Process) -> bool:
    try:
        return "ipykernel_launcher" in process.cmdline()
    except psutil.Error:
        # It has ended.
        return False


def _is_full(path: Path) -> bool:
    return os.statvfs(path).f_bavail == 0
