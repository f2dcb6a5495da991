"""Checkpoints of which a byte is wrong or missing: named by fsck, refused where loaded, passed over by resume."""

from __future__ import annotations

import json
import mmap
import os
import random
import sys
import types
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.cli import main
from mlwidgets.errors import ResultNotAvailable
from mlwidgets.housekeeping.checking import check
from mlwidgets.runs.checkpoints import Checkpoint, read_checkpoints
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import FOLDER_VARIABLE
from mlwidgets.runs.objects import PIECE, content_digest, file_digest
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.tracking import active, checkpoint, resume

EPOCHS = 3
Spoil = Callable[[Checkpoint], None]


def flip(one: Checkpoint) -> None:
    """Let the disk return one wrong byte, in the middle of the weights."""
    data = bytearray((one.path / one.file).read_bytes())
    data[len(data) // 2] ^= 1
    (one.path / one.file).write_bytes(data)


def cut(one: Checkpoint) -> None:
    """Take the end of the states away."""
    with open(one.path / one.file, "r+b") as file:
        file.truncate(one.nbytes - 5)


def lose(one: Checkpoint) -> None:
    """Take the states away."""
    (one.path / one.file).unlink()


SAYS: dict[Spoil, str] = {flip: "is not what was written", cut: "bytes instead of ", lose: "is missing"}


@pytest.fixture
def weights(folder: RunFolder) -> Any:
    """What a run has trained that left three checkpoints; it is torch that wrote them."""
    import torch

    weights = torch.zeros(10_000)
    for epoch in range(EPOCHS):
        weights += 1
        checkpoint(weights, epoch=epoch, keep_last=EPOCHS)
    return weights


@pytest.fixture
def folder(new_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run folder; this process executes in it, as its worker does."""
    folder = new_run()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder.path))
    for name in ("log", "media"):
        monkeypatch.setattr(import_module(f"mlwidgets.tracking.{name}"), "_active", None)
    monkeypatch.setattr(active, "_told", set())
    monkeypatch.setattr(import_module("mlwidgets.tracking.checkpoints"), "_made", (0, []))
    return folder


def test_each_has_the_digest_that_an_object_of_these_bytes_would_have(folder: RunFolder, weights: Any) -> None:
    for one in read_checkpoints(folder.checkpoints):
        assert one.digest == content_digest(memoryview((one.path / one.file).read_bytes()))


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 7])
def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path, size: int) -> None:
    path = tmp_path / "state.pt"
    with open(path, "wb") as file:
        file.truncate(size)
        file.seek(max(0, size - 3))
        file.write(b"end"[: min(3, size)])
    with open(path, "rb") as file:
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        assert file_digest(path) == content_digest(memoryview(whole))


def test_without_threads_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.pt"
    path.write_bytes(bytes(PIECE + 1))
    expected = file_digest(path)

    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refuse)
    assert file_digest(path) == expected


def test_a_file_system_that_returns_less_than_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.pt"
    path.write_bytes(random.Random(0).randbytes(PIECE + 3))
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: pread(fd, min(size, 700_001), at))
    assert file_digest(path) == content_digest(memoryview(path.read_bytes()))


@pytest.mark.parametrize("spoil", SAYS)
def test_resume_takes_the_last_that_is_whole_and_says_so(
    folder: RunFolder, weights: Any, capsys: pytest.CaptureFixture[str], spoil: Spoil
) -> None:
    last = read_checkpoints(folder.checkpoints)[-1]
    spoil(last)
    weights.zero_()
    assert resume(weights) == EPOCHS - 1
    assert weights.unique().tolist() == [EPOCHS - 1]
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"mlwidgets: an earlier checkpoint is taken: checkpoint {last.path} is damaged: ")
    assert SAYS[spoil] in first
    assert second == "mlwidgets: goes on from checkpoint 2, made after epoch 1"


@pytest.mark.parametrize("spoil", SAYS)
def test_where_none_is_whole_nothing_begins_anew_without_a_word(
    folder: RunFolder, weights: Any, capsys: pytest.CaptureFixture[str], spoil: Spoil
) -> None:
    for one in read_checkpoints(folder.checkpoints):
        spoil(one)
    with pytest.raises(ResultNotAvailable, match=rf"no checkpoint is whole.*000003.*{SAYS[spoil]}") as told:
        resume(weights)
    assert "\n" not in str(told.value)
    assert weights.unique().tolist() == [EPOCHS], "the objects are as they were"


def test_where_nobody_can_look_nothing_begins_anew(folder: RunFolder, weights: Any) -> None:
    os.rename(folder.checkpoints, folder.path / "away")
    # What a disk that fails says is another error of the same kind.
    folder.checkpoints.touch()
    with pytest.raises(ResultNotAvailable, match="nobody can look for checkpoints in"):
        resume(weights)
    folder.checkpoints.unlink()
    assert resume(weights) == 0


def test_one_that_cannot_be_read_here_is_not_called_damaged(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = types.ModuleType("lost")
    exec("class Counter:\n    n = 0", module.__dict__)
    monkeypatch.setitem(sys.modules, "lost", module)
    counter = module.Counter()
    for epoch in range(2):
        checkpoint(counter, epoch=epoch, keep_last=2)
    monkeypatch.delitem(sys.modules, "lost")
    flip(read_checkpoints(folder.checkpoints)[-1])
    with pytest.raises(ResultNotAvailable, match=r"^no checkpoint can be read here: .*000001.*'lost'") as told:
        resume(counter)
    assert "fsck" not in str(told.value)


def test_a_damaged_one_is_not_loaded(folder: RunFolder, weights: Any) -> None:
    first, second, last = Run(folder.path).checkpoints
    flip(last)
    with pytest.raises(ResultNotAvailable) as told:
        last.load()
    assert str(told.value) == (
        f"checkpoint {last.path} is damaged: {last.file} of epoch 2 is not what was written; "
        "mlwidgets fsck --deep says what is damaged"
    )
    assert second.load()["weights"].unique().tolist() == [2]
    lose(first)
    with pytest.raises(ResultNotAvailable, match="of epoch 0 is missing"):
        first.load()


def test_one_of_an_earlier_version_has_no_digest_and_is_whole(store: RunStore, folder: RunFolder, weights: Any) -> None:
    write_outcome(folder, Outcome("killed", None, 1.0, 2.0, 0))
    for one in read_checkpoints(folder.checkpoints):
        told = json.loads((one.path / "checkpoint.json").read_text())
        del told["digest"]
        (one.path / "checkpoint.json").write_text(json.dumps(told))
    assert [one.load()["weights"][0] for one in Run(folder.path).checkpoints] == [1, 2, 3]
    assert list(check(store, deep=True)) == []
    cut(read_checkpoints(folder.checkpoints)[0])
    assert len(list(check(store))) == 1


@pytest.mark.parametrize("spoil", SAYS)
def test_fsck_names_it_and_puts_it_aside(store: RunStore, folder: RunFolder, weights: Any, spoil: Spoil) -> None:
    write_outcome(folder, Outcome("killed", None, 1.0, 2.0, 0))
    assert list(check(store, deep=True)) == []
    last = read_checkpoints(folder.checkpoints)[-1]
    spoil(last)
    if spoil is flip:
        assert list(check(store, repair=True)) == [], "without --deep nothing is read"
    (found,) = check(store, deep=True)
    assert found.where == f"runs/{folder.id}/checkpoints/000003"
    assert found.what.startswith(f"is damaged: {last.file} of epoch 2 ")
    assert SAYS[spoil] in found.what
    assert found.what.endswith("; its code goes on from checkpoint 2 (epoch 1)")
    (found,) = check(store, deep=True, repair=True)
    assert found.done == "moved to 000003.damaged"
    assert list(check(store, deep=True)) == []
    assert [one.number for one in Run(folder.path).checkpoints] == [1, 2]


def test_fsck_in_a_shell(store: RunStore, folder: RunFolder, weights: Any, capsys: pytest.CaptureFixture[str]) -> None:
    write_outcome(folder, Outcome("killed", None, 1.0, 2.0, 0))
    for one in read_checkpoints(folder.checkpoints):
        flip(one)
    words = ["--store", str(store.path), "fsck", "--deep"]
    assert main(words) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition("; ")[2] for line in lines[:-1]] == ["no other is whole"] * EPOCHS
    assert main([*words, "--repair"]) == 0
    assert main(words) == 0
    assert Run(folder.path).checkpoints == []


def test_of_a_run_that_goes_on_nothing_is_moved(store: RunStore, folder: RunFolder, weights: Any) -> None:
    flip(read_checkpoints(folder.checkpoints)[-1])
    (found,) = (one for one in check(store, deep=True, repair=True) if "/checkpoints/" in one.where)
    assert not found.repaired
    assert len(read_checkpoints(folder.checkpoints)) == EPOCHS


def test_a_notebook_that_loads_the_last_one_is_told_that_there_was_a_later_one(
    folder: RunFolder, weights: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlwidgets_magics.resuming import load

    cut(read_checkpoints(folder.checkpoints)[-1])
    namespace: dict[str, Any] = {}
    _, where = load(Run(folder.path), ["weights"], namespace, None, last=True)
    assert where.startswith(f"checkpoint {EPOCHS - 1},")
    assert f"checkpoint {EPOCHS} is damaged: state.pt of epoch 2 has" in capsys.readouterr().err
    assert float(namespace["weights"][0]) == EPOCHS - 1
