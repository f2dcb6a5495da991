"""The live view as a widget. Importing this module imports ipywidgets: do so in a thread, never at start-up."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from mlwidgets.views.answers import Answers
from mlwidgets.views.follow import Changes, Follower

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run

STATIC = Path(__file__).parent / "static"
BUFFER = "mlwidgets:buffer"
"""Stands in a message for the buffer of that number."""
HEARTBEAT = 2.0
"""Seconds after which a view hears from the kernel even if the run has nothing new."""
FRAME = 1 / 30
"""Seconds between two updates at least: servers limit how many messages a second may pass, and drop the others."""
CALM = 0.1
"""The same where nothing has happened for `IDLE` seconds."""
IDLE = 5.0
UNSEEN = 0.25
"""The same as long as no browser has drawn the view."""
SHARE = 4
"""A view waits this many times as long as its last update took, so that it never keeps a core busy."""
BYTES_PER_SECOND = 3_000_000
"""What a view sends at most, on average: browsers may be far away."""


class RunView(anywidget.AnyWidget):
    """One run, or several beside each other, as they are at this moment. They change by `refresh` alone.

    Whoever opens the view is sent `state`, which is everything; after that come numbered frames with what is new.
    A page that missed one, or was reloaded, asks for the state again.
    """

    _esm = STATIC / "run.js"
    _css = STATIC / "run.css"

    state = traitlets.Dict().tag(sync=True)

    def __init__(self, run: Run, *others: Run) -> None:
        self._followers = [Follower(one) for one in (run, *others)]
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._requests: list[dict[str, Any]] = []
        self._following = False
        self._answers = Answers(lambda: [follower.run for follower in self._followers], self._line_index, self.compare)
        self._frame = 0
        self._spoken = self._moved = 0.0
        self.seen = False
        """Whether a browser has drawn it."""
        self.sent = 0
        """About how many bytes the last `refresh` sent."""
        for follower in self._followers:
            follower.changes()
        super().__init__()
        self.on_msg(self._receive)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
        """Return the traits, `state` as it is after the last frame."""
        with self._lock:
            if key is None or key == "state" or (not isinstance(key, str) and "state" in key):
                # Past the trait's own setter: nobody who has followed until now is to be sent all of it again.
                self._trait_values["state"] = self._whole()
            return super().get_state(key, drop_defaults)

    def refresh(self) -> bool:
        """Send what is new in the run folders, in one message; return whether a run goes on."""
        with self._lock:
            for request in self._take_requests():
                self._answer(request)
            runs: list[Changes] = []
            for follower in self._followers:
                changes = {} if follower.ended else follower.changes()
                if changes:
                    runs.append({"id": follower.run.id, **changes})
            now = time.time()
            self.sent = 0
            if runs or now - self._spoken >= HEARTBEAT:
                self._spoken = now
                self._frame += 1
                self._tell({"type": "frame", "frame": self._frame, "clock": now, "runs": runs})
            if runs:
                self._moved = now
            return not all(follower.ended for follower in self._followers)

    def follow(self) -> None:
        """Refresh until all runs have ended, at a pace that suits what there is to tell."""
        self._following = True
        try:
            begin = time.monotonic()
            while self.refresh():
                spent = time.monotonic() - begin
                pace = UNSEEN if not self.seen else FRAME if time.time() - self._moved < IDLE else CALM
                self._wake.wait(max(pace - spent, SHARE * spent, self.sent / BYTES_PER_SECOND))
                self._wake.clear()
                begin = time.monotonic()
        finally:
            self._following = False
            with self._lock:
                for request in self._take_requests():
                    self._answer(request)

    def compare(self, others: Sequence[Run]) -> None:
        """Show `others` beside the first run, instead of those shown until now."""
        with self._lock:
            first = self._followers[0]
            known = {follower.run.id: follower for follower in self._followers[1:]}
            self._followers = [first]
            for run in others:
                if run.id == first.run.id:
                    continue
                follower = known.get(run.id) or Follower(run)
                if run.id not in known:
                    follower.changes()
                self._followers.append(follower)
            self._tell({"type": "state", "state": self._whole()})

    def _whole(self) -> dict[str, Any]:
        runs = [follower.full() for follower in self._followers]
        return {"frame": self._frame, "clock": time.time(), "runs": runs}

    def _line_index(self, run_id: str) -> Any:
        return next(follower.lines for follower in self._followers if follower.run.id == run_id)

    def _take_requests(self) -> list[dict[str, Any]]:
        requests, self._requests = self._requests, []
        return requests

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        self.seen = True
        self._wake.set()
        if content.get("type") == "stop":
            run = next((f.run for f in self._followers if f.run.id == content.get("run")), self._followers[0].run)
            run.stop()
        elif self._following:
            # The thread that sends the frames answers, so that what is sent stays in order.
            self._requests.append(content)
        else:
            with self._lock:
                self._answer(content)

    def _answer(self, request: dict[str, Any]) -> None:
        if request.get("type") in {"hello", "shown"}:
            if request.get("frame") != self._frame:
                self._tell({"type": "state", "state": self._whole()})
            return
        answer = self._answers.answer(request)
        if answer is not None:
            self._tell({"type": "answer", "to": request.get("to"), "answer": answer})

    def _tell(self, content: dict[str, Any]) -> None:
        """Send a message whose bytes travel beside it, as they are."""
        buffers: list[bytes] = []
        plain = _without_bytes(content, buffers)
        self.sent += _weight(plain) + sum(map(len, buffers))
        self.send(plain, buffers)


def _without_bytes(value: Any, buffers: list[bytes]) -> Any:
    """Return the value with the number of its buffer in place of each bytes object."""
    if isinstance(value, bytes):
        buffers.append(value)
        return {BUFFER: len(buffers) - 1}
    if isinstance(value, dict):
        return {key: _without_bytes(one, buffers) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_bytes(one, buffers) for one in value]
    return value


def _weight(value: Any) -> int:
    """Return about how many bytes a part of the state takes on the wire."""
    if isinstance(value, dict):
        return sum(map(_weight, value.values()))
    if isinstance(value, list):
        return sum(map(_weight, value))
    return len(value) if isinstance(value, str | bytes) else 8
