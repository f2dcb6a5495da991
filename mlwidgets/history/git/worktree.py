"""A work tree as it is, kept as a commit: what is not committed yet is there again when it is needed.

All of it is done with a copy of the index that is thrown away, so that branches, HEAD, the index, stashes, reflogs and
the work tree stay as they are, whatever the user is in the middle of. What is the same gives the same commit.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlwidgets.errors import HistoryError
from mlwidgets.history.git import objects
from mlwidgets.history.git.repository import Answer, Repository, Unusable, last_words, run_git

LARGEST_FILE, LARGEST_CHANGED, LARGEST_NEW = 5_000_000, 50_000_000, 50_000_000
"""Bytes of a file that git does not know, of a changed one that it does, and of all that it does not know."""
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
_PRIVATE = re.compile(
    r"\.env(\..*)?|.*\.(pem|key|p12|pfx|jks|keystore|kdbx)|id_(rsa|dsa|ecdsa|ed25519)|\.?netrc|\.pgpass|\.pypirc"
    r"|credentials(\..*)?|\.git-credentials|secrets?\.(ya?ml|json|toml|ini|txt)",
    re.IGNORECASE,
)
"""Names of files that hold secrets: one that git does not know is the user's alone."""
_PUBLIC = re.compile(r"\.env\.(example|sample|template|dist)", re.IGNORECASE)


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
        Those of them that are not in `kept`: too large, private by their names, unreadable, or repositories.
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
        more = max(0, len(self.files) - MOST_NAMED)
        told: dict[str, Any] = {
            "commit": self.commit,
            "branch": self.branch,
            "dirty": bool(self.files),
            "uncommitted": self.kept,
            "files": self.files[:MOST_NAMED],
            **({"more_files": more} if more else {}),
            "left_out": self.left_out[:MOST_NAMED],
        }
        return told | ({} if self.problem is None else {"problem": self.problem})


class _Failed(Exception):
    """Git said no; the message is what it said."""


class _Look:
    """Git in a work tree, with an index of its own; objects go to the user's repository, or aside where they cannot."""

    def __init__(self, repository: Repository, top: Path, scratch: Path) -> None:
        self.repository, self.top = repository, top
        self.variables = {"GIT_INDEX_FILE": str(scratch / "index")}
        if not os.access(repository.common / "objects", os.W_OK):
            (scratch / "objects").mkdir()
            self.variables["GIT_OBJECT_DIRECTORY"] = str(scratch / "objects")
            self.variables["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = str(repository.common / "objects")
        with contextlib.suppress(FileNotFoundError):
            # With its times: by them git knows which entries were written in the same instant as their files.
            shutil.copy2(repository.git_dir / "index", scratch / "index")

    @property
    def aside(self) -> bool:
        """Whether objects go nowhere: the repository is not to be written."""
        return "GIT_OBJECT_DIRECTORY" in self.variables

    def git(self, *arguments: str, data: bytes = b"") -> Answer:
        return run_git(*_QUIET, *arguments, data=data, cwd=self.top, variables=self.variables)

    def ask(self, *arguments: str, data: bytes = b"") -> bytes:
        done = self.git(*arguments, data=data)
        if done.returncode:
            raise _Failed(last_words(done))
        return done.stdout


def look(repository: Repository) -> State:
    """Keep what is not committed in a work tree; return what it was like, and what was wrong."""
    state = State()
    if repository.top is None:
        return state
    with tempfile.TemporaryDirectory(prefix="mlwidgets-") as scratch:
        git = _Look(repository, repository.top, Path(scratch))
        try:
            changed, gone, new = _read_status(git, state)
            state.files = sorted({_shown(path) for path in (*changed, *gone, *new)})
            chosen = [*_readable(git.top, changed, state), *_small(git.top, new, state)]
            state.left_out.sort()
            if state.files:
                _keep(git, state, chosen, gone)
        except (_Failed, HistoryError, OSError) as error:
            state.problem = str(error)
    if state.commit is None and state.problem is not None:
        with contextlib.suppress(HistoryError):
            _read_head(repository, state)
    return state


def _read_head(repository: Repository, state: State) -> None:
    """Read commit and branch alone, which are known at once where a work tree is too large to be looked through."""
    commit = repository.git("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    branch = repository.git("symbolic-ref", "--quiet", "--short", "HEAD")
    state.commit = commit.stdout.decode().strip() or None
    state.branch = _shown(branch.stdout.rstrip(b"\n")) or None


def _read_status(git: _Look, state: State) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Return the changed files that git knows, those that are gone, and those that it does not know nor ignore."""
    asked = ("--porcelain=v2", "--branch", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=none")
    changed: list[bytes] = []
    gone: list[bytes] = []
    new: list[bytes] = []
    for line in git.ask("status", *asked).split(b"\0"):
        kind, _, rest = line.partition(b" ")
        if kind == b"#":
            key, _, value = rest.partition(b" ")
            if key == b"branch.oid" and value != b"(initial)":
                state.commit = value.decode()
            elif key == b"branch.head" and value != b"(detached)":
                state.branch = _shown(value)
        elif kind == b"?":
            new.append(rest)
        elif kind in {b"1", b"u"}:
            fields = rest.split(b" ", 7 if kind == b"1" else 9)
            is_gone = fields[0] == b"D." or fields[0][1:] == b"D" or _size(git.top, fields[-1]) is None
            (gone if is_gone else changed).append(fields[-1])
            # What a submodule has not committed itself no tree of this repository can hold.
            if fields[1].startswith(b"S") and fields[1][2:4] != b"..":
                state.left_out.append(f"{_shown(fields[-1])}/")
    return changed, gone, new


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")


def _readable(top: Path, paths: Sequence[bytes], state: State) -> Iterator[bytes]:
    """Yield the changed files whose content can be kept."""
    for path in paths:
        if not 0 <= (_size(top, path) or 0) <= LARGEST_CHANGED:
            state.left_out.append(_shown(path))
        else:
            yield path


def _small(top: Path, paths: Sequence[bytes], state: State) -> Iterator[bytes]:
    total = 0
    for path in paths:
        size = None if path.endswith(b"/") else _size(top, path)
        name = _shown(path).rpartition("/")[2]
        private = _PRIVATE.fullmatch(name) and not _PUBLIC.fullmatch(name)
        if size is None or size < 0 or size > LARGEST_FILE or total + size > LARGEST_NEW or private:
            state.left_out.append(_shown(path))
        else:
            total += size
            yield path


def _size(top: Path, path: bytes) -> int | None:
    """Return the bytes of a file, None where there is none, -1 for one that cannot be read."""
    full = os.path.join(os.fsencode(top), path)
    try:
        status = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return -1
    if stat.S_ISREG(status.st_mode):
        return status.st_size if os.access(full, os.R_OK) else -1
    return 0 if stat.S_ISLNK(status.st_mode) or stat.S_ISDIR(status.st_mode) else -1


def _keep(git: _Look, state: State, chosen: Sequence[bytes], gone: Sequence[bytes]) -> None:
    repository = git.repository
    for how, paths in ((("--force-remove",), gone), (("--add", "--remove", "--replace"), chosen)):
        if paths:
            git.ask("update-index", *how, "-z", "--stdin", data=b"".join(path + b"\0" for path in paths))
    tree = git.ask("write-tree", "--missing-ok").decode().strip()
    before, time = objects.make("tree", b"", repository.algorithm).id, 0.0
    if state.commit is not None:
        told = git.ask("show", "--no-patch", "--no-show-signature", "--format=%T %ct", state.commit).decode().split()
        before, time = told[0], float(told[1])
    if tree == before:
        return
    state.patch = _patch(git, before, tree)
    parents = [] if state.commit is None else [state.commit]
    commit = objects.make_commit(tree, parents, time, _MESSAGE, repository.algorithm)
    if git.aside:
        raise Unusable(f"the repository {repository.common} cannot be written: there is the patch alone")
    git.ask("hash-object", "-t", "commit", "-w", "--stdin", data=commit.data)
    state.kept = commit.id


def _patch(git: _Look, old: str, new: str) -> bytes | None:
    """Return a patch; of one that is too large what of it is text."""
    plain = ("diff-tree", "-r", "-p", "--full-index", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-color")
    prefixes = ("--src-prefix=a/", "--dst-prefix=b/")
    for binary in (("--binary",), ()):
        diff = git.ask(*plain, *prefixes, *binary, old, new)
        if len(diff) <= LARGEST_PATCH:
            return diff
    return None


def remote_of(repository: Repository) -> str | None:
    """Return where the repository is published: its ``origin``, else the first one; without user and password."""
    done = repository.git("config", "--null", "--get-regexp", r"^remote\..*\.url$")
    found: Mapping[str, str] = {
        key.lower(): value
        for key, _, value in (entry.partition("\n") for entry in done.stdout.decode("utf-8", "replace").split("\0"))
        if value
    }
    url = found.get("remote.origin.url") or next(iter(found.values()), None)
    return None if url is None else without_credentials(url)


def without_credentials(url: str) -> str:
    """Return an address without what may open it; ``git@host:path`` names no secret and stays."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return re.sub(r"://.*@", "://", url)
    if "://" not in url or not parts.scheme:
        return url
    user = f"{parts.username}@" if parts.username and parts.scheme.startswith("ssh") else ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{user}{host}{port}{parts.path}"


def find(folder: Path) -> Repository | None:
    """Return the repository whose work tree a folder lies in."""
    with contextlib.suppress(HistoryError):
        found = Repository.find(folder)
        if found is not None and found.top is not None:
            return found
    return None
