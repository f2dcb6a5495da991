"""The queue's directory: all tickets and holdings, and the one mutex under which they are read and changed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mlwidgets.errors import StoreError, UnknownRun
from mlwidgets.runner.entry import Entry, open_fifo, read_object, said_plainly
from mlwidgets.runner.places import Condition, Holding, Waiting
from mlwidgets.runner.records import LAST_NUMBER, ODD, parse_holding, parse_ticket, plain_text

TICKETS, HOLDINGS = "tickets", "holdings"
_DIES_WITHIN = 1.0
_LOCKED_FOR = 5.0
"""Seconds after which a mutex that others hold for moments is held by a process that does not go on."""
_ENTRY = re.compile(r"(\d{1,15})\.(json|fifo)")


def queue_path() -> Path:
    """Return the machine-wide directory."""
    chosen = os.environ.get("MLWIDGETS_QUEUE")
    return Path(chosen) if chosen else Path("/tmp/mlwidgets-queue")  # noqa: S108 - shared by all users on purpose


_Record = TypeVar("_Record", Waiting, Holding)
_Known = dict[str, tuple[tuple[int, int, int], Any]]
"""What files said by their paths, and what tells whether they are still the same."""


@dataclass(frozen=True)
class State:
    """All that is in the directory and lives, at one moment: tickets in order, holdings by number."""

    waiting: tuple[Waiting, ...]
    holdings: tuple[Holding, ...]
    health: Mapping[str, Condition]

    @property
    def queue(self) -> tuple[Waiting, ...]:
        """Those whose turn may come: tickets that wait for no other run."""
        return tuple(ticket for ticket in self.waiting if ticket.eligible)


class QueueLocked(StoreError):
    """A process that does not go on holds the mutex."""


class Board:
    """The directory. All methods but `locked` are to be called inside ``with board.locked()``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tickets = path / TICKETS
        self.holdings = path / HOLDINGS
        self._mutex = path / "mutex"
        self._health = path / "health.json"
        self._known: _Known = {}
        self._dead: list[Holding] = []

    @classmethod
    def open(cls) -> Board:
        """Return the machine's board; make its directory if there is none.

        Raises
        ------
        StoreError
            If the directory cannot be made or belongs to another user alone.
        """
        board = cls(queue_path())
        with said_plainly(board.path):
            if not (board.tickets.is_dir() and board.holdings.is_dir() and board._mutex.exists()):
                board._build()
            status = os.lstat(board.path)
            if stat.S_ISLNK(status.st_mode) and status.st_uid in {0, os.getuid()}:
                status = os.stat(board.path)
        if status.st_uid not in {0, os.getuid()} and not status.st_mode & stat.S_ISVTX:
            raise StoreError(
                f"the queue directory {board.path} is another user's own: let an administrator make it with mode "
                "1777, or name another one in MLWIDGETS_QUEUE"
            )
        return board

    def _build(self) -> None:
        """Make the directory beside its place and move it there, so that no other user meets half of it."""
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            building = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", dir=self.path.parent))
            try:
                self.__class__(building)._furnish()
                building.chmod(0o1777)
                os.rename(building, self.path)
            except OSError:
                # Somebody else was quicker.
                if not self.path.exists():
                    raise
            finally:
                shutil.rmtree(building, ignore_errors=True)
        self._furnish()

    def _furnish(self) -> None:
        for folder in (self.tickets, self.holdings):
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                folder.chmod(0o1777)
        if not self._mutex.exists():
            self._create_for_all(self._mutex)

    def _create_for_all(self, path: Path) -> None:
        """Create an empty file that every user may write, with its mode from the first moment on."""
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(fd, 0o666)
            # Where it is gone, somebody has tidied up who has the mutex already.
            with contextlib.suppress(FileExistsError, FileNotFoundError):
                os.link(beside, path)
        finally:
            os.close(fd)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)

    @contextlib.contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the mutex; gives its descriptor. Everything is read, decided and written under it.

        Raises
        ------
        QueueLocked
            If one process holds it for seconds.
        """
        while True:
            try:
                fd = os.open(self._mutex, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                with said_plainly(self.path):
                    self._build()
                continue
            except OSError as error:
                raise StoreError(f"{self._mutex} cannot be opened ({error.strerror}): remove it") from None
            try:
                _lock(fd, self._mutex)
                # Somebody may have removed it, and others lock its successor.
                current = _same(fd, self._mutex)
                if current:
                    yield fd
            finally:
                # Another thread may have forked meanwhile: its child would keep what is only closed here.
                fcntl.flock(fd, fcntl.LOCK_UN)
                os.close(fd)
            if current:
                self._settle_dead()
                return

    def _settle_dead(self) -> None:
        """Record how this user's runs ended whose processes died holding slots, which ends what they left running."""
        dead, self._dead = self._dead, []
        if not dead:
            return
        settling = threading.Thread(target=_settle, args=(dead,), name="mlwidgets-settle", daemon=True)
        settling.start()
        # A store that does not answer, on a network's file system, must not keep the queue.
        settling.join(2 * _DIES_WITHIN)

    def next_number(self, mutex: int) -> int:
        """Return a ticket number that was never given out; the mutex file itself keeps the count."""
        try:
            last = int(os.pread(mutex, 32, 0) or b"0")
        except ValueError:
            last = 0
        taken = [number for folder in (self.tickets, self.holdings) for number, _ in _entries(folder)]
        number = max([last if 0 <= last < LAST_NUMBER else 0, *taken]) + 1
        if number >= LAST_NUMBER:
            raise StoreError(f"the count of tickets in {self.path} is damaged: remove that folder when no run is there")
        os.pwrite(mutex, b"%-20d\n" % number, 0)
        return number

    def put_up(self, folder: Path, number: int, data: Mapping[str, Any], mutex: int) -> Entry:
        """Make an entry; under the next free number where somebody else's files are in its place.

        Raises
        ------
        StoreError
            If there is no room.
        """
        try:
            return Entry.create(folder, number, data)
        except StoreError:
            if not any(os.path.lexists(folder / f"{number}.{kind}") for kind in ("json", "fifo")):
                raise
        return Entry.create(folder, self.next_number(mutex), data)

    def read(self) -> State:
        """Return all tickets and holdings whose owners live; remove what the dead have left."""
        self._tidy()
        known, self._known = self._known, {}
        waiting = sorted(self._read(self.tickets, parse_ticket, known), key=lambda ticket: ticket.order)
        holdings = sorted(self._read(self.holdings, parse_holding, known), key=lambda holding: holding.number)
        return State(tuple(waiting), tuple(holdings), self.health())

    def _tidy(self) -> None:
        """Remove what somebody died over while making the mutex; who still makes one finds that it is there."""
        with contextlib.suppress(OSError):
            for name in os.listdir(self.path):
                if name.startswith(f".{self._mutex.name}."):
                    os.unlink(self.path / name)

    def _read(
        self, folder: Path, parse: Callable[[int, int, Mapping[str, Any]], _Record], known: _Known
    ) -> Iterator[_Record]:
        for number in sorted({number for number, _ in _entries(folder, tidy=True)}):
            # Hundreds of them are looked at while others wait for the mutex: no Path objects.
            base = f"{folder}/{number}"
            fifo = open_fifo(f"{base}.fifo")
            if fifo is None:
                record = self._record(f"{base}.json", number, parse, known)
                if isinstance(record, Holding) and record.uid == os.geteuid():
                    self._dead.append(record)
                for end in (".json", ".fifo"):
                    with contextlib.suppress(OSError):
                        os.unlink(base + end)
                continue
            os.close(fifo)
            record = self._record(f"{base}.json", number, parse, known)
            if record is not None:
                yield record

    def _record(
        self, path: str, number: int, parse: Callable[[int, int, Mapping[str, Any]], _Record], known: _Known
    ) -> _Record | None:
        """Return what a file says; a file is never changed but replaced, so that it has to be read only once."""
        try:
            status = os.lstat(path)
        except OSError:
            return None
        mark = (status.st_ino, status.st_mtime_ns, status.st_size)
        if path not in known or known[path][0] != mark:
            data, uid = read_object(path)
            record = None
            if data is not None:
                with contextlib.suppress(*ODD):
                    record = parse(number, uid, data)
            known[path] = (mark, record)
        self._known[path] = known[path]
        found: _Record | None = known[path][1]
        return found

    def wake(self, number: int) -> None:
        """Wake the process that waits with this ticket."""
        fd = open_fifo(self.tickets / f"{number}.fifo")
        if fd is not None:
            # A full FIFO wakes its owner all the same.
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(fd, b"!")
            os.close(fd)

    def health(self) -> dict[str, Condition]:
        """Return what is known of each GPU that is not simply well."""
        data, _ = read_object(self._health)
        conditions: dict[str, Condition] = {}
        for uuid, entry in (data or {}).items():
            with contextlib.suppress(*ODD):
                drained = entry["drained"]
                conditions[plain_text(uuid)] = Condition(
                    int(entry["failures"]),
                    None if drained is None else plain_text(drained),
                    plain_text(entry["by"]),
                    float(entry["since"]),
                )
        return conditions

    def write_health(self, conditions: Mapping[str, Condition]) -> None:
        """Replace what is known of the GPUs' health."""
        text = json.dumps({uuid: vars(condition) for uuid, condition in conditions.items()}).encode()
        with said_plainly(self._health):
            if not self._health.exists():
                self._create_for_all(self._health)
            # Whatever somebody has put there, a FIFO too, must not keep this process and the mutex.
            fd = os.open(self._health, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                # In place: the file may be another user's, which a sticky directory lets nobody else replace.
                os.ftruncate(fd, 0)
                os.write(fd, text)
            finally:
                os.close(fd)


def _settle(dead: Collection[Holding]) -> None:
    from mlwidgets.runs.folder import RunFolder
    from mlwidgets.runs.state import settle

    # The descriptors of the dying close one after the other, and that of the slots need not be the last.
    deadline = time.monotonic() + _DIES_WITHIN
    for holding in dead:
        with contextlib.suppress(OSError, UnknownRun):
            while not settle(RunFolder(Path(holding.store) / "runs" / holding.run)).ended:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.005)


def _lock(fd: int, path: Path) -> None:
    pause, since, before = 0.0005, time.monotonic(), ""
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = time.monotonic() - since
            holder = _holder(fd) if waited > _LOCKED_FOR / 2 else ""
            if before and holder != before:
                # Where hundreds want it on a busy machine, one may wait long although all go on.
                since, holder = time.monotonic(), ""
            elif waited > _LOCKED_FOR:
                raise QueueLocked(
                    f"the queue's {path} is held by {holder} and nobody can go on: continue that process "
                    "(kill -CONT) or end it"
                ) from None
            before = holder
        # So that no two keep step; the user's own random numbers stay untouched.
        time.sleep(pause * secrets.randbelow(1000) / 1000)
        pause = min(2 * pause, 0.02)


def _holder(fd: int) -> str:
    """Return in words which process holds the lock on a file."""
    status = os.fstat(fd)
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[5] == place and int(words[4]) > 0:
                return f"{plain_text(Path(f'/proc/{words[4]}/comm').read_text().strip())} (pid {words[4]})"
    return "a process that cannot be seen from here"


def _same(fd: int, path: Path) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(fd), there)


def _entries(folder: Path, *, tidy: bool = False) -> list[tuple[int, str]]:
    """Return the numbers and kinds of the files in a folder.

    With ``tidy``, also remove files that somebody died over while writing them: under the mutex nobody is writing.
    """
    found = []
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    for name in names:
        match = _ENTRY.fullmatch(name)
        if match:
            found.append((int(match[1]), match[2]))
        elif tidy and name.startswith("."):
            with contextlib.suppress(OSError):
                os.unlink(folder / name)
    return found
