"""What the cells of a notebook print and show, on its way into the run's output and displays."""

from __future__ import annotations

import os
import sys
from typing import Any

from mlwidgets.notifying.masking import MaskedStream, Masker, masked_notebook
from mlwidgets.runs.journal import LineWriter
from mlwidgets.tracking.active import tell_once

WIDGET = "application/vnd.jupyter.widget-view+json"


class Screen:
    """Passes on what a kernel says of its cells, as soon as it says it.

    ``clear_output`` clears what its own cell has shown, and nothing of the others: the places of the cell's displays
    are kept, and its next displays take them.
    """

    def __init__(self, displays: LineWriter, mask: Masker) -> None:
        self._displays = displays
        self._mask = mask
        self._prints: dict[str, MaskedStream] = {}
        self._places: dict[int, list[str]] = {}
        self._free: dict[int, list[str]] = {}
        self._waiting: set[int] = set()
        self._by_id: dict[str, list[str]] = {}

    def feed(self, kind: str, content: dict[str, Any], cell: int, *, tolerated: bool) -> None:
        """Take the next message of a cell.

        Parameters
        ----------
        kind
            Type of the message.
        cell
            Place of the cell in the notebook.
        tolerated
            An error of this cell does not end the notebook, so that nobody else will tell of it.
        """
        transient = content.get("transient")
        display_id = transient.get("display_id") if isinstance(transient, dict) else None
        if kind == "stream":
            prints = self._prints.setdefault(str(content.get("name")), MaskedStream(self._mask))
            sys.stdout.write(prints.feed(str(content.get("text", ""))))
        elif kind == "status" and content.get("execution_state") == "idle":
            for prints in self._prints.values():
                sys.stdout.write(prints.close())
        elif kind == "error" and tolerated:
            sys.stdout.write(self._mask("\n".join(map(str, content.get("traceback", ()))) + "\n"))
        elif kind in {"display_data", "execute_result"}:
            self._show(content, cell, display_id)
        elif kind == "update_display_data":
            for place in self._by_id.get(display_id or "", ()):
                self._write("update", content, place)
        elif kind == "clear_output":
            self._waiting.add(cell)
            if not content.get("wait"):
                self._clear(cell)

    def _show(self, content: dict[str, Any], cell: int, display_id: str | None) -> None:
        if cell in self._waiting:
            self._waiting.discard(cell)
            self._free[cell] = list(self._places.get(cell, ()))
            for known in self._by_id.values():
                known[:] = [place for place in known if place not in self._free[cell]]
        places, free = self._places.setdefault(cell, []), self._free.get(cell)
        place = free.pop(0) if free else f"cell-{cell}-{len(places)}"
        self._write("update" if place in places else "display", content, place)
        if place not in places:
            places.append(place)
        if display_id:
            self._by_id.setdefault(display_id, []).append(place)
        # What is shown no more goes when something else is there.
        for rest in self._free.get(cell, ()):
            self._write("update", {}, rest)

    def _clear(self, cell: int) -> None:
        for place in self._places.get(cell, ()):
            self._write("update", {}, place)

    def _write(self, kind: str, content: dict[str, Any], place: str) -> None:
        data = content.get("data")
        shown = {mime: value for mime, value in data.items() if mime != WIDGET} if isinstance(data, dict) else {}
        metadata = content.get("metadata")
        sys.stdout.flush()
        try:
            offset = os.fstat(1).st_size
            shown, metadata = masked_notebook([shown, metadata or {}], self._mask)
            self._displays.write(kind, offset=offset, data=shown, metadata=metadata, display_id=place)
        except OSError as error:
            tell_once(f"displays are not being recorded: {error.strerror}. The notebook goes on.")
