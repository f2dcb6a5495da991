"""A list of runs as a table: text for a terminal, HTML for a notebook."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Sequence

from mlwidgets.runs.index import RunSummary
from mlwidgets.views.palette import STATES


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


def _printable(text: str) -> str:
    """Return text that can be encoded: half a surrogate pair cannot."""
    return text.encode("utf-8", "replace").decode()


def _brief(text: str) -> str:
    """Return a parameter's text as fits a table: one line, not too long."""
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:39]}…"


class RunTable(Sequence[RunSummary]):
    """Summaries of runs, newest first, that show as a table."""

    def __init__(self, summaries: list[RunSummary]) -> None:
        self._summaries = summaries

    def __len__(self) -> int:
        return len(self._summaries)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._summaries[index]

    def _rows(self) -> tuple[list[str], list[list[str]]]:
        now = time.time()
        metrics = list(dict.fromkeys(m for s in self._summaries for m in s.metrics))
        params = list(dict.fromkeys(p for s in self._summaries for p in s.params))
        head = ["name", "state", "submitted", "time", *params, *metrics]
        rows = [
            [
                s.name,
                s.state,
                _moment(s.submitted_at),
                _duration(s, now),
                *(_brief(s.params.get(p, "")) for p in params),
                *(f"{s.metrics[m]:.4g}" if m in s.metrics else "" for m in metrics),
            ]
            for s in self._summaries
        ]
        return [_printable(h) for h in head], [[_printable(c) for c in row] for row in rows]

    def __repr__(self) -> str:
        if not self._summaries:
            return "no runs yet: put %%train on top of a cell"
        head, rows = self._rows()
        widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in [head, *rows]]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        if not self._summaries:
            return "<p>No runs yet: put <code>%%train</code> on top of a cell.</p>"
        head, rows = self._rows()
        cells = "".join(f"<th style='text-align:left'>{html.escape(h)}</th>" for h in head)
        body = "".join(
            f"<tr title='{html.escape(_printable(s.id), quote=True)}'>"
            + "".join(
                f"<td style='text-align:left;color:{STATES.get(c, 'inherit')}'>{html.escape(c)}</td>"
                if i == 1
                else f"<td style='text-align:left'>{html.escape(c)}</td>"
                for i, c in enumerate(row)
            )
            + "</tr>"
            for s, row in zip(self._summaries, rows, strict=True)
        )
        return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
