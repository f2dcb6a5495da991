"""Refs of ours that keep commits of work trees from git's collector, for as long as a run of a store needs them."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Collection
from pathlib import Path

from mlwidgets.history.git.repository import Repository, Unusable, last_words

KEPT = "refs/mlwidgets/kept"
NOTES = "repositories"
"""File in the store: a line for each repository that keeps something for it."""


def _prefix(store: Path) -> str:
    key = hashlib.sha256(os.fsencode(os.path.realpath(store))).hexdigest()[:16]
    return f"{KEPT}/{key}"


def keep(repository: Repository, store: Path, commit: str) -> None:
    """Keep a commit for a store. Whoever needs it has said so in a run folder before, and finds it there afterwards.

    Raises
    ------
    HistoryError
        If the repository cannot be written.
    """
    _note(store, repository)
    with repository.locked() as lock:
        done = repository.git("update-ref", f"{_prefix(store)}/{commit}", commit, keep_open=lock)
    if done.returncode:
        raise Unusable(f"the repository {repository.common} cannot be written: {last_words(done)}")


def kept(repository: Repository, store: Path) -> set[str]:
    """Return the commits that are kept for a store.

    Raises
    ------
    HistoryError
        If the repository cannot be read.
    """
    done = repository.git("for-each-ref", "--format=%(refname:lstrip=4)", _prefix(store))
    if done.returncode:
        raise Unusable(f"the repository {repository.common} cannot be read: {last_words(done)}")
    return set(done.stdout.decode().split())


def release(repository: Repository, store: Path, needed: Callable[[], Collection[str]]) -> int:
    """Let go of the commits that nobody needs; return how many these were.

    Parameters
    ----------
    needed
        Says which are needed, as it stands when it is called.

    Raises
    ------
    HistoryError
        If the repository cannot be written.
    """
    if not kept(repository, store):
        return 0
    with repository.locked() as lock:
        # Whoever keeps one has said before that it is needed, and has to wait for this lock.
        there = kept(repository, store)
        gone = there - set(needed())
        changes = [(f"{_prefix(store)}/{commit}", None, commit) for commit in sorted(gone)]
        return len(gone) if gone and repository.update(changes, lock) else 0


def _note(store: Path, repository: Repository) -> None:
    line = os.fsencode(repository.common) + b"\n"
    path = store / NOTES
    with contextlib.suppress(OSError):
        if not path.exists() or line not in path.read_bytes().splitlines(keepends=True):
            with open(path, "ab") as file:
                file.write(line)


def repositories(store: Path) -> list[Repository]:
    """Return the repositories that may keep something for a store, as far as they are still there."""
    try:
        lines = (store / NOTES).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found = (Path(os.fsdecode(line)) for line in dict.fromkeys(lines) if line)
    return [one for path in found if (one := at(path)) is not None]


def at(common: Path) -> Repository | None:
    """Return the repository whose objects are in a folder, None where there is none."""
    if not (common / "objects").is_dir():
        return None
    opened = Repository.find(common)
    return opened if opened is not None and opened.common == Path(os.path.realpath(common)) else None
