"""What `checkpoint` keeps and `resume` puts back, within one process."""

from __future__ import annotations

import json
import math
import os
import pickle
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from mlwidgets.errors import ResultNotAvailable
from mlwidgets.runs.checkpoints import best_of, criterion_of, judging, read_checkpoints
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import FOLDER_VARIABLE, read_lines, write_event
from mlwidgets.runs.run import Run
from mlwidgets.tracking import active, checkpoint, log, log_histogram, resume
from mlwidgets.tracking.states import random_states, states_of


class Thing:
    """Something that is pickled whole."""

    def __init__(self, content: Any) -> None:
        self.content = content


@pytest.fixture
def folder(new_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run folder; this process executes in it, as its worker does."""
    folder = new_run()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder.path))
    begin_attempt(folder, monkeypatch)
    return folder


def begin_attempt(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be another process of the run."""
    for name in ("log", "media"):
        monkeypatch.setattr(import_module(f"mlwidgets.tracking.{name}"), "_active", None)
    monkeypatch.setattr(active, "_told", set())
    monkeypatch.setattr(import_module("mlwidgets.tracking.checkpoints"), "_made", (0, []))
    write_event(folder.events, "started", pid=os.getpid())


def _module() -> Any:
    import torch

    return torch.nn.Linear(1, 1)


def numbers(folder: RunFolder) -> list[int]:
    return [one.number for one in read_checkpoints(folder.checkpoints)]


def test_objects_of_every_kind_are_put_back_in_place(folder: RunFolder) -> None:
    array, counts, seen, thing = np.arange(4.0), {"best": 1}, [1, 2], Thing([1])
    generator, old, own = np.random.default_rng(0), np.random.RandomState(0), random.Random(0)
    path = checkpoint(array, counts, seen, thing, generator, old, own, epoch=3)
    assert path == folder.checkpoints / "000001"
    expected = generator.random(), old.rand(), own.random(), random.random(), np.random.rand()  # noqa: NPY002
    inner = thing.content
    array[:], counts["bad"], thing.content = 0, 9, None
    seen.clear()
    random.seed(5), np.random.seed(5)  # noqa: NPY002
    assert resume(array, counts, seen, thing, generator, old, own) == 4
    assert (array.tolist(), counts, seen, thing.content) == ([0, 1, 2, 3], {"best": 1}, [1, 2], inner)
    drawn = generator.random(), old.rand(), own.random(), random.random(), np.random.rand()  # noqa: NPY002
    assert drawn == expected


def test_what_is_none_is_passed_over(folder: RunFolder) -> None:
    model, scheduler = [1], None
    checkpoint(model, scheduler, scaler=None)
    model.clear()
    assert resume(model, scheduler, scaler=None) == 1
    assert model == [1]


def test_torch(folder: RunFolder) -> None:
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout())
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    shuffling, mean = torch.Generator().manual_seed(1), torch.ones(3)

    def epoch() -> float:
        x = torch.randn(4, 3, generator=shuffling) + mean
        optimizer.zero_grad()
        loss = model(x).square().sum()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return float(loss.detach())

    epoch()
    path = checkpoint(model, optimizer, scheduler, mean, shuffling=shuffling, step=10)
    assert path is not None
    first = [epoch(), epoch()]
    mean.zero_()
    weight = model[0].weight
    assert resume(model, optimizer, scheduler, mean, shuffling=shuffling) == 11
    assert model[0].weight is weight
    assert [epoch(), epoch()] == first
    # Nothing but tensors and plain containers is in it: no code is executed to read it.
    torch.load(path / "state.pt", weights_only=True)
    (kept,) = Run(folder.path).checkpoints
    assert kept.objects == ("model", "optimizer", "scheduler", "mean", "shuffling")
    assert set(kept.load()["model"]) == {"0.weight", "0.bias"}


def test_values_and_what_is_kept(folder: RunFolder) -> None:
    for epoch, accuracy in enumerate((0.1, 0.9, 0.9, 0.3, math.nan)):
        checkpoint({}, epoch=epoch, loss=1.0, val_accuracy=np.float32(accuracy))
    run = Run(folder.path)
    assert numbers(folder) == [2, 5]
    assert [one.epoch for one in run.checkpoints] == [1, 4]
    best = run.best_checkpoint
    assert best is not None
    assert (best.number, best.best, best.next) == (2, "max:val_accuracy", 2), "of equal ones the first"
    assert math.isnan(run.checkpoints[-1].values["val_accuracy"])
    assert json.loads((run.checkpoints[-1].path / "checkpoint.json").read_text())["values"]["val_accuracy"] == "nan"
    assert "val_accuracy" not in run.last_values(), "values are not logged"
    told = list(read_lines(folder.events, "checkpoint"))
    assert [one["number"] for one in told] == [1, 2, 3, 4, 5]


def test_how_many_are_kept(folder: RunFolder) -> None:
    for epoch, loss in enumerate((3, 1, 2, 5, 4)):
        checkpoint([], epoch=epoch, keep_last=2, keep_best=2, best="val_loss", val_loss=loss)
    assert numbers(folder) == [2, 3, 4, 5]
    checkpoint([], epoch=5, keep_best=0, x=1)
    assert numbers(folder) == [6]


def test_epochs_are_counted(folder: RunFolder) -> None:
    assert resume() == 0
    for _ in range(3):
        checkpoint([])
    assert resume() == 3
    checkpoint([], step=70)
    assert resume() == 71


def test_which_value_judges() -> None:
    assert judging(["loss", "val_loss", "val_accuracy"]) == "min:val_loss"
    assert judging(["accuracy", "x"]) == "max:accuracy"
    assert judging(["x"]) is None
    assert criterion_of("max:a:b") == ("a:b", 1)
    assert [criterion_of(one) for one in ("max:", "a", "most:a", None, 3)] == [None] * 5
    assert best_of([]) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: checkpoint([], best="max:accuracy", loss=1), "best names 'accuracy', which is no value"),
        (lambda: checkpoint([], best="min:val_los", val_loss=1), "no value of this checkpoint; there are val_loss"),
        (lambda: checkpoint([], best=cast(str, 1), x=1), "best is a text such as 'max:val_accuracy', not 1"),
        (lambda: checkpoint([], list={}), "two objects are called list"),
        (lambda: checkpoint({"net": _module()}), "dict holds a Linear, which would be another one after resume"),
        (lambda: checkpoint([], best="x", x=1), "say whether more of it is better: best='max:x' or best='min:x'"),
        (lambda: checkpoint("text"), "str is of type str, into which resume\\(\\) could put nothing back"),
        (lambda: checkpoint(len), "nothing back"),
        (lambda: checkpoint([], keep_last=0), "keep_last must be 1 or more"),
        (lambda: checkpoint([], epoch=cast(int, 0.5)), "checkpoint: step must be an int|checkpoint: .* must be an int"),
        (lambda: checkpoint([lambda: 0]), "checkpoint: one of list cannot be kept"),
    ],
)
def test_mistakes(folder: RunFolder, call: Callable[[], object], message: str) -> None:
    checkpoint([1], epoch=0)
    with pytest.raises((TypeError, ValueError), match=message):
        call()
    assert numbers(folder) == [1]
    assert os.listdir(folder.checkpoints) == ["000001"]


def test_what_does_not_fit(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.zeros(3), [1]
    checkpoint(a, b)
    begin_attempt(folder, monkeypatch)
    a = np.zeros(4)
    with pytest.raises(ValueError, match="resume: the state of a does not fit: it was float64 of shape \\(3,\\)"):
        resume(a, b)
    with pytest.raises(ValueError, match="the checkpoint has a, b; given are"):
        resume(b, [], {})
    c: list[int] = []
    with pytest.raises(ValueError, match="the state of a does not fit: it was of type ndarray and is of type list"):
        resume(c, b)
    with pytest.raises(ValueError, match="the checkpoint has a, b, and no c"):
        resume(c=c)


def test_objects_that_are_called_otherwise_are_found_by_their_place(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = [1], [2]
    checkpoint(a, b)
    begin_attempt(folder, monkeypatch)
    c, d = [0], [0]
    resume(c, d)
    assert (c, d) == ([1], [2])
    b.clear()
    resume(b)
    assert b == [2], "found by its name"


def test_outside_a_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(active, "_told", set())
    for _ in range(2):
        assert checkpoint([1], epoch=1) is None
        assert resume([]) == 0
    said = capsys.readouterr().err
    assert said.count("checkpoint() does nothing here") == said.count("resume() does nothing here") == 1


def test_the_journal_goes_back(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    log(size=7.0)
    for epoch in range(3):
        log(loss=float(epoch))
        log_histogram("weights", [epoch])
        if epoch == 1:
            checkpoint([])
    begin_attempt(folder, monkeypatch)
    log(size=8.0)
    assert resume([]) == 1
    log(loss=20.0)
    log_histogram("weights", [20])
    run = Run(folder.path)
    columns = run.columns()
    assert columns["loss"].steps.tolist() == [0, 1, 2]
    assert columns["loss"].values.tolist() == [0, 1, 20]
    assert columns["size"].values.tolist() == [7], "what was logged before is there once"
    assert [one.step for one in run.media()] == [0, 1, 2]
    # Another process of this attempt takes nothing away.
    monkeypatch.setattr(import_module("mlwidgets.tracking.log"), "_active", None)
    resume([])
    assert run.columns()["loss"].values.tolist() == [0, 1, 20]


def test_a_run_that_goes_back_to_its_own_checkpoint_loses_no_record(folder: RunFolder) -> None:
    state = [1]
    log(loss=1.0)
    checkpoint(state)
    log(loss=2.0)
    resume(state)
    log(loss=3.0)
    column = Run(folder.path).columns()["loss"]
    assert (column.steps.tolist(), column.values.tolist()) == ([0, 1, 1], [1, 2, 3])


def test_a_full_disk(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint(np.zeros(10), epoch=0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        for _ in range(2):
            assert checkpoint(np.zeros(1_000_000), epoch=1) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert capsys.readouterr().err.count("a checkpoint could not be written") == 1
    assert os.listdir(folder.checkpoints) == ["000001"]
    assert checkpoint(np.zeros(1_000_000), epoch=1) is not None


def test_damaged_ones_are_passed_over(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    a = [1]
    for epoch in range(4):
        a[:] = [epoch]
        checkpoint(a, epoch=epoch, keep_last=4)
    first, second, third, fourth = read_checkpoints(folder.checkpoints)
    (fourth.path / "checkpoint.json").write_text("{")
    state = third.path / third.file
    state.write_bytes(b"\0" * state.stat().st_size)
    (second.path / second.file).write_bytes(b"")
    assert resume(a) == 1
    assert a == [0]
    told = capsys.readouterr().err.splitlines()
    assert [line.count("an earlier checkpoint is taken: ") for line in told] == [1, 1, 1, 0]
    (first.path / first.file).write_bytes(b"x" * first.nbytes)
    with pytest.raises(ResultNotAvailable, match=r"no checkpoint is whole.*000004 is damaged: checkpoint.json cannot"):
        resume(a)
    checkpoint(a, epoch=9)
    assert numbers(folder) == [5], "no number is given twice"


@pytest.mark.parametrize(
    "told",
    ["[" * 100_000, "[]", "{}", '{"number": 1e999}']
    + [f'"{key}": {value}' for key in ("number", "time", "values", "journal", "media") for value in ("9" * 400, "[[]]")]
    + ['"file": "../../spec.json"', '"best": "most:x"'],
)
def test_what_somebody_else_may_have_written(folder: RunFolder, told: str) -> None:
    checkpoint([1], val_loss=1)
    (one,) = read_checkpoints(folder.checkpoints)
    about = one.path / "checkpoint.json"
    about.write_text(told if told[0] in "[{" else f"{about.read_text()[:-1]}, {told}}}")
    found = read_checkpoints(folder.checkpoints)
    assert [one.file for one in found] in ([], ["state.pt"], ["state.pickle"])
    assert Run(folder.path).best_epoch in {None, 0}


def test_what_the_dead_have_left_is_removed(folder: RunFolder) -> None:
    checkpoint([])
    dead = folder.checkpoints / ".new-4194305-abcd"
    alive = folder.checkpoints / f".new-{os.getppid()}-abcd"
    for path in (dead, alive):
        path.mkdir()
    checkpoint([])
    assert not dead.exists()
    assert alive.exists()


def test_a_foreign_run_is_not_unpickled_unasked(folder: RunFolder, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    checkpoint([1])
    (one,) = read_checkpoints(folder.checkpoints)
    data = pickle.dumps({"objects": [("a", "object", Trap())], "random": random_states()})
    (one.path / one.file).write_bytes(data)
    told = json.loads((one.path / "checkpoint.json").read_text())
    (one.path / "checkpoint.json").write_text(json.dumps(told | {"nbytes": len(data)}))
    folder.imported.write_text(json.dumps({"trusted": None}))
    run = Run(folder.path)
    assert len(run.checkpoints) == 1
    with pytest.raises(ResultNotAvailable, match="came from elsewhere"):
        run.checkpoints[0].load()
    assert not (tmp_path / "sprung").exists()


def test_of_processes_that_write_at_once_each_keeps_its_own(folder: RunFolder) -> None:
    children = []
    for number in range(4):
        pid = os.fork()
        if not pid:
            checkpoint([number], epoch=number, keep_last=9)
            os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    found = read_checkpoints(folder.checkpoints)
    assert [one.number for one in found] == [1, 2, 3, 4]
    assert sorted(one.epoch or 0 for one in found) == [0, 1, 2, 3]


def test_a_second_training_is_not_given_what_the_first_has_come_to(folder: RunFolder) -> None:
    first, history = Thing([1]), [1]
    checkpoint(first, history, epoch=9)
    # The same objects, or some of them: it goes back.
    assert resume(first, history) == resume(Thing([]), history) == 10
    first = Thing([])
    with pytest.raises(ValueError, match="of other objects, and can go on with one training alone"):
        resume(first, [])


@pytest.mark.parametrize("saved", ["plain", "compiled", "spread", "both"])
@pytest.mark.parametrize("given", ["plain", "compiled", "spread"])
def test_a_wrapped_model_is_the_model(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, saved: str, given: str
) -> None:
    import torch

    wraps: dict[str, Callable[[Any], Any]] = {
        "plain": lambda one: one,
        "compiled": torch.compile,
        "spread": torch.nn.DataParallel,
        "both": lambda one: torch.compile(torch.nn.DataParallel(one)),
    }
    inner = torch.nn.Linear(2, 3)
    model = wraps[saved](inner)
    checkpoint(model)
    begin_attempt(folder, monkeypatch)
    other = torch.nn.Linear(2, 3)
    model = wraps[given](other)
    resume(model)
    assert torch.equal(other.weight, inner.weight)
    (state,) = Run(folder.path).checkpoints[0].load().values()
    assert set(state) == {"weight", "bias"}


def test_of_a_part_of_a_tensor_the_part_is_kept(folder: RunFolder) -> None:
    import torch

    row = torch.arange(1_000_000.0).reshape(1000, 1000)[1]
    checkpoint(row)
    row += 1
    assert Run(folder.path).checkpoints[0].nbytes < 100_000
    resume(row)
    assert row[0] == 1000


def test_tensors_of_a_device_that_is_not_here_stay_in_main_memory() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("that device is here")
    inside = torch.ones(3)
    thing = Thing({"of": [(inside, 1)]})
    thing.content["itself"] = thing
    (kept,) = states_of(
        {"objects": [("thing", "object", thing)], "devices": {inside.untyped_storage().data_ptr(): "cuda:0"}}
    )
    assert kept[2].content["of"][0][0].tolist() == [1, 1, 1]


def test_a_state_that_names_other_files_is_not_followed(folder: RunFolder) -> None:
    path = checkpoint([1])
    assert path is not None
    about = json.loads((path / "checkpoint.json").read_text())
    (path / "checkpoint.json").write_text(json.dumps(about | {"journal": {"../../x": 3, "metrics.bin": 32}}))
    (found,) = read_checkpoints(folder.checkpoints)
    assert found.journal == {"metrics.bin": 32, "media.jsonl": 0}


DISTRIBUTED = """
import os, sys, torch
from mlwidgets import checkpoint, log, resume
rank, shared = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group("gloo", f"file://{shared}", rank=rank, world_size=2)
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
start = resume(model, optimizer)
for epoch in range(start, start + 2):
    optimizer.zero_grad()
    model(torch.ones(3, 2)).sum().backward()
    optimizer.step()
    made = checkpoint(model, optimizer, epoch=epoch, keep_last=9)
    assert (made is None) == (rank == 1)
print(start, model.module.weight.tolist())
torch.distributed.barrier()
"""


def test_of_a_distributed_training_one_writes_and_all_go_on(folder: RunFolder, tmp_path: Path) -> None:
    ends = []
    for attempt in range(2):
        words = [sys.executable, "-c", DISTRIBUTED]
        children = [
            subprocess.Popen([*words, str(rank), str(tmp_path / f"meet-{attempt}")], stdout=subprocess.PIPE, text=True)
            for rank in range(2)
        ]
        ends.append([child.communicate(timeout=120)[0] for child in children])
        assert [child.returncode for child in children] == [0, 0]
        write_event(folder.events, "started", pid=1)
    assert ends[0][0] == ends[0][1]
    assert ends[1][0] == ends[1][1]
    assert (ends[0][0][0], ends[1][0][0]) == ("0", "2")
    assert [one.epoch for one in read_checkpoints(folder.checkpoints)] == [0, 1, 2, 3]
    (one,) = [one for one in read_checkpoints(folder.checkpoints) if one.epoch == 1]
    assert str(one.load()["model"]["weight"].tolist()) in ends[0][0]
