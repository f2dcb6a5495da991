"""Whether snapshots can be taken in a project, and where they go."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from mlwidgets.errors import HistoryError, MlwidgetsError
from mlwidgets.history.git.repository import Repository, last_words, run_git
from mlwidgets.history.places import may_write
from mlwidgets.runs.folder import read_json
from mlwidgets.runs.store import RunStore

Said = tuple[Literal["ok", "warn"], str, str]
"""How it is, in a sentence, and what to do."""


def condition(store: Path) -> Iterator[Said]:
    """Say what there is to say of the project whose store is or would be at that path."""
    folder, own = store.parent, store / "history.git"
    try:
        version = run_git("--version").stdout.decode(errors="replace").strip().removeprefix("git version ")
        found = Repository.find(folder)
    except HistoryError as error:
        yield "warn", f"no snapshots of notebooks: {error}", ""
        return
    if found is not None and may_write(found):
        yield "ok", f"git {version}; snapshots of notebooks go to {found.common}, as refs/mlwidgets", ""
    elif found is not None:
        text = f"git {version}; snapshots of notebooks go to {own}, as {found.common} cannot be written"
        yield "warn", text, "make it writable to have them beside your commits"
    else:
        problem = last_words(run_git("rev-parse", "--git-dir", cwd=folder if folder.is_dir() else Path("/")))
        text = f"git {version}; snapshots of notebooks go to {own}"
        if problem.startswith("not a git repository"):
            yield "ok", text, ""
        else:
            yield "warn", f"{text}: git does not read {folder}: {problem}", "see `git status` there"
    yield from _newest_run(store)


def _newest_run(store: Path) -> Iterator[Said]:
    with contextlib.suppress(MlwidgetsError):
        for folder in RunStore(store).folders():
            problem = (read_json(folder.environment) or {}).get("no_snapshot")
            if problem:
                yield "warn", f"run {folder.id} has no snapshot of its notebook: {problem}", ""
            break
