"""The runs of one store as lists show them: the newest first, without opening those that have ended before."""

from __future__ import annotations

import ast
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from mlwidgets.errors import UnknownRun
from mlwidgets.reruns.resumable import cut_short_after
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import RunIndex, RunSummary, annotated, read_summary
from mlwidgets.runs.run import Run
from mlwidgets.runs.store import RunStore, age
from mlwidgets.runs.verdict import read_verdict
from mlwidgets.server.addresses import address_of
from mlwidgets.server.going import Going
from mlwidgets.server.machine import Machine
from mlwidgets.views.format import json_number
from mlwidgets.views.reruns import read_rerun, rerun_of
from mlwidgets.views.sweep import reason

LONGEST_VALUE = 200
"""Characters of a parameter that a list shows."""
SETTLED = 2 * 10**9
"""Nanoseconds after which a directory's time stands for its content: clocks are coarse, and those of servers differ."""
MOST_METRICS = 200
"""Of one run."""

Row = dict[str, Any]


class Listing:
    """Safe to use from several threads.

    Parameters
    ----------
    key
        The store's key.
    store
        The store.
    machine
        Tells what runs wait for.
    relative
        Turns a notebook's path into one from the server's root.
    """

    def __init__(
        self, key: str, store: RunStore, machine: Machine, relative: Callable[[str | None], str | None]
    ) -> None:
        self.key = key
        self.store = store
        self._machine = machine
        self._relative = relative
        self._index = RunIndex(store)
        self._reports = os.fspath(store.path / "reports")
        self._going: dict[str, Going] = {}
        self._names: tuple[int, list[str], frozenset[str]] = (-1, [], frozenset())
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Return the ids of all runs, newest first; links are no runs."""
        return self._read_names()[0]

    def known(self) -> frozenset[str]:
        """Return the same as a set."""
        return self._read_names()[1]

    def look(self) -> tuple[frozenset[str], bool]:
        """Return the same, and whether it holds until the directory's time changes."""
        _, known, holds = self._read_names()
        return known, holds

    def _read_names(self) -> tuple[list[str], frozenset[str], bool]:
        """Read the directory, unless it is as it was: its time says so once it is old enough to be trusted."""
        with self._lock:
            read, names, known = self._names
        try:
            changed = os.stat(self.store.runs).st_mtime_ns
            if changed == read:
                return names, known, True
            trusted = time.time_ns() - changed > SETTLED
            with os.scandir(self.store.runs) as entries:
                names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            trusted, changed, names = True, -1, []
        except OSError:
            # A disk that does not answer for a moment has lost no run.
            return names, known, False
        names.sort(key=age, reverse=True)
        known = frozenset(names)
        with self._lock:
            self._names = (changed if trusted else -1, names, known)
        return names, known, trusted

    def folder(self, run_id: str) -> RunFolder:
        """Return the folder of a run.

        Raises
        ------
        UnknownRun
            If there is none with exactly this id.
        """
        return self.folders([run_id])[0]

    def folders(self, run_ids: Sequence[str]) -> list[RunFolder]:
        """Return the folders of several runs; raises `UnknownRun` if one of them is not there."""
        known = self.known()
        for run_id in run_ids:
            if run_id not in known:
                raise UnknownRun(f"there is no run {run_id[:120]!r}")
        return [RunFolder(self.store.runs / run_id) for run_id in run_ids]

    def older(self, after: str | None) -> tuple[int, list[str]]:
        """Return how many runs there are, and the ids of those that are older than `after`, newest first."""
        names = self.names()
        return len(names), list(names) if after is None else [name for name in names if age(name) < age(after)]

    def rows(self, names: Sequence[str]) -> list[Row]:
        """Return one row for each of these runs that can be read."""
        kept = self._index.kept(names)
        fresh: list[RunSummary] = []
        rows: list[Row] = []
        for name in names:
            folder = RunFolder(self.store.runs / name)
            summary = kept.get(name)
            if summary is None and folder.outcome.exists():
                summary = read_summary(folder)
                if summary is not None:
                    fresh.append(summary)
            if summary is not None and summary.ended:
                rows.append(self._row(annotated(summary, folder)))
            elif row := self.going_row(name, look=True):
                rows.append(row)
        self._index.keep(fresh)
        return rows

    def row(self, run_id: str) -> Row:
        """Return the row of one run.

        Raises
        ------
        UnknownRun
            If there is none, or its folder is damaged.
        """
        found = self.rows([self.folder(run_id).id])
        if not found:
            raise UnknownRun(f"the folder of run {run_id[:120]!r} is damaged")
        (row,) = found
        if row["rerun"] and row["ended"] and row["rerun"]["verdict"] is None:
            # Whoever was to compare was killed, or is still at it.
            row["rerun"] = read_rerun(Run(self.store.runs / run_id), ended=True)
        return row

    def going(self, run_id: str) -> Going | None:
        """Return a run as one that goes on; None if its folder is damaged."""
        with self._lock:
            found = self._going.get(run_id)
            if found is None:
                try:
                    found = Going(Run(self.store.runs / run_id))
                except UnknownRun:
                    return None
                self._going[run_id] = found
            return found

    def going_row(self, run_id: str, *, look: bool = False) -> Row | None:
        """Return the row of a run that goes on, or just went on."""
        going = self.going(run_id)
        if going is None:
            return None
        try:
            if look:
                going.look(time.monotonic(), fresh=True)
        except UnknownRun:
            self.let_go(run_id)
            return None
        return self.row_of(going)

    def row_of(self, going: Going) -> Row:
        """Return the row of a run as it was when it was last looked at."""
        summary = going.summary
        if summary.ended:
            self.let_go(summary.id)
        row = self._row(summary)
        row["stopping"], row["progress"] = going.stopping, going.progress
        if summary.state == "submitted":
            row["waiting"] = self._machine.waiting(summary.id)
        return row

    def let_go(self, run_id: str) -> None:
        """Forget how far a run was read."""
        with self._lock:
            self._going.pop(run_id, None)

    def forget(self, run_id: str) -> None:
        """Forget a run that was deleted."""
        self.let_go(run_id)
        self._index.forget([run_id])

    def _row(self, summary: RunSummary) -> Row:
        return {
            "id": summary.id,
            "name": summary.name,
            "state": summary.state,
            "cause": summary.cause,
            "waiting": None,
            "attempt": summary.attempt,
            "stopping": False,
            "submitted": summary.submitted_at,
            "started": summary.started_at,
            "ended": summary.ended_at,
            "params": {name: _shown(text) for name, text in summary.params.items()},
            "tags": summary.tags,
            "note": summary.note,
            "pinned": summary.pinned,
            "notebook": self._relative(summary.notebook),
            "cell": summary.cell,
            "metrics": {name: json_number(value) for name, value in list(summary.metrics.items())[:MOST_METRICS]},
            "progress": None,
            "trial_of": summary.trial_of,
            "trial": summary.trial,
            "sweep": _sweep(summary.sweep),
            "store": self.key,
            "report": self._report(summary),
            "rerun": self._rerun(summary),
            "resumes": self._resumes(summary),
        }

    def _rerun(self, summary: RunSummary) -> dict[str, Any] | None:
        """Return of which run it is a rerun, and what came of that as far as somebody has compared them."""
        if summary.rerun_of is None:
            return None
        folder = RunFolder(self.store.runs / summary.id)
        return rerun_of(folder, summary.rerun_of, read_verdict(folder) if summary.ended else None)

    def _resumes(self, summary: RunSummary) -> str | None:
        """Return after what a run that was cut short can go on, None where it cannot."""
        if summary.sweep is not None:
            return None
        return cut_short_after(RunFolder(self.store.runs / summary.id), summary.state, ended=summary.ended)

    def _report(self, summary: RunSummary) -> str | None:
        """Return the address of the edition that was made of a run, from the server's base."""
        if not summary.ended or not os.path.exists(f"{self._reports}/{summary.name}/editions/{summary.id}"):
            return None
        return address_of(self.key, summary.name, f"{summary.id}.html")


def _sweep(outline: dict[str, Any] | None) -> dict[str, Any] | None:
    if outline is None:
        return None
    best, paused = outline["best"], outline["paused"]
    return {
        **outline,
        "best": best and [json_number(value) for value in best],
        "paused": None if paused is None else reason(paused),
    }


def _shown(text: str) -> str:
    """Return a parameter's text as a view shows it: strings without quotation marks."""
    if text[:1] in {"'", '"'}:
        try:
            text = str(ast.literal_eval(text))
        except (ValueError, SyntaxError):
            pass
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
