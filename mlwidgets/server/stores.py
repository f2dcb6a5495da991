"""Which stores a server shows: its root's own, and those of folders below the root. Nothing else is reachable."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runner.slots import Overview
from mlwidgets.runs.store import RunStore, find_store
from mlwidgets.server.listing import Listing
from mlwidgets.server.machine import Machine

FOLDER = ".mlwidgets"
_KEPT = 64
"""Listings that are kept at most: each remembers how far it has read the runs that go on."""


class UnknownStore(MlwidgetsError):
    """There is no such folder below the server's root."""


class Stores:
    """The stores below a folder, each under its key: its project's path from there with ``/``, "" for the root's own.

    Parameters
    ----------
    root
        The server's root. The project around it may be larger: the store that a notebook in the root would use is the
        root's own, wherever it lies.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self.given_root = Path(os.path.abspath(root))
        self.machine = Machine()
        self._listings: OrderedDict[str, Listing] = OrderedDict()
        self._lock = threading.Lock()
        self._seen: Overview | None = None
        self._slots: dict[str, Any] | None = None

    def key_of(self, folder: str) -> str:
        """Return the key of the store that a notebook in `folder` (from the root) uses.

        Raises
        ------
        UnknownStore
            If there is no such folder below the root.
        """
        return self.key_at(find_store(self._below(folder))) or ""

    def path_of(self, key: str) -> Path:
        """Return where the store of that key is or would be.

        Raises
        ------
        UnknownStore
            If its folder is not below the root, or the store itself lies elsewhere.
        """
        if not key:
            return find_store(self.root)
        if key != "/".join(part for part in key.split("/") if part):
            raise UnknownStore("there is no such folder")
        path = self._below(key) / FOLDER
        if not _is_below(os.path.realpath(path), self.root):
            raise UnknownStore(f"the store of {key!r} lies outside of the server's root")
        return path

    def key_at(self, store: str | os.PathLike[str]) -> str | None:
        """Return the key of the store at a path, None if it is not one of this server's."""
        path = os.path.realpath(store)
        if path == os.path.realpath(find_store(self.root)):
            return ""
        folder, name = os.path.split(path)
        if name != FOLDER or not _is_below(folder, self.root) or Path(folder) == self.root:
            return None
        return Path(folder).relative_to(self.root).as_posix()

    def name_of(self, key: str) -> str:
        """Return what to call a store: the name of its project's folder."""
        return self.path_of(key).parent.name or "/"

    def open(self, key: str) -> RunStore:
        """Return the store of that key; it may be empty and not exist yet.

        Raises
        ------
        UnknownStore
            If there is none.
        StoreError
            If it cannot be used.
        """
        return RunStore(self.path_of(key))

    def listing(self, key: str) -> Listing:
        """Return the list of that store's runs; raises what `open` does."""
        store = self.open(key)
        with self._lock:
            listing = self._listings.pop(key, None)
            if listing is None or listing.store.path != store.path:
                listing = Listing(key, store, self.machine, self.relative)
            self._listings[key] = listing
            while len(self._listings) > _KEPT:
                self._listings.popitem(last=False)
            return listing

    def slots(self) -> dict[str, Any] | None:
        """Return who holds what on this machine and who waits, fit for JSON, and which of it are this server's runs."""
        seen = self.machine.look()
        with self._lock:
            if seen is not None and seen is self._seen:
                return self._slots
        data = self.machine.to_json()
        if data is None:
            return None
        keys: dict[str, str | None] = {}
        mine = []
        for run in [*data["running"], *data["waiting"]]:
            if run["store"] not in keys:
                keys[run["store"]] = self.key_at(run["store"])
            key = keys[run["store"]]
            if key is not None:
                mine.append([run["run"], key])
        slots = {**data, "mine": mine}
        with self._lock:
            self._seen, self._slots = seen, slots
        return slots

    def relative(self, path: str | None) -> str | None:
        """Return a file's path from the root with ``/``, None if it is not below it."""
        if not path:
            return None
        for root in (self.given_root, self.root):
            if path.startswith(f"{root}{os.sep}" if root != Path("/") else "/"):
                return Path(os.path.normpath(path)).relative_to(root).as_posix()
        return None

    def _below(self, folder: str) -> Path:
        parts = [part for part in folder.split("/") if part]
        if "\0" in folder or any(part in {".", ".."} or os.sep in part for part in parts) or len(folder) > 4096:
            raise UnknownStore("there is no such folder")
        try:
            path = os.path.realpath(self.root.joinpath(*parts))
        except (OSError, ValueError) as error:
            raise UnknownStore("there is no such folder") from error
        if not _is_below(path, self.root) or not os.path.isdir(path):
            raise UnknownStore("there is no such folder")
        return Path(path)


def _is_below(path: str, root: Path) -> bool:
    return Path(path).is_relative_to(root)
