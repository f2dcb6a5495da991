"""What changed in a notebook as one HTML page: no script, no address outside; on paper and on a phone, too."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from mlwidgets.views import nbdiffwords as words
from mlwidgets.views.nbdifffragment import fragment, image, marked

__all__ = ["fragment", "page"]

MOST_LINKS = 60
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1f2328; --muted: #5f6671; --rule: #d5d9de; --soft: #f5f6f8;
  --del: rgba(213,68,58,.11); --ins: rgba(0,158,115,.12);
  --del-word: rgba(213,68,58,.30); --ins-word: rgba(0,158,115,.32);
  --added: #007f5c; --removed: #c43a31; --edited: #0069a8; --moved: #7d3fb2; --same: #5f6671 }
@media (prefers-color-scheme: dark) { :root { --ground: #111418; --text: #e3e6ea; --muted: #969ea9; --rule: #333941;
  --soft: #191d22; --del: rgba(231,92,88,.15); --ins: rgba(0,178,130,.14); --del-word: rgba(231,92,88,.42);
  --ins-word: rgba(0,178,130,.40); --added: #2cc298; --removed: #f0716a; --edited: #4aa8ea; --moved: #bd8be6;
  --same: #969ea9 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--text); font: 14px/1.45 system-ui, -apple-system, 'Segoe UI',
  Helvetica, Arial, sans-serif }
main { max-width: 1500px; margin: 0 auto; padding: 20px 24px 60px }
h1 { margin: 0 0 4px; font-size: 20px; font-weight: 600; overflow-wrap: anywhere }
.sides { margin: 0; color: var(--muted) }
nav { display: flex; flex-wrap: wrap; gap: 4px 6px; margin: 14px 0 4px; font-size: 12px }
nav a { padding: 1px 8px; border: 1px solid var(--rule); border-radius: 9px; color: inherit; text-decoration: none }
nav a:hover, nav a:focus-visible { border-color: var(--change) }
nav a b, h2 .sign { color: var(--change) }
.added { --change: var(--added) } .removed { --change: var(--removed) } .edited { --change: var(--edited) }
.moved { --change: var(--moved) } .same { --change: var(--same) }
section { margin-top: 14px; border: 1px solid var(--rule); border-left: 3px solid var(--change); border-radius: 3px;
  scroll-margin-top: 8px; content-visibility: auto; contain-intrinsic-size: auto 200px }
h2 { display: flex; flex-wrap: wrap; gap: 0 8px; margin: 0; padding: 5px 10px; background: var(--soft); font-size: 13px;
  font-weight: 600 }
h2 .what { font-weight: 400 }
h3 { margin: 0; padding: 5px 10px 3px; border-top: 1px solid var(--rule); color: var(--muted); font-size: 12px;
  font-weight: 400 }
.rows { padding: 4px 0; font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace }
.row { display: grid; grid-template-columns: minmax(0,1fr) minmax(0,1fr) }
.line { display: block; position: relative; min-height: 1.5em; padding: 0 8px 0 62px; color: inherit;
  text-decoration: none; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 4 }
.line::before { content: attr(data-line); position: absolute; left: 0; width: 38px; color: var(--muted);
  text-align: right; font-size: 11px; user-select: none }
.line::after { position: absolute; top: 0; left: 46px; font-weight: 700 }
del.line { background: var(--del) } del.line::after { content: '−'; color: var(--removed) }
ins.line { background: var(--ins) } ins.line::after { content: '+'; color: var(--added) }
.none { background: var(--soft) }
.line > del, .line > ins { border-radius: 2px; text-decoration: none }
.line > del { border-bottom: 1px dashed var(--removed); background: var(--del-word) }
.line > ins { border-bottom: 1px solid var(--added); background: var(--ins-word) }
details > summary { padding: 2px 10px 2px 44px; color: var(--muted); font: 12px/1.6 system-ui, sans-serif;
  cursor: pointer }
details.cells { margin-top: 14px } details.cells > summary { padding-left: 10px }
details.cells section { margin-top: 6px; border-left-color: var(--rule) }
.facts { margin: 0; padding: 4px 10px 6px; list-style: none; font-size: 12.5px; overflow-wrap: anywhere }
.pictures { display: grid; grid-template-columns: repeat(2, minmax(0,1fr)) }
.pictures figure { margin: 0; padding: 6px 10px 10px }
.pictures figcaption { color: var(--muted); font-size: 11px }
.pictures img { max-width: 100%; padding: 4px; border: 2px solid var(--change); background: #fff }
.pictures .removed img { border-style: dashed }
@media (max-width: 760px) { main { padding: 12px 8px 40px } .row, .pictures { grid-template-columns: minmax(0,1fr) }
  .again, .none { display: none } .line { padding-left: 46px } .line::before { width: 26px }
  .line::after { left: 32px } details > summary { padding-left: 10px } }
@media print { main { max-width: none; padding: 0 } nav { display: none }
  section { break-inside: auto; content-visibility: visible }
  h2, .row { break-inside: avoid } h2, h3 { break-after: avoid } .line, h2 { print-color-adjust: exact } }
"""


def page(document: dict[str, Any]) -> str:
    """Return what changed as a whole HTML page.

    Parameters
    ----------
    document
        Both states by name and time, and what `mlwidgets.history.diff.cells.compare` found, as JSON.
    """
    diff = document["diff"]
    said = words.what_words(diff) or "nothing has changed"
    said = escape(said[:1].upper() + said[1:])
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<title>{said}</title><style>{STYLE}</style></head><body><main>",
        f'<header><h1>{said}</h1><p class="sides">{_sides(document)}</p>{_links(diff["cells"])}</header>',
        _notebook(diff.get("metadata", ())),
    ]
    for folded, cells in words.folded_cells(diff["cells"]):
        drawn = (_cell(cell) for cell in cells)
        if folded:
            summary = f"<summary>{words.many(len(cells), 'unchanged cell')}</summary>"
            parts += [f'<details class="cells">{summary}', *drawn, "</details>"]
        else:
            parts += drawn
    return "".join([*parts, "</main></body></html>\n"])


def _sides(document: dict[str, Any]) -> str:
    """Return both states with their times as a calendar has them: the page may be read years later."""
    return escape(
        " → ".join(f"{words.visible(one['label'])}{_time(one['time'])}" for one in (document["old"], document["new"]))
    )


def _time(moment: float | None) -> str:
    return "" if moment is None else time.strftime(" (%Y-%m-%d %H:%M %Z)", time.localtime(moment))


def _anchor(cell: dict[str, Any]) -> str:
    place = cell["new"] or cell["old"]
    return f"{'cell' if cell['new'] else 'removed'}-{place['index'] + 1}"


def _links(cells: Sequence[dict[str, Any]]) -> str:
    shown = [cell for cell in cells if words.is_shown(cell)]
    hidden = len(shown) - MOST_LINKS
    links = "".join(
        f'<a class="{_class(cell)}" href="#{_anchor(cell)}"><b>{words.SIGNS[_class(cell)]}</b> '
        f"{(cell['new'] or cell['old'])['index'] + 1} {escape(words.change_words(cell))}</a>"
        for cell in shown[:MOST_LINKS]
    )
    links += f"<span>and {hidden} more</span>" if hidden > 0 else ""
    return f'<nav aria-label="Changed cells">{links}</nav>' if len(shown) > 1 else ""


def _class(cell: dict[str, Any]) -> str:
    return cell["change"] if cell["change"] in words.SIGNS else "same"


def _notebook(facts: Sequence[Sequence[str | None]]) -> str:
    if not facts:
        return ""
    return (
        f'<section class="edited"><h2>Notebook <span class="what">other metadata</span></h2>{_facts(facts)}</section>'
    )


def _facts(facts: Iterable[Sequence[str | None]]) -> str:
    items = "".join(f"<li>{escape(words.fact_words(fact))}</li>" for fact in facts)
    return f'<ul class="facts">{items}</ul>' if items else ""


def _cell(cell: dict[str, Any]) -> str:
    shown = words.is_shown(cell)
    which = words.number_words(cell)
    sign = f'<span class="sign" aria-hidden="true">{words.SIGNS[_class(cell)]}</span>'
    what = f'<span class="what">{escape(words.change_words(cell))}</span>' if shown else ""
    head = f"<h2>{sign} {escape(which[:1].upper() + which[1:])} {what}</h2>"
    rows = words.rows_of(cell)
    if shown and (words.is_quiet(cell) or cell["change"] == "moved"):
        body = f'<div class="rows">{_fold(rows)}</div>' if len(rows) > words.FEWEST else _rows(rows)
    else:
        body = _rows(rows)
    outputs = "".join(_output(number, one) for number, one in enumerate(cell.get("outputs", ()), 1))
    start = f'<section class="{_class(cell)}" id="{_anchor(cell)}">' if shown else '<section class="same">'
    return f"{start}{head}{body}{_facts(cell.get('metadata', ()))}{outputs}</section>"


def _output(number: int, output: dict[str, Any]) -> str:
    if output["change"] == "same":
        return ""
    head = f"<h3>Output {number}, {escape(output['type'])}: {escape(output['change'])}</h3>"
    sides = [_picture(output["old"], "removed", "Before"), _picture(output["new"], "added", "Now")]
    pictures = f'<div class="pictures">{"".join(sides)}</div>' if any(sides) else ""
    return f"{head}{pictures}{_rows(output['rows'])}"


def _picture(picture: dict[str, str] | None, change: str, called: str) -> str:
    drawn = image(picture, called)
    return f'<figure class="{change}"><figcaption>{called}</figcaption>{drawn}</figure>' if drawn else ""


def _rows(rows: Sequence[list[Any]]) -> str:
    if not rows:
        return ""
    every = all(row[0] == "=" for row in rows)
    parts = [(False, list(rows))] if every else words.folded_rows(rows)
    drawn = (_fold(part) if folded else "".join(_drawn(part)) for folded, part in parts)
    return f'<div class="rows">{"".join(drawn)}</div>'


def _fold(rows: Sequence[list[Any]]) -> str:
    return f"<details><summary>{words.many(len(rows), 'unchanged line')}</summary>{''.join(_drawn(rows))}</details>"


def _drawn(rows: Sequence[list[Any]]) -> Iterable[str]:
    """Yield rows side by side; lines that have nothing in common stand beside each other as they come."""
    at = 0
    while at < len(rows):
        sign, *rest = rows[at]
        if sign == "=":
            yield f'<div class="row">{_line("span", rest[0], rest[2])}{_line("span", rest[1], rest[2], "again")}</div>'
        elif sign == "~":
            yield f'<div class="row">{_side("del", rest[0], rest[2])}{_side("ins", rest[1], rest[3])}</div>'
        else:
            end = at
            while end < len(rows) and rows[end][0] in "+-":
                end += 1
            gone = [row for row in rows[at:end] if row[0] == "-"]
            come = [row for row in rows[at:end] if row[0] == "+"]
            yield f'<div class="row">{_stack("del", gone)}{_stack("ins", come)}</div>'
            at = end - 1
        at += 1


def _stack(tag: str, rows: Sequence[list[Any]]) -> str:
    lines = "".join(_line(tag, number, text) for _, number, text in rows)
    return f"<div>{lines}</div>" if lines else '<div class="none"></div>'


def _line(tag: str, number: int, text: str, name: str = "") -> str:
    of = f'class="line {name}" aria-hidden="true"' if name else 'class="line"'
    return f'<{tag} {of} data-line="{number}">{escape(words.visible(text), quote=False)}</{tag}>'


def _side(tag: str, number: int, segments: Sequence[Sequence[Any]]) -> str:
    return f'<{tag} class="line" data-line="{number}">{marked(tag, segments)}</{tag}>'
