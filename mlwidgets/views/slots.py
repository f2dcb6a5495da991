"""Who holds what on this machine and who waits: text for a terminal, HTML for a notebook."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence

from mlwidgets.runner.slots import GPU, Overview, Running, Waits, ordinal
from mlwidgets.runs.index import RunSummary
from mlwidgets.views.table import RunTable, format_duration

_SHARES = {0.25: "¼", 0.5: "½", 0.75: "¾"}
_NAMED = 3
"""Runs that the lines below a table name; there may be hundreds more."""

Table = tuple[list[str], list[list[str]]]


class SlotsView:
    """The machine at one moment, as tables."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview
        self._now = time.time()
        self._labels = labels(overview)

    def _tables(self) -> list[Table]:
        now = self._overview
        tables: list[Table] = []
        if now.gpus:
            tables.append((["GPU", "device", "memory", "use"], [self._gpu(gpu) for gpu in now.gpus]))
        if now.running:
            tables.append((["holds slots", "user", "slots", "for"], [self._running(run) for run in now.running]))
        if now.waiting:
            head = ["place", "waits", "user", "for", "why", "priority"]
            tables.append((head, [self._waits(run) for run in now.waiting]))
        return [_without_empty(table) for table in tables]

    def _gpu(self, gpu: GPU) -> list[str]:
        memory = f"{gpu.memory / 2**30:.0f} GiB" if gpu.memory else ""
        return [str(gpu.index), gpu.name, memory, describe_use(gpu)]

    def _running(self, run: Running) -> list[str]:
        return [run.name, run.user, describe_slots(run, self._labels), self._since(run.since)]

    def _waits(self, run: Waits) -> list[str]:
        place = ordinal(run.place) if run.place else "–"
        return [place, run.name, run.user, self._since(run.submitted_at), run.why, str(run.priority or "")]

    def _since(self, moment: float) -> str:
        return format_duration(max(0.0, self._now - moment))

    def _cpus(self) -> str:
        now = self._overview
        waits = "" if now.waiting else "; nobody waits"
        return f"CPU places: {now.cpus_held} of {now.cpus} taken{waits}"

    def __repr__(self) -> str:
        parts = [self._cpus(), *map(_text, self._tables())]
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._cpus())}</p>" + "".join(map(_html, self._tables()))


class QueuedRunTable(RunTable):
    """A table of runs with a line below it on who holds slots of this machine, and one on who waits."""

    def __init__(
        self, summaries: Sequence[RunSummary], overview: Overview, *, every: bool = False, trials: bool = False
    ) -> None:
        super().__init__(list(summaries), every=every, trials=trials)
        self._lines = queue_lines(overview)

    def __repr__(self) -> str:
        return "\n".join([super().__repr__(), *([""] if self._lines else []), *self._lines])

    def _repr_html_(self) -> str:
        return super()._repr_html_() + "".join(f"<div>{html.escape(line)}</div>" for line in self._lines)


def queue_lines(overview: Overview) -> list[str]:
    """Return a line on who holds slots and one on who waits, as far as there is anybody."""
    lines = []
    names = labels(overview)
    if overview.running:
        lines.append("holding: " + _some([f"{r.name} ({describe_slots(r, names)})" for r in overview.running]))
    if overview.waiting:
        waiting = [f"{ordinal(r.place)} {r.name}" if r.place else r.name for r in overview.waiting]
        named = [f"{who} ({run.why})" for who, run in zip(waiting, overview.waiting, strict=True)]
        lines.append("waiting: " + _some(named))
    return lines


def _some(items: list[str]) -> str:
    rest = len(items) - _NAMED
    shown = ", ".join(items[:_NAMED])
    return shown if rest <= 0 else f"{shown} and {rest} more: `%runs slots` shows all"


def labels(overview: Overview) -> dict[str, str]:
    """Return a short name for each GPU by its UUID."""
    return {gpu.uuid: f"GPU {gpu.index}" for gpu in overview.gpus}


def describe_slots(run: Running, names: Mapping[str, str]) -> str:
    """Return what a run holds, in words: ``GPU 0, GPU 1, 1 CPU place``."""
    words = [
        (f"{_SHARES[share]} of " if share in _SHARES else "") + names.get(uuid, uuid)
        for uuid, share in run.gpus.items()
    ]
    if run.cpus:
        words.append("1 CPU place" if run.cpus == 1 else f"{run.cpus} CPU places")
    return ", ".join(words)


def describe_use(gpu: GPU) -> str:
    """Return what a GPU is used for, in words."""
    words = []
    if gpu.holders:
        share = f"{_SHARES[gpu.held]} taken: " if gpu.held in _SHARES else ""
        words.append(share + ", ".join(gpu.holders))
    elif gpu.foreign:
        words.append(f"used by {gpu.foreign}")
    if gpu.drained is not None:
        words.append(f"out of use: {gpu.drained}")
    elif gpu.failures:
        runs = "the last run" if gpu.failures == 1 else f"the last {gpu.failures} runs"
        words.append(f"{runs} failed with a device error")
    return "; ".join(words) or "free"


def _without_empty(table: Table) -> Table:
    """Leave out columns in which no row has anything."""
    head, rows = table
    kept = [i for i in range(len(head)) if any(row[i] for row in rows)]
    return [head[i] for i in kept], [[row[i] for i in kept] for row in rows]


def _text(table: Table) -> str:
    head, rows = table
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    )


def _html(table: Table) -> str:
    head, rows = table
    style = "style='text-align:left'"
    cells = "".join(f"<th {style}>{html.escape(text)}</th>" for text in head)
    body = "".join("<tr>" + "".join(f"<td {style}>{html.escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
