"""One file of the queue's directory, and the FIFO that tells whether its owner lives.

The owner of a file, and nobody else, keeps the FIFO beside it open for reading. That works across users and PID
namespaces, needs no daemon, and is over at the very moment of the owner's death: a descriptor that is open for
writing then reports an error to ``poll``. A byte written to it wakes the owner.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlwidgets.errors import StoreError

_LARGEST = 1 << 16


@contextlib.contextmanager
def said_plainly(path: Path) -> Iterator[None]:
    """Turn what the system says of a full or forbidden directory into one line."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the queue directory {path} cannot be used ({error.strerror}): make room or give access there, or name "
            "another one in MLWIDGETS_QUEUE"
        ) from None


class Entry:
    """One file with its FIFO, owned by this process.

    Parameters
    ----------
    folder
        Where it lies.
    fd
        The FIFO's descriptor, if another process made the entry for this one, which has inherited it.
    """

    def __init__(self, folder: Path, number: int, fd: int | None = None) -> None:
        self.number = number
        self.fd = fd
        self._file = folder / f"{number}.json"
        self._fifo = folder / f"{number}.fifo"
        self._pid = os.getpid()
        if fd is not None:
            os.set_inheritable(fd, False)
        # Cleaners of /tmp leave folders alone that somebody has locked: a run may last longer than their patience.
        self._keeping: int | None = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.flock(self._keeping, fcntl.LOCK_SH | fcntl.LOCK_NB)

    @classmethod
    def create(cls, folder: Path, number: int, data: Mapping[str, Any]) -> Entry:
        """Make the FIFO and then the file, which appears whole.

        Raises
        ------
        StoreError
            If there is no room.
        """
        with said_plainly(folder):
            entry = cls(folder, number)
            try:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(entry._fifo)
                os.mkfifo(entry._fifo, 0o622)
                entry.fd = os.open(entry._fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
                # The umask may have taken from others the right to wake this process.
                os.chmod(entry._fifo, 0o622)  # noqa: S103
                entry.write(data)
            except BaseException:
                entry.remove()
                raise
        return entry

    def write(self, data: Mapping[str, Any]) -> None:
        """Write what the file says; it appears whole."""
        beside = self._file.with_name(f".{self._file.name}.{secrets.token_hex(4)}")
        text = json.dumps(data).encode()
        with said_plainly(self._file.parent):
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            try:
                os.fchmod(fd, 0o644)
                if os.write(fd, text) < len(text):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(fd)
            os.rename(beside, self._file)

    @property
    def lost(self) -> bool:
        """Whether somebody has cleaned the files away."""
        return not (self._file.exists() and self._fifo.exists())

    def drain(self) -> None:
        """Forget what woke this process."""
        if self.fd is not None:
            with contextlib.suppress(BlockingIOError):
                os.read(self.fd, 4096)

    def remove(self) -> None:
        """Take the files away and close the FIFO, which wakes those who watch it."""
        if self._pid == os.getpid():
            for path in (self._file, self._fifo):
                with contextlib.suppress(OSError):
                    os.unlink(path)
        self.close()

    def close(self) -> None:
        """Close the FIFO, and nothing else."""
        for fd in (self.fd, self._keeping):
            if fd is not None:
                os.close(fd)
        self.fd = self._keeping = None


def open_fifo(path: Path | str) -> int | None:
    """Return a descriptor that reports the death of the FIFO's owner to ``poll``; None if the owner is dead."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in {errno.ENXIO, errno.ENOENT, errno.EACCES, errno.EPERM, errno.ELOOP, errno.EISDIR}:
            return None
        raise
    if stat.S_ISFIFO(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def read_object(path: Path | str) -> tuple[dict[str, Any] | None, int]:
    """Return the JSON object in a file that anybody may have put there, and the uid of the file's owner."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None, -1
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            return None, -1
        data = json.loads(os.read(fd, _LARGEST))
    except (OSError, ValueError, RecursionError):
        return None, -1
    finally:
        os.close(fd)
    return (data if isinstance(data, dict) else None), status.st_uid
