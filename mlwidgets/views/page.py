"""The still view of a run as HTML: no script, no address outside, styles inline.

A notebook that is not trusted shows it through JupyterLab's sanitizer, which drops style sheets, classes of our own
and CSS variables. So every style is inline and plain, colours of text are left to the page wherever they can be,
and the charts are pictures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mlwidgets.runs.outline import ending
from mlwidgets.views import format as fmt
from mlwidgets.views import palette, svg, terminal
from mlwidgets.views.changespage import changes_page
from mlwidgets.views.groups import Chart, charts
from mlwidgets.views.insights import insight_lines
from mlwidgets.views.mediapage import media_page
from mlwidgets.views.sweeppage import sweep_page

if TYPE_CHECKING:
    from mlwidgets.runs.displays import Display
    from mlwidgets.views.data import Series, Snapshot

MOST_CHARTS = 24
MOST_BUCKETS = 400
"""Pairs of extremes of all lines of all charts together, as long as each keeps `FEWEST_BUCKETS`."""
FEWEST_BUCKETS = 12
FEWEST_CHARTS = 1
MOST_CHIPS = 60
FEWEST_CHIPS = 12
"""Parameters and tags that are shown, the latter in any case."""
MOST_ROWS = 400
"""Metrics without a chart that are named with their last values."""
OUTPUT_LINES = 100
OPEN_LINES = 15
"""Lines of output that are open to view; those before them are folded away."""

MUTED = f"color:{palette.MUTED}"
SMALL = "font-size:11px"
PRE = "margin:0;padding:6px 8px;font-size:12px;line-height:1.35;white-space:pre-wrap;overflow-wrap:anywhere"
BADGE = f"display:inline-block;padding:0 9px 0 7px;border-radius:10px;{SMALL};line-height:18px"
GROUND = "background-color:rgba(128,128,128,0.07)"
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
SHOWN = ("text/html", "text/markdown", "image/svg+xml", *IMAGES, "text/latex")
"""What is shown of a display, the first that it has."""


def page(snapshot: Snapshot, now: float, media: dict[str, Any] | None = None, scale: float = 1.0) -> str:
    """Return a run as HTML.

    Parameters
    ----------
    now
        When `snapshot` was taken, Unix seconds.
    media
        What `mlwidgets.views.media` gave of the run.
    scale
        Of the detail that a page has at most; the smaller it is, the fewer and the coarser are the charts.
    """
    header = snapshot.header
    ended = header["ended"] is not None
    parts = [
        _title(header, now),
        _cause(snapshot),
        _chips(header, max(FEWEST_CHIPS, round(MOST_CHIPS * scale))),
        _text_block(header["note"], f"margin-top:6px;font-style:italic;{MUTED}"),
        changes_page(snapshot, scale),
        *(_text_block(line[0].upper() + line[1:], f"margin-top:6px;{SMALL}") for line in insight_lines(snapshot)),
        *_numbers(snapshot, scale, ended=ended),
        media_page(media or {}),
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
    if not header["ended"]:
        elapsed += time.strftime(" · as it was on %Y-%m-%d at %H:%M %Z", time.localtime(now))
    return (
        '<div style="line-height:24px">'
        f'<span style="font-size:15px;font-weight:600;margin-right:10px">{escape(header["name"])}</span>'
        f'<span style="{badge}">{sign} {state}</span>'
        f'<span style="margin-left:10px;{MUTED}">{elapsed}</span></div>'
    )


def _cause(snapshot: Snapshot) -> str:
    state, cause = snapshot.header["state"], snapshot.header["cause"]
    if state == "finished":
        reason = ending(state, cause) if snapshot.sweep else None
        cause = f"Finished: {reason}" if reason else None
    return _text_block(cause or "", "margin-top:4px;overflow-wrap:anywhere")


def _text_block(text: str, style: str) -> str:
    return f'<div style="{style}">{escape(text)}</div>' if text else ""


def _chips(header: dict[str, Any], most: int) -> str:
    base = f"display:inline-block;margin:0 4px 4px 0;padding:0 7px;border-radius:2px;{SMALL};line-height:19px"
    chips = [_chip(key, value, f"{base};{GROUND}") for key, value in header["params"]]
    chips += [_chip(key, value, f"{base};border:1px solid rgba(128,128,128,0.3)") for key, value in header["tags"]]
    more = max(0, len(chips) - most) + header.get("hidden", 0)
    rest = f'<span style="{SMALL};{MUTED}">and {more} more</span>' if more else ""
    return f'<div style="margin-top:6px">{"".join(chips[:most])}{rest}</div>' if chips else ""


def _chip(key: str, value: str, style: str) -> str:
    return f'<span style="{style}"><span style="{MUTED}">{escape(key)}</span> {escape(value)}</span>'


def _charts(all_series: Sequence[Series], scale: float, run_id: str, *, ended: bool) -> str:
    if not all_series:
        return "" if ended else f'<div style="margin-top:10px;font-size:12px;{MUTED}">No metrics yet.</div>'
    every = charts(all_series)
    most = max(FEWEST_CHARTS, round(MOST_CHARTS * scale))
    shown, rest = every[:most], every[most:]
    lines = max(1, sum(len(one.lines) for one in shown))
    buckets = max(FEWEST_BUCKETS, min(svg.BUCKETS, round(MOST_BUCKETS * scale) // lines))
    drawn = "".join(_chart(one, len(shown), buckets) for one in shown)
    table = _table([line.series for one in rest for line in one.lines], round(MOST_ROWS * scale))
    return f'<div style="margin:10px -16px 0 0">{drawn}</div>{table}{_undrawn(rest, run_id)}'


def _numbers(snapshot: Snapshot, scale: float, *, ended: bool) -> list[str]:
    """Show a run's metrics, of a sweep its trials; what else it logged itself follows them."""
    run_id, sweep = snapshot.header["id"], snapshot.sweep
    if sweep is None:
        return [_charts(snapshot.series, scale, run_id, ended=ended)]
    rest = [one for one in snapshot.series if one.name not in sweep.metrics]
    return [sweep_page(sweep, scale, ended=ended), *([_charts(rest, scale, run_id, ended=ended)] if rest else [])]


def _undrawn(rest: Sequence[Chart], run_id: str) -> str:
    """Say how many metrics have no chart, and where they have one."""
    count = sum(len(one.lines) for one in rest)
    are = "1 metric is" if count == 1 else f"{count} metrics are"
    said = f"{are} left out of the charts; <code>%runs show {escape(run_id)}</code> draws all of them"
    return f'<div style="{SMALL};{MUTED}">{said}</div>' if count else ""


def _chart(chart: Chart, charts_shown: int, buckets: int) -> str:
    """Show a chart. One takes the width of two, two take half of the page each, more fill it as they fit."""
    alone = len(chart.lines) == 1
    names = "  ".join(
        f'<span style="color:{line.colour};font-weight:700">━</span> {escape(line.label or chart.title)} '
        f'<span style="font-weight:600{";float:right" if alone else ""}">{fmt.number(line.series.last)}</span>'
        for line in chart.lines
    )
    head = f'<div style="font-size:12px;line-height:18px;overflow:hidden;padding:0 10px 0 2px">{names}</div>'
    about = "; ".join(
        f"{one.name}: last {fmt.number(one.last)} at step {one.last_step}, {one.n} values"
        for one in (line.series for line in chart.lines)
    )
    width = {1: 640, 2: 460}.get(charts_shown, svg.WIDTH)
    source = escape(svg.data_uri(svg.chart(chart.lines, width, buckets)))
    image = f'<img style="display:block;width:100%;margin:0" alt="{escape(about)}" src="{source}">'
    share = {1: 100, 2: 50}.get(charts_shown, 33.3)
    box = (
        f"display:inline-block;vertical-align:top;box-sizing:border-box;width:{share}%;min-width:300px;"
        f"max-width:{width * 1.5:g}px;padding:0 16px 8px 0"
    )
    return f'<div style="{box}">{head}{image}</div>'


def _table(series: Sequence[Series], most: int) -> str:
    if not series:
        return ""
    rows = "".join(f"<tr><td>{escape(one.name)}</td><td>{fmt.number(one.last)}</td></tr>" for one in series[:most])
    rest = f"<tr><td>and {len(series) - most} more</td></tr>" if len(series) > most else ""
    return f"<details><summary>{len(series)} more metrics</summary><table>{rows}{rest}</table></details>"


def _error(traceback: str | None) -> str:
    if not traceback:
        return ""
    red = palette.STATES["failed"]
    style = f"{PRE};margin-top:12px;border-left:3px solid {red};background-color:rgba(213,68,58,0.07)"
    return f'<pre style="{style}">{terminal.html(terminal.parse(traceback))}</pre>'


def page_mime(display: Display) -> str:
    """Return which of a display's MIME types the page shows."""
    return next((mime for mime in SHOWN if mime in display.data), "text/plain")


def _display(display: Display) -> str:
    """Show what a cell displayed, between marks by which the run view finds it again."""
    box = '<div style="margin-top:12px;overflow-x:auto">'
    return f"{box}<!--mlw-display-->{_content(display)}<!--/mlw-display--></div>"


def _content(display: Display) -> str:
    mime = page_mime(display)
    content = text_of(display.data.get(mime, ""))
    alt = escape(text_of(display.data.get("text/plain", "Figure")))
    if mime == "text/html":
        return content
    if mime == "text/markdown":
        return _markdown(content)
    if mime == "text/latex":
        # What exports formulas finds them between their dollars.
        return f"<div>{escape(content)}</div>"
    if mime == "image/svg+xml":
        return f'<img style="max-width:100%" alt="{alt}" src="data:image/svg+xml,{quote(content)}">'
    if mime in IMAGES:
        source = f"data:{mime};base64,{escape(''.join(content.split()))}"
        return f'<img style="max-width:100%"{_size(display, mime)} alt="{alt}" src="{source}">'
    return f'<pre style="{PRE};padding:0">{terminal.html(terminal.parse(content))}</pre>'


def _markdown(content: str) -> str:
    try:
        import mistune
    except ImportError:
        return f'<div style="white-space:pre-wrap">{escape(content)}</div>'
    return str(mistune.html(content))


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
    rows = [list(line) for line in lines[-OUTPUT_LINES:]]
    cut = cut or len(rows) < len(lines)
    before, end = rows[:-OPEN_LINES], rows[-OPEN_LINES:]
    count = f"the last {len(before)} lines before these" if cut else f"{len(before)} lines before these"
    folded = (
        f'<details><summary style="{SMALL};{MUTED}">{count}</summary>'
        f'<pre style="{PRE};{GROUND}">{terminal.html(before)}</pre></details>'
        if before
        else ""
    )
    return f'<div style="margin:12px 0 4px">{name}</div>{folded}<pre style="{PRE};{GROUND}">{terminal.html(end)}</pre>'
