"""What one client is to be sent: bounded, whatever the client does."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable

from mlwidgets.server.watcher import Batch

MOST_BYTES = 8 << 20
MOST_MESSAGES = 64
MOST_REFUSALS = 256
"""Short messages that are let in beyond that: whoever asked is not left waiting for what was dropped."""

Send = Callable[[str | bytes], Awaitable[None]]


class Outbox:
    """Sends one message after the other, as fast as the client takes them; used in the event loop alone.

    What waits is bounded: lists of runs are merged, of the machine's queue the last state is kept, and what else finds
    no room is dropped: a frame that is missing the client sees by their numbers, of an answer it is told.

    Parameters
    ----------
    send
        Sends one message, and is done when the client's connection has taken it.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._letters: deque[str | bytes] = deque()
        self._bytes = 0
        self._runs: dict[str, tuple[Batch, str | None]] = {}
        self._slots: str | None = None
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    @property
    def busy(self) -> bool:
        """Whether something is being sent or waits."""
        return self._task is not None

    @property
    def waiting(self) -> int:
        """Bytes of the messages that wait, without those that are merged."""
        return self._bytes

    def put(self, body: str | bytes) -> bool:
        """Send a message if there is room; return whether there is."""
        if self._letters and (self._bytes + len(body) > MOST_BYTES or len(self._letters) >= MOST_MESSAGES):
            self.dropped += 1
            return False
        self._letters.append(body)
        self._bytes += len(body)
        self._start()
        return True

    def put_refusal(self, body: str) -> None:
        """Send a short message in place of one that found no room."""
        if len(self._letters) < MOST_MESSAGES + MOST_REFUSALS:
            self._letters.append(body)
            self._bytes += len(body)
            self._start()

    def put_runs(self, batch: Batch, text: str) -> None:
        """Send what changed in a store; merged with what waits to be sent of it."""
        if batch.store in self._runs:
            # Others may be sent the same batches: they stay as they are.
            both = Batch(batch.store)
            both.add(self._runs[batch.store][0])
            both.add(batch)
            self._runs[batch.store] = (both, None)
        else:
            self._runs[batch.store] = (batch, text)
        self._start()

    def put_slots(self, text: str) -> None:
        """Send the machine's queue, instead of what waits to be sent of it."""
        self._slots = text
        self._start()

    def put_error(self, message: str, channel: int | None = None) -> None:
        """Send what went wrong."""
        self.put(json.dumps({"type": "error", "channel": channel, "message": message}))

    def close(self) -> None:
        """Send nothing more."""
        if self._task is not None:
            self._task.cancel()
        self._letters.clear()
        self._runs.clear()

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while (body := self._next()) is not None:
                await self._send(body)
        finally:
            self._task = None

    def _next(self) -> str | bytes | None:
        # What is merged goes first: of it there is never more than one message for each store.
        if self._runs:
            batch, text = self._runs.pop(next(iter(self._runs)))
            return text or batch.to_json()
        if self._slots is not None:
            slots, self._slots = self._slots, None
            return slots
        if self._letters:
            body = self._letters.popleft()
            self._bytes -= len(body)
            return body
        return None
