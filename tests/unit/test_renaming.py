"""Runs that are given another name: found by it and by those of before, everywhere called so."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mlwidgets.archives.exporting import export
from mlwidgets.archives.importing import import_runs
from mlwidgets.cli import main
from mlwidgets.errors import ParameterError, StoreError, UnknownRun
from mlwidgets.runs.annotations import MOST_NAMES, Annotations, annotate, annotation_log, read_annotations
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import RunIndex
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.trash import delete, find_deleted, restore
from mlwidgets.runs.where import select
from tests.unit.archive_support import ended_run

Make = Callable[..., RunFolder]


def ended(folder: RunFolder) -> RunFolder:
    write_outcome(folder, Outcome("finished", None, 1.0, 2.0, 0))
    return folder


def test_a_run_is_found_by_all_names_that_it_ever_had(store: RunStore, new_run: Make) -> None:
    folder = new_run("lenet")
    new_run("other")
    run = Run(folder.path)
    for name in ("first", "second", "third"):
        assert run.rename(name) is run
        assert run.name == name
    for name in ("lenet", "first", "second", "third", folder.id, folder.id[:17]):
        assert store.find(name) == folder
    run.rename("first")
    assert read_annotations(folder).formerly == ("second", "third")
    run.rename(None)
    assert (run.name, read_annotations(folder).formerly) == ("lenet", ("second", "third", "first"))
    run.rename("x").rename("lenet")
    assert read_annotations(folder).name is None
    assert run.spec.name == "lenet"
    for number in range(2 * MOST_NAMES):
        run.rename(f"n{number}")
    assert len(read_annotations(folder).formerly) == MOST_NAMES


def test_who_is_called_so_now_wins(store: RunStore, new_run: Make) -> None:
    first, second, third = (new_run("lenet") for _ in range(3))
    annotate(third, name="best")
    assert [store.find(name) for name in ("lenet", "lenet~1", "best", "best~0")] == [second, first, third, third]
    annotate(first, name="best")
    # The newest of that name.
    assert [store.find(name) for name in ("best", "best~1")] == [third, first]
    annotate(second, name="other")
    # Nobody is called so any more.
    assert [store.find(name) for name in ("lenet", "lenet~1", "lenet~2")] == [third, second, first]
    late = new_run("later")
    annotate(late, name="lenet")
    assert store.find("lenet") == late
    with pytest.raises(UnknownRun, match=r"no run 'nothing' in the store .*; it has: lenet, best, other$"):
        store.find("nothing")


@pytest.mark.parametrize("name", ["", "a b", "~1", "../x", "x" * 101, "ü", ".hidden", "a\n", 3, ["a"]])
def test_names_that_no_run_can_have(new_run: Make, name: object) -> None:
    folder = new_run("lenet")
    with pytest.raises(ParameterError) as caught:
        annotate(folder, name=name)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert not folder.annotations.exists()


@pytest.mark.parametrize("name", ["a\x1b[31m", "../x", "", 3, None, [1], {"a": 1}, "x" * 200])
def test_what_others_wrote_is_no_name(store: RunStore, new_run: Make, name: object) -> None:
    folder = new_run("lenet")
    folder.annotations.write_text(json.dumps({"name": name, "formerly": [name, "ok"], "note": "n"}))
    assert read_annotations(folder) == Annotations(note="n", formerly=("ok",))
    assert (Run(folder.path).name, store.find("lenet"), store.find("ok")) == ("lenet", folder, folder)
    folder.annotations.write_text(json.dumps({"formerly": name}))
    assert read_annotations(folder) == Annotations()


def test_a_name_and_a_note_at_the_same_moment(new_run: Make) -> None:
    folder = new_run("lenet")

    def rename(i: int) -> None:
        for j in range(10):
            annotate(folder, name=f"n{i}-{j}")

    def note() -> None:
        for j in range(10):
            annotate(folder, note=str(j))

    threads = [threading.Thread(target=rename, args=(i,)) for i in range(3)] + [threading.Thread(target=note)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read_annotations(folder)
    assert found.note == "9"
    assert found.name is not None
    assert found.name.endswith("-9")
    assert found.name not in found.formerly
    assert len(found.formerly) == len(set(found.formerly)) == MOST_NAMES


def test_lists_conditions_and_the_trash_know_the_name(store: RunStore, new_run: Make) -> None:
    folder, other = ended(new_run("lenet")), ended(new_run("other"))
    index = RunIndex(store)
    assert [one.name for one in index.summaries()] == ["other", "lenet"]
    annotate(folder, name="best", note="n")
    for _ in range(2):
        assert [one.name for one in index.summaries()] == ["other", "best"]
    assert [one.id for one in select(index.summaries(), "name == 'best'")] == [folder.id]
    assert [one.id for one in select(index.summaries(), sort="name")] == [folder.id, other.id]
    delete(store, folder)
    assert find_deleted(store, "best") == find_deleted(store, "lenet") == folder.id
    with pytest.raises(UnknownRun, match=r"it has: best$"):
        find_deleted(store, "never")
    restore(store, folder.id)
    assert store.find("best") == folder
    assert [one.name for one in index.summaries()] == ["other", "best"]


def test_trials_are_called_after_their_sweep(store: RunStore, new_run: Make) -> None:
    sweep = new_run("search", sweep={})
    trials = [new_run(f"search-{n}", trial_of=sweep.id, trial=n) for n in range(3)]
    for number, trial in enumerate(trials):
        write_event(sweep.events, "trial", number=number, run=trial.id, params={})
        ended(trial)
    ended(sweep)
    index = RunIndex(store)
    index.summaries()
    annotate(sweep, name="lr")
    assert [Run(trial.path).name for trial in trials] == ["lr-0", "lr-1", "lr-2"]
    for _ in range(2):
        assert {one.name for one in index.summaries()} == {"lr", "lr-0", "lr-1", "lr-2"}
    assert [store.find(name) for name in ("lr", "lr-1", "search", "search-1")] == [sweep, trials[1], sweep, trials[1]]
    assert {sweep.id, *(one.id for one in trials)} <= set(annotation_log(store.path).read_text().split())
    with pytest.raises(UnknownRun):
        store.find("lr-7")
    annotate(trials[2], name="winner")
    assert Run(trials[2].path).name == "winner"
    assert [store.find(name) for name in ("winner", "lr-2", "search-2")] == [trials[2]] * 3
    annotate(sweep, name=None)
    assert [one.name for one in index.summaries()] == ["winner", "search-1", "search-0", "search"]


def test_an_archive_takes_the_names_along(store: RunStore, new_run: Make, tmp_path: Path) -> None:
    folder = ended_run(store, new_run)
    annotate(folder, name="first", note="n")
    annotate(folder, name="best")
    export(store, ["best"], tmp_path / "run.zip")
    other = RunStore(tmp_path / "other" / ".mlwidgets")
    other.prepare()
    import_runs(other, tmp_path / "run.zip")
    assert [other.find(name).id for name in ("best", "first", "lenet")] == [folder.id] * 3
    assert [(one.name, one.note) for one in RunIndex(other).summaries()] == [("best", "n")]


def test_a_damaged_run_keeps_its_name(new_run: Make) -> None:
    folder = new_run("lenet")
    folder.spec.write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        annotate(folder, name="best")
    assert not folder.annotations.exists()


def test_from_the_command_line(store: RunStore, new_run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ended(new_run("lenet"))
    where = ["--store", str(store.path)]
    assert main([*where, "rename", "lenet", "best"]) == 0
    assert capsys.readouterr().out == "lenet is called best now; lenet still finds it while no other run is called so\n"
    assert main([*where, "rename", "best", "no name"]) == 1
    assert capsys.readouterr().err.startswith("mlwidgets: 'no name' cannot be a run's name: ")
    assert main([*where, "runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "best"
    assert main([*where, "pin", "lenet"]) == 0
    assert capsys.readouterr().out == "best:  pinned\n"
    assert main([*where, "delete", "best"]) == 0
    assert capsys.readouterr().out.startswith("best: deleted; until ")
    assert main([*where, "restore", "best"]) == 0
    assert capsys.readouterr().out.startswith("best: finished, back in ")
    assert Run(folder.path).name == "best"
