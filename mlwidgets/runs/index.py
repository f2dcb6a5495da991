"""A cache over all run folders, so that a list of thousands need not open each. Deleting it loses nothing."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from dataclasses import asdict, dataclass

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import END_STATES
from mlwidgets.runs.store import RunStore


@dataclass(frozen=True)
class RunSummary:
    """One line of a list of runs. Times in Unix seconds, ``metrics`` the last value of each."""

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


def summarize(run: Run) -> RunSummary:
    """Read one run's summary from its folder.

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
    )


class RunIndex:
    """Summaries of a store's runs. What has ended is read once and kept; what has not is read each time."""

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def summaries(self) -> list[RunSummary]:
        """Return the summaries of all runs that can be read, newest first."""
        folders = list(self._store.folders())
        cached = self._read()
        found: list[RunSummary] = []
        fresh: list[RunSummary] = []
        for folder in folders:
            summary = cached.get(folder.id)
            if summary is None:
                summary = _summary_or_none(folder)
                if summary is None:
                    continue
                # A run that ended after it was summarized has an outcome by now, which the summary does not know.
                if summary.state in END_STATES and folder.outcome.exists():
                    fresh.append(summary)
            found.append(summary)
        gone = set(cached) - {f.id for f in folders}
        if fresh or gone:
            self._write(fresh, gone)
        return found

    def _connect(self) -> sqlite3.Connection:
        path = self._store.path / "index.sqlite"
        # sqlite would make it readable to all. Only a file that is new is opened here: closing one that is in use
        # would take the locks of this process's other connections away.
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=0.5)
        connection.execute("CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, summary TEXT NOT NULL)")
        return connection

    def _read(self) -> dict[str, RunSummary]:
        try:
            connection = self._connect()
            try:
                rows = connection.execute("SELECT id, summary FROM runs").fetchall()
            finally:
                connection.close()
            read = {run_id: RunSummary(**json.loads(text)) for run_id, text in rows}
            return {run_id: summary for run_id, summary in read.items() if summary.state in END_STATES}
        except (sqlite3.Error, ValueError, TypeError, RecursionError):
            # Locked, damaged, read-only or of another version: the folders tell all the same.
            return {}

    def _write(self, fresh: list[RunSummary], gone: set[str]) -> None:
        rows: list[tuple[str, str]] = [(s.id, json.dumps(asdict(s))) for s in fresh if _is_text(s.id)]
        try:
            connection = self._connect()
            try:
                with connection:
                    connection.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?)", rows)
                    connection.executemany("DELETE FROM runs WHERE id = ?", [(g,) for g in gone])
            finally:
                connection.close()
        except sqlite3.OperationalError:
            return
        except sqlite3.DatabaseError:
            with contextlib.suppress(OSError):
                (self._store.path / "index.sqlite").unlink()


def _is_text(folder_name: str) -> bool:
    """Whether sqlite can hold it; a folder's name may be any bytes."""
    return folder_name.isprintable()


def _summary_or_none(folder: RunFolder) -> RunSummary | None:
    try:
        return summarize(Run(folder.path))
    except Exception:  # a folder may be damaged in any way, and must not hide the others
        return None
