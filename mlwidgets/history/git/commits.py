"""The user's own commits, as far as a notebook is in them. They are read; nothing here writes."""

from __future__ import annotations

import hashlib
import math
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from mlwidgets.errors import NotebookError
from mlwidgets.history.git.repository import Repository
from mlwidgets.history.notebooks.notebook import Notebook, read_notebook

WALK = 2.0
"""Seconds that a list of commits may take."""
AGAIN = 60.0
"""Seconds after which one that was not done by then is tried again: more of the disk may be in memory."""
_MOST_WALKS = 500
_LIST = "rev-list", "--header", "--abbrev-commit"
_COMMITTER = re.compile(r"^committer .* (\d+) [+-]\d+$", re.MULTILINE)
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)
_LONGEST_POINTER = 1024
"""Bytes, as Git LFS has it."""


@dataclass(frozen=True)
class Commit:
    """One commit: its short id, its time in Unix seconds, the first line of its message."""

    id: str
    time: float
    subject: str


class _Walk:
    """What a walk through history for a path found; whoever asks meanwhile waits for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.commits: list[Commit] = []
        self.good_until = -math.inf


_walks: dict[tuple[Path, str, str, int], _Walk] = {}
_door = threading.Lock()


def commits_of(repository: Repository, path: str, limit: int) -> list[Commit]:
    """Return the newest commits up to HEAD that touch `path`: those found in two seconds where history is long.

    Git looks at each commit for that, so what was found is kept for as long as HEAD stays where it is.
    """
    head = repository.read("HEAD^{commit}")[0]
    if head is None:
        return []
    key = repository.common, head[0], path, limit
    with _door:
        walk = _walks[key] = _walks.pop(key) if key in _walks else _Walk()
        while len(_walks) > _MOST_WALKS:
            del _walks[next(iter(_walks))]
    with walk.lock:
        if walk.good_until < time.monotonic():
            asked = "--end-of-options", head[0], "--", f":(top,literal){path}"
            done = repository.git(*_LIST, f"--max-count={limit}", *asked, within=WALK)
            walk.commits = _commits(done.stdout)
            walk.good_until = time.monotonic() + AGAIN if done.returncode else math.inf
        return list(walk.commits)


def _commits(said: bytes) -> list[Commit]:
    found = []
    # What follows the last of these signs is not whole.
    for record in said.decode("utf-8", "replace").split("\0")[:-1]:
        commit, _, raw = record.partition("\n")
        at = _COMMITTER.search(raw)
        if at:
            message = raw.partition("\n\n")[2].strip()
            found.append(Commit(commit, float(at[1]), message.partition("\n")[0]))
    return found


def read_committed(repository: Repository, rev: str, path: str) -> tuple[Notebook, Commit] | None:
    """Return the notebook in a commit; None where there is no such commit, or the notebook is not in it.

    Raises
    ------
    NotebookError
        If what is in it is no notebook.
    """
    blob = _blob(repository, rev, path)
    if blob is None:
        return None
    asked = repository.git(*_LIST, "--max-count=1", "--end-of-options", rev, "--")
    commit = None if asked.returncode else next(iter(_commits(asked.stdout)), None)
    if commit is None:
        return None
    where = f"{path.rpartition('/')[2]} in commit {commit.id}"
    return read_notebook(_behind_pointer(repository, blob, where), where), commit


def committed_size(repository: Repository, rev: str, path: str) -> int:
    """Return how many bytes the notebook in a commit has; 0 where it is not in it."""
    blob = _blob(repository, rev, path) or b""
    pointer = _pointer(blob)
    return len(blob) if pointer is None else int(pointer[2])


def _blob(repository: Repository, rev: str, path: str) -> bytes | None:
    if repository.top is None or any(sign in f"{rev}{path}" for sign in "\n\0"):
        return None
    found = repository.read(f"{rev}:{path}")[0]
    return None if found is None or found[1] != "blob" else found[2]


def _pointer(data: bytes) -> re.Match[bytes] | None:
    return _POINTER.match(data) if len(data) <= _LONGEST_POINTER else None


def _behind_pointer(repository: Repository, data: bytes, where: str) -> bytes:
    """Return what a pointer of Git LFS stands for, other data as they are.

    It is read where Git LFS keeps it: a filter is a command that the repository's settings name, and whoever made the
    repository may have chosen it.
    """
    pointer = _pointer(data)
    if pointer is None:
        return data
    oid = pointer[1].decode()
    file = Path(repository.common, "lfs", "objects", oid[:2], oid[2:4], oid)
    try:
        data = file.read_bytes() if file.is_file() else b""
    except OSError:
        data = b""
    if hashlib.sha256(data).hexdigest() != oid:
        raise NotebookError(f"{where} is in Git LFS, and its content is not here; run git lfs fetch --all")
    return data
