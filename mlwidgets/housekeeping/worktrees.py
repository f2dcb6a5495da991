"""Commits of what was not committed: let go of when no run needs them, kept anew where they are kept no more."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from mlwidgets.errors import HistoryError, StoreError
from mlwidgets.history.git import keeping
from mlwidgets.history.git.repository import Repository
from mlwidgets.housekeeping.finding import Finding
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.store import RunStore

_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""Of a commit: what came out of an archive may say anything."""


def needed(store: RunStore) -> dict[str, str]:
    """Return the commits that runs of a store name, deleted runs too, each with the repository that has it.

    Raises
    ------
    StoreError
        If what a run names cannot be read.
    """
    found: dict[str, str] = {}
    # One that moves between the two is seen in one of them at least, whichever way it moves.
    for folder in (store.runs, store.path / "trash", store.runs):
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(folder):
                git = _git_of(RunFolder(folder / name))
                commit, repository = git.get("uncommitted"), git.get("repository")
                if isinstance(commit, str) and isinstance(repository, str) and _ID.fullmatch(commit):
                    found[commit] = repository
    return found


def _git_of(folder: RunFolder) -> dict[str, object]:
    try:
        told = json.loads(folder.environment.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{folder.environment} cannot be read: {error}; see mlwidgets fsck") from error
    git = told.get("git") if isinstance(told, dict) else None
    return git if isinstance(git, dict) else {}


def release(store: RunStore) -> int:
    """Let go of the commits that no run needs any more; return how many these were.

    Raises
    ------
    StoreError, HistoryError
        If a run or a repository cannot be read: nothing of that repository is let go of then.
    """
    return sum(
        keeping.release(repository, store.path, lambda: needed(store))
        for repository in keeping.repositories(store.path)
    )


def check(store: RunStore, *, repair: bool) -> Iterator[Finding]:
    """Yield the commits that runs name and that are not kept, and those that are kept for runs that are gone."""
    for repository in keeping.repositories(store.path):
        try:
            # What comes while this looks is neither kept for nobody nor missing.
            kept = keeping.kept(repository, store.path)
            asked = needed(store)
            mine = {commit for commit, where in asked.items() if Path(where) == repository.common}
            missing = mine - kept and mine - keeping.kept(repository, store.path)
            yield from _check(store, repository, kept - asked.keys(), missing, repair=repair)
        except StoreError:
            # The run folder is a finding of its own.
            return
        except HistoryError as error:
            yield Finding(keeping.NOTES, str(error))


def _check(
    store: RunStore, repository: Repository, extra: set[str], missing: set[str], *, repair: bool
) -> Iterator[Finding]:
    where = f"{keeping.NOTES}: {repository.common}"
    if extra:
        done = "let go of" if repair and release(store) else None
        yield Finding(where, f"keeps {len(extra):,} commits for runs that are gone", done)
    for commit, there in zip(sorted(missing), repository.read(*sorted(missing)), strict=True):
        if there is None:
            # The patch in the run folder is left of it; what git has collected nobody brings back.
            continue
        if repair:
            keeping.keep(repository, store.path, commit)
        yield Finding(where, f"does not keep {commit[:12]}, which a run needs", "kept again" if repair else None)
