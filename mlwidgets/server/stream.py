"""The stream: one websocket for each browser tab, for lists of runs and live views alike."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from mlwidgets.errors import MlwidgetsError, UnknownRun
from mlwidgets.runs.run import Run
from mlwidgets.server.channels import View, pack
from mlwidgets.server.handler import RESOURCE
from mlwidgets.server.outbox import Outbox
from mlwidgets.server.routes import API
from mlwidgets.server.service import SETTING, Service
from mlwidgets.server.watcher import Batch
from mlwidgets.views.steering import steer

LARGEST_MESSAGE = 64 << 10
"""Bytes from a client."""
RATE, BURST = 30.0, 120.0
"""Messages a second from a client, and how many may come at once."""
MOST_STORES = 64
MOST_CHANNELS = 64
PING = 20.0
"""Seconds between two signs of life; whoever gives none for as long is gone."""
VIOLATION = 1008


class Stream(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One client."""

    auth_resource = RESOURCE

    @property
    def service(self) -> Service:
        """What all handlers share."""
        service: Service = self.settings[SETTING]
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

    def initialize(self) -> None:
        """Begin with nothing."""
        self._outbox = Outbox(self._send)
        self._left, self._counted = BURST, time.monotonic()
        self._channels: dict[int, _Channel] = {}

    def open(self, *args: Any, **kwargs: Any) -> None:
        """Wait for what the client wants."""

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
        kind = str(content.get("type")) if isinstance(content, dict) else None
        try:
            if kind == "watch":
                await self._watch(content)
            elif kind in {"open", "close", "message"} and (number := _channel(content)) is not None:
                await self._about_channel(kind, number, content)
            else:
                self._outbox.put_error("this is no message of the stream", _channel(content))
        except MlwidgetsError as error:
            self._outbox.put_error(str(error), _channel(content))
        except Exception:
            self.log.warning("a message of the stream could not be answered", exc_info=True)
            self._outbox.put_error("this could not be done; the server's log says why", _channel(content))

    async def _watch(self, content: dict[str, Any]) -> None:
        keys = content.get("stores")
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or len(keys) > MOST_STORES:
            self._outbox.put_error(f"'stores' is a list of at most {MOST_STORES} stores")
            return
        for key in keys:
            await self.service.call(self.service.stores.path_of, key)
        if self.ws_connection is not None:
            self.service.hub.watch(self, keys)

    async def _about_channel(self, kind: str, number: int, content: dict[str, Any]) -> None:
        if kind == "open":
            await self._open_channel(number, content.get("store", ""), content.get("runs"))
        elif kind == "close":
            if found := self._channels.pop(number, None):
                found.close()
        elif number not in self._channels:
            self._outbox.put_error("this channel is not open", number)
        elif not isinstance(message := content.get("message"), dict):
            self._outbox.put_error("'message' is an object", number)
        elif message.get("type") == "stop":
            await self._stop(self._channels[number], message.get("run"))
        elif message.get("type") == "sweep":
            await self._steer(self._channels[number], message)
        else:
            await self._channels[number].ask(message)

    async def _open_channel(self, number: int, store: Any, runs: Any) -> None:
        if not isinstance(store, str) or not isinstance(runs, list) or not all(isinstance(one, str) for one in runs):
            self._outbox.put_error("'store' is a text and 'runs' a list of ids", number)
            return
        if before := self._channels.pop(number, None):
            before.close()
        if len(self._channels) >= MOST_CHANNELS:
            self._outbox.put_error(f"at most {MOST_CHANNELS} views at once", number)
            return
        channel = self._channels[number] = _Channel(number, self._outbox, self.service)
        try:
            await channel.open(store, runs)
        except MlwidgetsError:
            self._channels.pop(number, None)
            raise

    async def _stop(self, channel: _Channel, run_id: Any) -> None:
        if self.service.read_only or not await self._may("write"):
            self._outbox.put_error("you may look at runs here, and not stop them", channel.number)
            return
        await channel.stop(run_id)

    async def _steer(self, channel: _Channel, request: dict[str, Any]) -> None:
        if self.service.read_only or not await self._may("write"):
            self._outbox.put_error("you may look at sweeps here, and not change them", channel.number)
            return
        await channel.steer(request)

    def on_close(self) -> None:
        """Forget the client."""
        self.service.hub.leave(self)
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()
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


class _Channel:
    """One live view of one client."""

    def __init__(self, number: int, outbox: Outbox, service: Service) -> None:
        self.number = number
        self._outbox = outbox
        self._service = service
        self._view: View | None = None
        self._closed = False

    async def open(self, store: str, run_ids: list[str]) -> None:
        """Show these runs instead of those shown until now."""
        listing = await self._service.call(self._service.stores.listing, store)
        view = await self._service.channels.open(self, listing, run_ids)
        before, self._view = self._view, view
        if before is not None and before is not view:
            before.leave(self)
        if self._closed:
            self.close()

    async def ask(self, question: dict[str, Any]) -> None:
        """Pass on a question; which runs are shown is this channel's own affair."""
        if self._view is None:
            return
        if question.get("type") == "compare":
            others = question.get("runs")
            if isinstance(others, list) and all(isinstance(one, str) for one in others):
                await self.open(self._view.listing.key, [self._view.run_ids[0], *others])
            return
        self._view.ask(question, self)

    async def stop(self, run_id: Any) -> None:
        """Ask one of the runs to stop."""
        view = self._view
        if view is None or not isinstance(run_id, str):
            self._outbox.put_error("this view has no such run", self.number)
            return
        await self._service.call(_stop, view, run_id)

    async def steer(self, request: dict[str, Any]) -> None:
        """Ask something of one of the sweeps."""
        if self._view is None or request.get("run") not in self._view.run_ids:
            self._outbox.put_error("this view has no such sweep", self.number)
            return
        folder = await self._service.call(self._view.listing.folder, request["run"])
        await self._service.call(steer, Run(folder.path), request, "panel")

    def close(self) -> None:
        """Listen no more."""
        self._closed = True
        if self._view is not None:
            self._view.leave(self)

    def tell(self, text: str, buffers: Sequence[bytes], instead: str | None = None) -> None:
        """Send a message of the view, or where there is no room for it what is said instead."""
        text = self._enveloped(text)
        if not self._outbox.put(pack(text, buffers) if buffers else text) and instead is not None:
            self._outbox.put_refusal(self._enveloped(instead))

    def _enveloped(self, text: str) -> str:
        return f'{{"type": "channel", "channel": {self.number}, "message": {text}}}'

    def fail(self, message: str) -> None:
        """Say why there will be nothing more."""
        self._outbox.put_error(message, self.number)


def _stop(view: View, run_id: str) -> None:
    """Ask a run on show to stop, or a trial of one."""
    if run_id not in view.run_ids:
        trial = view.listing.known() & {run_id} and Run(view.listing.folder(run_id).path).spec.trial_of
        if not trial or trial not in view.run_ids:
            raise UnknownRun("this view has no such run")
    Run(view.listing.folder(run_id).path).stop("panel")


def _channel(content: Any) -> int | None:
    channel = content.get("channel") if isinstance(content, dict) else None
    return channel if isinstance(channel, int) and not isinstance(channel, bool) else None


ROUTES = [(f"{API}/stream", Stream)]
