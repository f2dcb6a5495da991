"""Twins of what Jupyter saves: a thread of our own writes them, and nothing waits for it.

A notebook that somebody has open is not written here: whoever has it open puts in what its text says, and saves. So
nobody's edits are replaced, and JupyterLab never finds a file that changed behind its back.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlwidgets.errors import MlwidgetsError
from mlwidgets.history.restoring import state_of
from mlwidgets.history.twins import ahead
from mlwidgets.history.twins.ahead import Ahead, agree_on, write_twins
from mlwidgets.history.twins.helper import Helper
from mlwidgets.history.twins.pairing import NOTEBOOK, may_be_paired, pairing_of
from mlwidgets.history.twins.planning import unpair
from mlwidgets.history.twins.results import Choice, Conflict, Synced
from mlwidgets.history.twins.syncing import follow_rename, settle
from mlwidgets.server.flows import Flows
from mlwidgets.server.saves import is_kept
from mlwidgets.server.trust import Trust

OPEN_FOR = 75.0
"""Seconds after its last question for which a page has a notebook open; one in the background asks once a minute."""
ALONE_FOR = 5.0
"""Seconds for which one page alone puts into a notebook what its text says."""
DECIDED_FOR = 300.0
"""Seconds for which a decision waits for the save that carries it out."""
KNOWN_FOR = 20.0
"""Seconds after which settings are read again although neither file has changed."""
LAST_WORDS = 5.0
_MOST_TOLD = 100

logger = logging.getLogger("mlwidgets.server")

Job = tuple[str, str | None]
"""A path of requests, and the one that it had before it was renamed."""


@dataclass(frozen=True)
class State:
    """A notebook and its twin, as they lie there.

    Parameters
    ----------
    ahead
        What the notebook becomes; None where it has no twin.
    problem
        Why nothing can be done.
    twin
        The text file, as far as it is known then.
    """

    ahead: Ahead | None = None
    problem: str | None = None
    twin: Path | None = None


class Twins:
    """Hears of saves, and lets notebooks and twins say the same.

    Parameters
    ----------
    path_of
        Where the file of a path of requests lies; raises `OSError` or `ValueError` where there can be none.
    trust
        Keeps a notebook trusted that is written here.
    flow
        Says whether several people have a notebook open by way of the server; lets its twin flow into it then, if
        that is wanted.
    """

    def __init__(
        self, path_of: Callable[[str], Path], trust: Trust, flow: Callable[[Path, bool], bool] | None = None
    ) -> None:
        self._path_of = path_of
        self._trust = trust
        self._flow = flow or (lambda *_: False)
        self.helper = Helper()
        self.flows = Flows()
        self._news = threading.Condition()
        self._waiting: list[Job] = []
        self._now: Job | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._open: dict[Path, dict[str, float]] = {}
        self._alone: dict[Path, tuple[str, float]] = {}
        self._decided: dict[Path, dict[str, float]] = {}
        self._known: dict[Path, tuple[Any, State]] = {}
        self._told: set[str] = set()

    def heard(self, event: dict[str, Any]) -> None:
        """Take note of what Jupyter says that it did; takes no time and never fails."""
        path, old = event.get("path"), event.get("source_path")
        if isinstance(path, str) and event.get("action") in {"save", "rename"}:
            self.add(path.strip("/"), old.strip("/") if isinstance(old, str) else None)

    def add(self, path: str, old: str | None = None) -> None:
        """Bring what has that path, and had another one before, up to date soon."""
        with self._news:
            if self._closed or (path, old) in self._waiting:
                return
            self._waiting.append((path, old))
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="mlwidgets twins", daemon=True)
                thread.start()
                self._thread = thread
            self._news.notify_all()

    def settle_down(self, path: str, seconds: float) -> None:
        """Wait until what was heard of a path has been done, at most so long."""
        with self._news:
            self._news.wait_for(lambda: path not in [job[0] for job in (self._now, *self._waiting) if job], seconds)

    def close(self) -> None:
        """Do what is still to be done, and hear of nothing more."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        if self._thread is not None:
            self._thread.join(LAST_WORDS)
        self.helper.close()

    def _work(self) -> None:
        while True:
            with self._news:
                self._now = None
                self._news.notify_all()
                self._news.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                job = self._now = self._waiting.pop(0)
            try:
                self._bring(*job)
            except (MlwidgetsError, OSError, ValueError) as error:
                self._tell(str(error))
            except Exception as error:  # whatever it is, the next save is heard of again
                self._tell(f"{type(error).__name__}: {error}")

    def _bring(self, path: str, old: str | None) -> None:
        file = self._path_of(path)
        if not file.is_file() or not may_be_paired(file):
            return
        if old is not None and file.suffix == NOTEBOOK:
            follow_rename(self._path_of(old), file)
        pairing = pairing_of(file)
        if pairing is None:
            return
        if file.suffix == NOTEBOOK and not is_kept(path):
            return
        notebook = pairing.notebook
        if not (self._is_open(notebook) or self._flow(notebook, False)):
            self._done(notebook, self.sync(notebook))
            return
        self._agree(notebook)
        synced = write_twins(notebook)
        self._done(notebook, synced)
        found = self.state(notebook).ahead
        if found is not None and found.notebook is not None:
            self._flow(notebook, True)
        elif found is not None and not (found.conflicts or synced.conflicts or synced.problem):
            self.flows.forget(notebook)

    def _agree(self, notebook: Path) -> None:
        """Take note that what came from the twin into the open notebook is in its file now, if that was saved since."""
        try:
            base = self.flows.base_of(notebook, json.loads(notebook.read_bytes())["cells"])
        except (OSError, ValueError, KeyError, TypeError):
            # What is wrong with the file is told by whoever reads it as a notebook.
            return
        if base is not None:
            agree_on(notebook, base)

    def _done(self, notebook: Path, synced: Synced) -> None:
        decided = self._decisions(notebook)
        choices: dict[str, Choice] = {one.id: "notebook" for one in synced.conflicts if one.twin in decided}
        if choices:
            synced = settle(notebook, choices)
        self._known.pop(notebook, None)
        if synced.problem is not None:
            self._tell(synced.problem)

    def _tell(self, problem: str) -> None:
        """Say once what is wrong: it would be the same at each save."""
        if problem not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(problem)
            logger.warning("a text twin was not written, the notebook is as it was saved: %s", problem)

    def sync(self, notebook: Path) -> Synced:
        """Let both files say the same; a notebook that was trusted stays so."""
        with self._trust.kept(notebook):
            synced = self.helper.sync(notebook)
        self._known.pop(notebook, None)
        return synced

    def unpair(self, notebook: Path) -> Path | None:
        """Let a notebook have no twin from now on; return the text file, which stays."""
        with self._trust.kept(notebook):
            twin = unpair(notebook)
        self._known.pop(notebook, None)
        return twin

    def state(self, notebook: Path) -> State:
        """Return what there is to be done; nothing is read again that has not changed."""
        known = self._known.get(notebook)
        if known is not None and known[0] == self._stamp(notebook, known[1]):
            return known[1]
        try:
            state = State(ahead.look(notebook)) if may_be_paired(notebook) else State()
        except MlwidgetsError as error:
            # Which file has to change for it to be well again is not known.
            return State(None, str(error), self._twin_of(notebook, known[1] if known is not None else None))
        if state.ahead is not None:
            self._known[notebook] = (self._stamp(notebook, state), state)
        return state

    @staticmethod
    def _twin_of(notebook: Path, known: State | None) -> Path | None:
        try:
            pairing = pairing_of(notebook)
        except MlwidgetsError:
            return known.ahead.twin if known is not None and known.ahead is not None else None
        return None if pairing is None else pairing.twin

    def _stamp(self, notebook: Path, state: State) -> tuple[Any, ...]:
        twin = state.ahead.twin if state.ahead is not None else None
        return state_of(notebook), twin and state_of(twin), int(time.monotonic() / KNOWN_FOR)

    def opened(self, notebook: Path, client: str) -> bool:
        """Take note of a page that has a notebook open; return whether it is news."""
        with self._news:
            now = time.monotonic()
            self._open = {
                path: kept
                for path, clients in self._open.items()
                if (kept := {one: at for one, at in clients.items() if now - at < OPEN_FOR})
            }
            clients = self._open.setdefault(notebook, {})
            new = client not in clients
            clients[client] = now
            return new

    def closed(self, notebook: Path, client: str) -> None:
        """Take note of a page that has it open no longer; what it left undone is done."""
        with self._news:
            self._open.get(notebook, {}).pop(client, None)

    def _is_open(self, notebook: Path) -> bool:
        with self._news:
            now = time.monotonic()
            return any(now - at < OPEN_FOR for at in self._open.get(notebook, {}).values())

    def may_merge(self, notebook: Path, client: str) -> bool:
        """Whether no other page is putting in what the text says: twice, it would be there twice."""
        with self._news:
            now = time.monotonic()
            one, since = self._alone.get(notebook, (client, now))
            if one != client and now - since < ALONE_FOR:
                return False
            self._alone[notebook] = (client, now)
            return True

    def decide(self, notebook: Path, conflicts: tuple[Conflict, ...], choices: Mapping[str, Choice]) -> None:
        """Remember which versions of the twin somebody has seen and decided on."""
        until = time.monotonic() + DECIDED_FOR
        with self._news:
            seen = self._decided.setdefault(notebook, {})
            seen.update({one.twin: until for one in conflicts if one.id in choices})

    def _decisions(self, notebook: Path) -> set[str]:
        with self._news:
            now = time.monotonic()
            return {twin for twin, until in self._decided.pop(notebook, {}).items() if now < until}
