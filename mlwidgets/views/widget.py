"""The live view as a widget. Importing this module imports ipywidgets: do so in a thread, never at start-up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from mlwidgets.errors import MlwidgetsError
from mlwidgets.views.conversation import Conversation
from mlwidgets.views.kernel import belong_to_no_cell

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run

logger = logging.getLogger("mlwidgets.views")
STATIC = Path(__file__).parent / "static"
FRAME = 1 / 30
"""Seconds between two updates at least: servers limit how many messages a second may pass, and drop the others."""
CALM = 0.1
"""The same where nothing has happened for a while."""
UNSEEN = 0.25
"""The same as long as no browser has drawn the view."""


class RunView(anywidget.AnyWidget):
    """One run, or several beside each other, as they are at this moment: a conversation over a widget's comm."""

    _esm = STATIC / "run.js"
    _css = STATIC / "run.css"

    state = traitlets.Dict().tag(sync=True)

    def __init__(self, run: Run, *others: Run) -> None:
        self._conversation = Conversation([run, *others], self._tell)
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._requests: list[dict[str, Any]] = []
        self._following = False
        self.seen = False
        """Whether a browser has drawn it."""
        super().__init__()
        self.on_msg(self._receive)

    @property
    def sent(self) -> int:
        """About how many bytes the last `refresh` sent."""
        return self._conversation.sent

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
        """Return the traits, `state` as it is after the last frame."""
        with self._lock:
            if key is None or key == "state" or (not isinstance(key, str) and "state" in key):
                # Past the trait's own setter: nobody who has followed until now is to be sent all of it again.
                self._trait_values["state"] = self._conversation.state()
            return super().get_state(key, drop_defaults)

    def refresh(self) -> bool:
        """Answer what was asked, send what is new in the run folders; return whether a run goes on."""
        with self._lock:
            self._answer_requests()
            return self._conversation.refresh()

    def follow(self) -> None:
        """Refresh until all runs have ended, at a pace that suits what there is to tell."""
        self._following = True
        try:
            while self.refresh():
                lively, calm = (FRAME, CALM) if self.seen else (UNSEEN, UNSEEN)
                self._wake.wait(self._conversation.pause(lively, calm))
                self._wake.clear()
        finally:
            self._following = False
            with self._lock:
                self._answer_requests()

    def compare(self, others: Sequence[Run]) -> None:
        """Show `others` beside the first run, instead of those shown until now."""
        self._conversation.compare(others)

    def _answer_requests(self) -> None:
        requests, self._requests = self._requests, []
        for request in requests:
            self._conversation.answer(request)

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        self.seen = True
        self._wake.set()
        if content.get("type") == "stop":
            self._conversation.stop(content.get("run"))
        elif content.get("type") == "sweep":
            self._steer(content)
        elif content.get("type") == "rerun":
            self._aside(self._conversation.rerun, content)
        elif self._following:
            # The thread that sends the frames answers, so that what is sent stays in order.
            self._requests.append(content)
        else:
            with self._lock:
                self._conversation.answer(content)
            if content.get("type") == "compare" and not self._conversation.ended:
                # One that goes on was laid beside those that have ended.
                self._following = True
                self._aside(self.follow)

    def _aside(self, work: Callable[..., object], *args: object) -> None:
        """Do what takes a while in a thread, whose messages belong to no cell."""

        def body() -> None:
            belong_to_no_cell()
            work(*args)

        threading.Thread(target=body, name="mlwidgets view", daemon=True).start()

    def _steer(self, request: dict[str, Any]) -> None:
        try:
            self._conversation.steer(request)
        except MlwidgetsError as error:
            # The view takes back what it shows as a wish; nobody waits for a word.
            logger.warning("%s", error)

    def _tell(self, content: dict[str, Any], buffers: list[bytes], _to: object) -> None:
        self.send(content, buffers)
