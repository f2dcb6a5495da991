"""Who holds what and who waits, as people read it; and GPUs that are out of use."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlwidgets import cli
from mlwidgets.errors import ParameterError, StoreError
from mlwidgets.runner import health
from mlwidgets.runner.health import device_error, drain, release, report
from mlwidgets.runner.places import Condition, Waiting
from mlwidgets.runner.queue import Grant, Request, Ticket, enter, place
from mlwidgets.runner.slots import describe_need, ordinal, overview
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.store import RunStore
from mlwidgets.views.slots import QueuedRunTable, SlotsView, queue_lines
from tests.unit.test_queue import fired, machine

UUIDS = ("GPU-a", "GPU-b")


@pytest.fixture(autouse=True)
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "queue"
    path.mkdir()
    machine(path)
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(path))
    return path


def ask(run: str, gpus: float = 0, cpus: int = 1, **rest: Any) -> Ticket:
    return enter(Request(f"20261120-000000-{run}-abcd", run, "/store", gpus, cpus, **rest))


def take(run: str, gpus: float = 0, cpus: int = 1) -> Grant:
    grant = ask(run, gpus, cpus).attempt()
    assert grant is not None
    return grant


def test_an_idle_machine() -> None:
    now = overview()
    assert [(g.index, g.uuid, g.name, g.memory, g.held) for g in now.gpus] == [
        (0, "GPU-a", "H200", 1 << 37, 0.0),
        (1, "GPU-b", "H200", 1 << 37, 0.0),
    ]
    assert (now.cpus, now.cpus_held, now.running, now.waiting) == (4, 0, (), ())
    text = repr(SlotsView(now))
    assert text.splitlines()[0] == "CPU places: 0 of 4 taken; nobody waits"
    assert text.splitlines()[2:] == [
        "GPU  device  memory   use",
        "0    H200    128 GiB  free",
        "1    H200    128 GiB  free",
    ]
    assert queue_lines(now) == []


def test_who_holds_and_who_waits_and_why(queue: Path) -> None:
    held = [take("whole", 1), take("half", 0.5), take("quarter", 0.25, 2)]
    big, small = ask("big", 2), ask("small", 0.25)
    after = ask("after", after="20261120-000000-big-abcd", priority=2)
    now = overview()
    assert [g.held for g in now.gpus] == [1.0, 0.75]
    assert [g.holders for g in now.gpus] == [("whole",), ("half", "quarter")]
    assert [dict(run.gpus) for run in now.running] == [{"GPU-a": 1.0}, {"GPU-b": 0.5}, {"GPU-b": 0.25}]
    assert now.cpus_held == 4
    assert [(w.place, w.name, w.need, w.why) for w in now.waiting] == [
        (1, "big", "2 GPUs", "waits for 2 GPUs"),
        (2, "small", "0.25 of a GPU", "waits for 0.25 of a GPU"),
        (0, "after", "1 CPU place", "waits for big to end"),
    ]
    assert {run.pid for run in (*now.running, *now.waiting)} == {os.getpid()}
    assert place("20261120-000000-small-abcd") == "2nd in the queue: waits for 0.25 of a GPU"
    assert place("20261120-000000-whole-abcd") is place("nobody") is None
    text = repr(SlotsView(now))
    assert "1    H200    128 GiB  ¾ taken: half, quarter" in text
    assert "¼ of GPU 1, 2 CPU places" in text
    html = SlotsView(now)._repr_html_()
    assert html.count("<table>") == html.count("</table>") == 3
    holding, waiting = queue_lines(now)
    assert holding == (
        "holding: whole (GPU 0, 1 CPU place), half (½ of GPU 1, 1 CPU place), quarter (¼ of GPU 1, 2 CPU places)"
    )
    assert waiting == (
        "waiting: 1st big (waits for 2 GPUs), 2nd small (waits for 0.25 of a GPU), after (waits for big to end)"
    )
    held[2].release()
    # It fits now, but would stand in the way of the first.
    assert place("20261120-000000-small-abcd") == (
        "2nd in the queue: waits for 0.25 of a GPU: there is room, but it would delay those ahead of it"
    )
    for ticket in (big, small, after):
        ticket.leave()
    for grant in held:
        grant.release()


def test_runs_go_by_the_names_that_they_have_by_now(
    store: RunStore, new_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = new_run("hunt", sweep={"space": {}})
    holds, waits, after = new_run("lenet"), new_run("resnet"), new_run("last")
    trial = new_run("hunt-3", trial_of=sweep.id, trial=3)
    for folder, gpus, behind in ((holds, 2, None), (waits, 1, None), (trial, 1, None), (after, 0, waits.id)):
        request = Request(folder.id, folder.read_spec().name, str(store.path), gpus, 1, after=behind)
        assert (enter(request).attempt() is None) == (folder is not holds)
    names = {"hunt-3", "resnet", "last"}
    assert {run.name for run in overview().waiting} == names
    for folder, name in ((holds, "first"), (waits, "second"), (sweep, "quest")):
        Run(folder.path).rename(name)
    now = overview()
    assert [run.name for run in now.running] == ["first"]
    assert [gpu.holders for gpu in now.gpus] == [("first",), ("first",)]
    assert [(run.name, run.why) for run in now.waiting] == [
        ("second", "waits for 1 GPU"),
        ("quest-3", "waits for 1 GPU"),
        ("last", "waits for second to end"),
    ]
    assert place(after.id) == "waits for second to end"
    # What other users have is theirs to open.
    monkeypatch.setattr(os, "getuid", lambda: -1)
    assert {run.name for run in overview().waiting} == names


def test_lists_for_people_stay_short(queue: Path) -> None:
    machine(queue, cpus=5)
    grants = [take(f"run{n}") for n in range(5)]
    lines = repr(QueuedRunTable([], overview())).splitlines()
    assert lines[-1].endswith("run2 (1 CPU place) and 2 more: `%runs slots` shows all")
    assert len(lines) == 3
    assert "run4" not in QueuedRunTable([], overview())._repr_html_()
    for grant in grants:
        grant.release()


def test_what_others_call_their_runs_is_no_html(queue: Path) -> None:
    grant = take("<script>")
    now = overview()
    for text in (SlotsView(now)._repr_html_(), QueuedRunTable([], now)._repr_html_()):
        assert "&lt;script&gt;" in text
        assert "<script>" not in text
    grant.release()


def test_the_command(queue: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grant = take("lenet", 1)
    assert cli.main(["slots"]) == 0
    assert "0    H200    128 GiB  lenet" in capsys.readouterr().out
    assert cli.main(["slots", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["running"][0]["gpus"] == {"GPU-a": 1.0}
    assert cli.main(["slots", "drain", "1", "--reason", "the fan is loud"]) == 0
    assert "GPU-b" in capsys.readouterr().out
    assert cli.main(["slots"]) == 0
    assert f"out of use: the fan is loud (by {overview().running[0].user})" in capsys.readouterr().out
    assert cli.main(["slots", "release", "GPU-b"]) == 0
    assert capsys.readouterr().out == "GPU-b: in use again\n"
    assert cli.main(["slots", "release", "GPU-b"]) == 0
    assert capsys.readouterr().out == "GPU-b was in use already\n"
    assert cli.main(["slots", "drain", "7"]) == 1
    assert capsys.readouterr().err == ("mlwidgets: this machine has no GPU '7'; it has 0: GPU-a, 1: GPU-b\n")
    grant.release()


def test_the_magic(queue: Path) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "mlwidgets")
    grant = take("lenet", 1)
    shown = shell.run_line_magic("runs", "slots")
    assert isinstance(shown, SlotsView)
    assert "lenet" in repr(shown)
    assert repr(shell.run_line_magic("runs", "")).splitlines()[-1] == "holding: lenet (GPU 0, 1 CPU place)"
    grant.release()
    assert "holding" not in repr(shell.run_line_magic("runs", ""))


def test_a_drained_gpu_takes_no_further_run_and_keeps_those_it_has(queue: Path) -> None:
    running = take("running", 1)
    assert drain("GPU-a", "to be replaced", "anna") == "GPU-a"
    second = take("second", 1)
    waiting, behind = ask("waiting", 1), ask("behind")
    assert running.gpus == ("GPU-a",)
    assert second.gpus == ("GPU-b",)
    assert waiting.attempt() is None
    running.release()
    assert waiting.attempt() is None
    assert not fired(waiting)
    assert release("0") == ("GPU-a", True)
    # The first in the queue is told at once.
    assert fired(waiting)
    granted = waiting.attempt()
    assert granted is not None
    assert granted.gpus == ("GPU-a",)
    for ticket in (waiting, behind):
        ticket.leave()
    for grant in (second, granted):
        grant.release()


def test_what_no_gpu_is_left_for_holds_nobody_up(queue: Path) -> None:
    first, second = take("first", 1), take("second", 1)
    big, small = ask("big", 2), ask("small", 1)
    assert big.attempt() is small.attempt() is None
    drain("GPU-b", "broken", "anna")
    # The first in the queue sees that it cannot start, and tells the one who can.
    assert fired(big)
    first.release()
    assert big.attempt() is None
    assert (
        place("20261120-000000-big-abcd")
        == "1st in the queue: waits for 2 GPUs: 1 of 2 is out of use, see `mlwidgets slots`"
    )
    assert fired(small)
    granted = small.attempt()
    assert granted is not None
    big.leave()
    for grant in (second, granted):
        grant.release()


@pytest.mark.parametrize(
    "text",
    [
        "RuntimeError: CUDA error: uncorrectable ECC error encountered\nCUDA kernel errors might be reported",
        "NVRM: Xid (PCI:0000:41:00): 79, pid=1, GPU has fallen off the bus.",
        "torch.AcceleratorError: CUDA error: unspecified launch failure",
        "RuntimeError: No CUDA-capable device is detected".replace("No", "no"),
        "RuntimeError: CUDA error: CUDA-capable device(s) is/are busy or unavailable",
        "RuntimeError: cuDNN error: CUDNN_STATUS_INTERNAL_ERROR",
        "RuntimeError: CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "pynvml.NVMLError_GpuIsLost: GPU is lost",
        "jaxlib.xla_extension.XlaRuntimeError: INTERNAL: CUDA_ERROR_ECC_UNCORRECTABLE",
    ],
)
def test_errors_that_blame_the_device(text: str) -> None:
    assert device_error(f"Traceback (most recent call last):\n{text}") == text.splitlines()[0]


@pytest.mark.parametrize(
    "text",
    [
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        "RuntimeError: CUDA error: device-side assert triggered",
        "RuntimeError: CUDA error: an illegal memory access was encountered",
        "RuntimeError: CUDA error: invalid device ordinal",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR\ntorch.OutOfMemoryError: CUDA out of memory",
        "ValueError: matrices do not fit",
        "",
    ],
)
def test_errors_that_do_not(text: str) -> None:
    assert device_error(text) is None


ECC = "CUDA error: uncorrectable ECC error encountered"


def test_three_device_errors_in_a_row_set_a_gpu_aside(queue: Path) -> None:
    assert report(["GPU-a"], "failed", ECC) == report(["GPU-a"], "killed", ECC) == []
    # Neither a mistake in the code nor a run on another GPU says anything about this one.
    assert report(["GPU-a"], "failed", "ValueError") == report(["GPU-b"], "finished") == report([], "failed", ECC) == []
    assert overview().gpus[0].failures == 2
    assert "the last 2 runs failed with a device error" in repr(SlotsView(overview()))
    said = report(["GPU-a", "GPU-b"], "failed", f"Traceback\n{ECC}\nmore")
    assert len(said) == 1
    assert said[0].startswith(f"GPU-a is out of use from now on: 3 runs in a row failed with a device error: {ECC};")
    gpu, other = overview().gpus
    assert gpu.drained == f"3 runs in a row failed with a device error: {ECC}"
    assert (other.drained, other.failures) == (None, 1)
    # Once more says nothing new.
    assert report(["GPU-a"], "failed", ECC) == []
    assert take("next", 1).gpus == ("GPU-b",)
    assert release("GPU-a") == ("GPU-a", True)
    assert overview().gpus[0].failures == 0


def test_a_success_ends_the_row(queue: Path) -> None:
    for _ in range(3):
        report(["GPU-a"], "failed", ECC)
        report(["GPU-a"], "failed", ECC)
        report(["GPU-a"], "finished")
    assert overview().gpus[0].failures == 0
    assert json.loads((queue / "health.json").read_text()) == {}


def test_a_damaged_record_of_health_is_no_obstacle(queue: Path) -> None:
    drain("0", "broken", "anna")
    for damage in ("", "{", "[]", '{"GPU-a": 1}', '{"GPU-a": {"drained": 1}}'):
        (queue / "health.json").write_text(damage)
        assert overview().gpus[0].drained is None
        take("run", 1).release()
    assert drain("0", "broken", "anna") == "GPU-a"
    assert overview().gpus[0].drained == "broken (by anna)"


def test_a_record_of_health_that_somebody_else_has_put_there(queue: Path) -> None:
    entry = {"failures": 0, "drained": "\x1b[2Jbroken", "by": "\x1b[31m", "since": 0}
    (queue / "health.json").write_text(json.dumps({"GPU-a": entry}))
    assert overview().gpus[0].drained == "?[2Jbroken (by ?[31m)", "it steers no terminal"
    (queue / "health.json").unlink()
    os.mkfifo(queue / "health.json")
    with pytest.raises(StoreError, match="cannot be used"):
        drain("0", "broken", "anna")
    take("run", 1).release()


def test_gpus_are_found_by_index_and_by_the_beginning_of_their_uuid(queue: Path) -> None:
    assert [health.find(name) for name in ("0", "1", "GPU-b", "gpu-A")] == ["GPU-a", "GPU-b", "GPU-b", "GPU-a"]
    with pytest.raises(ParameterError, match="'GPU-' may be any of GPU-a, GPU-b: give more of the UUID"):
        health.find("GPU-")
    for unknown in ("2", "", "GPU-x"):
        with pytest.raises(ParameterError, match="this machine has no GPU"):
            health.find(unknown)
    # One that is gone can still be released.
    drain("GPU-b", "broken", "anna")
    machine(queue, gpus=1)
    assert release("GPU-b") == ("GPU-b", True)


def test_words() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"
    ]  # fmt: skip
    assert [describe_need(4, 1), describe_need(8, 4), describe_need(2, 1), describe_need(0, 3)] == [
        "1 GPU", "2 GPUs and 4 CPU places", "0.5 of a GPU", "3 CPU places"
    ]  # fmt: skip


def test_a_gpu_in_foreign_hands_is_named(queue: Path) -> None:
    from mlwidgets.runner.board import State
    from mlwidgets.runner.slots import _why

    use = {"GPU-b": "python (pid 123, anna)"}
    ticket = Waiting(1, 8, 1, UUIDS, 4, foreign=use)
    state = State((ticket,), (), {"GPU-c": Condition(0, "broken")})
    assert _why(ticket, state, {}, {"GPU-b": "GPU 1"}) == "waits for 2 GPUs: GPU 1 is used by python (pid 123, anna)"
