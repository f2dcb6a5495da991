"""Between the watcher's thread and the clients of the event loop: one message is encoded once for all."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Hashable, Iterable
from typing import Any, Protocol

from mlwidgets.server.stores import Stores
from mlwidgets.server.watcher import Batch, Watcher


class Client(Hashable, Protocol):
    """One who listens; called in the event loop, never waits."""

    def tell_runs(self, batch: Batch, text: str) -> None:
        """Take in what changed in a store; `text` is the same as a message."""

    def tell_slots(self, text: str) -> None:
        """Take in the machine's queue as a message."""

    def tell_problem(self, message: str) -> None:
        """Take in what went wrong."""


class Hub:
    """Clients by the stores that they watch."""

    def __init__(self, stores: Stores) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watching: dict[Client, frozenset[str]] = {}
        self.watcher = Watcher(stores, self._told)

    def __len__(self) -> int:
        return len(self._watching)

    def watch(self, client: Client, keys: Iterable[str]) -> None:
        """Tell `client` of these stores from now on, and of no others."""
        self._loop = asyncio.get_running_loop()
        self._watching[client] = frozenset(keys)
        self.watcher.watch(client, keys)

    def leave(self, client: Client) -> None:
        """Tell `client` no more."""
        self._watching.pop(client, None)
        self.watcher.leave(client)

    def close(self) -> None:
        """Tell nobody anything any more."""
        self._watching.clear()
        self.watcher.close()

    def _told(self, listener: Hashable | None, what: Any) -> None:
        text = what.to_json() if isinstance(what, Batch) else json.dumps(what) if isinstance(what, dict) else what
        # The loop may have been closed meanwhile.
        with contextlib.suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._pass_on, listener, what, text)

    def _pass_on(self, listener: Any, what: Any, text: str) -> None:
        clients = [listener] if listener is not None else list(self._watching)
        for client in clients:
            watched = self._watching.get(client)
            if watched is None:
                continue
            if isinstance(what, Batch):
                if what.store in watched:
                    client.tell_runs(what, text)
            elif isinstance(what, dict):
                client.tell_slots(text)
            else:
                client.tell_problem(text)
