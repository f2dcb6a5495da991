"""What both sides may last have said, where the store does not know it: after a clone, or a lost store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlwidgets.errors import HistoryError
from mlwidgets.history.git.repository import Repository
from mlwidgets.history.notebooks.notebook import joined
from mlwidgets.history.twins.bases import Base
from mlwidgets.history.twins.conversion import notebook_of, say_the_same, stripped, text_of
from mlwidgets.history.twins.pairing import Pairing

_MOST = 20
"""Commits that are looked at."""
_WITHIN = 5.0
_LOG = Path("logs", "HEAD")

Lines = frozenset[str]
"""The lines that a file has, in whatever order."""


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
    """Return what differs once git has put other files into a work tree: time and size of its index, size of its log.

    It is empty where there is no repository.
    """
    git = _git_folder(folder)
    try:
        status = (git / "index").stat() if git else None
    except OSError:
        return ""
    if git is None or status is None:
        return ""
    return f"{status.st_mtime_ns} {status.st_size} {_size(git / _LOG)}"


def _git_folder(folder: Path) -> Path | None:
    for one in (folder, *folder.parents):
        git = one / ".git"
        try:
            if git.is_file():
                return one / git.read_text().removeprefix("gitdir:").strip()
        except (OSError, ValueError):
            return None
        if git.is_dir():
            return git
    return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _only_committed(folder: Path, index: str) -> bool:
    """Find out whether all that git has done since is to commit, which writes its index first and its log then."""
    git = _git_folder(folder)
    try:
        if git is None:
            return False
        size = int(index.split(" ")[2])
        with open(git / _LOG, "rb") as file:
            file.seek(size)
            done = file.read().splitlines()
        last = (git / "index").stat().st_mtime_ns <= (git / _LOG).stat().st_mtime_ns
    except (OSError, ValueError, IndexError):
        return False
    return last and bool(done) and all(b"\tcommit" in line and b"\tcommit (merge)" not in line for line in done)


def after_git(pairing: Pairing, notebook: bytes, twin: bytes, known: Base) -> Base | None:
    """Return what both sides said last where git has put both there since, and they may have been edited then.

    After a checkout or stash, say, what the store knows is of other states: whatever these had more would pass for
    deleted. It is None where one of both files still has something that only the known state had.
    """
    if _only_committed(pairing.notebook.parent, known.index):
        return None
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
    if both[0] is None or both[1] is None:
        return None
    put = _lines_in(both[0][2]), _text_lines(both[1][2])
    last = _lines_of(known.notebook), frozenset(known.text.split("\n"))
    if put == last:
        return None
    now = _lines_in(notebook), _text_lines(twin)
    return from_git(pairing) if all(map(_may_come_from, now, put, last)) else None


def _may_come_from(now: Lines, put: Lines, known: Lines) -> bool:
    """Find out whether a file that git has put there has become what is there now, rather than the known one.

    In doubt it has: an older state in common loses nothing, and leaves more to be decided.
    """
    return put == known or bool(now & (put - known)) or not now & (known - put)


def _lines_of(raw: dict[str, Any]) -> Lines:
    cells = (cell for cell in raw["cells"] if isinstance(cell, dict))
    return frozenset(line for cell in cells for line in joined(cell.get("source")).split("\n"))


def _lines_in(notebook: bytes) -> Lines:
    try:
        return _lines_of(json.loads(notebook.decode("utf-8-sig")))
    except (ValueError, KeyError, TypeError):
        return frozenset()


def _text_lines(twin: bytes) -> Lines:
    return frozenset(twin.decode("utf-8-sig", "replace").replace("\r\n", "\n").split("\n"))


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
