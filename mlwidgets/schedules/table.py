"""The table of schedules and of what they started: SQLite, which survives whoever is killed while it writes."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mlwidgets.errors import StoreError, UnknownSchedule
from mlwidgets.schedules.firing import COLUMNS, OPEN, Firing, read_row
from mlwidgets.schedules.schedule import Schedule

FILE = "schedules.sqlite"
_PATIENCE = 30.0
"""Seconds to wait for others who write."""
_IN_COLUMNS = ("id", "name", "enabled", "next")
_MIGRATIONS = (
    (
        """CREATE TABLE schedules (
            id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, definition TEXT NOT NULL, enabled INTEGER NOT NULL,
            revision INTEGER NOT NULL DEFAULT 0, due REAL, next REAL, seen TEXT, floor REAL NOT NULL DEFAULT 0)""",
        "CREATE INDEX schedules_next ON schedules (next)",
        """CREATE TABLE firings (
            id INTEGER PRIMARY KEY AUTOINCREMENT, schedule TEXT NOT NULL, due REAL NOT NULL, element INTEGER NOT NULL,
            state TEXT NOT NULL, trigger TEXT NOT NULL, params TEXT NOT NULL, attempt INTEGER NOT NULL, run TEXT UNIQUE,
            claimed REAL NOT NULL, started REAL, ended REAL, reason TEXT, retry_at REAL, missed INTEGER NOT NULL,
            first REAL, told INTEGER NOT NULL, UNIQUE (schedule, due, element))""",
        "CREATE INDEX firings_state ON firings (state)",
        "CREATE INDEX firings_schedule ON firings (schedule, id)",
        "CREATE INDEX firings_untold ON firings (told) WHERE NOT told",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value REAL NOT NULL)",
    ),
    ("ALTER TABLE firings ADD COLUMN untried INTEGER NOT NULL DEFAULT 0",),
)
"""What takes the table from one ``user_version`` to the next."""
_FIRING = ", ".join(COLUMNS)
_SCHEDULE = "id, name, enabled, next, definition, revision, due, seen, floor"


@dataclass(frozen=True)
class Row:
    """A schedule as the table has it.

    Attributes
    ----------
    revision : int
        How often it was changed by a user.
    due : float or None
        The due time that it starts for next: `Schedule.next` without jitter.
    seen : str or None
        What the conditions were when it started last, as JSON.
    floor : float
        Nothing up to this due time is started again, though its row may be gone.
    """

    schedule: Schedule
    revision: int
    due: float | None
    seen: str | None
    floor: float


class Table:
    """The table of one store.

    Parameters
    ----------
    store
        The store's path.
    """

    def __init__(self, store: Path) -> None:
        self.path = store / FILE

    @property
    def exists(self) -> bool:
        """Whether there ever was a schedule."""
        return self.path.exists()

    def signature(self) -> tuple[int, ...]:
        """Return what is another after each change, by two looks at the file system; empty without a table."""
        found: list[int] = []
        for path in (self.path, self.path.with_name(f"{FILE}-wal")):
            with contextlib.suppress(OSError):
                status = path.stat()
                # Whoever only reads leaves an empty log, for as long as that takes.
                if status.st_size:
                    found += (status.st_ino, status.st_size, status.st_mtime_ns)
        return tuple(found)

    @contextlib.contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Open the table, which is made where it is missing.

        Raises
        ------
        StoreError
            If it cannot be read or written: full, damaged, or of a newer version.
        """
        self._make()
        try:
            connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            try:
                self._prepare(connection)
                yield connection
            finally:
                connection.close()
        except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
            raise
        except sqlite3.OperationalError as error:
            raise StoreError(f"the schedules in {self.path} cannot be used: {error}; is the disk full?") from error
        except sqlite3.DatabaseError as error:
            raise StoreError(f"the schedules in {self.path} are damaged: {error}; move that file away") from error

    def _make(self) -> None:
        """Make an empty file, which sqlite would make readable to all.

        Only a file that is new is opened: closing one that is in use would take the locks of this process's other
        connections away.
        """
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            pass
        except OSError as error:
            raise StoreError(f"the schedules in {self.path} cannot be used: {error.strerror or error}") from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == len(_MIGRATIONS):
            connection.execute("PRAGMA synchronous = FULL")
            return
        if version > len(_MIGRATIONS):
            raise StoreError(f"the schedules in {self.path} were written by a newer mlwidgets; upgrade mlwidgets")
        connection.execute("PRAGMA journal_mode = WAL")
        # A claim that a loss of power undoes would be made twice.
        connection.execute("PRAGMA synchronous = FULL")
        with writing(connection):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            for number in range(version, len(_MIGRATIONS)):
                for statement in _MIGRATIONS[number]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number + 1}")


@contextlib.contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all that is done inside at once, as the only one who writes, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def rows(connection: sqlite3.Connection, where: str = "1", values: Sequence[Any] = (), most: int = -1) -> list[Row]:
    """Return the schedules for which `where`, an expression of ours, holds; what is due first comes first."""
    question = f"SELECT {_SCHEDULE} FROM schedules WHERE {where} ORDER BY next IS NULL, next, name LIMIT ?"  # noqa: S608
    found = []
    for key, name, enabled, next_, definition, revision, due, seen, floor in connection.execute(
        question, (*values, most)
    ):
        given = {**json.loads(definition), "id": key, "name": name, "enabled": bool(enabled), "next": next_}
        found.append(Row(Schedule.from_json(given), revision, due, seen, floor))
    return found


def find(connection: sqlite3.Connection, name: str) -> Row:
    """Return the schedule of that name or id.

    Raises
    ------
    UnknownSchedule
        If there is none.
    """
    found = rows(connection, "name = ?", (name,)) or rows(connection, "id = ?", (name,))
    if not found:
        raise unknown(name, [row.schedule.name for row in rows(connection)])
    return found[0]


def unknown(name: str, known: Sequence[str]) -> UnknownSchedule:
    """Return the error that there is no schedule of that name."""
    have = (
        f"there are: {', '.join(sorted(known)[:8])}{' …' if len(known) > 8 else ''}" if known else "there is none yet"
    )
    return UnknownSchedule(f"no schedule {name!r:.100}; {have}")


def insert(connection: sqlite3.Connection, row: Row) -> None:
    """Put a schedule in."""
    schedule = row.schedule
    connection.execute(
        "INSERT INTO schedules (id, name, definition, enabled, revision, due, next, seen, floor) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(schedule.id, schedule.name, _definition(schedule), schedule.enabled, row.revision),
            *(row.due, schedule.next, row.seen, row.floor),
        ),
    )


def change(connection: sqlite3.Connection, row: Row) -> None:
    """Write what a user changed of a schedule."""
    schedule = row.schedule
    connection.execute(
        "UPDATE schedules SET name = ?, definition = ?, enabled = ?, revision = revision + 1, due = ?, next = ?, "
        "seen = ? WHERE id = ?",
        (
            *(schedule.name, _definition(schedule), schedule.enabled),
            *(row.due, schedule.next, row.seen, schedule.id),
        ),
    )


def move(connection: sqlite3.Connection, row: Row, *, due: float | None, next_: float | None, seen: str | None) -> bool:
    """Move a schedule on from what `row` says, unless somebody else has: whoever does so has the claim."""
    done = connection.execute(
        "UPDATE schedules SET due = ?, next = ?, seen = ? WHERE id = ? AND revision = ? AND enabled "
        "AND due IS ? AND next IS ? AND seen IS ?",
        (due, next_, seen, row.schedule.id, row.revision, row.due, row.schedule.next, row.seen),
    )
    return done.rowcount == 1


def _definition(schedule: Schedule) -> str:
    return json.dumps({key: value for key, value in schedule.to_json().items() if key not in _IN_COLUMNS})


def firings(
    connection: sqlite3.Connection, where: str = "1", values: Sequence[Any] = (), most: int = -1
) -> list[Firing]:
    """Return the firings for which `where`, an expression of ours, holds, the newest first."""
    question = f"SELECT {_FIRING} FROM firings WHERE {where} ORDER BY id DESC LIMIT ?"  # noqa: S608
    return [read_row(row) for row in connection.execute(question, (*values, most))]


def open_firings(connection: sqlite3.Connection, schedule: str | None = None) -> list[Firing]:
    """Return the firings that have not ended, of one schedule or of all."""
    marks = ", ".join("?" * len(OPEN))
    if schedule is None:
        return firings(connection, f"state IN ({marks})", OPEN)
    return firings(connection, f"schedule = ? AND state IN ({marks})", (schedule, *OPEN))


def record(connection: sqlite3.Connection, firing: Firing) -> Firing | None:
    """Put a firing in and return it with its id; None where its due time has one already."""
    fields = asdict(firing)
    values = [json.dumps(fields[name]) if name == "params" else _storable(fields[name]) for name in COLUMNS[1:]]
    marks = ", ".join("?" * len(values))
    done = connection.execute(
        f"INSERT INTO firings ({', '.join(COLUMNS[1:])}) VALUES ({marks}) ON CONFLICT DO NOTHING",  # noqa: S608
        values,
    )
    return replace(firing, id=int(done.lastrowid or 0)) if done.rowcount == 1 else None


def update(connection: sqlite3.Connection, firing: Firing, **fields: Any) -> bool:
    """Change a firing, unless it is in another state or attempt by now."""
    names = ", ".join(f"{name} = ?" for name in fields)
    done = connection.execute(
        f"UPDATE firings SET {names} WHERE id = ? AND state = ? AND attempt = ? AND run IS ?",  # noqa: S608
        (*map(_storable, fields.values()), firing.id, firing.state, firing.attempt, firing.run),
    )
    return done.rowcount == 1


def _storable(value: Any) -> Any:
    """Return a text as sqlite takes it: what a run failed with, and names of files, may hold half of a character."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


KEPT = 1000
"""Firings of one schedule; older ones are forgotten."""


def forget_old(connection: sqlite3.Connection, schedule: str) -> None:
    """Forget the oldest firings of a schedule, but not up to which due time there were any."""
    old = (
        "schedule = ? AND NOT state IN ('claimed', 'started', 'waiting') AND id <= coalesce("
        "(SELECT id FROM firings WHERE schedule = ? ORDER BY id DESC LIMIT 1 OFFSET ?), 0)"
    )
    values = (schedule, schedule, KEPT)
    newest = f"SELECT max(due) FROM firings WHERE element >= 0 AND trigger = 'time' AND {old}"  # noqa: S608
    connection.execute(
        f"UPDATE schedules SET floor = max(floor, coalesce(({newest}), 0)) WHERE id = ?",  # noqa: S608
        (*values, schedule),
    )
    connection.execute(f"DELETE FROM firings WHERE {old}", values)  # noqa: S608
