"""Checkpoints in archives, in what a run takes on the disk, and under fsck."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlwidgets.archives.exporting import export
from mlwidgets.archives.importing import import_runs
from mlwidgets.errors import ResultNotAvailable
from mlwidgets.housekeeping.checking import check
from mlwidgets.runs.checkpoints import read_checkpoints
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.footprint import footprint
from mlwidgets.runs.journal import FOLDER_VARIABLE
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.tracking import checkpoint


@pytest.fixture
def folder(new_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run that has ended and left three checkpoints, one half written one and one half removed one."""
    folder = new_run()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder.path))
    for epoch in range(3):
        checkpoint([epoch, "0" * 64], epoch=epoch, keep_last=3)
    for name in (".new-4194305-abcd", ".new-4194305-ef01"):
        shutil.copytree(folder.checkpoints / "000001", folder.checkpoints / name)
    write_outcome(folder, Outcome("killed", None, 1.0, 2.0, 0))
    return folder


def test_they_travel(store: RunStore, folder: RunFolder, tmp_path: Path) -> None:
    done = export(store, [folder.id], tmp_path / "run.zip")
    assert [line.split(" ")[0].rpartition("/")[2] for line in done.left_out] == [
        ".new-4194305-abcd",
        ".new-4194305-ef01",
    ]
    other = RunStore(tmp_path / "other" / ".mlwidgets")
    assert import_runs(other, tmp_path / "run.zip").new == (folder.id,)
    run = Run(other.runs / folder.id)
    assert [one.epoch for one in run.checkpoints] == [0, 1, 2]
    with pytest.raises(ResultNotAvailable, match="came from elsewhere"):
        run.checkpoints[0].load()
    assert run.trust().checkpoints[2].load() == {"list": [2, "0" * 64]}


def test_what_they_take(folder: RunFolder) -> None:
    states = sum(one.nbytes for one in read_checkpoints(folder.checkpoints))
    found = footprint(folder.path)
    assert found.nbytes > states
    assert "0" * 64 not in found.digests


def test_fsck(store: RunStore, folder: RunFolder) -> None:
    first, second, _ = read_checkpoints(folder.checkpoints)
    (first.path / first.file).write_bytes(b"torn")
    (second.path / "checkpoint.json").unlink()
    top = f"runs/{folder.id}/checkpoints"
    expected = {f"{top}/{name}" for name in ("000001", "000002", ".new-4194305-abcd", ".new-4194305-ef01")}
    assert {one.where for one in check(store)} == expected
    assert {one.where for one in check(store, repair=True) if one.done} == expected
    assert list(check(store)) == []
    assert sorted(path.name for path in folder.checkpoints.iterdir()) == ["000001.damaged", "000002.damaged", "000003"]
