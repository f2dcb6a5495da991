"""What tests of histories share: notebooks in repositories of every kind, and what must stay as it is in them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from mlwidgets.history.notebooks.notebook import Cell, Notebook, encode, load_notebook, to_json
from mlwidgets.history.snapshots import History, Snapshot

NOBODY = 65534
NAME = "My notebook é 中.ipynb"


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    """Run git as a user does, who has no name here; ``me`` is one for commits."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def commit(folder: Path, message: str = "a commit") -> None:
    """Commit all there is."""
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=Me", "-c", "user.email=me@x", "commit", "--quiet", "--no-verify", "-m", message)


def notebook(*sources: str) -> Notebook:
    """Return a notebook of code cells."""
    return Notebook(tuple(Cell(f"c{n}", "code", source) for n, source in enumerate(sources)))


def save(path: Path, *sources: str) -> Notebook:
    """Write a notebook's file, and return what is in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(to_json(notebook(*sources))))
    return load_notebook(path)


def keep(path: Path, *sources: str) -> Snapshot | None:
    """Save as Jupyter does, with a snapshot."""
    return History(path).take("save", save(path, *sources))


def sources(history: History) -> list[tuple[str, ...]]:
    """Return the sources of all snapshots, newest first."""
    return [tuple(cell.source for cell in history.read(one).cells) for one in history.snapshots()]


def _begin(top: Path, *options: str) -> Path:
    top.mkdir(parents=True, exist_ok=True)
    git(top, "init", "--quiet", "--initial-branch=main", *options)
    path = top / "folder with blanks" / NAME
    save(path, "committed")
    commit(top)
    return path


def _linked(base: Path) -> Path:
    path = _begin(base / "main")
    git(base / "main", "worktree", "add", "--quiet", "-b", "other", str(base / "linked tree"))
    return base / "linked tree" / path.relative_to(base / "main")


def _submodule(base: Path) -> Path:
    path = _begin(base / "inner")
    _begin(base / "outer")
    git(base / "outer", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(base / "inner"), "sub")
    commit(base / "outer")
    return base / "outer" / "sub" / path.relative_to(base / "inner")


def _bare(base: Path) -> Path:
    git(base, "init", "--quiet", "--bare", "bare.git")
    save(base / "bare.git" / "inside" / NAME, "committed")
    return base / "bare.git" / "inside" / NAME


def _shallow(base: Path) -> Path:
    path = _begin(base / "origin")
    save(path, "twice")
    commit(base / "origin")
    git(base, "clone", "--quiet", "--depth=1", f"file://{base}/origin", "shallow")
    return base / "shallow" / path.relative_to(base / "origin")


def _rebasing(base: Path) -> Path:
    path = _begin(base / "top")
    git(base / "top", "checkout", "--quiet", "-b", "theirs")
    save(path, "theirs")
    commit(base / "top")
    git(base / "top", "checkout", "--quiet", "main")
    save(path, "ours")
    commit(base / "top")
    git(base / "top", "-c", "user.name=Me", "-c", "user.email=me@x", "rebase", "theirs", check=False)
    assert (base / "top" / ".git" / "rebase-merge").is_dir()
    return path


def _hooks(base: Path) -> Path:
    path = _begin(base / "top")
    for name in ("pre-commit", "post-commit", "reference-transaction", "post-update", "pre-auto-gc", "update"):
        hook = base / "top" / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} >> '{base}/hooks-that-ran'\nexit 1\n")
        hook.chmod(0o755)
    return path


def _configured(base: Path) -> Path:
    """A repository whose settings ask for what must not happen, or change how git speaks."""
    path = _begin(base / "top")
    for key, value in {
        "commit.gpgsign": "true",
        "gpg.program": "/bin/false",
        "core.logAllRefUpdates": "always",
        "core.sharedRepository": "group",
        "log.showSignature": "true",
        "color.ui": "always",
        "core.fsmonitor": "/bin/false",
        "i18n.logOutputEncoding": "latin1",
        "core.abbrev": "12",
        "transfer.fsckObjects": "true",
        "core.quotePath": "true",
    }.items():
        git(base / "top", "config", key, value)
    return path


def _packed(base: Path) -> Path:
    path = _begin(base / "top")
    for n in range(3):
        git(base / "top", "tag", f"v{n}")
    git(base / "top", "pack-refs", "--all")
    git(base / "top", "gc", "--quiet")
    return path


def _locked(base: Path) -> Path:
    path = _begin(base / "top")
    for name in ("index.lock", "HEAD.lock", "config.lock", "refs/heads/main.lock"):
        (base / "top" / ".git" / name).touch()
    return path


def _stashed(base: Path) -> Path:
    path = _begin(base / "top")
    save(path, "stashed")
    git(base / "top", "-c", "user.name=Me", "-c", "user.email=me@x", "stash")
    save(path, "staged")
    git(base / "top", "add", "--all")
    save(path, "neither")
    return path


REPOSITORIES: dict[str, Callable[[Path], Path]] = {
    "SHA-1": lambda base: _begin(base / "top"),
    "SHA-256": lambda base: _begin(base / "top", "--object-format=sha256"),
    "blanks and unicode": lambda base: _begin(base / "a b" / "é 中 'q' \"q\" $x"),
    "separate git directory": lambda base: _begin(base / "top", f"--separate-git-dir={base}/else where"),
    "linked work tree": _linked,
    "submodule": _submodule,
    "bare": _bare,
    "shallow": _shallow,
    "rebasing": _rebasing,
    "failing hooks": _hooks,
    "strange settings": _configured,
    "packed refs": _packed,
    "locked": _locked,
    "stashed and staged": _stashed,
}
"""How a repository comes to be with a notebook in it, by kind."""


def git_dir(path: Path) -> Path:
    """Return the folder with all that is a repository's own."""
    told = git(path.parent, "rev-parse", "--git-common-dir").strip()
    return (path.parent / told).resolve()


def _files(top: Path) -> dict[str, bytes]:
    return {str(path.relative_to(top)): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()}


def untouched(path: Path) -> dict[str, bytes]:
    """Return all that is the user's: every file of the repository but objects and our refs, and the work tree."""
    common = git_dir(path)
    mine = {name: data for name, data in _files(common).items() if not name.startswith(("objects/", "refs/mlwidgets/"))}
    beside = {f"beside/{name}": data for name, data in _files(path.parent).items() if name != path.name}
    refs = git(path.parent, "for-each-ref")
    refs = "".join(line for line in refs.splitlines(keepends=True) if "refs/mlwidgets/" not in line)
    return {**mine, **beside, "for-each-ref": refs.encode()}


def in_a_child(work: Callable[[], None], *, user: int | None = None) -> None:
    """Do something in a forked process, as another user where one is given; fail if it fails there."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if user is not None:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            work()
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@contextlib.contextmanager
def shared_folder() -> Iterator[Path]:
    """Give a folder that other users can read; those of pytest they cannot."""
    with tempfile.TemporaryDirectory(prefix="mlw-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def given_to(folder: Path, user: int) -> None:
    """Make a folder with all that is in it somebody's."""
    shutil.chown(folder, user, user)
    for path in folder.rglob("*"):
        os.chown(path, user, user, follow_symlinks=False)
