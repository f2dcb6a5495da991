"""Where an import is unpacked, inside the store and out of everybody's sight; what the dead left there is finished."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlwidgets.archives.layout import OBJECTS, RUNS
from mlwidgets.runs.store import RunStore

PREFIX = ".import-"
_CHECKED = "checked"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def staging(store: RunStore) -> Iterator[Path]:
    """Give a new folder in the store for as long as the block lasts; nothing of it is left then."""
    path, fd = _made(store)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(fd)


def _made(store: RunStore) -> tuple[Path, int]:
    while True:
        path = store.path / f"{PREFIX}{secrets.token_hex(8)}"
        path.mkdir(mode=0o700)
        # Whoever looks for leftovers may take it away before it is locked: then there is another one.
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(path, _FOLDER)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                (path / RUNS).mkdir()
                (path / OBJECTS).mkdir()
            except BaseException:
                os.close(fd)
                raise
            return path, fd


def put_in_place(store: RunStore, path: Path) -> None:
    """Move what was unpacked and checked into the store: objects first, then runs, a sweep after its trials.

    From the first line on it is finished by whoever finds it: see `finish_leftovers`.
    """
    (path / _CHECKED).touch()
    moved: list[str] = []
    try:
        _move(store, path, moved)
    except BaseException:
        for name in reversed(moved):
            with contextlib.suppress(OSError):
                os.rename(store.runs / name, path / RUNS / name)
        (path / _CHECKED).unlink(missing_ok=True)
        raise


def _move(store: RunStore, path: Path, moved: list[str]) -> None:
    for name in sorted(os.listdir(path / OBJECTS)):
        here, there = path / OBJECTS / name, store.objects.path / name
        if there.exists() and there.stat().st_size == here.stat().st_size and store.objects.claim(name):
            continue
        os.utime(here)
        os.replace(here, there)
    # A sweep is what its trials belong to: without it they would be runs that nobody knows.
    for name in sorted(os.listdir(path / RUNS), key=lambda one: (_is_sweep(path / RUNS / one), one)):
        if not (store.runs / name).exists():
            os.rename(path / RUNS / name, store.runs / name)
            moved.append(name)
    # What is removed from now on is not taken for something whole.
    (path / _CHECKED).unlink(missing_ok=True)


def _is_sweep(folder: Path) -> bool:
    return (folder / "requests" / "sweep.jsonl").exists()


def leftovers(store: RunStore) -> list[Path]:
    """Return what killed imports have left."""
    found = []
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(store.path)):
            if name.startswith(PREFIX):
                with _taken(store.path / name) as dead:
                    if dead:
                        found.append(store.path / name)
    return found


def finish_leftovers(store: RunStore) -> int:
    """Finish what killed imports had begun to put in its place, and remove what they had not; return how many."""
    done = 0
    for path in leftovers(store):
        with _taken(path) as dead:
            if dead:
                if (path / _CHECKED).exists():
                    _move(store, path, [])
                shutil.rmtree(path, ignore_errors=True)
                done += 1
    return done


@contextmanager
def _taken(path: Path) -> Iterator[bool]:
    """Tell whether whoever made a folder is dead, and be the only one who deals with it then."""
    try:
        fd = os.open(path, _FOLDER)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(fd)
