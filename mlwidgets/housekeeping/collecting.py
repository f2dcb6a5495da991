"""Objects that nothing refers to are removed, also while others submit runs.

Whoever submits puts objects first and makes the run folder afterwards, so there is a time at which nothing refers to
an object that is needed. Every put, also of what is there already, makes the object new, and what is new stays. The
gap between looking at an object's age and removing it is closed by taking it aside first: by one rename, after which
a put finds nothing and writes it anew, and before which a put has left its time on what was taken, which is put back
then. Who reads an object looks aside, too. Nobody waits for anybody, and whoever is killed leaves an object where
readers find it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mlwidgets.errors import StoreError
from mlwidgets.housekeeping.references import References
from mlwidgets.runs.objects import ASIDE
from mlwidgets.runs.store import RunStore

_DIGEST = re.compile(r"[0-9a-f]{64}")
GRACE = 86400.0
"""Seconds that a submit may take from its first object to its run folder."""


@dataclass(frozen=True)
class Collected:
    """How many objects went, and their bytes."""

    objects: int = 0
    nbytes: int = 0


def unreferenced(
    store: RunStore, references: References, without: frozenset[str] = frozenset(), *, grace: float = GRACE
) -> dict[str, int]:
    """Return the objects that may go, with their bytes, as if the runs `without` were gone."""
    before = time.time() - grace
    old = {name: size for name, size, changed in _objects(store) if changed < before}
    if old:
        # After the objects were listed: whatever refers to an old one by now is found.
        references.look()
    known = references.digests(without)
    return {name: size for name, size in old.items() if name not in known}


def collect(store: RunStore, references: References | None = None, *, grace: float = GRACE) -> Collected:
    """Remove the objects that no run, deleted run, report or schedule refers to.

    Parameters
    ----------
    grace
        Seconds for which an object stays after it was put last.

    Raises
    ------
    StoreError
        If somebody else is at it, or something cannot be read that may refer to objects: nothing is removed then.
    """
    with _alone(store):
        put_back(store)
        count = nbytes = 0
        for name, size in unreferenced(store, references or References(store), grace=grace).items():
            if _remove(store, name, time.time() - grace):
                count, nbytes = count + 1, nbytes + size
        return Collected(count, nbytes)


def _remove(store: RunStore, name: str, before: float) -> bool:
    here, aside = store.objects.path / name, store.objects.path / f"{ASIDE}{name}"
    try:
        os.rename(here, aside)
        if aside.stat().st_mtime < before:
            aside.unlink()
            return True
        # Somebody has put it meanwhile, and may refer to it by now.
        os.replace(aside, here)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StoreError(f"the object {here} could not be removed: {error.strerror or error}") from error
    return False


def aside(store: RunStore) -> list[str]:
    """Return the digests of objects that a collector was killed over."""
    try:
        return sorted(n.removeprefix(ASIDE) for n in os.listdir(store.objects.path) if n.startswith(ASIDE))
    except OSError:
        return []


def put_back(store: RunStore) -> int:
    """Put back what a collector was killed over; return how many objects that were."""
    found = aside(store)
    for name in found:
        with contextlib.suppress(FileNotFoundError):
            taken = store.objects.path / f"{ASIDE}{name}"
            # It may have been put anew by somebody who has no run folder yet: what takes its place is as new.
            os.utime(taken)
            os.replace(taken, store.objects.path / name)
    return len(found)


def _objects(store: RunStore) -> Iterator[tuple[str, int, float]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(store.objects.path) as entries:
        for entry in entries:
            if _DIGEST.fullmatch(entry.name):
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    yield entry.name, status.st_size, status.st_mtime


@contextmanager
def _alone(store: RunStore) -> Iterator[None]:
    try:
        fd = os.open(store.path / ".collecting.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"cannot write to the store {store.path}: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(f"somebody else collects inputs in {store.path}; try again later") from error
        yield
    finally:
        os.close(fd)
