"""What a run's code put on show: displays, updates and clears, replayed into what is on show now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Display:
    """One output of the code. ``data`` maps MIME types to JSON values; images are base64 text."""

    data: dict[str, Any]
    metadata: dict[str, Any]


@dataclass
class _Shown:
    display: Display
    display_id: str | None


class Replay:
    """Applies displays, updates and clears in order, as a notebook's output area does."""

    def __init__(self) -> None:
        self._shown: list[_Shown] = []
        self._cleared_to = 0
        self._waiting: int | None = None

    def feed(self, entry: dict[str, Any]) -> None:
        """Apply the next line of ``displays.jsonl``; a damaged one, which lacks what its kind needs, is passed over."""
        if not _is_whole(entry):
            return
        kind, offset = entry["event"], entry["offset"]
        if self._waiting is not None and (kind == "display" or offset > self._waiting):
            self._clear(self._waiting)
        if kind == "clear":
            if entry["wait"]:
                self._waiting = offset
            else:
                self._clear(offset)
        elif kind == "display":
            self._shown.append(_Shown(_display(entry), entry.get("display_id")))
        elif kind == "update":
            for item in self._shown:
                if item.display_id == entry["display_id"]:
                    item.display = _display(entry)

    def on_show(self, output_size: int) -> tuple[list[Display], int]:
        """Return what is on show when there are `output_size` bytes of output.

        Returns
        -------
        displays
            In order.
        cleared_to
            Offset in the output from which on text is still on show: what was printed before the last
            ``clear_output`` is not.
        """
        if self._waiting is not None and output_size > self._waiting:
            self._clear(self._waiting)
        return [item.display for item in self._shown], self._cleared_to

    def _clear(self, offset: int) -> None:
        self._shown, self._cleared_to, self._waiting = [], offset, None


def replay(entries: Iterable[dict[str, Any]], output_size: int) -> tuple[list[Display], int]:
    """Return what is on show after all `entries`; see `Replay`."""
    replayed = Replay()
    for entry in entries:
        replayed.feed(entry)
    return replayed.on_show(output_size)


def _is_whole(entry: dict[str, Any]) -> bool:
    """Whether an entry has what its kind needs; of kinds that are not known nothing is needed but the offset."""
    if not isinstance(entry.get("offset"), int):
        return False
    if entry["event"] == "clear":
        return "wait" in entry
    if entry["event"] in {"display", "update"}:
        return isinstance(entry.get("data"), dict) and (entry["event"] == "display" or "display_id" in entry)
    return True


def _display(entry: dict[str, Any]) -> Display:
    metadata = entry.get("metadata")
    return Display(entry["data"], metadata if isinstance(metadata, dict) else {})
