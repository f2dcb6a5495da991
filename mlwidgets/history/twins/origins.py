"""What both sides may last have said, where the store does not know it: after a clone, or a lost store."""

from __future__ import annotations

import json
from pathlib import Path

from mlwidgets.errors import HistoryError
from mlwidgets.history.git.repository import Repository
from mlwidgets.history.twins.bases import Base
from mlwidgets.history.twins.conversion import notebook_of, say_the_same, stripped, text_of
from mlwidgets.history.twins.pairing import Pairing

_MOST = 20
"""Commits that are looked at."""
_WITHIN = 5.0


def from_git(pairing: Pairing) -> Base | None:
    """Return the newest commit's state in which both sides said the same; None where there is none."""
    try:
        repository = Repository.find(pairing.notebook.parent)
        if repository is None or repository.top is None:
            return None
        paths = [_below(path, repository.top) for path in (pairing.notebook, pairing.twin)]
        if None in paths:
            return None
        asked = [f":(top,literal){path}" for path in paths]
        listed = repository.git("rev-list", f"--max-count={_MOST}", "HEAD", "--", *asked, within=_WITHIN)
        for commit in listed.stdout.decode("ascii", "replace").split():
            both = repository.read(*(f"{commit}:{path}" for path in paths))
            if both[0] is None or both[1] is None:
                continue
            base = _agreeing(both[0][2], both[1][2], pairing)
            if base is not None:
                return base
    except HistoryError:
        # Without git, or in a damaged repository, nothing is known.
        return None
    return None


def index_of(folder: Path) -> str:
    """Return what differs once git has put other files into a work tree: when its index was written, and its size.

    It is empty where there is no repository.
    """
    for one in (folder, *folder.parents):
        git = one / ".git"
        try:
            if git.is_file():
                git = one / git.read_text().removeprefix("gitdir:").strip()
            elif not git.is_dir():
                continue
            status = (git / "index").stat()
        except (OSError, ValueError):
            return ""
        return f"{status.st_mtime_ns} {status.st_size}"
    return ""


def after_git(pairing: Pairing, notebook: bytes, twin: bytes) -> Base | None:
    """Return what both sides said last where both are as the last commit has them; None where one of them is not.

    Git has put them there, after a checkout or stash, say, and what the store knows is of other states.
    """
    try:
        repository = Repository.find(pairing.notebook.parent)
        if repository is None or repository.top is None:
            return None
        paths = [_below(path, repository.top) for path in (pairing.notebook, pairing.twin)]
        if None in paths:
            return None
        both = repository.read(*(f"HEAD:{path}" for path in paths))
    except HistoryError:
        return None
    if any(blob is None or blob[2] != data for blob, data in zip(both, (notebook, twin), strict=True)):
        return None
    return from_git(pairing)


def _below(path: Path, top: Path) -> str | None:
    name = path.relative_to(top).as_posix() if path.is_relative_to(top) else ""
    return name if name and "\n" not in name else None


def _agreeing(notebook: bytes, twin: bytes, pairing: Pairing) -> Base | None:
    try:
        raw, text = stripped(json.loads(notebook)), twin.decode("utf-8-sig").replace("\r\n", "\n")
        same = say_the_same(notebook_of(text, pairing), notebook_of(text_of(raw, pairing), pairing))
    except (ValueError, KeyError, TypeError, AttributeError, HistoryError):
        return None
    return Base(raw, text, pairing.format) if same else None
