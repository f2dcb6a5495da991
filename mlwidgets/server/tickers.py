"""Who looks after the schedules below a server's root: a ticker for each store that is this user's own."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from mlwidgets.errors import MlwidgetsError, StoreError
from mlwidgets.runs.store import STORE_VARIABLE, RunStore
from mlwidgets.schedules.table import FILE
from mlwidgets.schedules.ticker import Ticker
from mlwidgets.server.stores import FOLDER, Stores

AGAIN = 600.0
"""Seconds between two searches for further stores."""
DEEPEST, MOST_FOLDERS = 6, 20_000
"""Of a search: a root may be a whole home."""
_AT_ONCE, _REST = 100, 0.02
_PATIENCE = 5.0
_SKIPPED = {"node_modules", "site-packages", "__pycache__"}


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
        self._wanted = wanted
        self._lock = threading.Lock()
        self._tickers: dict[str, Ticker] = {}
        self._closed = threading.Event()

    def begin(self) -> None:
        """Look after the root's own store, and after all below the root that have schedules."""
        if self._wanted:
            threading.Thread(target=self._search, name="mlwidgets-schedules-search", daemon=True).start()

    def look_after(self, path: Path) -> bool:
        """Look after a store unless that is so already; return whether that is so now."""
        if not self._wanted or self._closed.is_set():
            return False
        key = os.path.realpath(path)
        if key not in self._tickers:
            try:
                RunStore(path)
            except StoreError:
                # Somebody else's, whose schedules are not ours to start.
                return False
            with self._lock:
                if key not in self._tickers and not self._closed.is_set():
                    self._tickers[key] = Ticker(path)
                    self._tickers[key].start()
        return True

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

    def _search(self) -> None:
        while not self._closed.is_set():
            try:
                self.look_after(self._stores.path_of(""))
            except MlwidgetsError:
                pass
            # Where one store is named for all projects, no other is used.
            if not os.environ.get(STORE_VARIABLE):
                self._search_below()
            self._closed.wait(AGAIN)

    def _search_below(self) -> None:
        """Find stores with schedules, those nearest to the root first."""
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
            if FOLDER in names and os.path.exists(os.path.join(folder, FOLDER, FILE)):
                self.look_after(Path(folder, FOLDER))
            if depth < DEEPEST:
                below = sorted(name for name in names if not name.startswith(".") and name not in _SKIPPED)
                folders += [(os.path.join(folder, name), depth + 1) for name in below][: MOST_FOLDERS - len(folders)]
