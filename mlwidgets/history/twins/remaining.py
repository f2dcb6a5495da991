"""Lines that are still to be read, without a copy of them for each cell.

Jupytext's reader takes a cell off the front of the lines, and copies all that are behind it, twice: what a text costs
would grow with the square of its length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, SupportsIndex, overload


class Text(str):
    """A text of which `splitlines` returns lines that are cut off at the front at no cost."""

    __slots__ = ()

    def splitlines(self, keepends: bool = False) -> Any:
        """Return the lines."""
        return Remaining(super().splitlines(keepends))


class Remaining(Sequence[str]):
    """The lines from one on to the end; ``[n:]`` is another view, any other slice a list, which may be changed."""

    __slots__ = ("_lines", "_start")

    def __init__(self, lines: list[str], start: int = 0) -> None:
        self._lines = lines
        self._start = start

    def __len__(self) -> int:
        return len(self._lines) - self._start

    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> str | Sequence[str]:
        places = range(self._start, len(self._lines))[index]
        if not isinstance(places, range):
            return self._lines[places]
        if isinstance(index, slice) and index.stop is None and places.step == 1:
            return Remaining(self._lines, places.start)
        return [self._lines[n] for n in places]

    def __iter__(self) -> Iterator[str]:
        return map(self._lines.__getitem__, range(self._start, len(self._lines)))
