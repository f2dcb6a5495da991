"""What a view asks of the kernel beside what it is sent: details of a range, lines of the output, files, other runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import UnknownRun
from mlwidgets.runs.run import Run
from mlwidgets.views.data import read_range
from mlwidgets.views.follow import Follower
from mlwidgets.views.tracks import about, pack

if TYPE_CHECKING:
    from mlwidgets.views.lines import LineIndex

LARGEST_FILE = 64 << 20
"""Bytes: what is larger is better fetched from the disk than through the kernel."""
MOST_RUNS = 200
MOST_TRIALS = 4
"""Trials of the sweeps on show that are followed because somebody asked for them."""
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
        self._runs, self._shown_lines, self._compare = runs, lines, compare
        self._trials: dict[str, Follower] = {}

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
            "trial": self._trial,
        }
        try:
            kind = kinds.get(str(request.get("type")))
            return kind(request) if kind else None
        except Exception as error:  # a question may hold anything, and whoever asks must not end the view for others
            return {"error": str(error)[:LONGEST_ERROR] or type(error).__name__}

    def trial(self, run_id: Any) -> Follower | None:
        """Return what follows a trial of one of the sweeps on show; the last few are kept."""
        if run_id in self._trials:
            # The one that was asked for last is let go last.
            self._trials[run_id] = self._trials.pop(run_id)
            return self._trials[run_id]
        found = self._find_trial(run_id)
        if found is None:
            return None
        self._trials[run_id] = Follower(found)
        if len(self._trials) > MOST_TRIALS:
            del self._trials[next(iter(self._trials))]
        return self._trials[run_id]

    def _find_trial(self, run_id: Any) -> Run | None:
        if not isinstance(run_id, str) or os.sep in run_id or run_id.startswith("."):
            return None
        for sweep in self._runs():
            path = sweep.path.parent / run_id
            if sweep.spec.sweep is not None and path.is_dir() and Run(path).spec.trial_of == sweep.id:
                return Run(path)
        return None

    def _run(self, request: dict[str, Any]) -> Run:
        """Return the run that a question is about: one on show, or a trial of one."""
        found = next((run for run in self._runs() if run.id == request["run"]), None)
        follower = None if found else self.trial(request["run"])
        found = follower.run if follower else found
        if found is None:
            raise UnknownRun("this view has no such run")
        return found

    def _lines(self, run_id: Any) -> LineIndex:
        if any(run.id == run_id for run in self._runs()):
            return self._shown_lines(run_id)
        follower = self.trial(run_id)
        if follower is None:
            raise UnknownRun("this view has no such run")
        return follower.lines

    def _trial(self, request: dict[str, Any]) -> dict[str, Any]:
        follower = self.trial(request["trial"])
        if follower is None:
            raise UnknownRun("this sweep has no such trial")
        follower.changes()
        return {"state": follower.full()}

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

        runs = self._runs()
        shown = {run.id for run in runs}
        # Of a sweep's trials its own view tells; beside one of them belong the others.
        sweeps = {run.spec.trial_of for run in runs}
        store = RunStore(runs[0].path.parent.parent)
        found = []
        listed = [one for one in RunIndex(store).summaries() if one.trial_of in sweeps or one.trial_of is None]
        for one in listed[:MOST_RUNS]:
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
