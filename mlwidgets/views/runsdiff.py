"""What differs between runs, as text, as HTML in the notebook, as a page, as JSON."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from mlwidgets.history.comparing.runs import RunsDiff
from mlwidgets.views import palette
from mlwidgets.views.format import json_number
from mlwidgets.views.grouping import place
from mlwidgets.views.nbdifffragment import cells_html, rows_html
from mlwidgets.views.nbdifftext import rows_text
from mlwidgets.views.nbdiffwords import COLOURS, change_words, many, number_words, rows_of, visible

MOST_ROWS = 2000
"""Of code, notebook and modules, each."""
HEADS = {"parameters": "Parameters", "resources": "Resources", "data": "Data", "environment": "Environment",
         "libraries": "Libraries that the code used", "packages": "Packages",
         "variables": "Variables that the code reads", "state around": "Random states and options"}  # fmt: skip
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title><style>:root {{ color-scheme: light dark }} body {{ max-width: 1200px; margin: 20px auto;
padding: 0 20px }}</style></head><body>{body}</body></html>
"""


class RunsDiffView:
    """What differs between runs; shows itself."""

    def __init__(self, diff: RunsDiff) -> None:
        self.diff = diff

    def to_json(self) -> dict[str, Any]:
        """Return all of it, fit for JSON: what is not finite is its name, and each metric has its best value."""
        told = self.diff.to_json()
        told["metrics"] = [{**one, **_judged(one)} for one in told["metrics"]]
        found: dict[str, Any] = _finite(told)
        return found

    def page(self) -> str:
        """Return an HTML page that needs nothing else."""
        title = escape(visible(" and ".join(one["label"] for one in self.diff.runs)))
        return PAGE.format(title=title, body=self._repr_html_())

    def text(self, *, colour: bool = False, width: int = 100) -> str:
        """Return it for a terminal of so many columns."""
        return "\n".join(_lines(self.diff, colour, width))

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return _html(self.diff)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return json_number(value)
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def _judged(metric: dict[str, Any]) -> dict[str, Any]:
    """Return whether higher (1) or lower (-1) is better, and each run's best value with its step."""
    better = place(metric["name"]).better
    which = {1: "high", -1: "low"}.get(better)
    return {"better": better, "best": [one[which] if one and which else None for one in metric["runs"]]}


def said(diff: RunsDiff) -> str:
    """Return in one line whether the runs are the same."""
    first, *others = (visible(one["label"]) for one in diff.runs)
    between = f"{first} and {', '.join(others)}"
    if not diff.metrics:
        measured = "neither logged a metric" if len(others) == 1 else "none logged a metric"
    elif diff.metrics_equal:
        measured = f"{many(len(diff.metrics), 'metric')} bitwise equal"
    else:
        other = sum(1 for metric in diff.metrics if any(metric["first"]))
        measured = f"{other} of {many(len(diff.metrics), 'metric')} {'differs' if other == 1 else 'differ'}"
    words = {"state around": HEADS["state around"].lower()}
    parts = [words.get(group, group) for group, found in diff.facts.items() if found]
    parts += ["code"] * any(diff.code) + ["notebook"] * any(diff.notebook) + ["modules"] * bool(diff.modules)
    asked = f"other {', '.join(parts)}" if parts else "nothing else differs" if diff.metrics else "nothing differs"
    if diff.unknown and not parts:
        asked += " as far as it is known"
    return f"{between}: {asked}; {measured}"


def first_words(first: dict[str, Any]) -> str:
    """Return where a metric first differs: ``from step 3 on: 0.5 → 0.4999999``, with bits where digits are alike."""
    old, new = first["old"], first["new"]
    if old is None or new is None:
        return f"from step {first['step']} on: {'no record' if old is None else repr(old)} → " + (
            "no record" if new is None else repr(new)
        )
    if repr(old) == repr(new):
        return f"from step {first['step']} on: {old!r}, bits {_bits(old)} → {_bits(new)}"
    return f"from step {first['step']} on: {old!r} → {new!r}"


def _bits(value: float) -> str:
    return struct.pack(">d", value).hex()


def _of_metrics(diff: RunsDiff) -> list[list[str]]:
    """Return a row for each metric that differs: name, which value, that of each run."""
    rows: list[list[str]] = []
    for metric in diff.metrics:
        if not any(metric["first"]):
            continue
        judged, name = _judged(metric), visible(metric["name"])
        rows.append([name, "last", *_values([one and one["last"] for one in metric["runs"]], step=False)])
        if judged["better"]:
            rows.append(["", "best", *_values(judged["best"], step=True)])
    return rows


def _values(records: Sequence[Any], *, step: bool) -> list[str]:
    """Return values with as many digits as people read, or all of them where these would look the same."""
    known = [record for record in records if record is not None]
    short = {f"{record[1]:.6g}" for record in known}
    form = "{:.6g}" if len(short) == len({record[1] for record in known}) else "{!r}"
    return ["–" if one is None else form.format(one[1]) + (f" (step {one[0]})" if step else "") for one in records]


def _firsts(diff: RunsDiff) -> Iterator[str]:
    several = len(diff.runs) > 2
    for metric in diff.metrics:
        for run, first in zip(diff.runs[1:], metric["first"], strict=True):
            if first is not None:
                of = f" in {visible(run['label'])}" if several else ""
                yield f"{visible(metric['name'])}{of}: {first_words(first)}"
    same = [visible(metric["name"]) for metric in diff.metrics if not any(metric["first"])]
    if same and not diff.metrics_equal:
        yield f"bitwise equal: {', '.join(same)}"


def _texts(diff: RunsDiff) -> Iterator[tuple[str, list[Any] | None, list[dict[str, Any]] | None]]:
    """Yield heads with rows or with cells: code, notebook, modules of each run that differs from the first."""
    first = visible(diff.runs[0]["label"])
    for at, run in enumerate(diff.runs[1:]):
        between = f"{first} → {visible(run['label'])}"
        if diff.code[at]:
            yield f"Code, {between}", diff.code[at], None
        notebook = diff.notebook[at]
        if notebook:
            yield f"Other cells of the notebook, {between}", None, notebook["cells"]
        for name, rows in diff.modules:
            if rows[at]:
                yield f"{visible(name)}, {between}", rows[at], None


def _lines(diff: RunsDiff, colour: bool, width: int) -> Iterator[str]:
    def head(name: str) -> str:
        return f"\x1b[1m{name}\x1b[0m" if colour else name

    yield head(said(diff))
    labels = [visible(one["label"]) for one in diff.runs]
    states = [one["state"] for one in diff.runs]
    if len(set(states)) > 1:
        yield from ("", head("State"), *_table([["", *labels], ["state", *states]]))
    for group, found in diff.facts.items():
        if found:
            rows = [[visible(name), *map(_shown, values)] for name, values in found]
            yield from ("", head(HEADS[group]), *_table([["", *labels], *rows]))
    for name, code, cells in _texts(diff):
        yield from ("", head(name))
        for cell in cells or ():
            yield f"  {number_words(cell)}: {change_words(cell)}"
            yield from rows_text(rows_of(cell), colour, width)
        yield from rows_text(code or [], colour, width)
    measured = _of_metrics(diff)
    if measured:
        yield from (
            "",
            head("Metrics"),
            *_table([["", "", *labels], *measured]),
            *(f"  {one}" for one in _firsts(diff)),
        )
    if diff.unknown:
        yield from ("", head("Not known"), *(f"  {visible(one)}" for one in diff.unknown))


def _shown(value: str | None) -> str:
    return "–" if value is None else visible(" ".join(value.split()))


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()


def _html(diff: RunsDiff) -> str:
    labels = [visible(one["label"]) for one in diff.runs]
    parts = [f'<div style="font-weight:600">{escape(said(diff))}</div>']
    states = [one["state"] for one in diff.runs]
    if len(set(states)) > 1:
        parts.append(_box("State", _grid([["", *labels], ["state", *states]])))
    for group, found in diff.facts.items():
        if found:
            rows = [[visible(name), *map(_shown, values)] for name, values in found]
            parts.append(_box(HEADS[group], _grid([["", *labels], *rows])))
    for name, code, cells in _texts(diff):
        body = cells_html(cells, MOST_ROWS) if cells else rows_html(code or [], MOST_ROWS)
        parts.append(_box(name, body))
    measured = _of_metrics(diff)
    if measured:
        lines = "".join(f'<div style="padding:1px 8px;font-size:12px">{escape(one)}</div>' for one in _firsts(diff))
        parts.append(_box("Metrics", _grid([["", "", *labels], *measured]) + lines))
    if diff.unknown:
        lines = "<br>".join(escape(visible(one)) for one in diff.unknown)
        parts.append(f'<div style="margin-top:8px;font-size:12px;color:{palette.MUTED}">Not known: {lines}</div>')
    style = "font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:13px;line-height:1.4"
    return f'<div style="{style};text-align:left">{"".join(parts)}</div>'


def _box(head: str, body: str) -> str:
    border = f"border:1px solid rgba(128,128,128,0.3);border-left:3px solid {COLOURS['edited']}"
    title = f'<div style="padding:3px 8px;font-size:12px;font-weight:600">{escape(head)}</div>'
    return f'<div style="margin-top:8px;{border};overflow-x:auto">{title}{body}</div>'


def _grid(rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose looks are its own, whatever the page does with tables."""
    cell = "text-align:left;padding:1px 12px 1px 8px;border:none;background:none;vertical-align:top;font-size:12px"
    long = "overflow-wrap:break-word;white-space:pre-wrap"
    head = "".join(f'<th style="{cell};font-weight:600;color:{palette.MUTED}">{escape(one)}</th>' for one in rows[0])
    body = "".join(
        '<tr style="background:none">'
        + "".join(f'<td style="{cell};{long}">{escape(one)}</td>' for one in row)
        + "</tr>"
        for row in rows[1:]
    )
    return (
        f'<table style="border-collapse:collapse;border:none;margin:0 0 4px"><thead><tr style="background:none">{head}'
        f"</tr></thead><tbody>{body}</tbody></table>"
    )


def json_text(view: RunsDiffView) -> str:
    """Return it as one JSON object."""
    return json.dumps(view.to_json())
