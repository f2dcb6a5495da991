"""What is not committed is kept as a commit, in real repositories of every kind; what is the user's there stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.errors import HistoryError
from mlwidgets.history.git import keeping
from mlwidgets.history.git.choosing import LARGEST_FILE
from mlwidgets.history.git.remotes import remote_of, without_credentials
from mlwidgets.history.git.repository import Repository, run_git
from mlwidgets.history.git.worktree import State, find, look
from mlwidgets.runs.uncommitted import parts_of
from tests.histories import (
    NOBODY,
    REPOSITORIES,
    _begin,
    commit,
    git,
    git_dir,
    given_to,
    in_a_child,
    save,
    shared_folder,
    untouched,
)

ME = ("-c", "user.name=Me", "-c", "user.email=me@x")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No user name and no settings but those of the test."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def _merging(base: Path) -> Path:
    path = _begin(base / "top")
    top = base / "top"
    for branch, text in (("theirs", "b\n"), ("main", "a\n")):
        git(top, "checkout", "--quiet", *(("-b",) if branch == "theirs" else ()), branch)
        (top / "both.py").write_text(text)
        commit(top)
    git(top, *ME, "merge", "theirs", check=False)
    assert (top / ".git" / "MERGE_HEAD").exists()
    return path


def _staged(base: Path) -> Path:
    path = _begin(base / "top")
    top = base / "top"
    for name in ("staged.py", "staged and edited.py", "staged and gone.py", "promised.py"):
        (top / name).write_text("1\n")
    git(top, "add", "staged.py", "staged and edited.py", "staged and gone.py")
    git(top, "add", "--intent-to-add", "promised.py")
    (top / "staged and edited.py").write_text("2\n")
    (top / "staged and gone.py").unlink()
    return path


def _submodules(base: Path) -> Path:
    _begin(base / "inner")
    path = _begin(base / "top")
    for name in ("moved", "edited"):
        git(base / "top", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(base / "inner"), name)
    commit(base / "top")
    (base / "top" / "moved" / "new.py").write_text("x = 1\n")
    commit(base / "top" / "moved")
    (base / "top" / "edited" / "new.py").write_text("x = 1\n")
    return path


def _sparse(base: Path) -> Path:
    path = _begin(base / "top")
    (base / "top" / "elsewhere").mkdir()
    (base / "top" / "elsewhere" / "a.py").write_text("1\n")
    commit(base / "top")
    git(base / "top", "sparse-checkout", "set", "--cone", "--sparse-index", path.parent.name)
    assert not (base / "top" / "elsewhere").exists()
    return path


def _split(base: Path) -> Path:
    path = _begin(base / "top")
    git(base / "top", "config", "splitIndex.maxPercentChange", "0")
    git(base / "top", "update-index", "--split-index", "--untracked-cache")
    return path


def _unborn(base: Path) -> Path:
    (base / "top").mkdir()
    git(base / "top", "init", "--quiet")
    save(base / "top" / "folder" / "new.ipynb", "x")
    return base / "top" / "folder" / "new.ipynb"


def _odd(base: Path) -> Path:
    """Files that became folders and the other way round, links, modes, names that git quotes, repositories inside."""
    path = _begin(base / "top")
    top = base / "top"
    for name in ("file", "folder/a", "folder/b", "target", "tool.sh"):
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text("1\n")
    commit(top)
    (top / "file").unlink()
    (top / "file").mkdir()
    (top / "file" / "inside").write_text("2\n")
    shutil.rmtree(top / "folder")
    (top / "folder").symlink_to("target")
    (top / "tool.sh").chmod(0o755)
    (top / 'new\nline "q" é\t').write_text("3\n")
    (top / "nowhere").symlink_to("is not there")
    (top / ".gitignore").write_text("ignored*\n")
    (top / "ignored.bin").write_text("not kept\n")
    os.mkfifo(top / "pipe")
    (top / "nested").mkdir()
    git(top / "nested", "init", "--quiet")
    (top / "nested" / "x").write_text("its own\n")
    return path


KINDS: dict[str, Callable[[Path], Path]] = {
    **REPOSITORIES,
    "merging": _merging,
    "staged": _staged,
    "submodules": _submodules,
    "sparse": _sparse,
    "split index": _split,
    "unborn": _unborn,
    "odd files": _odd,
}


def state_of(path: Path) -> State:
    repository = find(path.parent)
    assert repository is not None
    return look(repository)


def edit(path: Path) -> None:
    save(path, "edited", "twice")
    (path.parent / "new file.py").write_text("new = True\n")
    (path.parent / "data.bin").write_bytes(bytes(range(256)) * 40)


def added_by_git(path: Path, scratch: Path) -> str:
    """Return the tree that the user's own ``git add --all`` makes, in a copy of everything."""
    top = Path(git(path.parent, "rev-parse", "--show-toplevel").strip())
    index = scratch / "index"
    own = Path(git(path.parent, "rev-parse", "--absolute-git-dir").strip()) / "index"
    if own.exists():
        shutil.copy2(own, index)
    environment = {**os.environ, "GIT_INDEX_FILE": str(index)}
    for command in (("add", "--all", "--sparse", "--", ".", ":!nested"), ("write-tree",)):
        quiet = ("-c", "core.fsmonitor=false", "-c", "core.splitIndex=false")
        done = subprocess.run(
            ("git", *quiet, *command), cwd=top, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_committed_is_a_commit_and_nothing_of_the_users_is_touched(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path)
    edit(path)
    if kind == "bare":
        assert find(path.parent) is None
        return
    before = untouched(path)
    times = {name: (git_dir(path) / name).stat().st_mtime_ns for name in ("HEAD", "config")}
    state = state_of(path)
    again = state_of(path)
    repository = find(path.parent)
    assert repository is not None
    assert state.kept is not None
    keeping.keep(repository, tmp_path / ".mlwidgets-store", state.kept)
    assert untouched(path) == before
    assert {name: (git_dir(path) / name).stat().st_mtime_ns for name in times} == times
    assert not (tmp_path / "hooks-that-ran").exists()
    assert state.problem is None
    assert (again.kept, again.patch) == (state.kept, state.patch)

    name = path.relative_to(repository.top or "").as_posix()
    assert {name, (path.parent / "new file.py").relative_to(repository.top or "").as_posix()} <= set(state.files)
    assert git(path.parent, "rev-parse", f"{state.kept}^{{tree}}").strip() == added_by_git(path, tmp_path)
    parents = git(path.parent, "log", "-1", "--no-show-signature", "--format=%P", state.kept).split()
    assert parents == ([] if state.commit is None else [state.commit])

    path.write_text("other")
    assert state_of(path).kept != state.kept


@pytest.mark.parametrize("kind", ["SHA-1", "SHA-256", "unborn", "odd files", "staged", "blanks and unicode"])
def test_the_patch_alone_brings_it_back(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path)
    edit(path)
    state = state_of(path)
    assert state.patch is not None
    top = Path(git(path.parent, "rev-parse", "--show-toplevel").strip())
    clean = tmp_path / "elsewhere"
    if state.commit is None:
        clean.mkdir()
        git(clean, "init", "--quiet")
    else:
        git(tmp_path, "clone", "--quiet", str(top), str(clean))
    done = subprocess.run(("git", "apply", "--index"), cwd=clean, input=state.patch, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert git(clean, "write-tree") == git(top, "rev-parse", f"{state.kept}^{{tree}}")
    quoted = {name.replace("\n", "\\n").replace('"', '\\"').replace("\t", "\\t") for name in state.files}
    assert set(parts_of(state.patch)) <= quoted | {*state.files}


def test_a_clean_work_tree_is_its_commit(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    for folder in (".ipynb_checkpoints", "__pycache__"):
        (path.parent / folder).mkdir()
        (path.parent / folder / "copy").write_text("what a tool writes by itself")
    state = state_of(path)
    assert (state.kept, state.patch, state.files, state.branch) == (None, None, [], "main")
    assert state.commit == git(path.parent, "rev-parse", "HEAD").strip()
    git(path.parent, "checkout", "--quiet", "--detach")
    assert state_of(path).branch is None


def test_what_was_changed_in_the_same_instant_is_seen(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    top = tmp_path / "top"
    (top / "a.py").write_text("1\n")
    commit(top)
    at = (top / "a.py").stat()
    (top / "a.py").write_text("2\n")
    # As if both writes and the index were of one tick of the clock: only the index's own time tells them apart.
    os.utime(top / "a.py", ns=(at.st_atime_ns, at.st_mtime_ns))
    os.utime(top / ".git" / "index", ns=(at.st_atime_ns, at.st_mtime_ns))
    git(top, "config", "core.trustctime", "false")
    time.sleep(0.02)
    assert state_of(path).files == ["a.py"]


def test_what_is_large_private_or_unreadable_is_left_out_and_named(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    top = tmp_path / "top"
    (top / "large.bin").write_bytes(b"\0" * (LARGEST_FILE + 1))
    (top / "almost.bin").write_bytes(b"\0" * LARGEST_FILE)
    for name in (".env", "id_ed25519", "server.pem", ".env.example", "prod.env", ".ssh/config", "staged.key", "a.py"):
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text("TOKEN=secret\n")
    git(top, "add", "--force", "staged.key")
    (top / "mine").mkdir()
    git(top / "mine", "init", "--quiet")
    before = untouched(path)
    state = state_of(path)
    assert untouched(path) == before
    private = [".env", ".ssh/config", "id_ed25519", "prod.env", "server.pem", "staged.key"]
    assert state.left_out == sorted([*private, "large.bin", "mine/"])
    kept = git(top, "diff-tree", "-r", "--name-only", "HEAD", str(state.kept)).split()
    assert kept == [".env.example", "a.py", "almost.bin"]
    assert state.patch is not None
    assert list(parts_of(state.patch)) == kept
    assert set(state.left_out) <= set(state.files)


def test_all_that_git_does_not_know_together_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlwidgets.history.git.choosing.LARGEST_NEW", 2500)
    path = REPOSITORIES["SHA-1"](tmp_path)
    for name in "abc":
        (tmp_path / "top" / name).write_bytes(b"\0" * 1000)
    state = state_of(path)
    assert (state.files, state.left_out) == (["a", "b", "c"], ["c"])


def test_of_very_many_new_files_those_are_kept_that_lie_with_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlwidgets.history.git.choosing.MOST_NEW", 10)
    path = REPOSITORIES["SHA-1"](tmp_path)
    top = tmp_path / "top"
    (top / "a dataset").mkdir()
    for number in range(300):
        (top / "a dataset" / f"{number:03}.txt").write_text(f"{number}\n")
    (top / "package").mkdir()
    for name in ("package/a.py", "package/b.py", "train.py"):
        (top / name).write_text("x = 1\n")
    before = git(top, "count-objects")
    state = state_of(path)
    kept = git(top, "diff-tree", "-r", "-z", "--name-only", "HEAD", str(state.kept)).split("\0")[:-1]
    assert len(kept) == 10
    assert {"package/a.py", "package/b.py", "train.py"} < set(kept)
    told = state.to_json()
    assert (len(told["left_out"]), told["more_left_out"]) == (200, 93)
    assert int(git(top, "count-objects").split()[0]) - int(before.split()[0]) < 20


def test_of_a_home_folder_that_is_a_repository_only_what_git_knows_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    top = tmp_path / "top"
    (top / "known.py").write_text("x = 1\n")
    commit(top)
    (top / "known.py").write_text("x = 2\n")
    (top / "letters.txt").write_text("private\n")
    monkeypatch.setenv("HOME", str(top / "folder"))
    state = state_of(path)
    assert state.files == ["known.py"]
    assert "holds a whole home folder" in str(state.problem)
    assert b"private" not in (state.patch or b"")


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
def test_a_repository_that_cannot_be_written_gives_the_patch(tmp_path: Path) -> None:
    with shared_folder() as base:
        path = _begin(base / "top")
        edit(path)
        before = untouched(path)
        git(base, "config", "--file", str(base / "settings"), "safe.directory", "*")
        (base / "settings").chmod(0o644)

        def work() -> None:
            os.environ["GIT_CONFIG_GLOBAL"] = str(base / "settings")
            state = state_of(path)
            assert state.kept is None
            assert state.problem is not None
            assert "cannot be written" in state.problem
            assert state.patch is not None
            assert b"+new = True" in state.patch

        in_a_child(work, user=NOBODY)
        assert untouched(path) == before


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
def test_a_repository_that_others_write_without_sharing_it_gives_the_patch(tmp_path: Path) -> None:
    with shared_folder() as base:
        path = _begin(base / "top")
        edit(path)
        given_to(base / "top", NOBODY)
        for number in range(256):
            folder = base / "top" / ".git" / "objects" / f"{number:02x}"
            folder.mkdir(exist_ok=True)
            os.chown(folder, 0, 0)

        def work() -> None:
            os.environ["HOME"] = str(base)
            state = state_of(path)
            assert (state.kept, state.left_out) == (None, [])
            assert "cannot be written" in str(state.problem)
            assert b"+new = True" in (state.patch or b"")

        in_a_child(work, user=NOBODY)


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
def test_files_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    with shared_folder() as base:
        path = _begin(base / "top")
        edit(path)
        (path.parent / "shut.py").write_text("1\n")
        given_to(base / "top", NOBODY)
        os.chown(path.parent / "shut.py", 0, 0)
        (path.parent / "shut.py").chmod(0o600)

        def work() -> None:
            os.environ["HOME"] = str(base)
            state = state_of(path)
            assert state.kept is not None
            assert state.problem is None
            assert state.left_out == [f"{path.parent.name}/shut.py"]

        in_a_child(work, user=NOBODY)


def test_a_filter_that_fails_costs_its_files_and_nothing_else(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    top = tmp_path / "top"
    git(top, "config", "filter.lost.clean", "false")
    git(top, "config", "filter.lost.required", "true")
    (top / ".gitattributes").write_text("*.dat filter=lost\n")
    for name in ("a.dat", "b.dat", "a.py", "b.py"):
        (top / name).write_text("1\n")
    before = untouched(path)
    state = state_of(path)
    assert untouched(path) == before
    assert state.left_out == ["a.dat", "b.dat"]
    assert "filter" in str(state.problem)
    assert git(top, "diff-tree", "-r", "--name-only", "HEAD", str(state.kept)).split() == [
        ".gitattributes",
        "a.py",
        "b.py",
    ]


def test_a_work_tree_that_cannot_be_looked_through_has_a_commit_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    edit(path)
    repository = find(path.parent)
    assert repository is not None
    git_status = run_git

    def slow(*arguments: str, **options: Any) -> Any:
        if "status" in arguments:
            raise HistoryError("git did not answer within 60 s; is the file system well?")
        return git_status(*arguments, **options)

    monkeypatch.setattr("mlwidgets.history.git.worktree.run_git", slow)
    state = look(repository)
    assert (state.commit, state.branch) == (git(path.parent, "rev-parse", "HEAD").strip(), "main")
    assert state.kept is None
    assert "did not answer" in str(state.problem)


def test_without_room_for_a_copy_of_the_index_there_is_a_commit_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    edit(path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "is not there"))
    state = state_of(path)
    assert (state.branch, state.kept) == ("main", None)
    assert state.commit is not None
    assert "is not there" in str(state.problem)


def test_the_users_own_git_is_not_in_the_way_nor_hindered(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    top = tmp_path / "top"
    for number in range(100):
        (top / f"f{number}.py").write_text("1\n")
    commit(top)
    repository = find(top)
    assert repository is not None
    states: list[State] = []
    done = threading.Event()
    wrong: list[BaseException] = []

    def look_on() -> None:
        try:
            while not done.is_set():
                states.append(look(repository))
                if states[-1].kept is not None:
                    keeping.keep(repository, tmp_path, states[-1].kept)
                keeping.release(repository, tmp_path, lambda: ())
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=look_on)
    thread.start()
    try:
        for number in range(8):
            for file in range(20):
                (top / f"f{file}.py").write_text(f"{number}\n")
            path.write_text(f"{number}")
            # Each of them fails where it finds a lock.
            for command in (("add", "--all"), ("commit", "--quiet", "-m", "x"), ("checkout", "--quiet", "HEAD~1")):
                git(top, *ME, *command)
            git(top, "checkout", "--quiet", "main")
            git(top, "pack-refs", "--all")
    finally:
        done.set()
        thread.join()
    assert wrong == []
    assert states
    # A file may be gone between two looks at it.
    assert [state.problem for state in states if state.problem and "was not kept" not in state.problem] == []
    git(top, "fsck", "--strict")


def test_refs_keep_it_from_the_collector_for_as_long_as_they_are_needed(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    repository = find(path.parent)
    assert repository is not None
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    kept: list[str] = []
    for text in "ab":
        (path.parent / "a.py").write_text(text)
        state = look(repository)
        assert state.kept is not None
        kept.append(state.kept)
        keeping.keep(repository, one, state.kept)
    keeping.keep(repository, other, kept[0])
    git(path.parent, "gc", "--quiet", "--prune=now")
    assert [git(path.parent, "cat-file", "-t", commit).strip() for commit in kept] == ["commit", "commit"]
    assert keeping.kept(repository, one) == set(kept)
    assert [one.common for one in keeping.repositories(one)] == [repository.common]

    assert keeping.release(repository, one, lambda: {kept[1]}) == 1
    assert keeping.release(repository, one, lambda: {kept[1]}) == 0
    assert keeping.release(repository, other, lambda: ()) == 1
    git(path.parent, "gc", "--quiet", "--prune=now")
    assert git(path.parent, "cat-file", "-t", kept[1]).strip() == "commit"
    assert git(path.parent, "cat-file", "-t", kept[0], check=False) == ""
    git(path.parent, "fsck", "--strict")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:token@example.org/x/y.git?private=token", "https://example.org/x/y.git"),
        ("https://token@example.org:8443/x", "https://example.org:8443/x"),
        ("ssh://git:secret@example.org:22/x", "ssh://git@example.org:22/x"),
        ("git@example.org:x/y.git", "git@example.org:x/y.git"),
        ("https://me:se/cret@example.org:port/x", "https://example.org:port/x"),
        ("/a/folder", "/a/folder"),
        ("../beside", "../beside"),
    ],
)
def test_where_it_is_published_without_what_opens_it(url: str, shown: str, tmp_path: Path) -> None:
    assert without_credentials(url) == shown
    path = REPOSITORIES["SHA-1"](tmp_path)
    git(path.parent, "config", "remote.Upstream.url", "https://example.org/upstream")
    git(path.parent, "config", "remote.origin.url", url)
    assert remote_of(Repository.find(path.parent)) == shown  # type: ignore[arg-type]


def test_a_patch_that_would_be_too_large_is_without_what_makes_it_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlwidgets.history.git.worktree.LARGEST_PATCH", 20_000)
    path = REPOSITORIES["SHA-1"](tmp_path)
    top = tmp_path / "top"
    for name, size in (("b.bin", 1000), ("noise.bin", 100_000), ("z.bin", 50_000)):
        (top / name).write_bytes(os.urandom(size))
    (top / "a.py").write_text("x = 1\n")
    state = state_of(path)
    assert state.kept is not None
    assert state.patch is not None
    assert list(parts_of(state.patch)) == ["a.py", "b.bin"]
    assert state.problem == "the patch, which would be too large, is without noise.bin, z.bin"
    git(tmp_path, "clone", "--quiet", str(top), "clean")
    done = subprocess.run(("git", "apply"), cwd=tmp_path / "clean", input=state.patch, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "clean" / "b.bin").read_bytes() == (top / "b.bin").read_bytes()


def test_both_halves_of_a_file_that_became_a_link_are_in_its_part(tmp_path: Path) -> None:
    path = REPOSITORIES["SHA-1"](tmp_path)
    top = tmp_path / "top"
    (top / "a.py").write_text("was\n")
    commit(top)
    (top / "a.py").unlink()
    (top / "a.py").symlink_to("elsewhere")
    state = state_of(path)
    assert state.patch is not None
    assert parts_of(state.patch) == {"a.py": state.patch}
