"""Which notebook a scheduled report executes: the file as it is, or as it was in a commit."""

from __future__ import annotations

import os
from pathlib import Path

from mlwidgets.errors import NotebookError, ScheduleError
from mlwidgets.history.git.repository import Repository
from mlwidgets.schedules.schedule import CURRENT, Schedule


def commit_of(notebook: Path, rev: str) -> str:
    """Return the id of a commit in the repository of a notebook.

    Parameters
    ----------
    rev
        An id, a branch, a tag: what git takes for a commit.

    Raises
    ------
    ScheduleError
        If there is no such commit, or the notebook is not in it.
    """
    repository = _repository(notebook)
    found = None if any(sign in rev for sign in "\n\0 ") or not rev else repository.read(f"{rev}^{{commit}}")[0]
    if found is None:
        raise ScheduleError(f"there is no commit {rev!r:.100} in the repository of {notebook}")
    content_at(notebook, found[0])
    return found[0]


def content_at(notebook: Path, commit: str) -> bytes:
    """Return a notebook's file as it was in a commit.

    Raises
    ------
    ScheduleError
        If it is not in it.
    """
    repository = _repository(notebook)
    top = repository.top
    # A link's target may lie elsewhere, but it is the link that is in the commit.
    path = Path(os.path.realpath(notebook.parent)) / notebook.name
    if top is None or not path.is_relative_to(top):
        raise ScheduleError(f"{notebook} is in no commit: it does not lie in the work tree of a repository")
    found = repository.read(f"{commit}:{path.relative_to(top)}")[0]
    if found is None or found[1] != "blob":
        raise ScheduleError(f"{notebook} is not in the commit {commit[:12]}; commit it first, or take another one")
    if found[2].startswith(b"version https://git-lfs"):
        raise ScheduleError(f"{notebook} is in Git LFS, and only notebooks in git itself can be pinned to a commit")
    return found[2]


def _repository(notebook: Path) -> Repository:
    repository = Repository.find(notebook.parent)
    if repository is None:
        raise ScheduleError(f"{notebook} cannot be pinned to a commit: it lies in no git repository")
    return repository


def content_of(schedule: Schedule) -> bytes | None:
    """Return the notebook of a report that is pinned to a commit, None of one whose file is read as it is.

    Raises
    ------
    ScheduleError, NotebookError
        If it cannot be read.
    """
    notebook = Path(schedule.target["notebook"])
    if schedule.source != CURRENT:
        return content_at(notebook, schedule.source)
    if not notebook.is_file():
        raise NotebookError(
            f"there is no notebook {notebook}, which the schedule {schedule.name} names; check the path"
        )
    return None
