"""What a cell printed: as a terminal would show it at the end, in the page's own colours."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mlwidgets.reports.page.contrast import on_both
from mlwidgets.views.terminal import PLAIN, Span, Style, parse

LONG_LINE = 110
OPEN_LINES = 30
"""Lines that are open to view; the rest is folded away."""
MOST = 1_000_000
MOST_LINES = 10_000
"""Characters and lines of one text. Of a longer one both ends are kept."""


def printed(text: str, kind: str = "") -> str:
    """Return text with terminal sequences as HTML; long text is folded behind its first lines."""
    if len(text) > MOST or text.count("\n") > MOST_LINES:
        text = _ends(text)
    lines = parse(text)
    if not lines:
        return ""
    shown, rest = lines[:OPEN_LINES], lines[OPEN_LINES:]
    if len(rest) <= 3:
        shown, rest = lines, []
    more = (
        f'<details class="r-more"><summary>{len(rest)} more lines</summary>{_block(rest, kind)}</details>'
        if rest
        else ""
    )
    return _block(shown, kind) + more


def _ends(text: str) -> str:
    """Return the beginning and the end of a text, and how many lines were between them."""
    lines = text.split("\n")
    half = MOST_LINES // 2
    first, last = "\n".join(lines[:half])[: MOST // 2], "\n".join(lines[-half:])[-MOST // 2 :]
    left_out = len(lines) - first.count("\n") - last.count("\n") - 2
    return f"{first}\n[{max(1, left_out)} lines in between are left out]\n{last}"


def lines_of(text: str) -> str:
    """Return text with terminal sequences as HTML for a ``<pre>``."""
    return _html(parse(text[-MOST:]))


def _block(lines: Sequence[Sequence[Span]], kind: str) -> str:
    # Sentences are wrapped; what keeps to the width of a terminal may be a table.
    long = any(sum(len(text) for text, _ in line) > LONG_LINE for line in lines)
    return f'<pre class="r-print{" r-wrapped" * long}{kind}" tabindex="0">{_html(lines)}</pre>'


def _html(lines: Sequence[Sequence[Span]]) -> str:
    return "\n".join("".join(_span(text, style) for text, style in line) for line in lines)


def _span(text: str, style: Style) -> str:
    if style == PLAIN:
        return escape(text, quote=False)
    flags = ("bold", "dim", "italic", "underline", "strike", "inverse")
    classes = [f"r-{flag}" for flag in flags if getattr(style, flag)]
    inline = ""
    if style.bg is not None and not style.inverse:
        # Any colour of text on any ground cannot be read for sure: text on a ground has the page's colour.
        classes.append(f"r-g{style.bg % 8}" if isinstance(style.bg, int) else "r-g7")
    elif isinstance(style.fg, int) and not style.inverse:
        classes.append(f"r-c{style.fg % 8}")
    elif isinstance(style.fg, str) and not style.inverse:
        inline = f' style="color: {on_both(style.fg)}"'
    return f'<span class="{" ".join(classes)}"{inline}>{escape(text, quote=False)}</span>'
