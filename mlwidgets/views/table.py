"""A list of runs as a table: text for a terminal, HTML for a notebook."""

from __future__ import annotations

import html
import math
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.index import RunSummary
from mlwidgets.runs.outline import number_ended
from mlwidgets.runs.stopping import EARLY
from mlwidgets.runs.store import name_of
from mlwidgets.views.grouping import CLOCKS
from mlwidgets.views.palette import STATES

if TYPE_CHECKING:
    import pandas as pd

MOST_PARAMS = MOST_METRICS = 6
"""Columns that are shown unless all are asked for."""
HIDDEN_NAMED = 8
"""Columns left out that the line below a table names."""
MOST_IN_ONE_LINE = 32
"""Characters of a cell that is not broken."""
_LONG_FLOAT = re.compile(r"-?(?=[\d.]{8})\d+\.\d+(e[-+]?\d+)?")


def format_duration(seconds: float) -> str:
    """Return a duration as people write it: ``4.2 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _duration(summary: RunSummary, now: float) -> str:
    if summary.started_at is None:
        return ""
    seconds = (summary.ended_at or now) - summary.started_at
    return format_duration(max(0.0, seconds)) if math.isfinite(seconds) else ""


def _moment(seconds: float) -> str:
    """Return a time as people write it, nothing for one that no calendar has: a clock or a folder may be damaged."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return ""


def _state(summary: RunSummary) -> str:
    """Return the state; a trial that its sweep's policy ended was stopped like any run, and is told apart."""
    early = summary.trial_of and (summary.cause or "").startswith(EARLY)
    return EARLY.rstrip(": ") if early else summary.state


def _printable(text: str) -> str:
    """Return text that can be encoded: half a surrogate pair cannot."""
    return text.encode("utf-8", "replace").decode()


def _brief(text: str) -> str:
    """Return a parameter's text as fits a table: one line, not too long."""
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:39]}…"


def _rounded(text: str) -> str:
    """Return a number with six digits at most; what a sampler has chosen has seventeen."""
    return f"{float(text):.6g}" if _LONG_FLOAT.fullmatch(text) else text


def _rerun_of(summary: RunSummary) -> str:
    return (name_of(summary.rerun_of) or summary.rerun_of) if summary.rerun_of else ""


@dataclass(frozen=True)
class _Column:
    head: str
    cell: Callable[[RunSummary], str]


def _param(head: str, name: str) -> _Column:
    return _Column(head, lambda summary: _brief(_rounded(summary.params.get(name, ""))))


def _metric(head: str, name: str) -> _Column:
    return _Column(head, lambda summary: f"{summary.metrics[name]:.4g}" if name in summary.metrics else "")


def folded(summaries: Sequence[RunSummary]) -> list[RunSummary]:
    """Return the runs without the trials of sweeps that are among them."""
    sweeps = {one.id for one in summaries if one.sweep}
    return [one for one in summaries if one.trial_of not in sweeps]


def unfolded(summaries: Sequence[RunSummary]) -> list[RunSummary]:
    """Return the runs, the trials of each sweep by their numbers behind it."""
    trials: dict[str, list[RunSummary]] = {one.id: [] for one in summaries if one.sweep}
    for one in summaries:
        if one.trial_of in trials:
            trials[one.trial_of].append(one)
    found: list[RunSummary] = []
    for one in folded(summaries):
        found += [one, *sorted(trials.get(one.id, []), key=lambda trial: trial.trial or 0)]
    return found


def describe_sweep(outline: Mapping[str, Any]) -> str:
    """Return how far a sweep is, in a few words: ``18/20, best val_accuracy 0.981``."""
    done, planned = number_ended(outline["counts"]), outline["planned"]
    words = [f"{done}/{planned}" if planned else str(done)]
    if outline["best"]:
        words.append(f"best {_brief(outline['objectives'][0]['metric'])} {outline['best'][0]:.4g}")
    return ", ".join([*words, *(["paused"] if outline["paused"] else [])])


class RunTable(Sequence[RunSummary]):
    """Summaries of runs, newest first, that show as a table.

    Parameters
    ----------
    every
        Whether all parameters and metrics have a column. Otherwise parameters that differ among the runs come first,
        and metrics of the newest runs, as many as can be read.
    command
        What to call to see every column.
    trials
        Whether the trials of a sweep have a line each, below that of their sweep. Otherwise it stands for them.
    chosen
        Whether these are the runs that somebody asked for, in their order: all have a line.
    sorted_by
        A parameter or metric that has a column whatever is left out, before others.
    """

    def __init__(
        self,
        summaries: list[RunSummary],
        *,
        every: bool = False,
        command: str = "%runs --all",
        trials: bool = False,
        chosen: bool = False,
        sorted_by: str = "",
    ) -> None:
        self._sorted_by = sorted_by
        self._summaries = summaries if chosen else unfolded(summaries) if trials else folded(summaries)
        self._every = every
        self._command = command
        self._none = "no run fits" if chosen else "no runs yet: put %%train on top of a cell"

    def frame(self) -> pd.DataFrame:
        """Return the runs as a DataFrame, as `mlwidgets.runs.frame.frame_of` makes it."""
        from mlwidgets.runs.frame import frame_of

        return frame_of(self._summaries)

    def __len__(self) -> int:
        return len(self._summaries)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._summaries[index]

    def _columns(self) -> list[list[_Column]]:
        """Return the columns that every table has, those of parameters and those of metrics, the telling ones first."""
        now = time.time()
        fixed = [
            _Column("name", lambda one: one.name),
            _Column("state", _state),
            _Column("submitted", lambda one: _moment(one.submitted_at)),
            _Column("time", lambda one: _duration(one, now)),
        ]
        if any(one.sweep for one in self._summaries):
            fixed.append(_Column("trials", lambda one: describe_sweep(one.sweep) if one.sweep else ""))
        if any(one.rerun_of for one in self._summaries):
            fixed.append(_Column("rerun of", _rerun_of))
        params = list(dict.fromkeys(name for one in self._summaries for name in one.params))
        metrics = list(dict.fromkeys(name for one in self._summaries for name in one.metrics))
        params.sort(key=lambda name: (name != self._sorted_by, self._sameness(name)))
        metrics.sort(key=lambda name: (name != self._sorted_by, name.lower() in CLOCKS))
        taken = {column.head for column in fixed}
        return [
            fixed,
            [_param(f"{n} (parameter)" if n in taken or n in metrics else n, n) for n in params],
            [_metric(f"{n} (metric)" if n in taken or n in params else n, n) for n in metrics],
        ]

    def _sameness(self, param: str) -> int:
        """Return 0 for a parameter that runs were given different values of, 1 if some had it not, 2 for others."""
        values = [one.params[param] for one in self._summaries if param in one.params]
        return 0 if len(set(values)) > 1 else 1 if len(values) < len(self._summaries) else 2

    def _table(self, width: int | None = None) -> tuple[list[str], list[list[str]], list[str]]:
        """Return heads, rows and the heads of what is left out; at most `width` characters where that can be."""
        fixed, params, metrics = self._columns()
        hidden = [] if self._every else [*params[MOST_PARAMS:], *metrics[MOST_METRICS:]]
        if not self._every:
            params, metrics = params[:MOST_PARAMS], metrics[:MOST_METRICS]
        shown = {column.head: self._cells(column) for column in (*fixed, *params, *metrics)}
        while width and not self._every and (params or metrics) and _width(shown.values()) > width:
            dropped = (params if len(params) >= len(metrics) else metrics).pop()
            hidden.insert(0, dropped)
            del shown[dropped.head]
        rows = [list(row) for row in zip(*shown.values(), strict=True)]
        return rows[0], rows[1:], [_printable(column.head) for column in hidden]

    def _cells(self, column: _Column) -> list[str]:
        return [_printable(text) for text in (column.head, *map(column.cell, self._summaries))]

    def __repr__(self) -> str:
        if not self._summaries:
            return self._none
        head, rows, hidden = self._table(shutil.get_terminal_size().columns if sys.stdout.isatty() else None)
        widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in [head, *rows]]
        return "\n".join([*lines, *self._left_out(hidden)])

    def _repr_html_(self) -> str:
        if not self._summaries:
            said = html.escape(f"{self._none[:1].upper()}{self._none[1:]}.")
            return f"<p>{said.replace('%%train', '<code>%%train</code>')}</p>"
        head, rows, hidden = self._table()
        cells = "".join(f"<th style='{_style(h)}'>{html.escape(h)}</th>" for h in head)
        body = "".join(
            f"<tr title='{html.escape(_printable(s.id), quote=True)}'>"
            + "".join(
                f"<td style='{_style(c)};color:{STATES.get(c, 'inherit')}'>{html.escape(c)}</td>"
                if i == 1
                else f"<td style='{_style(c)}'>{html.escape(c)}</td>"
                for i, c in enumerate(row)
            )
            + "</tr>"
            for s, row in zip(self._summaries, rows, strict=True)
        )
        rest = "".join(f"<div>{html.escape(line)}</div>" for line in self._left_out(hidden))
        return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>{rest}"

    def _left_out(self, heads: Sequence[str]) -> list[str]:
        """Return the line on columns that are left out, if there are any."""
        if not heads:
            return []
        named = ", ".join(heads[:HIDDEN_NAMED]) + (" …" if len(heads) > HIDDEN_NAMED else "")
        return [f"not shown: {named}; `{self._command}` shows every column"]


def _style(cell: str) -> str:
    """Return the style of a cell: dates and names stay in one line, a cause need not."""
    return "text-align:left" + (";white-space:nowrap" if len(cell) <= MOST_IN_ONE_LINE else "")


def _width(columns: Iterable[Sequence[str]]) -> int:
    return sum(max(map(len, column)) + 2 for column in columns) - 2
