"""Widgets that a run's code shows: their model lives in the worker alone, so what is recorded is their text."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import Any

WIDGET = "application/vnd.jupyter.widget-view+json"

_EVERY = 1.0
"""Seconds between two records of one widget; bars change much more often."""


class WidgetTexts:
    """Follows the widgets on show and records their text when it changes.

    Parameters
    ----------
    record
        Takes a display id and a MIME bundle.
    """

    def __init__(self, record: Callable[[str, dict[str, Any]], None]) -> None:
        self._record = record
        self._changed: dict[str, Any] = {}

    def follow(self, view: dict[str, Any]) -> str | None:
        """Begin to follow the widget of a view; return the id under which its text is to be displayed."""
        module = sys.modules.get("ipywidgets.widgets.widget")
        widget = getattr(module, "_instances", {}).get(view.get("model_id"))
        if widget is None:
            return None
        display_id = f"widget-{view['model_id']}"
        told = time.monotonic()

        def note(change: Any) -> None:
            nonlocal told
            # A bar of tqdm changes its style when it ends, and forgets its text then.
            if change.name == "bar_style" or time.monotonic() - told >= _EVERY:
                told = time.monotonic()
                self._changed.pop(display_id, None)
                self._tell(display_id, widget)
            else:
                self._changed[display_id] = widget

        for part in _parts(widget):
            part.observe(note)
        return display_id

    def flush(self) -> None:
        """Record what has changed since it was last recorded."""
        changed, self._changed = self._changed, {}
        for display_id, widget in changed.items():
            self._tell(display_id, widget)

    def _tell(self, display_id: str, widget: Any) -> None:
        # A widget's own repr may raise anything, which is no business of the code that changed its value.
        with contextlib.suppress(Exception):
            self._record(display_id, {"text/plain": repr(widget)})


def _parts(widget: Any) -> list[Any]:
    """Return a widget and all that it is made of."""
    return [widget, *(p for child in getattr(widget, "children", ()) for p in _parts(child))]
