"""The live view as a widget. Importing this module imports ipywidgets: do so in a thread, never at start-up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from mlwidgets.views import terminal
from mlwidgets.views.follow import Follower

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run

STATIC = Path(__file__).parent / "static"
HEARTBEAT = 2.0
"""Seconds after which a view hears from the kernel even if the run has nothing new."""


class RunView(anywidget.AnyWidget):
    """A run as it is at this moment. It changes by `refresh` alone.

    The traits hold all that is shown, the columns of metrics as float64 in binary buffers, so that a reloaded page
    shows the same again without asking.
    """

    _esm = STATIC / "run.js"
    _css = STATIC / "run.css"

    header = traitlets.Dict().tag(sync=True)
    series: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    output = traitlets.Dict().tag(sync=True)
    displays: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    clock = traitlets.Float().tag(sync=True)

    def __init__(self, run: Run) -> None:
        self._run = run
        self._follower = Follower(run)
        self.seen = False
        """Whether a browser has drawn it."""
        self.sent = 0
        """About how many bytes the last `refresh` sent."""
        super().__init__(**self._changes())
        self.on_msg(self._receive)

    def refresh(self) -> bool:
        """Send what is new in the run folder, in one message; return whether the run goes on."""
        changes = self._changes()
        self.sent = sum(_weight(value) for value in changes.values())
        with self.hold_sync():
            for name, value in changes.items():
                setattr(self, name, value)
            if changes or time.time() - self.clock >= HEARTBEAT:
                self.clock = time.time()
        return self.header["ended"] is None

    def _changes(self) -> dict[str, Any]:
        found = self._follower.changes()
        state: dict[str, Any] = {}
        if "header" in found:
            state["header"] = found["header"]
        if "series" in found:
            state["series"] = [
                {**one.about(), "steps": one.steps.tobytes(), "values": one.values.tobytes()} for one in found["series"]
            ]
        if "output" in found:
            state["output"] = {"text": terminal.ansi(found["output"].lines), "cut": found["output"].cut}
        if "displays" in found:
            state["displays"] = [{"data": one.data, "metadata": one.metadata} for one in found["displays"]]
        return state

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        self.seen = True
        if content.get("type") == "stop":
            self._run.stop()


def _weight(value: Any) -> int:
    """Return about how many bytes a part of the state takes on the wire."""
    if isinstance(value, dict):
        return sum(map(_weight, value.values()))
    if isinstance(value, list):
        return sum(map(_weight, value))
    return len(value) if isinstance(value, str | bytes) else 8
