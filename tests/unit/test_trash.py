"""Runs that are deleted, and brought back."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

import pytest

from mlwidgets.cli import main
from mlwidgets.errors import StoreError, UnknownRun
from mlwidgets.runs import trash
from mlwidgets.runs.alive import forget_locks, hold
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import RunIndex
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.trash import KEPT, delete, find_deleted, restore

Make = Callable[..., RunFolder]


@pytest.fixture
def done(new_run: Make) -> Callable[..., RunFolder]:
    def make(name: str = "lenet", **fields: object) -> RunFolder:
        folder = new_run(name, **fields)
        write_outcome(folder, Outcome("finished", None, 1.0, 2.0, 0))
        return folder

    return make


def test_there_and_back(store: RunStore, done: Make) -> None:
    folder = done()
    (folder.outputs / "model").write_text("weights")
    until = delete(store, folder)
    assert until - time.time() == pytest.approx(KEPT, abs=60)
    assert list(store.folders()) == []
    assert RunIndex(store).summaries() == []
    back = restore(store, folder.id)
    assert back == folder
    assert (back.outputs / "model").read_text() == "weights"
    assert Run(back.path).state == "finished"


def test_what_goes_on_stays(store: RunStore, new_run: Make, done: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    going = new_run("going")
    hold(going.alive, "supervisor")
    try:
        with pytest.raises(StoreError, match="'going' is submitted; stop it first"):
            delete(store, going)
        ending = done("ending")
        hold(ending.alive, "supervisor")
        monkeypatch.setattr(trash, "_PATIENCE", 0.1)
        with pytest.raises(StoreError, match="'ending' is about to end; try again"):
            delete(store, ending)
    finally:
        forget_locks()
    assert len(list(store.folders())) == 2
    delete(store, ending)


def test_what_is_old_goes_for_good(store: RunStore, done: Make) -> None:
    old, recent, now = done("old"), done("recent"), done("now")
    for folder in (old, recent):
        delete(store, folder)
    away = store.path / "trash"
    os.utime(away / old.id, (1, 1))
    (store.path / "precious").mkdir()
    (away / "link").symlink_to(store.path / "precious")
    os.utime(store.path / "precious", (1, 1))
    delete(store, now)
    assert {path.name for path in away.iterdir()} == {recent.id, now.id, "link"}
    assert (store.path / "precious").exists()
    with pytest.raises(UnknownRun):
        restore(store, old.id)
    with pytest.raises(UnknownRun):
        restore(store, "link")


def test_nothing_is_overwritten(store: RunStore, done: Make) -> None:
    folder = done()
    delete(store, folder)
    with pytest.raises(UnknownRun, match="gone"):
        delete(store, folder)
    folder.path.mkdir()
    with pytest.raises(StoreError, match="there is a run"):
        restore(store, folder.id)
    folder.path.rmdir()
    assert restore(store, folder.id) == folder


def test_by_its_name(store: RunStore, done: Make) -> None:
    first, second, other = done("lenet"), done("lenet"), done("other")
    for folder in (first, second, other):
        delete(store, folder)
    assert find_deleted(store, "lenet") == second.id
    assert find_deleted(store, first.id) == first.id
    with pytest.raises(UnknownRun, match="it has: other, lenet"):
        find_deleted(store, "none")


def test_from_the_command_line(store: RunStore, done: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder = done()
    where = ["--store", str(store.path)]
    assert main([*where, "restore", "lenet"]) == 1
    assert "it is empty" in capsys.readouterr().err
    assert main([*where, "delete", "lenet"]) == 0
    assert f"`mlwidgets restore {folder.id}` brings it back" in capsys.readouterr().out
    assert main([*where, "restore", folder.id]) == 0
    assert capsys.readouterr().out == f"lenet: finished, back in {store.path}\n"
    assert main([*where, "show", "lenet"]) == 0


@pytest.fixture
def hunt(store: RunStore, new_run: Make, done: Make) -> RunFolder:
    """A sweep of three trials, of which one was begun twice."""
    sweep = new_run("hunt", sweep={"space": {}})
    for number, name in enumerate(("hunt-0", "hunt-1", "hunt-1", "hunt-2")):
        trial = done(name, trial_of=sweep.id, trial=number)
        write_event(sweep.events, "trial", number=number, run=trial.id, params={}, attempt=1, by="sampler")
    write_outcome(sweep, Outcome("finished", None, 1.0, 2.0, 0))
    return sweep


@pytest.mark.parametrize("killed_after", range(6))
def test_a_sweep_takes_its_trials_along_whenever_that_is_cut_off(
    store: RunStore, done: Make, hunt: RunFolder, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    other = done("other")
    ids = {folder.id for folder in store.folders()}
    rename, left = os.rename, [killed_after]

    def rename_until_killed(*paths: object) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        rename(*paths)  # type: ignore[arg-type]

    def do(act: Callable[[], object]) -> None:
        """Do it, be killed in the middle, do it again."""
        left[0] = killed_after
        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", rename_until_killed)
            with contextlib.suppress(KeyboardInterrupt):
                act()
                return
        act()

    do(lambda: delete(store, hunt))
    assert [folder.id for folder in store.folders()] == [other.id]
    assert find_deleted(store, "hunt") == hunt.id
    do(lambda: restore(store, hunt.id))
    assert {folder.id for folder in store.folders()} == ids


def test_a_sweep_stays_as_long_as_a_trial_goes_on(store: RunStore, new_run: Make, hunt: RunFolder) -> None:
    going = new_run("hunt-3", trial_of=hunt.id, trial=3)
    write_event(hunt.events, "trial", number=3, run=going.id, params={}, attempt=1, by="sampler")
    hold(going.alive, "worker")
    try:
        with pytest.raises(StoreError, match="'hunt-3' is submitted; stop it first"):
            delete(store, hunt)
    finally:
        forget_locks()
    assert len(list(store.folders())) == 6


def test_ids_of_trials_lead_nowhere_else(store: RunStore, hunt: RunFolder) -> None:
    precious = store.path / "precious"
    precious.mkdir()
    for run in ("../precious", "..", ".", "", str(precious), 3):
        write_event(hunt.events, "trial", number=9, run=run, params={}, attempt=1, by="sampler")
    delete(store, hunt)
    assert precious.exists()
    assert store.runs.exists()
    assert list(store.folders()) == []
