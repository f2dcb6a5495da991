"""A work tree as it is, kept as a commit: what is not committed yet is there again when it is needed.

All of it is done with a copy of the index that is thrown away, so that branches, HEAD, the index, stashes, reflogs and
the work tree stay as they are, whatever the user is in the middle of. What is the same gives the same commit.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlwidgets.errors import HistoryError
from mlwidgets.history.git import objects
from mlwidgets.history.git.choosing import OF_TOOLS, is_private, readable, shown, size_of, small
from mlwidgets.history.git.repository import Answer, Repository, last_words, run_git
from mlwidgets.runs.uncommitted import parts_of

MOST_NAMED = 200
"""Changed files that are named."""
LARGEST_PATCH = 20_000_000
"""Bytes."""
_MESSAGE = "What was not committed when a run was submitted\n"
# No hook and no file system monitor runs, and nothing is written beside the copy of the index.
_QUIET = (
    *("-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false", "-c", "core.splitIndex=false"),
    *("-c", "core.safecrlf=false", "-c", "submodule.recurse=false", "-c", "core.quotePath=false"),
)


@dataclass
class State:
    """What a work tree was like.

    Attributes
    ----------
    commit, branch
        HEAD's; None where it has none.
    files
        Changed and new ones by their paths from the top, sorted.
    left_out
        Those of them that are not in `kept`: too large, too many, private by their names, unreadable, or repositories.
    kept
        Id of the commit that holds what is not committed; None where that is nothing.
    patch
        That, as ``git apply`` takes it.
    problem
        Why it could not be kept.
    """

    commit: str | None = None
    branch: str | None = None
    files: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    kept: str | None = None
    patch: bytes | None = None
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what ``environment.json`` says of it."""
        more, others = (max(0, len(paths) - MOST_NAMED) for paths in (self.files, self.left_out))
        told: dict[str, Any] = {
            "commit": self.commit,
            "branch": self.branch,
            "dirty": bool(self.files),
            "uncommitted": self.kept,
            "files": self.files[:MOST_NAMED],
            **({"more_files": more} if more else {}),
            "left_out": self.left_out[:MOST_NAMED],
            **({"more_left_out": others} if others else {}),
        }
        return told | ({} if self.problem is None else {"problem": self.problem})


class _Failed(Exception):
    """Git said no; the message is what it said."""


class _NotWritten(_Failed):
    """It has no place for objects."""


_NO_PLACE = re.compile("insufficient permission|unable to (write|create temporary file)|No space left|quota")


class _Look:
    """Git in a work tree, with an index of its own; objects go to the user's repository, or aside where they cannot."""

    def __init__(self, repository: Repository, top: Path, scratch: Path, *, aside: bool) -> None:
        self.repository, self.top = repository, top
        self.variables = {"GIT_INDEX_FILE": str(scratch / "index")}
        if aside:
            (scratch / "objects").mkdir()
            self.variables["GIT_OBJECT_DIRECTORY"] = str(scratch / "objects")
            quoted = str(repository.common / "objects").replace("\\", "\\\\").replace('"', '\\"')
            self.variables["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = f'"{quoted}"'
        with contextlib.suppress(FileNotFoundError), open(repository.git_dir / "index", "rb") as index:
            with open(scratch / "index", "wb") as copy:
                shutil.copyfileobj(index, copy, 1 << 20)
            # By its own times git knows which entries were written in the same instant as their files; the user's
            # git may have put another one in its place by now.
            told = os.fstat(index.fileno())
            os.utime(scratch / "index", ns=(told.st_atime_ns, told.st_mtime_ns))

    @property
    def aside(self) -> bool:
        """Whether objects go nowhere: the repository is not to be written."""
        return "GIT_OBJECT_DIRECTORY" in self.variables

    def git(self, *arguments: str, data: bytes = b"") -> Answer:
        return run_git(*_QUIET, *arguments, data=data, cwd=self.top, variables=self.variables)

    def ask(self, *arguments: str, data: bytes = b"") -> bytes:
        done = self.git(*arguments, data=data)
        if done.returncode:
            said = last_words(done)
            raise _NotWritten(said) if _NO_PLACE.search(said) else _Failed(said)
        return done.stdout


def look(repository: Repository) -> State:
    """Keep what is not committed in a work tree; return what it was like, and what was wrong."""
    if repository.top is None:
        return State()
    if os.access(repository.common / "objects", os.W_OK):
        state = State()
        with contextlib.suppress(_NotWritten):
            _look_through(repository, repository.top, state, aside=False)
            return state
    state = State()
    with contextlib.suppress(_NotWritten):
        _look_through(repository, repository.top, state, aside=True)
    if state.problem is None and state.files:
        state.problem = f"the repository {repository.common} cannot be written"
        state.problem += ": there is the patch alone" if state.patch is not None else ""
    return state


def _look_through(repository: Repository, top: Path, state: State, *, aside: bool) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="mlwidgets-", ignore_cleanup_errors=True) as scratch:
            git = _Look(repository, top, Path(scratch), aside=aside)
            changed, gone, new = _read_status(git, state)
            state.files = sorted({shown(path) for path in (*changed, *gone, *new)})
            if state.files:
                chosen = [*readable(top, changed, state.left_out), *small(top, new, state.left_out)]
                _keep(git, state, chosen, gone)
    except _NotWritten:
        raise
    except (_Failed, HistoryError, OSError) as error:
        state.problem = str(error)
    finally:
        state.left_out = sorted(set(state.left_out))
    if state.commit is None and state.problem is not None:
        with contextlib.suppress(HistoryError):
            _read_head(repository, state)


def _read_head(repository: Repository, state: State) -> None:
    """Read commit and branch alone, which are known at once where a work tree is too large to be looked through."""
    commit = repository.git("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    branch = repository.git("symbolic-ref", "--quiet", "--short", "HEAD")
    state.commit = commit.stdout.decode().strip() or None
    state.branch = shown(branch.stdout.rstrip(b"\n")) or None


def _read_status(git: _Look, state: State) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Return the changed files that git knows, those that are gone, and those that it does not know nor ignore."""
    # Of a repository as wide as the home folder hardly anything is the project's.
    home = os.path.expanduser("~")
    wide = os.path.isabs(home) and Path(os.path.realpath(home)).is_relative_to(git.top)
    if wide:
        state.problem = f"new files are not looked at: the repository {git.top} holds a whole home folder"
    asked = ("--porcelain=v2", "--branch", "-z", "--no-renames", f"--untracked-files={'no' if wide else 'all'}")
    changed: list[bytes] = []
    gone: list[bytes] = []
    new: list[bytes] = []
    for line in git.ask("status", *asked, "--ignore-submodules=none").split(b"\0"):
        kind, _, rest = line.partition(b" ")
        if kind == b"#":
            key, _, value = rest.partition(b" ")
            if key == b"branch.oid" and value != b"(initial)":
                state.commit = value.decode()
            elif key == b"branch.head" and value != b"(detached)":
                state.branch = shown(value)
        elif kind == b"?" and OF_TOOLS.isdisjoint(rest.split(b"/")):
            new.append(rest)
        elif kind in {b"1", b"u"}:
            fields = rest.split(b" ", 7 if kind == b"1" else 9)
            is_gone = fields[0] == b"D." or fields[0][1:] == b"D" or size_of(git.top, fields[-1]) is None
            if not is_gone and kind == b"1" and b"A" in fields[0] and is_private(fields[-1]):
                # Staged by mistake, perhaps: no commit of the user's has it yet.
                is_gone = True
                state.left_out.append(shown(fields[-1]))
            (gone if is_gone else changed).append(fields[-1])
            # What a submodule has not committed itself no tree of this repository can hold.
            if fields[1].startswith(b"S") and fields[1][2:4] != b"..":
                state.left_out.append(f"{shown(fields[-1])}/")
    return changed, gone, new


def _keep(git: _Look, state: State, chosen: Sequence[bytes], gone: Sequence[bytes]) -> None:
    repository = git.repository
    _stage(git, ("--force-remove",), gone, state)
    _stage(git, ("--add", "--remove", "--replace"), chosen, state)
    tree = git.ask("write-tree", "--missing-ok").decode().strip()
    before, time = objects.make("tree", b"", repository.algorithm).id, 0.0
    if state.commit is not None:
        told = git.ask("show", "--no-patch", "--no-show-signature", "--format=%T %ct", state.commit).decode().split()
        before, time = told[0], float(told[1])
    if tree == before:
        return
    parents = [] if state.commit is None else [state.commit]
    commit = objects.make_commit(tree, parents, time, _MESSAGE, repository.algorithm)
    if not git.aside:
        git.ask("hash-object", "-t", "commit", "-w", "--stdin", data=commit.data)
        state.kept = commit.id
    state.patch = _patch(git, before, tree, state)


def _stage(git: _Look, how: Sequence[str], paths: Sequence[bytes], state: State) -> None:
    """Take paths into the index; those are left out of which git can make nothing, as when a filter fails."""
    if not paths:
        return
    try:
        git.ask("update-index", *how, "-z", "--stdin", data=b"".join(path + b"\0" for path in paths))
    except _NotWritten:
        raise
    except _Failed as error:
        if len(paths) > 1:
            middle = len(paths) // 2
            _stage(git, how, paths[:middle], state)
            _stage(git, how, paths[middle:], state)
        else:
            state.left_out.append(shown(paths[0]))
            state.problem = f"{shown(paths[0])} was not kept: {error}"


def _patch(git: _Look, old: str, new: str, state: State) -> bytes:
    """Return a patch; where it would be too large, one without the files that make it so."""
    plain = ("diff-tree", "-r", "-p", "--full-index", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-color")
    as_it_is = ("--src-prefix=a/", "--dst-prefix=b/", "--ignore-submodules=none", "--binary")
    diff = git.ask(*plain, *as_it_is, old, new)
    if len(diff) <= LARGEST_PATCH:
        return diff
    parts = parts_of(diff)
    last, size, lost = [*parts][-1], len(diff), []
    for name in sorted(parts, key=lambda name: -len(parts[name])):
        if size <= LARGEST_PATCH:
            break
        size -= len(parts.pop(name)) + 1
        lost.append(name)
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    state.problem = f"the patch, which would be too large, is without {', '.join(lost[:3])}{more}"
    return b"\n".join(parts.values()) + (b"" if last in parts or not parts else b"\n")


def find(folder: Path) -> Repository | None:
    """Return the repository whose work tree a folder lies in."""
    with contextlib.suppress(HistoryError):
        found = Repository.find(folder)
        if found is not None and found.top is not None:
            return found
    return None
