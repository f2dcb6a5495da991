"""The still view of a run as HTML: no script, no address outside, styles inline.

A notebook that is not trusted shows it through JupyterLab's sanitizer, which drops style sheets, classes of our own
and CSS variables. So every style is inline and plain, colours of text are left to the page wherever they can be,
and the charts are pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mlwidgets.views import format as fmt
from mlwidgets.views import palette, svg, terminal

if TYPE_CHECKING:
    from mlwidgets.runs.displays import Display
    from mlwidgets.views.data import Series, Snapshot

MOST_CHARTS = 24
OPEN_LINES = 15
"""Lines of output that are open to view; those before them are folded away."""

MUTED = f"color:{palette.MUTED}"
SMALL = "font-size:11px"
PRE = "margin:0;padding:6px 8px;font-size:12px;line-height:1.35;white-space:pre-wrap;overflow-wrap:anywhere"
BADGE = f"display:inline-block;padding:0 9px 0 7px;border-radius:10px;{SMALL};line-height:18px"
GROUND = "background-color:rgba(128,128,128,0.07)"
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")


def page(snapshot: Snapshot, now: float) -> str:
    """Return a run as it was when `snapshot` was taken, at `now` (Unix seconds)."""
    header = snapshot.header
    ended = header["ended"] is not None
    parts = [
        _title(header, now),
        _cause(header),
        _chips(header),
        _text_block(header["note"], f"margin-top:6px;font-style:italic;{MUTED}"),
        _charts(snapshot.series, ended=ended),
        _error(header["error"]),
        *(_display(display) for display in snapshot.displays),
        _output(snapshot.output.lines, cut=snapshot.output.cut, ended=ended),
    ]
    style = (
        "box-sizing:border-box;padding:10px 12px 12px;border:1px solid rgba(128,128,128,0.3);"
        "border-radius:2px;font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;"
        "font-size:13px;line-height:1.4;text-align:left"
    )
    return f'<div style="{style}">{"".join(parts)}</div>'


def _title(header: dict[str, Any], now: float) -> str:
    from mlwidgets.views.data import seconds

    state = header["state"]
    colour = palette.STATES[state]
    badge = f"{BADGE};border:1px solid {colour}"
    sign = f'<span style="color:{colour}">{palette.SIGNS[state]}</span>'
    elapsed = fmt.took(seconds(header, now)) if header["ended"] else fmt.clock(seconds(header, now))
    return (
        '<div style="line-height:24px">'
        f'<span style="font-size:15px;font-weight:600;margin-right:10px">{escape(header["name"])}</span>'
        f'<span style="{badge}">{sign} {state}</span>'
        f'<span style="margin-left:10px;{MUTED}">{elapsed}</span></div>'
    )


def _cause(header: dict[str, Any]) -> str:
    if header["state"] == "finished" or not header["cause"]:
        return ""
    return _text_block(header["cause"], "margin-top:4px;overflow-wrap:anywhere")


def _text_block(text: str, style: str) -> str:
    return f'<div style="{style}">{escape(text)}</div>' if text else ""


def _chips(header: dict[str, Any]) -> str:
    base = f"display:inline-block;margin:0 4px 4px 0;padding:0 7px;border-radius:2px;{SMALL};line-height:19px"
    chips = [_chip(key, value, f"{base};{GROUND}") for key, value in header["params"]]
    chips += [_chip(key, value, f"{base};border:1px solid rgba(128,128,128,0.3)") for key, value in header["tags"]]
    return f'<div style="margin-top:6px">{"".join(chips)}</div>' if chips else ""


def _chip(key: str, value: str, style: str) -> str:
    return f'<span style="{style}"><span style="{MUTED}">{escape(key)}</span> {escape(value)}</span>'


def _charts(all_series: Sequence[Series], *, ended: bool) -> str:
    if not all_series:
        return "" if ended else f'<div style="margin-top:10px;font-size:12px;{MUTED}">No metrics yet.</div>'
    width = 560 if len(all_series) == 1 else svg.WIDTH
    drawn = "".join(_chart(one, index, width) for index, one in enumerate(all_series[:MOST_CHARTS]))
    return f'<div style="margin-top:10px">{drawn}</div>{_table(all_series[MOST_CHARTS:])}'


def _chart(series: Series, index: int, width: int) -> str:
    colour = palette.line(index)
    swatch = f'<span style="color:{colour};font-weight:700">━</span>'
    last = f'<span style="float:right;margin-right:10px;font-weight:600">{fmt.number(series.last)}</span>'
    head = f'<div style="font-size:12px;line-height:18px;overflow:hidden">{last}{swatch} {escape(series.name)}</div>'
    about = f"{series.name}: last {fmt.number(series.last)} at step {series.last_step}, {series.n} values"
    source = escape(svg.data_uri(svg.chart(series, colour, width)))
    image = f'<img style="display:block;width:100%;margin:0" alt="{escape(about)}" src="{source}">'
    box = f"display:inline-block;vertical-align:top;width:{width}px;max-width:100%;margin:0 16px 8px 0"
    return f'<div style="{box}">{head}{image}</div>'


def _table(series: Sequence[Series]) -> str:
    if not series:
        return ""
    rows = "".join(f"<tr><td>{escape(one.name)}</td><td>{fmt.number(one.last)}</td></tr>" for one in series)
    return f"<details><summary>{len(series)} more metrics</summary><table>{rows}</table></details>"


def _error(traceback: str | None) -> str:
    if not traceback:
        return ""
    red = palette.STATES["failed"]
    style = f"{PRE};margin-top:12px;border-left:3px solid {red};background-color:rgba(213,68,58,0.07)"
    return f'<pre style="{style}">{terminal.html(terminal.parse(traceback))}</pre>'


def _display(display: Display) -> str:
    return f'<div style="margin-top:12px;overflow-x:auto">{_content(display)}</div>'


def _content(display: Display) -> str:
    data = display.data
    if "text/html" in data:
        return text_of(data["text/html"])
    alt = escape(text_of(data.get("text/plain", "Figure")))
    if "image/svg+xml" in data:
        source = "data:image/svg+xml," + quote(text_of(data["image/svg+xml"]))
        return f'<img style="max-width:100%" alt="{alt}" src="{source}">'
    for mime in IMAGES:
        if mime in data:
            content = escape("".join(text_of(data[mime]).split()))
            return f'<img style="max-width:100%"{_size(display, mime)} alt="{alt}" src="data:{mime};base64,{content}">'
    plain = text_of(data.get("text/plain", ""))
    return f'<pre style="{PRE};padding:0">{terminal.html(terminal.parse(plain))}</pre>'


def _size(display: Display, mime: str) -> str:
    own = display.metadata.get(mime)
    sizes = own if isinstance(own, dict) else display.metadata
    given = {side: sizes.get(side) for side in ("width", "height")}
    return "".join(f' {side}="{size:g}"' for side, size in given.items() if isinstance(size, int | float))


def text_of(value: object) -> str:
    """Return a MIME value as text; notebooks may hold lists of lines."""
    if isinstance(value, list):
        return "".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


def _output(lines: Sequence[Iterable[terminal.Span]], *, cut: bool, ended: bool) -> str:
    name = f'<span style="{SMALL};font-weight:600;{MUTED}">Output</span>'
    if not lines:
        none = f'<span style="{SMALL};{MUTED};margin-left:8px">nothing printed yet</span>'
        return "" if ended else f'<div style="margin:12px 0 4px">{name}{none}</div>'
    rows = [list(line) for line in lines]
    before, end = rows[:-OPEN_LINES], rows[-OPEN_LINES:]
    count = f"the last {len(before)} lines before these" if cut else f"{len(before)} lines before these"
    folded = (
        f'<details><summary style="{SMALL};{MUTED}">{count}</summary>'
        f'<pre style="{PRE};{GROUND}">{terminal.html(before)}</pre></details>'
        if before
        else ""
    )
    return f'<div style="margin:12px 0 4px">{name}</div>{folded}<pre style="{PRE};{GROUND}">{terminal.html(end)}</pre>'
