"""What changed in a notebook as HTML for one of its own outputs, under the same rules as the still view of a run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from mlwidgets.views import nbdiffwords as words
from mlwidgets.views import palette

MOST_ROWS = 2000
"""Of all cells together; a whole page shows all."""
LARGEST_PICTURE = 1_000_000
"""Characters of a picture as base64: the notebook would hold it once more."""

IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"})

MUTED = f"color:{palette.MUTED}"
SMALL = "font-size:11px"
MONO = "font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:12px;line-height:1.45"
LINE = (
    "display:block;padding:0 8px 0 34px;white-space:pre-wrap;overflow-wrap:anywhere;text-decoration:none;"
    "text-indent:-20px"
)
GROUNDS = {"-": "rgba(213,68,58,0.12)", "+": "rgba(0,158,115,0.13)"}
WORDS = {"-": "rgba(213,68,58,0.32)", "+": "rgba(0,158,115,0.34)"}
UNDER = {"-": "1px dashed #d5443a", "+": "1px solid #009e73"}
TAGS = {"-": "del", "+": "ins"}
NAMES = {"-": "−", "+": "+"}


def fragment(document: dict[str, Any], now: float | None = None) -> str:
    """Return what changed as HTML without a style sheet, for light and dark ground.

    Parameters
    ----------
    document
        Both states by name and time, and what `mlwidgets.history.diff.cells.compare` found, as JSON.
    now
        Unix seconds; the present by default.
    """
    diff = document["diff"]
    said = words.summary(document, time.time() if now is None else now)
    parts = [f'<div style="font-weight:600">{escape(said[:1].upper() + said[1:])}</div>']
    if diff.get("metadata"):
        parts.append(_box("edited", "<b>Notebook</b> other metadata", _facts(diff["metadata"])))
    room = [MOST_ROWS]
    for folded, cells in words.folded_cells(diff["cells"]):
        if folded:
            parts.append(
                f'<div style="margin-top:8px;{SMALL};{MUTED}">⋯ {words.many(len(cells), "unchanged cell")}</div>'
            )
        else:
            parts += [_cell(cell, room) for cell in cells]
    style = "font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:13px;line-height:1.4"
    return f'<div style="{style};text-align:left">{"".join(parts)}</div>'


def cells_html(cells: Sequence[dict[str, Any]], most: int) -> str:
    """Return cells that changed, at most so many rows of all of them."""
    room = [most]
    return "".join(_cell(cell, room) for cell in cells)


def rows_html(rows: Sequence[list[Any]], most: int) -> str:
    """Return rows one below the other, those far from a change counted, at most so many."""
    return _rows(rows, [most])


def _cell(cell: dict[str, Any], room: list[int]) -> str:
    change = cell["change"] if cell["change"] in words.SIGNS else "same"
    colour = words.COLOURS[change]
    which = words.number_words(cell)
    head = (
        f'<b style="color:{colour}">{words.SIGNS[change]}</b> <b>{escape(which[:1].upper() + which[1:])}</b> '
        f"{escape(words.change_words(cell))}"
    )
    body = "" if change == "moved" or words.is_quiet(cell) else _rows(words.rows_of(cell), room)
    outputs = "".join(_output(number, one, room) for number, one in enumerate(cell.get("outputs", ()), 1))
    return _box(change, head, f"{body}{_facts(cell.get('metadata', ()))}{outputs}")


def _box(change: str, head: str, body: str) -> str:
    style = f"margin-top:8px;border:1px solid rgba(128,128,128,0.3);border-left:3px solid {words.COLOURS[change]}"
    return f'<div style="{style}"><div style="padding:3px 8px;font-size:12px">{head}</div>{body}</div>'


def _facts(facts: Iterable[Sequence[str | None]]) -> str:
    lines = (f'<div style="padding:0 8px 3px;font-size:12px">{escape(words.fact_words(fact))}</div>' for fact in facts)
    return "".join(lines)


def _output(number: int, output: dict[str, Any], room: list[int]) -> str:
    if output["change"] == "same":
        return ""
    what = f"Output {number}, {escape(output['type'])}: {escape(output['change'])}"
    head = f'<div style="padding:4px 8px 2px;{SMALL};{MUTED}">{what}</div>'
    pictures = "".join(
        f'<div style="display:inline-block;vertical-align:top;width:48%;min-width:240px;padding:2px 4px">'
        f'<div style="{SMALL};{MUTED}">{called}</div>{drawn}</div>'
        for side, called in (("old", "Before"), ("new", "Now"))
        if (drawn := _picture(output[side], called))
    )
    return f"{head}{pictures}{_rows(output['rows'], room)}"


def _picture(picture: dict[str, str] | None, called: str) -> str:
    if picture is not None and len(picture["data"]) > LARGEST_PICTURE:
        return f'<div style="{SMALL};{MUTED}">too large to be kept here once more: mlwidgets diff --html shows it</div>'
    return image(picture, called, ' style="max-width:100%"')


def image(picture: dict[str, str] | None, called: str, style: str = "") -> str:
    """Return a picture as HTML, nothing where it is none that may be shown."""
    if picture is None or picture["mime"] not in IMAGES:
        return ""
    return f'<img{style} alt="{called}" src="data:{picture["mime"]};base64,{escape(picture["data"])}">'


def _rows(rows: Sequence[list[Any]], room: list[int]) -> str:
    lines: list[str] = []
    hidden = 0
    for folded, part in words.folded_rows(rows):
        if folded:
            lines.append(f'<div style="{LINE};{SMALL};{MUTED}">⋯ {words.many(len(part), "unchanged line")}</div>')
            continue
        kept = part[: max(0, room[0])]
        room[0] -= len(part)
        hidden += len(part) - len(kept)
        for row in kept:
            lines += _line(row)
    if hidden:
        lines.append(f'<div style="{LINE};{SMALL};{MUTED}">⋯ {words.many(hidden, "more line")}</div>')
    return f'<div style="{MONO};padding:2px 0 4px">{"".join(lines)}</div>' if lines else ""


def _line(row: list[Any]) -> list[str]:
    sign = row[0]
    if sign == "=":
        return [f'<div style="{LINE}">  {_text(_cut(row[3]))}</div>']
    sides = [("-", row[3]), ("+", row[4])] if sign == "~" else [(sign, [[0, _cut(row[2])]])]
    return [_changed(one, words.short(segments)) for one, segments in sides]


def _cut(line: str) -> str:
    return line if len(line) <= words.LONGEST_LINE else f"{line[: words.LONGEST_LINE]}…"


def _changed(sign: str, segments: Sequence[Sequence[Any]]) -> str:
    style = f' style="background-color:{WORDS[sign]};border-bottom:{UNDER[sign]};text-decoration:none"'
    tag = TAGS[sign]
    return (
        f'<{tag} style="{LINE};background-color:{GROUNDS[sign]}">{NAMES[sign]} {marked(tag, segments, style)}</{tag}>'
    )


def marked(tag: str, segments: Sequence[Sequence[Any]], style: str = "") -> str:
    """Return a line as HTML, what changed between tags."""
    pieces = ((changed, _text(text)) for changed, text in segments)
    return "".join(f"<{tag}{style}>{piece}</{tag}>" if changed else piece for changed, piece in pieces)


def _text(text: str) -> str:
    return escape(words.visible(text), quote=False)
