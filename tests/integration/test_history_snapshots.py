"""Snapshots: taken, found, restored, named, forgotten; by many at once, and killed at any moment."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.errors import HistoryError, UnknownSnapshot
from mlwidgets.history import pruning
from mlwidgets.history.notebooks.executed import Executed
from mlwidgets.history.notebooks.notebook import Cell, Notebook, encode, load_notebook, to_json
from mlwidgets.history.restoring import put_in_place
from mlwidgets.history.snapshots import History
from mlwidgets.history.submitted import notebook_of_run, snapshot_of_submit
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.spec import Provenance, RunSpec
from mlwidgets.runs.store import RunStore
from mlwidgets.server.saves import Saves
from tests.histories import (
    NOBODY,
    commit,
    git,
    git_dir,
    given_to,
    in_a_child,
    keep,
    notebook,
    save,
    shared_folder,
    sources,
)
from tests.unit.awkward import BROKEN, READABLE


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MLWIDGETS_STORE", raising=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a notebook of a repository is."""
    git(tmp_path, "init", "--quiet", "project")
    return tmp_path / "project" / "lenet.ipynb"


@pytest.fixture
def store(path: Path) -> RunStore:
    store = RunStore(path.parent / ".mlwidgets")
    store.prepare()
    return store


def new_run(store: RunStore, run_id: str, path: Path | None, *executed: Executed, **fields: Any) -> RunFolder:
    provenance = Provenance(
        cwd=str(store.path.parent),
        executable="",
        python="",
        host="",
        user="",
        notebook=None if path is None else str(path),
    )
    spec = RunSpec(id=run_id, name=run_id[16:-5], code="train()\n", provenance=provenance, **fields)
    folder = store.create_run(spec)
    cells = [{"id": one.id, "count": one.count, "source": one.source} for one in executed]
    folder.executed.write_text(json.dumps({"cells": cells}))
    return folder


def test_ids_are_those_of_the_time_and_find_takes_what_people_type(path: Path) -> None:
    taken = [keep(path, str(n)) for n in range(3)]
    history = History(path)
    first, second, last = [one for one in taken if one is not None]
    assert history.snapshots() == [last, second, first]
    assert history.snapshots(1) == [last]
    assert first.id < second.id < last.id
    assert first.id[:15] == time.strftime("%Y%m%d-%H%M%S", time.gmtime(first.time))
    for text, wanted in {first.id: first, "~0": last, "~2": first, second.id[:19]: second}.items():
        assert history.find(text) == wanted
    history.name(second, "before the fire")
    assert history.find("before the fire").id == second.id
    for text in ("~3", "nothing", "", last.id[:4], "~x"):
        with pytest.raises(UnknownSnapshot) as raised:
            history.find(text)
        assert "\n" not in str(raised.value)


def test_a_snapshot_has_one_name_and_a_name_one_snapshot(path: Path) -> None:
    keep(path, "a")
    keep(path, "b")
    history = History(path)
    new, old = history.snapshots()
    history.name(old, "good")
    history.name(old, "  best ")
    assert [one.names for one in history.snapshots()] == [(), ("best",)]
    with pytest.raises(UnknownSnapshot):
        history.find("good")
    history.name(new, "good")
    assert [one.names for one in history.snapshots()] == [("good",), ("best",)]
    history.name(new, "best")
    history.name(new, "best")
    assert [one.names for one in history.snapshots()] == [("best",), ()]
    history.name(old, "older")
    history.name(new, None)
    assert [one.names for one in history.snapshots()] == [(), ("older",)]
    for name in ("", " ", "~1", "x" * 101, "two\nlines", new.id):
        with pytest.raises(HistoryError, match="cannot be a snapshot's name"):
            history.name(old, name)
    assert [one.names for one in history.snapshots()] == [(), ("older",)]


@pytest.mark.parametrize("name", READABLE)
def test_awkward_notebooks_are_kept_exactly(name: str, path: Path) -> None:
    path.write_bytes(READABLE[name])
    found = load_notebook(path)
    taken = History(path).take("save", found)
    assert taken is not None
    assert History(path).take("save", load_notebook(path)) is None
    kept = History(path).read(taken)
    assert [(c.kind, c.source) for c in kept.cells] == [(c.kind, c.source) for c in found.cells]
    assert encode(to_json(kept)) == encode(to_json(found))
    assert kept.language == found.language
    assert isinstance(History(path).text(taken), str)


def test_a_restore_keeps_what_is_there_first(path: Path) -> None:
    outputs = ({"output_type": "stream", "name": "stdout", "text": "1\n"},)
    first = Notebook((Cell("a", "code", "1"), Cell("b", "code", "2"), Cell("m", "markdown", "text")))
    History(path).take("save", first)
    now = Notebook(
        (Cell("b", "code", "2", execution_count=7, outputs=outputs), Cell("a", "code", "edited", outputs=outputs))
    )
    document = to_json(now, outputs=True)
    document["metadata"] = {"widgets": {"state": 1}}
    document["cells"][0]["metadata"] = {"collapsed": True}
    path.write_bytes(json.dumps(document).encode())
    before = path.read_bytes()
    os.chmod(path, 0o640)

    history = History(path)
    kept = history.restore(history.find("~0"))
    assert kept is not None
    assert kept.kind == "kept"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    cells = json.loads(path.read_bytes())["cells"]
    assert [(c["id"], "".join(c["source"])) for c in cells] == [("a", "1"), ("b", "2"), ("m", "text")]
    assert cells[0]["outputs"] == []
    assert cells[1]["outputs"] == list(outputs)
    assert cells[1]["execution_count"] == 7
    assert cells[1]["metadata"] == {"collapsed": True}
    assert json.loads(path.read_bytes())["metadata"]["widgets"] == {"state": 1}
    assert [one.kind for one in history.snapshots()] == ["kept", "save"]

    # What was kept comes back to the byte, with its outputs.
    again = history.restore(kept)
    assert again is not None
    assert path.read_bytes() == before
    assert history.restore(kept) is None
    assert not [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".lenet")]


def test_a_notebook_that_was_deleted_comes_back(path: Path) -> None:
    keep(path, "a", "b")
    path.unlink()
    left = [path.with_name(f".{path.name}.0123abcd"), path.with_name(f".{path.name}.now00000")]
    for one in left:
        one.touch()
    os.utime(left[0], (1, 1))
    assert History(path).restore(History(path).find("~0")) is None
    assert load_notebook(path) == notebook("a", "b")
    assert [one.exists() for one in left] == [False, True]


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_notebook_is_not_overwritten(name: str, path: Path) -> None:
    keep(path, "a")
    data = BROKEN[name][0]
    path.write_bytes(data)
    history = History(path)
    with pytest.raises(HistoryError, match="nothing was restored") as raised:
        history.restore(history.find("~0"))
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == data
    assert len(history.snapshots()) == 1


def test_what_cannot_be_kept_is_not_overwritten(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(path, "a")
    snapshot = History(path).find("~0")
    save(path, "b")
    before = path.read_bytes()
    refs = git_dir(path) / "refs" / "mlwidgets"
    lock = next(file for file in refs.iterdir() if file.is_file())
    lock.with_name(f"{lock.name}.lock").mkdir()
    monkeypatch.setattr("mlwidgets.history.git.repository._PATIENCE", 0.2)
    with pytest.raises(HistoryError):
        History(path, path / "no folder").restore(snapshot)
    assert path.read_bytes() == before


def test_a_file_that_is_saved_meanwhile_is_kept_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlwidgets.history import snapshots

    keep(path, "a")
    save(path, "b")
    put_in_place = snapshots.put_in_place
    others = iter(["saved meanwhile"])

    def slow(*arguments: Any) -> bool:
        for source in others:
            save(path, source)
        return put_in_place(*arguments)

    monkeypatch.setattr(snapshots, "put_in_place", slow)
    history = History(path)
    history.restore(history.find("~0"))
    assert load_notebook(path) == notebook("a")
    assert sources(history) == [("saved meanwhile",), ("b",), ("a",)]


def test_a_file_that_cannot_be_written_stays() -> None:
    with pytest.raises(HistoryError, match="cannot be written"):
        put_in_place(Path("/proc/sys/kernel/x.ipynb"), b"", None)
    with shared_folder() as folder:
        path = folder / "x.ipynb"
        git(folder, "init", "--quiet")
        keep(path, "a")
        save(path, "b")
        before = path.read_bytes()
        os.chmod(path, 0o444)
        given_to(folder, NOBODY)

        def work() -> None:
            with pytest.raises(HistoryError, match="read-only"):
                History(path).restore(History(path).find("~0"))

        # Root may write what is read-only.
        in_a_child(work, user=NOBODY if os.geteuid() == 0 else None)
        assert path.read_bytes() == before


def test_pruning_keeps_what_somebody_may_ask_for(path: Path, store: RunStore) -> None:
    for n in range(10):
        keep(path, f"{n}")
    history = History(path)
    run = new_run(store, "20261120-093015-lenet-k3f9", path, Executed("c0", 1, "submitted"))
    snapshot_of_submit(run)
    gone = new_run(store, "20261120-093016-gone-k3f9", path, Executed("c0", 2, "forgotten"))
    snapshot_of_submit(gone)
    thrown = new_run(store, "20261120-093017-thrown-k3f9", path, Executed("c0", 3, "in the trash"))
    snapshot_of_submit(thrown)
    (store.path / "trash").mkdir()
    os.rename(thrown.path, store.path / "trash" / thrown.id)
    gone.outcome.write_text("{}")
    os.rename(gone.path, store.path / "elsewhere")
    for n in range(10, 13):
        keep(path, f"{n}")
    history.name(history.snapshots()[-3], "the second")
    everything = history.snapshots()
    assert history.prune() == []
    assert history.prune(keep=2, older_than=3600.0) == []
    would = history.prune(keep=2, dry_run=True)
    assert history.snapshots() == everything
    assert history.prune(keep=2) == would
    assert sources(history) == [("12",), ("11",), ("in the trash",), ("submitted",), ("2",)]
    left = history.snapshots()
    assert {one.id for one in left} | {one.id for one in would} == {one.id for one in everything}
    assert left[-1].changed is None
    assert left[0].changed == (0, 0, 1)
    assert notebook_of_run(run) == notebook("submitted")
    git(path.parent, "-c", "gc.reflogExpire=now", "gc", "--quiet", "--prune=now")
    assert notebook_of_run(run) == notebook("submitted")
    assert history.read(left[-1]) == notebook("2")
    with pytest.raises(UnknownSnapshot, match="gone"):
        history.read(would[0])
    time.sleep(0.01)
    assert len(history.prune(older_than=0.001)) == 1


def test_runs_of_another_store_keep_their_snapshots(path: Path, store: RunStore, tmp_path: Path) -> None:
    other = RunStore(tmp_path / "é\nanother" / "store")
    other.prepare()
    kept = new_run(other, "20261120-093015-kept-k3f9", path, Executed("c0", 1, "kept"))
    forgotten = new_run(other, "20261120-093016-gone-k3f9", path, Executed("c0", 2, "gone"))
    here = new_run(store, "20261120-093017-here-k3f9", path, Executed("c0", 3, "of both"))
    shared = new_run(other, "20261120-093018-shared-k3f9", path, Executed("c0", 3, "of both"))
    same = new_run(other, "20261120-093019-same-k3f9", path, Executed("c0", 3, "of both"))
    for run in (kept, forgotten, here, shared, same):
        snapshot_of_submit(run)
    history = History(path)
    assert [one.run for one in history.snapshots()] == [shared.id, here.id, forgotten.id, kept.id]
    assert len({one.store for one in history.snapshots()}) == 2
    keep(path, "saved")
    keep(path, "saved again")
    for run in (forgotten, here, shared):
        shutil.rmtree(run.path)
    # A store that is not there may be on a disk that is not mounted.
    other.path.rename(tmp_path / "elsewhere")
    assert (
        history.prune(keep=1, dry_run=True)
        == [one for one in history.snapshots() if one.run == here.id or one.kind == "save"][1:]
    )
    (tmp_path / "elsewhere").rename(other.path)
    history.prune(keep=1)
    assert sources(history) == [("saved again",), ("of both",), ("kept",)]
    assert [notebook_of_run(run) for run in (kept, same)] == [notebook("kept"), notebook("of both")]
    History(path.with_name("renamed.ipynb")).follow_rename(path)
    renamed = History(path.with_name("renamed.ipynb"))
    shutil.rmtree(same.path)
    assert [one.run for one in renamed.prune(keep=1)] == [shared.id]


def test_what_is_saved_while_others_are_forgotten_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(4):
        keep(path, f"{n}")
    of_runs = pruning.of_runs

    def slow(*arguments: Any) -> set[str]:
        keep(path, "saved meanwhile")
        return of_runs(*arguments)

    monkeypatch.setattr(pruning, "of_runs", slow)
    history = History(path)
    assert len(history.prune(keep=1)) == 3
    assert sources(history) == [("saved meanwhile",), ("3",)]


def test_nothing_is_forgotten_while_some_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "project" / "x.ipynb"
    for n in range(3):
        keep(path, f"in the store {n}")
    git(path.parent, "init", "--quiet")
    for n in range(3):
        keep(path, f"in the repository {n}")
    history = History(path)
    history.name(history.find("~1"), "precious")
    everything = history.snapshots()
    git(path.parent, "pack-refs", "--all")
    packed = git_dir(path) / "packed-refs"
    whole = packed.read_bytes()
    packed.write_bytes(b"nonsense\n")
    for dry_run in (True, False):
        with pytest.raises(HistoryError, match="cannot be read"):
            History(path).prune(keep=1, dry_run=dry_run)
    packed.write_bytes(whole)
    assert history.snapshots() == everything
    assert len(history.prune(keep=1)) == 4
    assert sources(history) == [("in the repository 2",), ("in the repository 1",)]


def test_a_history_goes_on_under_the_new_path(path: Path, tmp_path: Path) -> None:
    keep(path, "a")
    keep(path, "b")
    History(path).name(History(path).find("~1"), "begin")
    new = path.parent / "sub" / "renamed.ipynb"
    new.parent.mkdir()
    path.rename(new)
    # Jupyter may save under the new path before the history hears of it.
    keep(new, "c")
    History(new).follow_rename(path)
    assert sources(History(new)) == [("c",), ("b",), ("a",)]
    assert History(new).find("begin").id == History(new).snapshots()[2].id
    assert History(path).snapshots() == []
    assert keep(new, "c") is None
    keep(new, "d")
    History(new).follow_rename(path)
    assert sources(History(new))[0] == ("d",)
    assert [one.id for one in History(new).prune(keep=2)]
    assert sources(History(new)) == [("d",), ("c",), ("a",)]
    git(path.parent, "fsck", "--strict")
    # To another project, of another kind.
    git(tmp_path, "init", "--quiet", "--object-format=sha256", "other")
    far = tmp_path / "other" / "far.ipynb"
    new.rename(far)
    History(far).follow_rename(new)
    assert sources(History(far)) == [("d",), ("c",), ("a",)]
    assert History(far).find("begin").id == History(far).snapshots()[2].id
    # To where there is no repository.
    alone = tmp_path / "alone" / "alone.ipynb"
    alone.parent.mkdir()
    far.rename(alone)
    History(alone).follow_rename(far)
    assert sources(History(alone)) == [("d",), ("c",), ("a",)]


def test_the_history_of_a_folder_that_is_renamed_twice_while_others_are_kept(path: Path) -> None:
    root = path.parent
    keep(root / "first" / "a.ipynb", "a")
    keep(root / "first" / "b.ipynb", "b")
    go_on = threading.Event()

    def busy(_: Path) -> None:
        assert go_on.wait(60)

    saves = Saves(root.joinpath, busy)
    saves.heard({"action": "save", "path": "other.ipynb"})
    for old, new in (("first", "second"), ("second", "third"), ("third/b.ipynb", "third/c.ipynb")):
        (root / old).rename(root / new)
        saves.heard({"action": "rename", "path": new, "source_path": old})
    go_on.set()
    saves.close(60)
    assert sources(History(root / "third" / "a.ipynb")) == [("a",)]
    assert sources(History(root / "third" / "c.ipynb")) == [("b",)]
    assert len(git(root, "for-each-ref", "refs/mlwidgets").splitlines()) == 2


def test_a_submit_keeps_what_was_executed(path: Path, store: RunStore) -> None:
    keep(path, "a", "b")
    executed = [Executed("c0", 1, "a"), Executed("c1", 2, "b, edited"), Executed("new", 3, "%%train lenet\ntrain()")]
    run = new_run(store, "20261120-093015-lenet-k3f9", path, *executed)
    snapshot_of_submit(run)
    assert notebook_of_run(run) == Notebook(
        (*notebook("a", "b, edited").cells, Cell("new", "code", executed[2].source))
    )
    history = History(path)
    snapshot = history.find("lenet")
    assert (snapshot.kind, snapshot.run, snapshot.changed) == ("submit", run.id, (1, 0, 1))
    assert history.find(run.id) == snapshot
    told = json.loads(run.snapshot.read_bytes())
    assert told["id"] == snapshot.id
    assert git(path.parent, "rev-parse", told["ref"]).strip() == told["commit"] == snapshot.commit
    assert Path(told["repository"]) == git_dir(path)
    assert Path(told["notebook"]) == path
    assert git(path.parent, "show", f"{snapshot.commit}:executed.py") == (
        "# %% In[1]\na\n\n# %% In[2]\nb, edited\n\n# %% In[3]\n# %%train lenet\ntrain()\n"
    )
    # The same state submitted again is the same snapshot; both runs know it.
    again = new_run(store, "20261120-093016-lenet2-k3f9", path, *executed)
    snapshot_of_submit(again)
    assert json.loads(again.snapshot.read_bytes())["id"] == snapshot.id
    assert history.find("lenet2") == snapshot


def test_a_run_without_a_file_and_one_without_a_snapshot(path: Path, store: RunStore) -> None:
    run = new_run(store, "20261120-093015-console-k3f9", None, Executed(None, 1, "a"), Executed(None, 2, "b"))
    snapshot_of_submit(run)
    assert json.loads(run.snapshot.read_bytes())["notebook"] is None
    found = notebook_of_run(run)
    assert found is not None
    assert [cell.source for cell in found.cells] == ["a", "b"]
    old = new_run(store, "20261120-093016-old-k3f9", None, heading="%%train old")
    snapshot_of_submit(old)
    assert not old.snapshot.exists()
    found = notebook_of_run(old)
    assert found is not None
    assert [cell.source for cell in found.cells] == ["# old", "%%train old\ntrain()\n"]
    old.spec.unlink()
    assert notebook_of_run(old) is None
    # A file that is no notebook: what was executed is known all the same.
    path.write_text("no notebook")
    broken = new_run(store, "20261120-093017-broken-k3f9", path, Executed("x", 1, "a"))
    snapshot_of_submit(broken)
    found = notebook_of_run(broken)
    assert found is not None
    assert [cell.source for cell in found.cells] == ["a"]


def test_a_trial_has_the_notebook_of_its_sweep(path: Path, store: RunStore) -> None:
    save(path, "a")
    sweep = new_run(store, "20261120-093015-search-k3f9", path, Executed("c0", 1, "a2"))
    trial = new_run(store, "20261120-093016-search-3-k3f9", path, trial_of=sweep.id, trial=3)
    lost = new_run(store, "20261120-093016-search-4-k3f9", path, trial_of="20261120-093015-gone-k3f9", trial=4)
    for run in (sweep, trial):
        snapshot_of_submit(run)
    assert not trial.snapshot.exists()
    assert len(History(path).snapshots()) == 1
    assert notebook_of_run(trial) == notebook("a2")
    found = notebook_of_run(lost)
    assert found is not None
    assert found.cells[0].source == "# search-4"


def test_the_notebook_of_a_run_is_found_where_the_project_went(path: Path, store: RunStore, tmp_path: Path) -> None:
    save(path, "a")
    run = new_run(store, "20261120-093015-lenet-k3f9", path, Executed("c0", 1, "a2"))
    snapshot_of_submit(run)
    path.parent.rename(tmp_path / "moved")
    moved = RunFolder(tmp_path / "moved" / ".mlwidgets" / "runs" / run.id)
    assert notebook_of_run(moved) == notebook("a2")


def test_snapshots_go_along_with_the_users_own_work(path: Path) -> None:
    for n in range(3):
        keep(path, f"{n}")
        commit(path.parent)
    git(path.parent, "gc", "--quiet", "--aggressive", "--prune=now")
    git(path.parent, "pack-refs", "--all", "--prune")
    keep(path, "after the packing")
    assert sources(History(path)) == [("after the packing",), ("2",), ("1",), ("0",)]
    git(path.parent, "checkout", "--quiet", "--force", "HEAD~1")
    keep(path, "detached")
    assert History(path).prune(keep=1)
    assert sources(History(path)) == [("detached",)]


def forked(work: Callable[[], None]) -> int:
    """Do something in a process that leads a group of its own; return its id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        work()
        status = 0
    finally:
        os._exit(status)


def test_ten_who_save_at_once_lose_nothing(path: Path) -> None:
    keep(path, "begin")

    def saver(who: int) -> None:
        for n in range(4):
            one = notebook("x", f"{who} {n}")
            assert History(path).take("save", one) is not None

    pids = [forked(lambda who=who: saver(who)) for who in range(10)]  # type: ignore[misc]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * 10
    found = sources(History(path))
    assert len(found) == 41
    assert set(found) == {("begin",), *(("x", f"{who} {n}") for who in range(10) for n in range(4))}
    assert git(path.parent, "fsck", "--strict", "--no-dangling") == ""


def test_ten_who_begin_at_once_make_one_history(tmp_path: Path) -> None:
    path = tmp_path / "alone" / "x.ipynb"
    path.parent.mkdir()
    pids = [forked(lambda who=who: History(path).take("save", notebook(f"{who}")) and None) for who in range(10)]  # type: ignore[misc]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * 10
    assert sorted(sources(History(path))) == [(f"{who}",) for who in range(10)]
    assert [entry.name for entry in (path.parent / ".mlwidgets").iterdir() if entry.name.startswith(".history")] == []


def test_a_kill_at_any_moment_leaves_all_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL to a process, or to it and its git, while it saves, restores, names and prunes."""
    monkeypatch.setattr("mlwidgets.history.git.repository._STALE", 0.2)
    dice = random.Random(7)
    keep(path, "begin")
    acknowledged: set[str] = set()
    forgotten: set[str] = set()
    for turn in range(25):
        reading, writing = os.pipe()

        def work(turn: int = turn, writing: int = writing) -> None:
            for n in range(100):
                history = History(path)
                taken = history.take("save", save_whole(path, f"{turn} {n}"))
                os.write(writing, f"+{taken.id}\n".encode() if taken else b"\n")
                kept = history.restore(history.snapshots(5)[-1])
                os.write(writing, f"+{kept.id}\n".encode() if kept else b"\n")
                history.name(history.snapshots()[-1], f"n{n % 3}")
                if n % 2:
                    would = history.prune(keep=6, dry_run=True)
                    os.write(writing, "".join(f"-{one.id}\n" for one in would).encode())
                    history.prune(keep=6)

        pid = forked(work)
        os.close(writing)
        time.sleep(dice.uniform(0.005, 0.25))
        with contextlib.suppress(ProcessLookupError):
            if dice.random() < 0.7:
                os.killpg(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(reading) as told:
            for line in told.read().splitlines():
                (acknowledged if line.startswith("+") else forgotten).add(line[1:])
        history = History(path)
        found = history.snapshots()
        assert {one.id for one in found} >= {one for one in acknowledged if one} - forgotten
        for one in found:
            assert history.read(one).cells
        assert len(load_notebook(path).cells) == 1
        assert keep(path, f"after {turn}") is not None
        assert sources(history)[0] == (f"after {turn}",)
    assert len(acknowledged) > 3
    history.name(history.find("~0"), "at last")
    git(path.parent, "fsck", "--strict", "--no-dangling")
    assert not list((git_dir(path) / "refs").rglob("*.lock"))


def save_whole(path: Path, source: str) -> Notebook:
    """Save as Jupyter does: whole."""
    one = notebook(source)
    beside = path.with_name(f".{os.getpid()}")
    beside.write_bytes(encode(to_json(one)))
    os.replace(beside, path)
    return one
