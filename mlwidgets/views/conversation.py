"""What is said between runs and those who look at them: a state first, then numbered frames; questions and answers.

How messages travel is up to whoever holds the conversation: a kernel's widget or a server's stream.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import ParameterError
from mlwidgets.views.answers import LARGEST_FILE, Answers
from mlwidgets.views.follow import Changes, Follower
from mlwidgets.views.reruns import answer_rerun
from mlwidgets.views.steering import steer

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run

BUFFER = "mlwidgets:buffer"
"""Stands in a message for the buffer of that number."""
HEARTBEAT = 2.0
"""Seconds after which those who look are told something even if the runs have nothing new."""
IDLE = 5.0
"""Seconds without anything new after which it is looked less often."""
SHARE = 4
"""Nothing is looked at for this many times as long as the last look took, so that no core is ever kept busy."""
BYTES_PER_SECOND = 3_000_000
"""What is sent at most, on average: browsers may be far away."""

Tell = Callable[[dict[str, Any], list[bytes], Any], None]
"""Sends a message and its buffers to one of those who look, or with None to all."""


class Conversation:
    """About one run, or several beside each other, as they are at this moment. They change by `refresh` alone.

    Whoever begins to look is sent the state, which is everything; after that come numbered frames with what is new.
    Who missed one asks for the state again.

    Parameters
    ----------
    runs
        At least one.
    tell
        Sends what is to be said.
    largest_file
        Bytes of a file that is sent on request.

    Attributes
    ----------
    sent : int
        About how many bytes the last `refresh` has sent.
    """

    def __init__(self, runs: Sequence[Run], tell: Tell, largest_file: int = LARGEST_FILE) -> None:
        self._followers = [Follower(one) for one in runs]
        self._send = tell
        self._lock = threading.RLock()
        self._answers = Answers(self._runs, self._line_index, self.compare, largest_file)
        self._frame = 0
        self._spoken = self._moved = 0.0
        self._spent = 0.0
        self.sent = 0
        for follower in self._followers:
            follower.changes()

    @property
    def ended(self) -> bool:
        """Whether all runs had when they were last looked at."""
        return all(follower.ended for follower in self._followers)

    def state(self) -> dict[str, Any]:
        """Return everything as it is after the last frame."""
        with self._lock:
            runs = [follower.full() for follower in self._followers]
            return {"frame": self._frame, "clock": time.time(), "runs": runs}

    def refresh(self) -> bool:
        """Send what is new in the run folders, in one message; return whether a run goes on.

        Of runs that have ended that is what a user said of them since.
        """
        with self._lock:
            begin = time.monotonic()
            going_on = not self.ended
            runs: list[Changes] = []
            for follower in self._followers:
                changes = follower.annotated() if follower.ended else follower.changes()
                if changes:
                    runs.append({"id": follower.run.id, **changes})
            now = time.time()
            self.sent = 0
            if runs or (going_on and now - self._spoken >= HEARTBEAT):
                self._spoken = now
                self._frame += 1
                self.tell({"type": "frame", "frame": self._frame, "clock": now, "runs": runs})
            if runs:
                self._moved = now
            self._spent = time.monotonic() - begin
            return not self.ended

    def pause(self, lively: float, calm: float) -> float:
        """Return the seconds until the next `refresh`: `lively` after the last while there is news, else `calm`."""
        pace = lively if time.time() - self._moved < IDLE else calm
        return max(pace - self._spent, SHARE * self._spent, self.sent / BYTES_PER_SECOND)

    def answer(self, request: dict[str, Any], asker: Any = None) -> None:
        """Answer one of those who look, or with None all of them."""
        with self._lock:
            if str(request.get("type")) in {"hello", "shown"}:
                if self.ended:
                    # Nobody looks any more, and tags and the note may have been given since.
                    self.refresh()
                if request.get("frame") != self._frame:
                    self.tell({"type": "state", "state": self.state()}, asker)
                return
            answer = self._answers.answer(request)
            if answer is not None:
                self._reply(request, answer, asker)

    def _reply(self, request: dict[str, Any], answer: dict[str, Any], asker: Any) -> None:
        to = request.get("to")
        to = to if isinstance(to, int | str) else None
        self.tell({"type": "answer", "to": to, "answer": answer}, asker)

    def stop(self, run_id: Any) -> None:
        """Ask one of the runs to stop, or a trial of one: the first where no id is given, none for an unknown one."""
        found = self._runs()[0] if run_id is None else self._find(run_id)
        if found is not None:
            found.stop()

    def rerun(self, request: dict[str, Any], asker: Any = None) -> None:
        """Do one of the runs again, or a trial of one, or look what that takes; a second passes, so not for a loop."""
        found = self._find(request.get("run"))
        answer = {"error": "this view has no such run"} if found is None else answer_rerun(found, request.get("asked"))
        with self._lock:
            self._reply(request, answer, asker)

    def _find(self, run_id: Any) -> Run | None:
        """Return one of the runs, or a trial of one."""
        found = next((run for run in self._runs() if run.id == run_id), None)
        if found is None:
            with self._lock:
                trial = self._answers.trial(run_id)
            found = trial.run if trial else None
        return found

    def steer(self, request: dict[str, Any]) -> None:
        """Leave a wish for one of the sweeps on show; raises `ParameterError` where it is none."""
        run = next((run for run in self._runs() if run.id == request.get("run")), None)
        if run is None:
            raise ParameterError("this view has no such sweep")
        steer(run, request)

    def compare(self, others: Sequence[Run]) -> None:
        """Show `others` beside the first run, instead of those shown until now."""
        with self._lock:
            first = self._followers[0]
            known = {follower.run.id: follower for follower in self._followers[1:]}
            shown = [first]
            for run in others:
                if run.id == first.run.id:
                    continue
                follower = known.get(run.id) or Follower(run)
                if run.id not in known:
                    follower.changes()
                shown.append(follower)
            self._followers = shown
            self.tell({"type": "state", "state": self.state()})

    def tell(self, content: dict[str, Any], to: Any = None) -> None:
        """Send a message whose bytes travel beside it, as they are."""
        buffers: list[bytes] = []
        plain = _without_bytes(content, buffers)
        self.sent += _weight(plain) + sum(map(len, buffers))
        self._send(plain, buffers, to)

    def _runs(self) -> list[Run]:
        return [follower.run for follower in self._followers]

    def _line_index(self, run_id: str) -> Any:
        return next(follower.lines for follower in self._followers if follower.run.id == run_id)


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
