"""What came from a twin into an open notebook that is not saved yet: from there on both have it in common.

Without this, a text that is edited twice before the notebook is saved would be in conflict with itself.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlwidgets.history.merging.lines import merge_lines
from mlwidgets.history.notebooks.notebook import joined
from mlwidgets.history.twins.bases import Base

MOST = 16
"""Flows of one notebook that are remembered."""

Cells = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Flow:
    """What came at one time.

    Parameters
    ----------
    base
        What both have in common since.
    touched
        Each cell that it changed by its id: the source before and after, None where there was no such cell.
    """

    base: Base
    touched: Mapping[str, tuple[str | None, str | None]]


class Flows:
    """What came into which notebook; any thread may ask."""

    def __init__(self) -> None:
        self._door = threading.Lock()
        self._of: dict[Path, list[Flow]] = {}

    def note(self, notebook: Path, before: Cells, after: Cells, base: Base) -> None:
        """Remember what is being put into an open notebook."""
        was, then = sources_of(before), sources_of(after)
        touched = {name: (was.get(name), then.get(name)) for name in {*was, *then} if was.get(name) != then.get(name)}
        if touched:
            with self._door:
                self._of[notebook] = [*self._of.get(notebook, ()), Flow(base, touched)][-MOST:]

    def base_of(self, notebook: Path, cells: Cells) -> Base | None:
        """Return what these cells of a notebook and its twin have in common; None where nothing came into them."""
        with self._door:
            flows = self._of.get(notebook, [])
        sources = sources_of(cells)
        found: Base | None = None
        touched: dict[str, tuple[str | None, str | None]] = {}
        for flow in flows:
            for name, (before, after) in flow.touched.items():
                touched[name] = touched.get(name, (before, None))[0], after
            if all(_is_in(sources.get(name), *both) for name, both in touched.items()):
                found = flow.base
        return found

    def forget(self, notebook: Path) -> None:
        """Forget all: both files say the same."""
        with self._door:
            self._of.pop(notebook, None)


def _is_in(source: str | None, before: str | None, after: str | None) -> bool:
    """Whether what came into a cell is in it: to let it come once more would change nothing."""
    if source is None or before is None or after is None:
        return (source is None) is (after is None)
    text, clash = merge_lines(before, source, after)
    return source == after or (text == source and not clash)


def sources_of(cells: Cells) -> dict[str, str]:
    """Return the sources of a notebook's cells by their ids."""
    return {str(cell["id"]): joined(cell.get("source")) for cell in cells if cell.get("id")}
