"""What changed in a run folder since one last looked, for views that are kept up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from mlwidgets.runs.folder import RunFolder
from mlwidgets.views.data import Output, Series, read_header, read_output, read_series

if TYPE_CHECKING:
    from typing import Any

    from mlwidgets.runs.displays import Display
    from mlwidgets.runs.run import Run


class Changes(TypedDict, total=False):
    """The parts of a view that look different now."""

    header: dict[str, Any]
    series: list[Series]
    output: Output
    displays: list[Display]


class Follower:
    """Reads a run again and again, and only those of its files that have grown."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._folder = RunFolder(run.path)
        self._header: dict[str, Any] | None = None
        self._displays: list[Display] = []
        self._metrics_size = -1
        self._shown_sizes = (-1, -1)

    def changes(self) -> Changes:
        """Return what is new since the last call; everything the first time.

        The header is read first: once it tells of an end state, the other parts of the same call are complete.
        """
        found = Changes()
        first = self._header is None
        header = read_header(self.run)
        if header != self._header:
            found["header"] = self._header = header
        metrics_size = _size(self._folder.metrics)
        if metrics_size != self._metrics_size:
            self._metrics_size = metrics_size
            found["series"] = read_series(self.run)
        sizes = (_size(self._folder.output), _size(self._folder.displays))
        if sizes != self._shown_sizes:
            self._shown_sizes = sizes
            found["output"] = read_output(self.run)
            displays = self.run.displays()
            if first or displays != self._displays:
                found["displays"] = self._displays = displays
        return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
