"""Who looks after the schedules below a server's root: a ticker for each store that is this user's own."""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from pathlib import Path

from mlwidgets.errors import MlwidgetsError, StoreError
from mlwidgets.runs.store import STORE_VARIABLE, RunStore
from mlwidgets.schedules.table import FILE
from mlwidgets.schedules.ticker import Ticker
from mlwidgets.server.stores import FOLDER, Stores

LOOK = 1.0
"""Seconds between two looks at whether a store that is known has schedules by now."""
AGAIN = 600.0
"""Seconds between two searches for further stores."""
DEEPEST, MOST_FOLDERS = 6, 20_000
"""Of a search: a root may be a whole home."""
_AT_ONCE, _REST = 100, 0.02
_PATIENCE = 5.0
_SKIPPED = {"node_modules", "site-packages", "__pycache__"}

_log = logging.getLogger("mlwidgets.schedules")


class Tickers:
    """One for each server.

    Parameters
    ----------
    stores
        The server's.
    wanted
        Whether this server starts what is due.
    """

    def __init__(self, stores: Stores, *, wanted: bool = False) -> None:
        self._stores = stores
        self.wanted = wanted
        self._lock = threading.Lock()
        self._tickers: dict[str, Ticker] = {}
        self._known: set[str] = set()
        self._refused: set[str] = set()
        self._closed = threading.Event()

    def begin(self) -> None:
        """Look after the root's own store, and after all below the root, as soon as they have schedules."""
        if self.wanted:
            for work in (self._watch, self._search):
                threading.Thread(target=work, name="mlwidgets-schedules-stores", daemon=True).start()

    def look_after(self, path: Path) -> bool:
        """Look after a store that has schedules unless that is so already; return whether that is so now.

        One without schedules is looked after as soon as it has some.
        """
        if not self.wanted or self._closed.is_set():
            return False
        key = os.path.realpath(path)
        with self._lock:
            self._known.add(key)
            if key in self._tickers:
                return True
            if not self._is_own(key):
                return False
            self._tickers[key] = Ticker(Path(key))
            self._tickers[key].start()
        return True

    def _is_own(self, store: str) -> bool:
        """Return whether there are schedules that this user has made, not ones that came with what was downloaded."""
        try:
            mode = os.stat(os.path.join(store, FILE)).st_mode
            RunStore(Path(store))
        except (OSError, StoreError):
            return False
        # They are made for nobody else to read, and neither git nor most archives keep that.
        own = not mode & (stat.S_IRWXG | stat.S_IRWXO)
        if not own and store not in self._refused:
            _log.warning(
                "schedules are not looked after: others may read %s, so it came from elsewhere; if they are yours: "
                "chmod 600 that file",
                os.path.join(store, FILE),
            )
            self._refused.add(store)
        return own

    def close(self) -> None:
        """Look after nothing more; what was started goes on."""
        self._closed.set()
        with self._lock:
            tickers = list(self._tickers.values())
        for ticker in tickers:
            ticker.stop(0)
        end = time.monotonic() + _PATIENCE
        for ticker in tickers:
            ticker.stop(max(0.0, end - time.monotonic()))

    def _watch(self) -> None:
        """Look after the stores that are known as soon as they have schedules."""
        while True:
            try:
                self.look_after(self._stores.path_of(""))
            except MlwidgetsError:
                pass
            with self._lock:
                waiting = self._known - self._tickers.keys()
            for store in waiting:
                self.look_after(Path(store))
            if self._closed.wait(LOOK):
                return

    def _search(self) -> None:
        """Find stores below the root."""
        while not self._closed.is_set():
            # Where one store is named for all projects, no other is used.
            if not os.environ.get(STORE_VARIABLE):
                self._search_below()
            self._closed.wait(AGAIN)

    def _search_below(self) -> None:
        """Find stores, those nearest to the root first."""
        folders = [(str(self._stores.root), 0)]
        for number, (folder, depth) in enumerate(folders):
            if self._closed.is_set():
                return
            if number % _AT_ONCE == _AT_ONCE - 1:
                self._closed.wait(_REST)
            try:
                with os.scandir(folder) as entries:
                    names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            except OSError:
                continue
            if FOLDER in names:
                self.look_after(Path(folder, FOLDER))
            if depth < DEEPEST:
                below = sorted(name for name in names if not name.startswith(".") and name not in _SKIPPED)
                folders += [(os.path.join(folder, name), depth + 1) for name in below][: MOST_FOLDERS - len(folders)]
