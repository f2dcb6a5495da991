"""A cache over all run folders, so that a list of thousands need not open each. Deleting it loses nothing."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any

from mlwidgets.runs.annotations import Annotations, name_of_trial, read_annotations
from mlwidgets.runs.folder import ANNOTATIONS, RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.outline import outline
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import END_STATES
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.trials import read_log

_TABLE = "summaries_5"
"""Versions of this package that summarize differently share the file, each with a table of its own."""
_AT_ONCE = 500
"""Ids in one question to sqlite."""
_NOTHING = Annotations()
_UNREADABLE = (sqlite3.Error, ValueError, TypeError, AttributeError, RecursionError)
"""Of an index that is locked, damaged, read-only or of another version: the folders tell all the same."""
_remembered: dict[str, tuple[int, Mapping[str, RunSummary]]] = {}
"""Of one store, by its path: the version of its index and what that held."""


@dataclass
class RunSummary:
    """One line of a list of runs. Lists share them: nobody changes one, which freezing it would make ten times slower.

    Times are in Unix seconds, ``metrics`` the last value of each, ``cell`` the id of the notebook's cell, ``trial_of``
    the sweep whose trial with the number ``trial`` it is, ``sweep`` what `mlwidgets.runs.outline.outline` says of one,
    ``rerun_of`` the run that it does again.
    """

    id: str
    name: str
    state: str
    cause: str | None
    submitted_at: float
    started_at: float | None
    ended_at: float | None
    params: dict[str, str]
    tags: dict[str, str]
    notebook: str | None
    metrics: dict[str, float]
    cell: str | None = None
    attempt: str | None = None
    note: str = ""
    pinned: bool = False
    trial_of: str | None = None
    trial: int | None = None
    sweep: dict[str, Any] | None = None
    rerun_of: str | None = None

    @property
    def ended(self) -> bool:
        """Whether this is how it stays, but for what a user may still say of it."""
        return self.state in END_STATES


def summarize(run: Run) -> RunSummary:
    """Read one run's summary from its folder, without what it was given after the submit.

    Raises
    ------
    UnknownRun
        If the folder is damaged.
    """
    spec, outcome = run.spec, run.outcome
    return RunSummary(
        id=run.id,
        name=spec.name,
        state=outcome.state,
        cause=outcome.cause,
        submitted_at=spec.submitted_at,
        started_at=outcome.started_at,
        ended_at=outcome.ended_at,
        params=dict(spec.params),
        tags=dict(spec.tags),
        notebook=spec.provenance.notebook if spec.provenance else None,
        metrics=run.last_values(),
        cell=spec.provenance.cell if spec.provenance else None,
        attempt=attempt_of(RunFolder(run.path)),
        note=spec.note,
        trial_of=spec.trial_of,
        trial=spec.trial,
        sweep=None if spec.sweep is None else _outline(run, spec.sweep, ended=outcome.ended),
        rerun_of=spec.rerun_of,
    )


def _outline(run: Run, sweep: dict[str, Any], *, ended: bool) -> dict[str, Any] | None:
    try:
        return outline(read_log(run.path), sweep, ended=ended)
    except (KeyError, TypeError, AttributeError):
        # It is still a run, whatever became of its definition.
        return None


def attempt_of(folder: RunFolder) -> str | None:
    """Return which attempt this is where a run is tried more than once: ``attempt 2 of 3``."""
    attempts = list(read_lines(folder.events, "attempt"))
    if not attempts or attempts[-1].get("number", 1) == 1:
        return None
    return f"attempt {attempts[-1].get('number')} of {attempts[-1].get('of')}"


def annotated(summary: RunSummary, folder: RunFolder) -> RunSummary:
    """Return the summary with what the run was given after the submit."""
    given = read_annotations(folder)
    name = given.name
    if name is None and summary.trial_of is not None:
        name = name_of_trial(folder.path.parent, summary.trial_of, summary.trial)
    if name is None and given == _NOTHING:
        return summary
    return replace(
        summary,
        name=summary.name if name is None else name,
        tags=summary.tags if given.tags is None else given.tags,
        note=summary.note if given.note is None else given.note,
        pinned=given.pinned,
    )


class RunIndex:
    """Summaries of a store's runs. What has ended is read once and kept; what has not is read each time."""

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def summaries(self) -> list[RunSummary]:
        """Return the summaries of all runs that can be read, newest first."""
        ids = self._store.ids()
        cached = self.kept()
        found: list[RunSummary] = []
        fresh: list[RunSummary] = []
        given = self._annotated(ids)
        for one in ids:
            summary = cached.get(one)
            # Of thousands most were given nothing, and neither was the sweep whose trials they are.
            if summary is not None and one not in given and summary.trial_of not in given:
                found.append(summary)
                continue
            folder = RunFolder(self._store.runs / one)
            if summary is None:
                summary = read_summary(folder)
                if summary is None:
                    continue
                fresh.append(summary)
            found.append(annotated(summary, folder))
        self.keep(fresh)
        self.forget(cached.keys() - set(ids))
        return found

    def _annotated(self, ids: Collection[str]) -> set[str]:
        """Return which of these runs were given something: this is what a list has to ask of each folder."""
        try:
            runs = os.open(self._store.runs, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return set(ids)
        try:
            # A path that begins here is followed in less time than one from the root.
            return {one for one in ids if os.access(f"{one}/{ANNOTATIONS}", os.F_OK, dir_fd=runs)}
        finally:
            os.close(runs)

    def kept(self, ids: Sequence[str] | None = None) -> Mapping[str, RunSummary]:
        """Return what the cache holds of the runs with these ids, or of all, as `summarize` gave it."""
        if ids is None:
            return self._all_kept()
        texts: list[str | None] = []
        try:
            with contextlib.closing(self._connect()) as connection:
                for start in range(0, len(ids), _AT_ONCE):
                    part = [one for one in ids[start : start + _AT_ONCE] if _is_text(one)]
                    marks = ",".join("?" * len(part))
                    question = f"SELECT group_concat(summary) FROM {_TABLE} WHERE id IN ({marks})"  # noqa: S608 - constants
                    texts += connection.execute(question, part).fetchone()
            return _read(texts)
        except _UNREADABLE:
            return {}

    def _all_kept(self) -> Mapping[str, RunSummary]:
        """To read thousands is most of what a list costs: a process remembers them for its next one."""
        path = os.fspath(self._store.path)
        try:
            with _uncollected(), contextlib.closing(self._connect()) as connection, connection:
                connection.execute("BEGIN")
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                told = _remembered.get(path)
                if told is not None and version and told[0] == version:
                    return told[1]
                question = f"SELECT group_concat(summary) FROM {_TABLE}"  # noqa: S608 - a constant
                found = _read(connection.execute(question).fetchone())
        except _UNREADABLE:
            return {}
        _remembered.clear()
        _remembered[path] = (version, found)
        return found

    def keep(self, summaries: Collection[RunSummary]) -> None:
        """Put summaries of runs that have ended, as `summarize` gave them, into the cache."""
        # A run that ended after it was summarized has an outcome by now, which the summary does not know.
        ended = [
            s for s in summaries if s.ended and _is_text(s.id) and RunFolder(self._store.runs / s.id).outcome.exists()
        ]
        rows = [(s.id, _to_row(s)) for s in ended]
        if rows:
            self._change(f"INSERT OR REPLACE INTO {_TABLE} VALUES (?, ?)", rows)  # noqa: S608

    def forget(self, ids: Collection[str]) -> None:
        """Take runs out of the cache."""
        if ids:
            self._change(f"DELETE FROM {_TABLE} WHERE id = ?", [(one,) for one in ids if _is_text(one)])  # noqa: S608

    def _connect(self) -> sqlite3.Connection:
        path = self._store.path / "index.sqlite"
        # sqlite would make it readable to all. Only a file that is new is opened here: closing one that is in use
        # would take the locks of this process's other connections away.
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=0.5)
        # A cache need not survive the machine's end, and waiting for the disk is what writing it would cost most.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE} (id TEXT PRIMARY KEY, summary TEXT NOT NULL)")
        return connection

    def _change(self, statement: str, rows: Sequence[tuple[str, ...]]) -> None:
        try:
            connection = self._connect()
            try:
                with connection:
                    connection.executemany(statement, rows)
                    # Whoever remembers what was in it sees that this is over.
                    connection.execute(f"PRAGMA user_version = {1 + secrets.randbelow(2**31 - 1)}")
            finally:
                connection.close()
        except sqlite3.OperationalError:
            return
        except sqlite3.DatabaseError:
            with contextlib.suppress(OSError):
                (self._store.path / "index.sqlite").unlink()


_FIELDS = fields(RunSummary)
_NAMES = tuple(field.name for field in _FIELDS)
_NEEDED = sum(1 for field in _FIELDS if field.default is MISSING)


def _to_row(summary: RunSummary) -> str:
    """Return the fields in their order as JSON, without those at the end that are as always: names would double it."""
    values = [getattr(summary, name) for name in _NAMES]
    while len(values) > _NEEDED and values[-1] == _FIELDS[len(values) - 1].default:
        values.pop()
    return json.dumps(values, separators=(",", ":"))


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector out: it would look at all that there is, for each few hundred of what is new."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _read(texts: Iterable[str | None]) -> dict[str, RunSummary]:
    # One text of all: thousands of small ones take twice as long. There is none where no row was found.
    read = [RunSummary(*values) for values in json.loads(f"[{','.join(filter(None, texts))}]")]
    return {summary.id: summary for summary in read if summary.state in END_STATES}


def _is_text(folder_name: str) -> bool:
    """Whether sqlite can hold it; a folder's name may be any bytes."""
    return folder_name.isprintable()


def read_summary(folder: RunFolder) -> RunSummary | None:
    """Return a run's summary as `summarize` does, None if the folder is damaged in any way."""
    try:
        return summarize(Run(folder.path))
    except Exception:  # one damaged folder must not hide the others
        return None
