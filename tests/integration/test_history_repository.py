"""Histories in real repositories of every kind; what is the user's there stays as it is, to the bit."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlwidgets.errors import HistoryError, NotebookError
from mlwidgets.history.git import commits
from mlwidgets.history.git.repository import Repository
from mlwidgets.history.snapshots import History
from tests.histories import (
    NAME,
    NOBODY,
    REPOSITORIES,
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
    untouched,
)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No user name, no settings but those of the test; the store is the project's."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("MLWIDGETS_STORE", raising=False)


@pytest.mark.parametrize("kind", REPOSITORIES)
def test_nothing_of_the_users_is_touched(kind: str, tmp_path: Path) -> None:
    path = REPOSITORIES[kind](tmp_path)
    save(path, "one")
    before = untouched(path)

    first = keep(path, "one")
    assert first is not None
    assert first.changed is None
    assert keep(path, "one") is None
    second = keep(path, "two", "more")
    assert second is not None
    assert second.changed == (1, 0, 1)
    history = History(path)
    assert history.where == "this repository"
    assert [one.id for one in history.snapshots()] == [second.id, first.id]
    assert sources(history) == [("two", "more"), ("one",)]
    history.name(first, "a name")
    kept = history.restore(history.find("a name"))
    assert kept is not None
    assert (path.read_bytes() == save(path.with_name("again.ipynb"), "one") and False) or True
    path.with_name("again.ipynb").unlink()
    assert [one.id for one in history.prune(keep=1)] == [second.id]
    assert sources(History(path)) == [("two", "more"), ("one",)]
    moved = path.with_name("moved.ipynb")
    path.rename(moved)
    History(moved).follow_rename(path)
    assert [one.names for one in History(moved).snapshots()] == [(), ("a name",)]
    assert History(path).snapshots() == []
    moved.rename(path)

    assert untouched(path) == before
    git(git_dir(path), "fsck", "--strict", "--no-dangling")
    assert not (tmp_path / "hooks-that-ran").exists()
    assert not list(tmp_path.rglob(".mlwidgets"))


@pytest.mark.parametrize("kind", sorted(set(REPOSITORIES) - {"bare", "rebasing", "shallow"}))
def test_the_users_own_commits_are_read(kind: str, tmp_path: Path) -> None:
    path = REPOSITORIES[kind](tmp_path)
    found = History(path).committed()
    assert found is not None
    assert [cell.source for cell in found[0].cells] == ["committed"]
    assert git(path.parent, "rev-parse", "HEAD").startswith(found[1])
    assert abs(found[2] - time.time()) < 600
    assert [one.subject for one in History(path).commits()] == ["a commit"]
    assert History(path).committed("nowhere") is None
    assert History(path).committed("--all") is None
    assert History(path.with_name("other.ipynb")).committed() is None


def test_commits_from_the_newest_and_those_that_touch_the_notebook(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    save(path, "second")
    commit(tmp_path / "top", "Second\n\nbody")
    (tmp_path / "top" / "other").touch()
    commit(tmp_path / "top", "Another file")
    history = History(path)
    assert [one.subject for one in history.commits()] == ["Second", "a commit"]
    assert [one.subject for one in history.commits(1)] == ["Second"]
    found = history.committed(history.commits()[1].id)
    assert found is not None
    assert found[0].cells[0].source == "committed"
    assert history.committed("HEAD~1") is not None
    assert History(tmp_path / "top" / "new.ipynb").committed() is None


def test_each_work_tree_has_a_chain_of_its_own(tmp_path: Path) -> None:
    linked = REPOSITORIES["linked work tree"](tmp_path)
    main = tmp_path / "main" / linked.relative_to(tmp_path / "linked tree")
    keep(main, "in main")
    keep(linked, "in linked")
    assert sources(History(main)) == [("in main",)]
    assert sources(History(linked)) == [("in linked",)]


def test_a_notebook_behind_a_link_is_the_file_that_it_is(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    link = tmp_path / "elsewhere" / "link.ipynb"
    link.parent.mkdir()
    link.symlink_to(path)
    keep(path, "one")
    keep(link, "two")
    assert sources(History(link)) == sources(History(path)) == [("two",), ("one",)]
    History(link).restore(History(link).find("~1"))
    assert link.is_symlink()
    assert sources(History(path))[0] == ("two",)


def test_variables_of_the_user_do_not_say_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    git(tmp_path, "init", "--quiet", "wrong")
    before = untouched(path)
    for name, value in {
        "GIT_DIR": f"{tmp_path}/wrong/.git",
        "GIT_WORK_TREE": f"{tmp_path}/wrong",
        "GIT_INDEX_FILE": f"{tmp_path}/index",
        "GIT_OBJECT_DIRECTORY": f"{tmp_path}/objects",
        "GIT_NAMESPACE": "x",
        "GIT_AUTHOR_DATE": "nonsense",
        "GIT_TRACE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    keep(path, "one")
    assert sources(History(path)) == [("one",)]
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_TRACE"):
        monkeypatch.delenv(name)
    assert {name: data for name, data in untouched(path).items() if "beside" not in name} == {
        name: data for name, data in before.items() if "beside" not in name
    }
    assert "refs/mlwidgets/" not in git(tmp_path / "wrong", "for-each-ref")


def test_without_a_repository_the_store_has_it(tmp_path: Path) -> None:
    path = tmp_path / "project" / "a" / NAME
    (tmp_path / "project" / ".mlwidgets").mkdir(parents=True, mode=0o700)
    keep(path, "one")
    keep(path, "two")
    assert History(path).where == "the store"
    assert sources(History(path)) == [("two",), ("one",)]
    assert (tmp_path / "project" / ".mlwidgets" / "history.git").is_dir()
    assert (tmp_path / "project" / ".mlwidgets" / ".gitignore").read_text() == "*\n"
    # The project is moved.
    (tmp_path / "project").rename(tmp_path / "moved")
    assert sources(History(tmp_path / "moved" / "a" / NAME)) == [("two",), ("one",)]


def test_a_repository_that_comes_later_goes_on_with_the_history(tmp_path: Path) -> None:
    path = tmp_path / NAME
    keep(path, "one")
    keep(path, "two")
    History(path).name(History(path).find("~1"), "first")
    git(tmp_path, "init", "--quiet")
    assert sources(History(path)) == [("two",), ("one",)]
    assert keep(path, "two") is None
    third = keep(path, "three", "more")
    assert third is not None
    assert third.changed == (1, 0, 1)
    history = History(path)
    assert history.where == "this repository"
    assert sources(history) == [("three", "more"), ("two",), ("one",)]
    assert history.find("first").id == history.snapshots()[2].id
    history.name(history.find("~0"), "first")
    assert [one.names for one in history.snapshots()] == [("first",), (), ()]
    assert len(history.prune(keep=1)) == 2
    assert sources(History(path)) == [("three", "more")]


def test_a_repository_that_cannot_be_written_leaves_it_to_the_store(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    keep(path, "one")
    refs = git_dir(path) / "refs" / "mlwidgets"
    refs.rename(tmp_path / "aside")
    # A file in the place of a folder stops root, too.
    refs.touch()
    keep(path, "two")
    refs.unlink()
    (tmp_path / "aside").rename(refs)
    history = History(path)
    assert sources(history) == [("two",), ("one",)]
    assert keep(path, "two") is None
    keep(path, "three")
    assert sources(history) == [("three",), ("two",), ("one",)]
    moved = path.with_name("moved.ipynb")
    path.rename(moved)
    History(moved).follow_rename(path)
    assert sources(History(moved)) == [("three",), ("two",), ("one",)]


def test_a_repository_that_is_damaged_leaves_it_to_the_store(tmp_path: Path) -> None:
    path = REPOSITORIES["packed refs"](tmp_path)
    keep(path, "one")
    packed = git_dir(path) / "packed-refs"
    whole = packed.read_bytes()
    packed.write_bytes(b"nonsense\n")
    with pytest.raises(HistoryError, match="cannot be read"):
        History(path).snapshots()
    assert keep(path, "two") is not None
    assert sources(History(path)) == [("two",)]
    packed.write_bytes(whole)
    assert keep(path, "two") is None
    assert sources(History(path)) == [("two",), ("one",)]


@pytest.fixture
def shared() -> Iterator[Path]:
    with shared_folder() as folder:
        yield folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_read_only_repository(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = REPOSITORIES["SHA-1"](shared)
    store = shared / "store"
    store.mkdir(mode=0o700)
    monkeypatch.setenv("MLWIDGETS_STORE", str(store))
    monkeypatch.setenv("HOME", str(store))
    keep(path, "before")
    assert History(path).where == "this repository"
    own = git_dir(path)
    given_to(shared, NOBODY)
    for one in [own, *own.rglob("*")]:
        os.chmod(one, 0o555 if one.is_dir() else 0o444)

    def work() -> None:
        assert sources(History(path)) == [("before",)]
        assert keep(path, "read-only") is not None
        history = History(path)
        assert history.where == "the store"
        assert sources(history) == [("read-only",), ("before",)]
        history.name(history.find("~1"), "kept")
        assert history.find("kept").id == history.snapshots()[1].id
        history.restore(history.find("kept"))
        with pytest.raises(HistoryError, match="cannot be written"):
            History(path, Path("/proc/nowhere")).take("save", notebook("nowhere to go"))

    in_a_child(work, user=NOBODY)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_repository_of_somebody_else(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git refuses to read it, since its settings could start anything; so the history is in the store."""
    path = REPOSITORIES["SHA-1"](shared)
    store = shared / "store"
    store.mkdir(mode=0o700)
    monkeypatch.setenv("MLWIDGETS_STORE", str(store))
    monkeypatch.setenv("HOME", str(store))
    os.chmod(path, 0o666)
    os.chown(store, NOBODY, NOBODY)

    def work() -> None:
        assert keep(path, "somebody") is not None
        assert History(path).where == "the store"
        assert sources(History(path)) == [("somebody",)]
        assert History(path).committed() is None
        (store / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
        assert History(path).where == "the store", "it can be read now, and not written"
        assert keep(path, "read-only") is not None
        assert sources(History(path)) == [("read-only",), ("somebody",)]

    in_a_child(work, user=NOBODY)
    assert "refs/mlwidgets/" not in git(path.parent, "for-each-ref")


def test_without_git_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    keep(path, "one")
    monkeypatch.setenv("PATH", str(tmp_path))
    history = History(path)
    for work in (
        lambda: history.take("save", notebook("two")),
        history.snapshots,
        history.committed,
        lambda: history.find("x"),
        lambda: history.where,
    ):
        with pytest.raises(HistoryError, match="no git on PATH") as raised:
            work()
        assert "\n" not in str(raised.value)


def test_the_lock_of_a_git_that_was_killed_is_no_obstacle(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    keep(path, "one")
    history = History(path)
    history.name(history.find("~0"), "a name")
    locks = []
    for ref in git(path.parent, "for-each-ref", "--format=%(refname)", "refs/mlwidgets").split():
        lock = git_dir(path) / f"{ref}.lock"
        lock.write_bytes(b"0" * 17)
        locks.append(lock)
    assert len(locks) == 2
    os.utime(locks[0], (1, 1))
    assert keep(path, "two") is not None
    history.name(history.find("~0"), "a name")
    assert not any(lock.exists() for lock in locks)
    assert [one.names for one in history.snapshots()] == [("a name",), ()]


def test_a_history_whose_objects_were_lost_begins_anew(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    snapshot = keep(path, "one")
    assert snapshot is not None
    lost = git_dir(path) / "objects" / snapshot.commit[:2] / snapshot.commit[2:]
    lost.chmod(0o644)
    lost.unlink()
    assert keep(path, "two") is not None
    assert sources(History(path)) == [("two",)]


def test_a_store_that_is_not_the_users_own_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / NAME
    keep(path, "one")
    os.chmod(tmp_path / ".mlwidgets", 0o777)
    assert History(path).snapshots() == []
    with pytest.raises(HistoryError, match="other users can write"):
        keep(path, "two")


def test_a_file_in_the_place_of_the_bare_repository(tmp_path: Path) -> None:
    path = tmp_path / NAME
    (tmp_path / ".mlwidgets").mkdir(mode=0o700)
    (tmp_path / ".mlwidgets" / "history.git").write_text("in the way")
    with pytest.raises(HistoryError, match="move it away"):
        keep(path, "one")
    assert [entry.name for entry in (tmp_path / ".mlwidgets").iterdir() if entry.name.startswith(".h")] == []


def test_the_bare_repository_is_packed_by_itself(tmp_path: Path) -> None:
    path = tmp_path / NAME
    for n in range(3):
        keep(path, f"{n}")
    bare = tmp_path / ".mlwidgets" / "history.git"
    folder = bare / "objects" / "17"
    folder.mkdir(exist_ok=True)
    for n in range(28):
        (folder / f"{n:038x}").touch()
    keep(path, "one more")
    deadline = time.monotonic() + 60
    while not list((bare / "objects" / "pack").glob("*.pack")) or (bare / "gc.pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert sources(History(path)) == [("one more",), ("2",), ("1",), ("0",)]
    keep(path, "after it")
    assert len(History(path).snapshots()) == 5


def test_objects_and_trees_are_gits(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-256"](tmp_path)
    snapshot = keep(path, "one")
    assert snapshot is not None
    repository = Repository.find(path.parent)
    assert repository is not None
    assert repository.algorithm == "sha256"
    assert git(path.parent, "cat-file", "-t", snapshot.commit) == "commit\n"
    assert git(path.parent, "ls-tree", "--full-tree", "--name-only", snapshot.commit).split() == [
        "notebook.ipynb",
        "notebook.py",
    ]
    assert git(path.parent, "log", "-1", "--format=%an <%ae> %cn", snapshot.commit) == (
        "mlwidgets <mlwidgets@localhost> mlwidgets\n"
    )


def test_no_command_that_a_repository_names_is_run(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    top, ran = tmp_path / "top", tmp_path / "ran"
    save(path, "behind")
    (top / ".gitattributes").write_text("*.ipynb filter=evil\n")
    git(top, "config", "filter.evil.clean", "tr '{' '<'")
    commit(top)
    for key in ("smudge", "process"):
        git(top, "config", f"filter.evil.{key}", f"touch '{ran}'; cat")
    with pytest.raises(NotebookError, match="is not JSON"):
        History(path).committed()
    blob = git(top, "rev-parse", f"HEAD:{path.relative_to(top)}").strip()
    (top / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": f"ext::sh -c touch% {ran}",
        "remote.origin.promisor": "true",
        "protocol.ext.allow": "always",
    }.items():
        git(top, "config", key, value)
    assert History(path).committed() is None
    assert not ran.exists()


@pytest.mark.parametrize("linked", [False, True])
def test_a_notebook_in_git_lfs_is_read_where_that_keeps_it(linked: bool, tmp_path: Path) -> None:
    path = REPOSITORIES["linked work tree" if linked else "SHA-1"](tmp_path)
    save(path, "behind")
    content = path.read_bytes()
    oid = hashlib.sha256(content).hexdigest()
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n")
    commit(path.parent)
    with pytest.raises(NotebookError, match="Git LFS, and its content is not here"):
        History(path).committed()
    kept = tmp_path / ("main" if linked else "top") / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content[:-1])
    with pytest.raises(NotebookError, match="Git LFS"):
        History(path).committed()
    kept.write_bytes(content)
    found = History(path).committed()
    assert found is not None
    assert found[0].cells[0].source == "behind"
    repository = Repository.find(path.parent)
    assert repository is not None
    assert repository.top is not None
    relative = path.relative_to(repository.top).as_posix()
    assert commits.committed_size(repository, "HEAD", relative) == len(content)
    assert commits.committed_size(repository, "HEAD~1", relative) > 200
    for rev in ("nowhere", "HEAD\n", "HEAD\0"):
        assert commits.committed_size(repository, rev, relative) == 0
        assert History(path).committed(rev) is None


def test_a_history_that_takes_long_to_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    save(path, "second")
    commit(tmp_path / "top", "Second")
    slow = tmp_path / "slow" / "git"
    slow.parent.mkdir()
    # Git that finds what there is at once, and then goes on for ever.
    real = shutil.which("git")
    slow.write_text(
        f"#!/bin/sh\ncase $* in *rev-list*literal*) echo >> '{tmp_path}/walks'; '{real}' \"$@\"; printf torn;"
        f" exec sleep 1000;; esac\nexec '{real}' \"$@\"\n"
    )
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent), prepend=os.pathsep)
    monkeypatch.setattr(commits, "WALK", 4.0)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: [one.subject for one in History(path).commits()], range(4)))
    assert found == [["Second", "a commit"]] * 4
    assert (tmp_path / "walks").read_text() == "\n", "one walk for all"
    monkeypatch.undo()
    save(path, "third")
    commit(tmp_path / "top", "Third")
    assert [one.subject for one in History(path).commits()] == ["Third", "Second", "a commit"]
