"""Live views over the stream: whoever looks at the same runs shares one conversation about them."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runs.run import Run
from mlwidgets.server.listing import Listing
from mlwidgets.server.outbox import MOST_BYTES
from mlwidgets.views.conversation import Conversation

LIVELY, CALM = 0.1, 0.25
"""Seconds between two looks at runs that somebody sees, while there is news and else."""
ENDED = 2.0
"""The same once all of them have ended: tags and notes may still be given."""
LARGEST_FILE = MOST_BYTES // 2
"""Bytes of a file that is sent through the stream: one finds room while another one waits."""
MOST_RUNS = 50
"""Of one view."""
MOST_VIEWS = 256
"""Different ones, of all clients together."""
MOST_QUESTIONS = 16
"""Of one listener that wait for their answers."""
NO_ROOM = "the connection is too slow for this answer while others wait; ask again"

logger = logging.getLogger("mlwidgets.server")


class Busy(MlwidgetsError):
    """More is asked for than this server gives."""


class Listener(Protocol):
    """One channel of one client; called in the event loop, never waits."""

    def tell(self, text: str, buffers: Sequence[bytes], instead: str | None = None) -> None:
        """Take in a message, its JSON and its buffers, and what to say instead where there is no room for that."""

    def fail(self, message: str) -> None:
        """Take in that there will be no more, and why."""


Name = tuple[str, ...]
"""Of a view: its store and its runs."""
Call = Callable[[Callable[[], Any]], Any]
"""Awaits what a function returns that is called off the event loop."""


@dataclass
class _Said:
    """One message: to a listener, or with None to all."""

    text: str
    buffers: list[bytes]
    to: Listener | None
    is_state: bool
    instead: str | None


class Channels:
    """All conversations of a server; used in the event loop alone."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._views: dict[Name, View] = {}

    def __len__(self) -> int:
        return len(self._views)

    async def open(self, listener: Listener, listing: Listing, run_ids: Sequence[str]) -> View:
        """Tell `listener` of these runs from now on, the state first.

        Raises
        ------
        UnknownRun
            If there is no such run.
        Busy
            If too many are looked at already.
        """
        if not 0 < len(run_ids) <= MOST_RUNS:
            raise Busy(f"a view shows 1 to {MOST_RUNS} runs")
        folders = await self._call(partial(listing.folders, list(dict.fromkeys(run_ids))))
        name: Name = (listing.key, *(folder.id for folder in folders))
        view = self._views.get(name)
        if view is None:
            if len(self._views) >= MOST_VIEWS:
                raise Busy("too many runs are looked at on this server; close some of them")
            view = View([Run(folder.path) for folder in folders], listing, self._call, partial(self._forget, name))
            self._views[name] = view
        view.ask({"type": "hello"}, listener)
        return view

    def _forget(self, name: Name, view: View) -> None:
        # Another one may show the same runs by now.
        if self._views.get(name) is view:
            del self._views[name]

    def close(self) -> None:
        """End all of them."""
        for view in list(self._views.values()):
            view.close()


class View:
    """One conversation and those who listen. A task of its own keeps what is said in order."""

    def __init__(self, runs: list[Run], listing: Listing, call: Call, ended: Callable[[View], None]) -> None:
        self.listing = listing
        self.run_ids = [run.id for run in runs]
        self._runs = runs
        self._call = call
        self._ended = ended
        self._said: list[_Said] = []
        self._asked: list[tuple[dict[str, Any], Listener]] = []
        self._joined: set[Listener] = set()
        self._listeners: set[Listener] = set()
        self._wake = asyncio.Event()
        self._conversation: Conversation | None = None
        self._closed = False
        self._task = asyncio.get_running_loop().create_task(self._work())

    def ask(self, request: dict[str, Any], listener: Listener) -> None:
        """Have something answered to `listener`, who listens from then on.

        Raises
        ------
        Busy
            If it asks faster than it can be answered, or the view has ended.
        """
        if self._closed:
            raise Busy("this view has ended; open it again")
        if sum(asker is listener for _, asker in self._asked) >= MOST_QUESTIONS:
            raise Busy("too many questions at once")
        self._joined.add(listener)
        self._asked.append((request, listener))
        self._wake.set()

    def leave(self, listener: Listener) -> None:
        """Tell `listener` no more."""
        self._joined.discard(listener)
        self._listeners.discard(listener)
        self._asked = [one for one in self._asked if one[1] is not listener]
        if not self._joined:
            self.close()

    def close(self) -> None:
        """End it, unless it has ended."""
        if not self._closed:
            self._closed = True
            self._task.cancel()
            self._ended(self)

    async def _work(self) -> None:
        try:
            goes_on = True
            while True:
                asked, self._asked = self._asked, []
                goes_on = await self._call(partial(self._step, asked))
                said, self._said = self._said, []
                for one in said:
                    self._pass_on(one)
                pause = self._conversation.pause(LIVELY, CALM) if goes_on and self._conversation else ENDED
                try:
                    await asyncio.wait_for(self._wake.wait(), pause)
                    if goes_on:
                        # Many questions at once are no reason to look at the runs more often.
                        await asyncio.sleep(min(pause, LIVELY / 2))
                except TimeoutError:
                    pass
                self._wake.clear()
        except MlwidgetsError as error:
            self._fail(str(error))
        except Exception:
            logger.warning("the view of run %r ended", self.run_ids[0], exc_info=True)
            self._fail("these runs cannot be shown; the server's log says why")

    def _step(self, asked: list[tuple[dict[str, Any], Listener]]) -> bool:
        """Answer and look; the body of a thread. Returns whether a run goes on."""
        if self._conversation is None:
            self._conversation = Conversation(self._runs, self._say, LARGEST_FILE)
        talk = self._conversation
        goes_on = talk.refresh()
        for request, asker in asked:
            talk.answer(request, asker)
        return goes_on

    def _say(self, content: dict[str, Any], buffers: list[bytes], to: Any) -> None:
        kind = content["type"]
        instead = to_json({**content, "answer": {"error": NO_ROOM}}) if kind == "answer" else None
        self._said.append(_Said(to_json(content), buffers, to, kind == "state", instead))

    def _pass_on(self, one: _Said) -> None:
        if one.to is not None:
            if one.to in self._joined:
                one.to.tell(one.text, one.buffers, one.instead)
                if one.is_state:
                    self._listeners.add(one.to)
            return
        for listener in list(self._listeners):
            listener.tell(one.text, one.buffers)

    def _fail(self, message: str) -> None:
        self._closed = True
        self._ended(self)
        for listener in list(self._joined):
            listener.fail(message)
        self._joined.clear()
        self._listeners.clear()


def to_json(value: Any) -> str:
    """Return JSON that every browser reads: what is not finite becomes its name."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


def pack(text: str, buffers: Sequence[bytes]) -> bytes:
    """Return a message with its buffers as one binary frame.

    Little-endian: the number of parts (uint32), their lengths in bytes (uint32 each), zeros up to a multiple of
    8 bytes, then the parts, each followed by zeros up to a multiple of 8 bytes. The first part is the JSON.
    """
    parts = [text.encode(), *buffers]
    head = struct.pack(f"<{1 + len(parts)}I", len(parts), *map(len, parts))
    return b"".join(part + bytes(-len(part) % 8) for part in [head, *parts])
