"""What a view asks of the kernel beside what it is sent: details of a range, lines of the output, files, other runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.run import Run
from mlwidgets.views.data import read_range
from mlwidgets.views.tracks import about, pack

if TYPE_CHECKING:
    from mlwidgets.views.lines import LineIndex

LARGEST_FILE = 64 << 20
"""Bytes: what is larger is better fetched from the disk than through the kernel."""
MOST_RUNS = 200
LONGEST_ERROR = 500
"""Characters: what is wrong may be the question itself."""


class Answers:
    """Answers requests about the runs of one view.

    Parameters
    ----------
    runs
        Gives the runs on show.
    lines
        Gives a run's output by line numbers.
    compare
        Shows other runs beside the first one.
    largest_file
        Bytes of a file that is sent.
    """

    def __init__(
        self,
        runs: Callable[[], Sequence[Run]],
        lines: Callable[[str], LineIndex],
        compare: Callable[[Sequence[Run]], None],
        largest_file: int = LARGEST_FILE,
    ) -> None:
        self._largest = largest_file
        self._runs, self._lines, self._compare = runs, lines, compare

    def answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer, with what went wrong as ``error``; None where nothing is to be said."""
        kinds = {
            "range": self._range,
            "lines": self._read_lines,
            "find": self._find,
            "file": self._file,
            "media": self._media_file,
            "runs": self._list_runs,
            "compare": self._show_beside,
        }
        try:
            kind = kinds.get(str(request.get("type")))
            return kind(request) if kind else None
        except Exception as error:  # a question may hold anything, and whoever asks must not end the view for others
            return {"error": str(error)[:LONGEST_ERROR] or type(error).__name__}

    def _run(self, request: dict[str, Any]) -> Run:
        return next(run for run in self._runs() if run.id == request["run"])

    def _range(self, request: dict[str, Any]) -> dict[str, Any]:
        columns = self._run(request).columns()
        found = read_range(columns, request["axis"], float(request["from"]), float(request["until"]))
        return {"series": [{**about(t), "keep": 0, "points": pack(t.reducer.points())} for t in found.values()]}

    def _read_lines(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"lines": self._lines(request["run"]).read(int(request["first"]), int(request["count"]))}

    def _find(self, request: dict[str, Any]) -> dict[str, Any]:
        if not (text := str(request["text"])):
            return {"lines": [], "more": False}
        lines, more = self._lines(request["run"]).find(text)
        return {"lines": lines, "more": more}

    def _file(self, request: dict[str, Any]) -> dict[str, Any]:
        run = self._run(request)
        return _content(run.path, "outputs", str(request["name"]), self._largest)

    def _media_file(self, request: dict[str, Any]) -> dict[str, Any]:
        run = self._run(request)
        return _content(run.path, "media", Path(str(request["file"])).name, self._largest)

    def _list_runs(self, request: dict[str, Any]) -> dict[str, Any]:
        from mlwidgets.runs.index import RunIndex
        from mlwidgets.runs.store import RunStore

        shown = {run.id for run in self._runs()}
        store = RunStore(self._runs()[0].path.parent.parent)
        found = []
        for one in RunIndex(store).summaries()[:MOST_RUNS]:
            params = " ".join(f"{key}={value}" for key, value in one.params.items())
            found.append([one.id, one.name, one.state, one.submitted_at, params[:200], one.id in shown])
        return {"runs": found}

    def _show_beside(self, request: dict[str, Any]) -> None:
        store = self._runs()[0].path.parent
        names = [str(name) for name in request["runs"]]
        paths = [store / name for name in names if os.sep not in name]
        self._compare([Run(path) for path in paths if path.is_dir()])


def _content(run: Path, folder: str, name: str, most: int) -> dict[str, Any]:
    top = Path(os.path.realpath(run), folder)
    path = Path(os.path.realpath(top / name))
    # A pipe or a device would be read for ever.
    if not path.is_relative_to(top) or not (path.is_file() or not path.exists()):
        return {"error": "this is no file of the run"}
    size = path.stat().st_size
    if size > most:
        return {"error": f"{size / 1e6:,.0f} MB is too much to pass through; it lies at {path}"}
    return {"content": path.read_bytes()}
