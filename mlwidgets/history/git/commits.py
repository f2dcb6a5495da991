"""The user's own commits, as far as a notebook is in them. They are read; nothing here writes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlwidgets.errors import NotebookError
from mlwidgets.history.git.repository import Repository, run_git
from mlwidgets.history.notebooks.notebook import Notebook, read_notebook

_COMMITTER = re.compile(r"^committer .* (\d+) [+-]\d+$", re.MULTILINE)


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
    try:
        return read_notebook(blob[2], where), commit
    except NotebookError:
        # It may be there under a filter of the user's, such as Git LFS.
        done = run_git("cat-file", "--filters", f"--path={path}", blob[0], cwd=repository.top)
        if done.returncode or done.stdout == blob[2]:
            raise
        return read_notebook(done.stdout, where), commit
