"""The stream: one websocket for each browser tab, for lists of runs and live views alike."""

from __future__ import annotations

import json
import time
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from mlwidgets.errors import MlwidgetsError
from mlwidgets.server.handler import RESOURCE
from mlwidgets.server.outbox import Outbox
from mlwidgets.server.routes import API
from mlwidgets.server.service import Service
from mlwidgets.server.watcher import Batch

LARGEST_MESSAGE = 64 << 10
"""Bytes from a client."""
RATE, BURST = 30.0, 120.0
"""Messages a second from a client, and how many may come at once."""
MOST_STORES = 64
PING = 20.0
"""Seconds between two signs of life; whoever gives none for as long is gone."""
VIOLATION = 1008


class Stream(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One client."""

    auth_resource = RESOURCE

    @property
    def service(self) -> Service:
        """What all handlers share."""
        service: Service = self.settings["mlwidgets_service"]
        return service

    @property
    def max_message_size(self) -> int:
        """What is larger ends the connection."""
        return LARGEST_MESSAGE

    @property
    def ping_interval(self) -> float:
        """Seconds: tornado pings, not the mixin, which counts milliseconds."""
        return PING

    @property
    def ping_timeout(self) -> float:
        """Seconds."""
        return PING

    @ws_authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open it for whom Jupyter's authorizer lets read."""
        if not await self._may("read"):
            raise web.HTTPError(403)
        await super().get(*args, **kwargs)

    async def _may(self, action: str) -> bool:
        return bool(await ensure_async(self.authorizer.is_authorized(self, self.current_user, action, RESOURCE)))

    def open(self, *args: Any, **kwargs: Any) -> None:
        """Wait for what the client wants."""
        self._outbox = Outbox(self._send)
        self._left, self._counted = BURST, time.monotonic()

    async def _send(self, body: str | bytes) -> None:
        try:
            await self.write_message(body, binary=isinstance(body, bytes))
        except WebSocketClosedError:
            self._outbox.close()

    async def on_message(self, message: str | bytes) -> None:
        """Do what the client asks for."""
        now = time.monotonic()
        self._left = min(BURST, self._left + (now - self._counted) * RATE)
        self._counted = now
        if self._left < 1:
            self.close(VIOLATION, "too many messages")
            return
        self._left -= 1
        try:
            content = json.loads(message)
        except (ValueError, RecursionError):
            content = None
        kind = content.get("type") if isinstance(content, dict) else None
        try:
            if kind == "watch":
                await self._watch(content)
            else:
                self._outbox.put_error("this is no message of the stream", _channel(content))
        except MlwidgetsError as error:
            self._outbox.put_error(str(error), _channel(content))

    async def _watch(self, content: dict[str, Any]) -> None:
        keys = content.get("stores")
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or len(keys) > MOST_STORES:
            self._outbox.put_error(f"'stores' is a list of at most {MOST_STORES} stores")
            return
        for key in keys:
            await self.service.call(self.service.stores.path_of, key)
        if self.ws_connection is not None:
            self.service.hub.watch(self, keys)

    def on_close(self) -> None:
        """Forget the client."""
        self.service.hub.leave(self)
        self._outbox.close()

    def tell_runs(self, batch: Batch, text: str) -> None:
        """Send what changed in a store."""
        self._outbox.put_runs(batch, text)

    def tell_slots(self, text: str) -> None:
        """Send the machine's queue."""
        self._outbox.put_slots(text)

    def tell_problem(self, message: str) -> None:
        """Send what went wrong."""
        self._outbox.put_error(message)


def _channel(content: Any) -> int | None:
    channel = content.get("channel") if isinstance(content, dict) else None
    return channel if isinstance(channel, int) and not isinstance(channel, bool) else None


ROUTES = [(f"{API}/stream", Stream)]
