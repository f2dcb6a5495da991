"""Real runs that wait their turn on a small machine."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mlwidgets
from mlwidgets.errors import ParameterError, StoreError
from mlwidgets.runner import health
from mlwidgets.runner.queue import place
from mlwidgets.runs.run import Run
from tests.waiting import until

QUICK = "import time\nbegan = time.time()\ntime.sleep(0.05)"
HOLD = "import os, time\nwhile not os.path.exists({!r}): time.sleep(0.01)"


def submit(code: str = QUICK, name: str = "x", **options: Any) -> Run:
    return mlwidgets.train(code, name=name, namespace={}, **options)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with one CPU place and two GPUs that nobody has."""
    gpus = [{"uuid": f"GPU-{n}", "name": "Imagined", "memory": 1 << 34} for n in "ab"]
    with tempfile.TemporaryDirectory(prefix="mlw-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "machine.json").write_text(json.dumps({"cpus": 1, "gpus": gpus}))
        monkeypatch.setenv("MLWIDGETS_QUEUE", folder)
        yield Path(folder)


@pytest.fixture
def holder(small: Path, tmp_path: Path) -> Iterator[Path]:
    """A run has the CPU place until the file is there that this gives."""
    go = tmp_path / "go"
    run = submit(HOLD.format(str(go)), "holder")
    until(lambda: run.state == "running")
    yield go
    go.touch()
    run.wait(60)


@pytest.mark.parametrize("cold", [False, True])
def test_they_start_in_the_order_in_which_they_were_submitted(holder: Path, cold: bool) -> None:
    runs = [submit(name=f"n{n}", cold=cold) for n in range(6)]
    assert [run.state for run in runs] == ["submitted"] * 6
    until(lambda: str(place(runs[-1].id)).startswith("6th in the queue"))
    holder.touch()
    began = [run.wait(60).result["began"] for run in runs]
    assert began == sorted(began)
    assert all(later - earlier >= 0.05 for earlier, later in itertools.pairwise(began))


def test_what_takes_no_place_does_not_wait(holder: Path) -> None:
    assert submit(cpus=0).wait(60).state == "finished"


def test_who_has_the_gpus_sees_them(small: Path) -> None:
    code = "import os\nseen = os.environ.get('CUDA_VISIBLE_DEVICES')"
    asked: list[dict[str, Any]] = [{"gpus": 0}, {"gpus": 1}, {"gpus": 2}, {"gpus": 0.5}, {}]
    seen = [submit(code, **options).wait(60).result["seen"] for options in asked]
    assert seen[0] == ""
    assert seen[1] in {"GPU-a", "GPU-b"}
    assert sorted(seen[2].split(",")) == ["GPU-a", "GPU-b"]
    assert seen[3] in {"GPU-a", "GPU-b"}
    assert seen[4] in {"GPU-a", "GPU-b"} if "torch" in __import__("sys").modules else seen[4] == ""


def test_more_than_there_is_is_refused_and_leaves_nothing(small: Path) -> None:
    before = len(mlwidgets.runs())
    with pytest.raises(ParameterError, match="3 GPUs were asked for; this machine has 2: Imagined, Imagined"):
        submit(gpus=3)
    with pytest.raises(ParameterError, match="1 CPU place"):
        submit(cpus=2)
    with pytest.raises(ParameterError, match="whole GPUs"):
        submit(gpus=1.5)
    with pytest.raises(mlwidgets.errors.UnknownRun):
        submit(after="nobody")
    assert len(mlwidgets.runs()) == before


def test_a_queue_that_cannot_be_used_is_an_error_that_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "queue").write_text("no directory")
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(tmp_path / "queue"))
    with pytest.raises(StoreError, match="queue"):
        submit()
    assert mlwidgets.runs() == []


def test_a_submitter_that_dies_right_after_leaves_no_ghost_in_the_queue(small: Path) -> None:
    pid = os.fork()
    if pid == 0:
        submit(name="orphan")
        os._exit(0)
    os.waitpid(pid, 0)
    assert submit(name="next").wait(60).state == "finished"
    assert mlwidgets.run("orphan").wait(60).state == "finished"


FAILING = """
import os
raise RuntimeError(f"CUDA error: uncorrectable ECC error on {os.environ['CUDA_VISIBLE_DEVICES']}")
"""


def test_a_gpu_that_run_after_run_fails_on_is_set_aside_and_said_why(small: Path) -> None:
    health.drain("GPU-b", "for the test", "me")
    runs = [submit(FAILING, gpus=1).wait(60) for _ in range(3)]
    assert [run.state for run in runs] == ["failed"] * 3
    assert "GPU-a is out of use from now on: 3 runs in a row failed with a device error" in runs[-1].output
    waiting = submit("import os\nseen = os.environ['CUDA_VISIBLE_DEVICES']", gpus=1)
    until(lambda: place(waiting.id) is not None)
    assert waiting.state == "submitted"
    health.release("GPU-b")
    assert waiting.wait(60).result["seen"] == "GPU-b"


def test_another_attempt_takes_another_gpu_where_the_device_failed(small: Path) -> None:
    run = submit(FAILING, gpus=1, cpus=0, retries=2).wait(60)
    seen = [line.rsplit(" ", 1)[-1] for line in run.output.splitlines() if "the one before failed" in line]
    assert run.state == "failed"
    assert len({*seen, str(run.cause).rsplit(" ", 1)[-1]}) == 2
