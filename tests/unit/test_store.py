from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlwidgets.errors import StoreError, UnknownRun
from mlwidgets.runs.folder import RunFolder, read_json, write_once, write_whole
from mlwidgets.runs.spec import FORMAT, RunSpec
from mlwidgets.runs.store import STORE_VARIABLE, RunStore, find_store, name_of

Make = Callable[..., RunFolder]


def test_opening_creates_nothing(tmp_path: Path) -> None:
    store = RunStore(tmp_path / ".mlwidgets")
    assert list(store.folders()) == []
    assert not store.path.exists()


def test_a_new_store_is_private_and_ignored_by_git(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = RunStore(tmp_path / "deep" / ".mlwidgets")
        store.prepare()
    finally:
        os.umask(old)
    for path in (store.path, store.runs, store.objects.path):
        assert path.stat().st_mode & 0o777 == 0o700
    assert (store.path / ".gitignore").read_text() == "*\n"
    assert read_json(store.path / "store.json") == {"format": FORMAT}


def test_preparing_twice_changes_nothing(store: RunStore) -> None:
    (store.path / ".gitignore").write_text("mine\n")
    store.prepare()
    assert (store.path / ".gitignore").read_text() == "mine\n"


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_others_can_write(store: RunStore, mode: int) -> None:
    store.path.chmod(mode)
    with pytest.raises(StoreError, match=r"other users can write to the store .*; run: chmod 700"):
        RunStore(store.path)


@pytest.mark.parametrize("mode", [0o750, 0o755])
def test_others_may_read(store: RunStore, mode: int) -> None:
    store.path.chmod(mode)
    RunStore(store.path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_somebody_elses_store(store: RunStore) -> None:
    os.chown(store.path, 12345, 12345)
    with pytest.raises(StoreError, match=f"belongs to user 12345, not to you; set {STORE_VARIABLE}"):
        RunStore(store.path)


def test_newer_format(store: RunStore) -> None:
    (store.path / "store.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(StoreError, match=r"written by a newer mlwidgets .*upgrade"):
        RunStore(store.path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_damaged_format_file_does_not_lock_out(store: RunStore, text: str) -> None:
    (store.path / "store.json").write_text(text)
    RunStore(store.path).prepare()


@pytest.mark.parametrize("text", ['{"format": null}', '{"format": "2"}', '{"format": [3]}'])
def test_strange_format_is_that_of_a_newer_version(store: RunStore, text: str) -> None:
    (store.path / "store.json").write_text(text)
    with pytest.raises(StoreError, match="newer mlwidgets"):
        RunStore(store.path)


def test_not_a_directory(tmp_path: Path) -> None:
    (tmp_path / ".mlwidgets").write_text("")
    with pytest.raises(StoreError, match="is not a directory; move that file away"):
        RunStore(tmp_path / ".mlwidgets")


def test_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot open the store .*Not a directory"):
        RunStore(tmp_path / "file" / ".mlwidgets")


AS_SOMEBODY = """
import os, sys
from pathlib import Path
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.spec import RunSpec
from mlwidgets.errors import StoreError
path = Path(sys.argv[1])
os.setgroups([])
os.setgid(12345)
os.setuid(12345)
store = RunStore(path)
for action in (store.prepare, lambda: store.put(b"abc"), lambda: store.create_run(RunSpec("a-id", "a", "x"))):
    try:
        action()
        print("done")
    except StoreError as error:
        print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_read_only_store(store: RunStore, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    for path in (store.path, store.runs, store.objects.path):
        os.chown(path, 12345, 12345)
        path.chmod(0o500)
    done = subprocess.run(
        [sys.executable, "-c", AS_SOMEBODY, str(store.path)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    prepare, put, create = done.stdout.splitlines()
    assert prepare == f"the store {store.path} is read-only; set {STORE_VARIABLE} to a directory you can write"
    for line in (put, create):
        assert line.startswith(f"cannot write to the store {store.path}: Permission denied; free some space")


def test_where_the_store_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STORE_VARIABLE)
    inner = tmp_path / "project" / "a" / "b"
    inner.mkdir(parents=True)
    assert find_store(inner) == inner / ".mlwidgets"
    (tmp_path / "project" / ".git").mkdir()
    assert find_store(inner) == tmp_path / "project" / ".mlwidgets"
    (tmp_path / ".mlwidgets").mkdir()
    assert find_store(inner) == tmp_path / ".mlwidgets"
    (tmp_path / "project" / "a" / ".mlwidgets").mkdir()
    assert find_store(inner) == tmp_path / "project" / "a" / ".mlwidgets"
    monkeypatch.chdir(inner)
    assert find_store(Path()) == tmp_path / "project" / "a" / ".mlwidgets"
    monkeypatch.setenv(STORE_VARIABLE, "elsewhere/store")
    assert find_store(Path()) == inner / "elsewhere" / "store"


def test_git_worktrees_have_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STORE_VARIABLE)
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / ".git").write_text("gitdir: /elsewhere\n")
    assert find_store(tmp_path / "tree" / "sub") == tmp_path / "tree" / ".mlwidgets"


def test_earlier_runs_of_a_name(store: RunStore, new_run: Make) -> None:
    ids = [new_run(name="again").id for _ in range(3)]
    assert [store.find(name).id for name in ("again", "again~0", "again~1", "again~2")] == [ids[2], *ids[::-1]]
    with pytest.raises(UnknownRun, match="only 3 runs of that name"):
        store.find("again~3")
    with pytest.raises(UnknownRun, match="no run of that name"):
        store.find("never~1")


def test_finding_runs(store: RunStore, new_run: Make) -> None:
    first, second, other = new_run("lenet"), new_run("lenet"), new_run("le-net.v2")
    assert [f.id for f in store.folders()] == [other.id, second.id, first.id]
    assert store.find("lenet") == second
    assert store.find("le-net.v2") == other
    assert store.find(first.id) == first
    assert store.find(first.id[:15]) == first
    assert store.find("20261120") == other
    assert name_of(other.id) == "le-net.v2"


def test_runs_of_one_second_are_newest_first_whatever_their_names(store: RunStore) -> None:
    ids = ["20261120-123010-zeta-2xqq", "20261120-123010-alpha-b2aa", "20261120-123010-mid-zzaa"]
    for run_id in reversed(ids):
        store.create_run(RunSpec(id=run_id, name=run_id[16:-5], code=""))
    assert [f.id for f in store.folders()] == ids[::-1]


def test_a_file_in_place_of_the_runs(store: RunStore) -> None:
    store.runs.rmdir()
    store.runs.touch()
    assert list(store.folders()) == []


def test_a_name_wins_over_the_beginning_of_an_id(store: RunStore, new_run: Make) -> None:
    named = new_run("20261120")
    new_run("later")
    assert store.find("20261120") == named


@pytest.mark.parametrize("name", ["resnet", "len", "2026", ""])
def test_no_such_run(store: RunStore, new_run: Make, name: str) -> None:
    with pytest.raises(UnknownRun, match="it is empty"):
        store.find(name)
    for number in range(10):
        new_run(f"run{number}")
    with pytest.raises(UnknownRun, match=r"it has: run9, run8, run7, .*, run2 …"):
        store.find(name)


def test_a_run_folder_appears_whole(store: RunStore, new_run: Make) -> None:
    folder = new_run("lenet", code="x = 'ü\ud800'\r\n")
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.read_spec().code == "x = 'ü\ud800'\r\n"
    assert folder.store == store.path
    assert [p.name for p in store.runs.iterdir()] == [folder.id]
    for path in (folder.requests, folder.outputs, folder.result):
        assert path.is_dir()


def test_a_run_that_cannot_be_made_leaves_nothing(store: RunStore) -> None:
    (store.runs / "taken-id").mkdir()
    (store.runs / "taken-id" / "file").touch()
    with pytest.raises(StoreError, match="cannot write to the store"):
        store.create_run(RunSpec(id="taken-id", name="x", code=""))
    assert [p.name for p in store.runs.iterdir()] == ["taken-id"]
    assert list(store.folders()) == [RunFolder(store.runs / "taken-id")]


def test_half_made_folders_are_no_runs(store: RunStore, new_run: Make) -> None:
    folder = new_run()
    (store.runs / ".new-something").mkdir()
    assert list(store.folders()) == [folder]


def test_writing_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"1")
    write_whole(tmp_path / "a", b"2")
    assert (tmp_path / "a").read_bytes() == b"2"
    assert write_once(tmp_path / "b", b"1")
    assert not write_once(tmp_path / "b", b"2")
    assert (tmp_path / "b").read_bytes() == b"1"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]
