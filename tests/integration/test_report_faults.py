"""Whatever ends a report's notebook, the run says so, which cell it was, and leaves what there is and no process."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mlwidgets.runs.alive import holder
from mlwidgets.runs.folder import RunFolder
from tests.integration.report_support import (
    DEAF,
    SLEEP,
    asleep,
    cells_told,
    code,
    executed,
    leaves_nothing,
    printed,
    send,
    text,
)
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these tests look for processes in /proc")


@pytest.mark.parametrize(
    ("cell", "cause"),
    [
        ("import os\nprint('last words', flush=True)\nos._exit(3)", "its process exited with status 3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed from outside (SIGKILL); the system does"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "crashed with a segmentation fault (SIGSEGV)"),
    ],
)
def test_a_kernel_that_dies(tmp_path: Path, cell: str, cause: str) -> None:
    run = send(tmp_path, "print('before')", text("## Load\n"), cell, "print('after')").wait(120)
    assert run.state == "failed"
    assert str(run.cause).startswith(f"cell 3 (## Load): the kernel died: {cause}")
    cells = executed(run)
    assert printed(cells[0]) == "before\n"
    assert cells[2]["outputs"][-1]["ename"] == "DeadKernelError"
    assert cells[3]["outputs"] == []
    assert cells_told(run)[-1] == (3, "failed")
    assert leaves_nothing(run)


def test_memory_that_cannot_be_had(tmp_path: Path) -> None:
    cell = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\nblock = bytearray(2**33)"
    run = send(tmp_path, cell).wait(120)
    assert (run.state, run.cause) == ("failed", "cell 1: MemoryError")


def test_a_cell_that_hangs(tmp_path: Path) -> None:
    run = send(tmp_path, "x = 1", text("## Sales by region"), SLEEP, "2", cell_timeout=1).wait(120)
    assert (run.state, run.cause) == ("failed", "cell 3 (## Sales by region) ran longer than 1 s")
    cells = executed(run)
    assert [one.get("ename") for one in cells[2]["outputs"]] == [None, "KeyboardInterrupt", "TimeoutError"]
    assert cells[3]["outputs"] == []
    assert leaves_nothing(run)


def test_a_cell_that_hangs_and_cannot_be_interrupted(tmp_path: Path) -> None:
    run = send(tmp_path, DEAF, cell_timeout=1).wait(120)
    assert (run.state, run.cause) == ("failed", "cell 1 ran longer than 1 s")
    assert printed(executed(run)[0]) == "asleep\n"
    assert leaves_nothing(run)


def test_the_time_for_all_of_it_is_over(tmp_path: Path) -> None:
    run = send(tmp_path, "1", SLEEP, timeout=4).wait(120)
    assert (run.state, run.cause) == ("timeout", "ran longer than its time-out of 4 s")
    assert len(executed(run)) == 2
    assert leaves_nothing(run)


@pytest.mark.parametrize("cell", [SLEEP, DEAF])
def test_stop_while_a_cell_hangs(tmp_path: Path, cell: str) -> None:
    run = asleep(send(tmp_path, "1 + 1", cell))
    run.stop("a test")
    assert (run.wait(60).state, run.cause) == ("stopped", "stopped by a test")
    first, second = executed(run)
    assert first["outputs"][0]["data"]["text/plain"] == "2"
    assert printed(second) == "asleep\n"
    assert leaves_nothing(run)


def test_stop_before_the_kernel_answers(tmp_path: Path) -> None:
    run = send(tmp_path, "print('never')")
    until(lambda: holder(run.path / "alive", "worker") is not None)
    run.stop("a test")
    run.wait(60)
    assert run.state in {"stopped", "finished"}
    # No traceback of a kernel that was still importing.
    assert run.output in {"", "never\n"}
    assert leaves_nothing(run)


def test_a_kernel_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = tmp_path / "jupyter" / "kernels" / "broken"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-c", "import sys; print('no licence', file=sys.stderr); sys.exit(7)"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "B", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    run = send(tmp_path, "1", kernel="broken").wait(120)
    assert run.state == "failed"
    assert run.cause == "the kernel 'broken' could not be started: its process exited with status 7"
    assert run.output == "no licence\n"
    assert executed(run)[0]["source"] == "1"
    assert leaves_nothing(run)


def test_a_second_attempt_begins_anew(tmp_path: Path) -> None:
    cell = "import pathlib\nseen = pathlib.Path('seen').exists()\npathlib.Path('seen').touch()\nassert seen, 'first'"
    run = send(tmp_path, "print('again')", code(cell), retries=1).wait(120)
    assert (run.state, run.cause) == ("finished", None)
    assert run.output.count("again") == 2
    assert printed(executed(run)[0]) == "again\n"
    assert RunFolder(run.path).outcome.exists()
