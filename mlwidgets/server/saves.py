"""Snapshots of what Jupyter saves: it says what it has saved, and a thread of our own does the rest.

Nothing waits for that thread, and nothing that goes wrong in it concerns a save. Jupyter tells of a save when the file
is there, so a snapshot is of what lies on the disk when its turn comes: several saves of one notebook that come quickly
are one. Where Jupyter saves at each pause in typing, as it does for people who write together, there is one a minute.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runner.boot import python_command
from mlwidgets.server.renames import Rename, is_below, moved_notebooks

SCHEMA = "https://events.jupyter.org/jupyter_server/contents_service/v1"
LARGE = 1 << 19
"""Bytes of a notebook from which on a process of its own reads it: in this one nothing else would run meanwhile."""
AT_ONCE, WHILE = 10, 60.0
"""So many saves of one notebook within these seconds are kept at once; after that one for each such time."""
LAST_WORDS = 5.0
"""Seconds that a server waits at its end for what is still to be kept."""
_MOMENT = 0.5
"""Seconds in which Jupyter has told of a rename that it has done."""
_MOST_TOLD = 100

logger = logging.getLogger("mlwidgets.server")

Job = tuple[str, ...]
"""``("save", path)`` or ``("rename", old, new)``; paths as requests give them, from the root with ``/``."""


class Saves:
    """Hears of saves and renames, and keeps them one after the other.

    Parameters
    ----------
    path_of
        Where the file of such a path lies; raises `OSError` or `ValueError` where there can be none.
    keep, follow
        What is done with a notebook's file that was saved, and with one that has another path now (old, new).
    """

    def __init__(
        self,
        path_of: Callable[[str], Path],
        keep: Callable[[Path], None] | None = None,
        follow: Callable[[Path, Path], None] | None = None,
    ) -> None:
        self._path_of = path_of
        self._keep = keep or keep_save
        self._follow = follow or follow_rename
        self._news = threading.Condition()
        self._waiting: list[Job] = []
        self._now: Job | None = None
        self._kept: dict[str, list[float]] = {}
        self._later: dict[Job, float] = {}
        self._thread: threading.Thread | None = None
        self._closed = False
        self._told: set[str] = set()

    def heard(self, event: dict[str, Any]) -> None:
        """Take note of what Jupyter says that it did; takes no time and never fails."""
        action, path, old = event.get("action"), event.get("path"), event.get("source_path")
        if not isinstance(path, str) or action not in {"save", "rename"}:
            return
        path = path.strip("/")
        with self._news:
            if self._closed:
                return
            if action == "save":
                self._add(path)
            elif isinstance(old, str):
                self._move(old.strip("/"), path)
            if self._waiting and self._thread is None:
                thread = threading.Thread(target=self._work, name="mlwidgets snapshots", daemon=True)
                thread.start()
                self._thread = thread
            self._news.notify_all()

    def _add(self, path: str) -> None:
        job = ("save", path)
        if not is_kept(path) or job in self._waiting:
            return
        self._waiting.append(job)
        now = time.monotonic()
        kept = self._kept[path] = [at for at in self._kept.get(path, ()) if now - at < WHILE]
        if len(kept) >= AT_ONCE:
            self._later[job] = kept[-1] + WHILE

    def _move(self, old: str, new: str) -> None:
        """Let what is yet to be kept of the old path be kept of the new one, after its history has gone there."""
        moved = [job for job in self._waiting if job[0] == "save" and is_below(job[1], old)]
        self._waiting = [*(job for job in self._waiting if job not in moved), ("rename", old, new)]
        if self._now is not None and self._now[0] == "save" and is_below(self._now[1], old):
            # It may have come too late.
            moved.append(self._now)
        for job in moved:
            self._later.pop(job, None)
            self._add(new + job[1][len(old) :])

    def settle(self, path: str, seconds: float) -> None:
        """Wait until all that was heard of a path and is done at once has been done, at most so long."""
        with self._news:
            self._news.wait_for(lambda: not any(_concerns(job, path) for job in self._due()), seconds)

    def _due(self) -> Iterator[Job]:
        if self._now is not None:
            yield self._now
        now = time.monotonic()
        yield from (job for job in self._waiting if self._closed or self._later.get(job, 0.0) <= now)

    def close(self, seconds: float = LAST_WORDS) -> None:
        """Do what is still to be done, at most so long, and hear of nothing more."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        if self._thread is not None:
            self._thread.join(seconds)

    def _work(self) -> None:
        while True:
            with self._news:
                self._now = None
                self._news.notify_all()
                while (job := next(self._due(), None)) is None:
                    if self._closed:
                        return
                    soon = min(self._later.values(), default=None)
                    self._news.wait(None if soon is None else max(0.0, soon - time.monotonic()))
                self._begin(job)
            try:
                self._do(job)
            except MlwidgetsError as error:
                self._tell(str(error))
            except Exception as error:  # whatever it is, the next save is kept again
                self._tell(f"{type(error).__name__}: {error}")

    def _begin(self, job: Job) -> None:
        self._now = job
        self._waiting.remove(job)
        self._later.pop(job, None)
        if job[0] == "save":
            self._kept.setdefault(job[1], []).append(time.monotonic())

    def _do(self, job: Job) -> None:
        try:
            paths = [self._path_of(path) for path in job[1:]]
        except (OSError, ValueError):
            return
        if job[0] == "save":
            try:
                self._keep(paths[0])
            except (OSError, MlwidgetsError):
                # One that is gone has been renamed, which is heard of next, or deleted.
                if paths[0].exists():
                    raise
        else:
            self._take_along((job[1], job[2]))

    def _take_along(self, rename: Rename) -> None:
        """Let the histories of all notebooks that were renamed go along; what is renamed meanwhile is found, too."""
        done: set[Rename] = set()
        later: list[Rename] | None = None
        while (heard := self._renames()) != later:
            later = heard
            found = moved_notebooks(rename, later, self._path_of)
            for pair in found:
                if pair not in done:
                    done.add(pair)
                    self._take_one_along(pair)
            if not found and not self._path_of(rename[1]).exists():
                with self._news:
                    self._news.wait_for(lambda seen=heard: self._renames() != seen, _MOMENT)  # type: ignore[misc]

    def _take_one_along(self, rename: Rename) -> None:
        try:
            self._follow(*(self._path_of(path) for path in rename))
        except (OSError, ValueError, MlwidgetsError) as error:
            # The others of its folder are none the worse for it.
            self._tell(str(error))

    def _renames(self) -> list[Rename]:
        with self._news:
            return [(job[1], job[2]) for job in self._waiting if job[0] == "rename"]

    def _tell(self, problem: str) -> None:
        """Say once what is wrong: it would be the same at each save."""
        if problem not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(problem)
            logger.warning("a notebook's state was not kept, its file is as it was saved: %s", problem)


def is_kept(path: str) -> bool:
    """Whether there are snapshots of what has that path: of notebooks, hidden ones and checkpoints left out."""
    return path.endswith(".ipynb") and not any(part.startswith(".") for part in path.split("/"))


def _concerns(job: Job, path: str) -> bool:
    return any(is_below(path, named) for named in job[1:])


class Hears(Protocol):
    """Whom `Listener` tells."""

    def heard(self, event: dict[str, Any]) -> None:
        """Take note of what Jupyter says that it did."""


class Listener(logging.Handler):
    """Hears what Jupyter's event logger says of files.

    A handler, and none of its coroutine listeners: those need a running loop in the thread that saves, and where there
    is none the save itself would fail.
    """

    def __init__(self, saves: Hears) -> None:
        super().__init__()
        self._saves = saves

    def emit(self, record: logging.LogRecord) -> None:
        """Pass it on."""
        event: Any = record.msg
        if isinstance(event, dict) and event.get("__schema__") == SCHEMA:
            try:
                self._saves.heard(event)
            except Exception:  # no thread could be started; the save is none the worse for it
                self.handleError(record)


def keep_save(path: Path) -> None:
    """Take a snapshot of a notebook's file.

    Raises
    ------
    FileNotFoundError
        If it is gone.
    MlwidgetsError
        If it is no notebook, or its history cannot be written.
    """
    if path.stat().st_size > LARGE:
        _keep_elsewhere(path)
        return
    _take(path)


def _take(path: Path) -> None:
    # As late as the first save: a server may see none.
    from mlwidgets.history.settled import load_settled
    from mlwidgets.history.snapshots import History

    History(path).take("save", load_settled(path))


def _keep_elsewhere(path: Path) -> None:
    command = python_command("mlwidgets.server.saves", str(path))
    # A server that ends leaves it to its end.
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, 10)
    said = process.communicate()[1].decode(errors="replace").strip()
    if process.returncode:
        raise MlwidgetsError(said.splitlines()[-1] if said else f"the process that reads {path} ended early")


def follow_rename(old: Path, new: Path) -> None:
    """Let a notebook's history go on under its new path; raises what `keep_save` does."""
    from mlwidgets.history.snapshots import History

    History(new).follow_rename(old)


def main() -> None:
    """Take a snapshot of the notebook whose path is the first argument."""
    try:
        _take(Path(sys.argv[1]))
    except MlwidgetsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
