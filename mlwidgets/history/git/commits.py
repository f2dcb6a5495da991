"""The user's own commits, as far as a notebook is in them. They are read; nothing here writes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from mlwidgets.errors import NotebookError
from mlwidgets.history.git.repository import Repository
from mlwidgets.history.notebooks.notebook import Notebook, read_notebook

_COMMITTER = re.compile(r"^committer .* (\d+) [+-]\d+$", re.MULTILINE)
_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n")
_LONGEST_POINTER = 1024
"""Bytes, as Git LFS has it."""


@dataclass(frozen=True)
class Commit:
    """One commit: its short id, its time in Unix seconds, the first line of its message."""

    id: str
    time: float
    subject: str


def list_commits(repository: Repository, rev: str, limit: int, path: str | None = None) -> list[Commit]:
    """Return the newest commits up to `rev`, those that touch `path` alone where it is given."""
    only = () if path is None else (f":(top,literal){path}",)
    asked = ("rev-list", "--header", "--abbrev-commit", f"--max-count={limit}", "--end-of-options", rev, "--", *only)
    done = repository.git(*asked)
    found = []
    for record in done.stdout.decode("utf-8", "replace").split("\0") if not done.returncode else ():
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
    if repository.top is None or any(sign in f"{rev}{path}" for sign in "\n\0"):
        return None
    commit = next(iter(list_commits(repository, rev, 1)), None)
    blob = repository.read(f"{rev}:{path}")[0]
    if commit is None or blob is None or blob[1] != "blob":
        return None
    where = f"{path.rpartition('/')[2]} in commit {commit.id}"
    return read_notebook(_behind_pointer(repository, blob[2], where), where), commit


def _behind_pointer(repository: Repository, data: bytes, where: str) -> bytes:
    """Return what a pointer of Git LFS stands for, other data as they are.

    It is read where Git LFS keeps it: a filter is a command that the repository's settings name, and whoever made the
    repository may have chosen it.
    """
    pointer = _POINTER.match(data) if len(data) <= _LONGEST_POINTER else None
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
