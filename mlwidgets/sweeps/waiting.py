"""A sweep that rests of its own accord: whoever waits for its end would wait for ever."""

from __future__ import annotations

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.sweeps.requests import Wishes


def own_pause(folder: RunFolder) -> str | None:
    """Return why a sweep has paused itself; None where a person has, or has asked it to go on or to stop since."""
    events = list(read_lines(folder.events, "paused", "resumed", "wish"))
    last = next((event for event in reversed(events) if event["event"] != "wish"), None)
    if last is None or last["event"] == "resumed" or last.get("by") != "controller" or folder.stop_request.exists():
        return None
    heard = {event.get("id") for event in events if event["event"] == "wish"}
    if any(wish.ask == "resume" and wish.id not in heard for wish in Wishes(folder.wishes).advance()):
        return None
    return str(last.get("why"))
