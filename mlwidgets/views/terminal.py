"""Text as a terminal would show it: colours, carriage returns, backspaces, the cursor moves of progress bars."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby

from mlwidgets.views import palette

TOKEN = re.compile(
    r"(?P<text>[^\x00-\x08\x0a-\x1f\x7f]+)"
    r"|\x1b(?:\[(?P<args>[0-9;:?]*)[ -/]*(?P<final>[@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|\[[0-9;:? -/]*$|[ -/]*[0-~])"
    r"|(?P<control>[\n\r\b])|."
)
FAR = 1000
"""No cursor is moved further than this at once."""


@dataclass(frozen=True)
class Style:
    """How a piece of text looks. Colours are palette indices from 0 to 15 or CSS colours."""

    fg: int | str | None = None
    bg: int | str | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    strike: bool = False
    inverse: bool = False


PLAIN = Style()
Span = tuple[str, Style]


@dataclass
class _Row:
    text: str = ""
    styles: list[Style] | None = None

    def put(self, column: int, text: str, style: Style) -> None:
        before = self.text.ljust(column)
        if self.styles is not None or style is not PLAIN:
            styles = self.styles if self.styles is not None else [PLAIN] * len(self.text)
            styles.extend([PLAIN] * (column - len(styles)))
            styles[column : column + len(text)] = [style] * len(text)
            self.styles = styles
        self.text = before[:column] + text + before[column + len(text) :]

    def erase(self, what: int, column: int) -> None:
        if what == 1:
            self.put(0, " " * min(column + 1, len(self.text)), PLAIN)
            return
        keep = 0 if what == 2 else column
        self.text = self.text[:keep]
        if self.styles is not None:
            del self.styles[keep:]

    def spans(self) -> list[Span]:
        if self.styles is None:
            return [(self.text, PLAIN)] if self.text else []
        groups = groupby(zip(self.text, self.styles, strict=True), key=lambda cell: cell[1])
        return [("".join(char for char, _ in cells), style) for style, cells in groups]


class _Screen:
    def __init__(self) -> None:
        self.rows = [_Row()]
        self.row = self.column = 0
        self.style = PLAIN

    def write(self, text: str) -> None:
        for token in TOKEN.finditer(text):
            if token["text"]:
                self.rows[self.row].put(self.column, token["text"], self.style)
                self.column += len(token["text"])
            elif token["control"] == "\n":
                self.down()
                self.column = 0
            elif token["control"] == "\r":
                self.column = 0
            elif token["control"] == "\b":
                self.column = max(0, self.column - 1)
            elif token["final"]:
                self.command(token["final"], token["args"])

    def down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append(_Row())

    def command(self, final: str, args: str) -> None:
        if final == "m":
            self.style = restyle(self.style, args)
            return
        number = re.match(r"\d+", args)
        count = min(int(number[0]), FAR) if number else 0
        if final == "K":
            self.rows[self.row].erase(count, self.column)
        elif final == "A":
            self.row = max(0, self.row - max(1, count))
        elif final == "B":
            for _ in range(max(1, count)):
                self.down()
        elif final == "C":
            self.column += max(1, count)
        elif final == "D":
            self.column = max(0, self.column - max(1, count))
        elif final == "G":
            self.column = max(0, count - 1)


def parse(text: str) -> list[list[Span]]:
    """Return the lines that a terminal would show, each as spans of one style; no empty lines at the end."""
    screen = _Screen()
    screen.write(text)
    lines = [row.spans() for row in screen.rows]
    while lines and not lines[-1]:
        lines.pop()
    return lines


FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike"}


def restyle(style: Style, args: str) -> Style:
    """Return the style after a "select graphic rendition" sequence."""
    codes = iter([int(code) if code.isdigit() else 0 for code in re.split("[;:]", args or "0")])
    for code in codes:
        style = _apply(style, code, codes)
    return PLAIN if style == PLAIN else style


def _apply(style: Style, code: int, rest: Iterator[int]) -> Style:
    if code == 0:
        return PLAIN
    if code in FLAGS:
        return replace(style, **{FLAGS[code]: True})
    if code == 22:
        return replace(style, bold=False, dim=False)
    if code - 20 in FLAGS:
        return replace(style, **{FLAGS[code - 20]: False})
    if code in {38, 48}:
        colour = _extended(rest)
        return style if colour is None else replace(style, **{"fg" if code == 38 else "bg": colour})  # type: ignore[arg-type]
    if code in {39, 49}:
        return replace(style, **{"fg" if code == 39 else "bg": None})  # type: ignore[arg-type]
    return _basic_colour(style, code)


def _basic_colour(style: Style, code: int) -> Style:
    decade, index = divmod(code, 10)
    if index > 7:
        return style
    match decade:
        case 3 | 9:
            return replace(style, fg=index + (8 if decade == 9 else 0))
        case 4 | 10:
            return replace(style, bg=index + (8 if decade == 10 else 0))
    return style


def _extended(rest: Iterator[int]) -> int | str | None:
    """Take the colour that follows a 38 or 48: ``5;n`` of 256 or ``2;r;g;b``."""
    kind = next(rest, 0)
    if kind == 2:
        return "#{:02x}{:02x}{:02x}".format(*(min(255, next(rest, 0)) for _ in range(3)))
    index = next(rest, None) if kind == 5 else None
    if index is None or index > 255:
        return None
    if index < 16:
        return index
    if index >= 232:
        return "#{0:02x}{0:02x}{0:02x}".format((index - 232) * 10 + 8)
    cube = index - 16
    levels = (cube // 36, cube // 6 % 6, cube % 6)
    return "#{:02x}{:02x}{:02x}".format(*(level * 40 + 55 if level else 0 for level in levels))


def plain(lines: Sequence[Sequence[Span]]) -> str:
    """Return the text alone."""
    return "\n".join("".join(text for text, _ in line) for line in lines)


def ansi(lines: Sequence[Sequence[Span]]) -> str:
    """Return text with escape sequences that shows the same lines, without cursor moves."""
    parts = []
    for line in lines:
        for text, style in line:
            parts.append(text if style == PLAIN else f"\x1b[{_codes(style)}m{text}\x1b[0m")
        parts.append("\n")
    return "".join(parts)


def _codes(style: Style) -> str:
    codes = [str(code) for code, flag in FLAGS.items() if getattr(style, flag)]
    for base, colour in ((30, style.fg), (40, style.bg)):
        if isinstance(colour, int):
            codes.append(str(base + colour if colour < 8 else base + 52 + colour))
        elif colour is not None:
            codes.append(f"{base + 8};2;" + ";".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5)))
    return ";".join(codes)


def html(lines: Sequence[Sequence[Span]]) -> str:
    """Return the lines as HTML for a ``<pre>``, escaped, colours as inline styles."""
    return "\n".join("".join(_html_span(text, style) for text, style in line) for line in lines)


def _html_span(text: str, style: Style) -> str:
    if style == PLAIN:
        return escape(text, quote=False)
    fg, bg = (style.bg, style.fg) if style.inverse else (style.fg, style.bg)
    if style.inverse:
        fg, bg = 15 if fg is None else fg, 8 if bg is None else bg
    css = []
    if fg is not None:
        css.append(f"color:{_css_colour(fg, bold=style.bold)}")
    if bg is not None:
        css.append(f"background-color:{palette.MARKER if bg == 3 else _css_colour(bg)}")
    if style.bold:
        css.append("font-weight:bold")
    if style.dim:
        css.append("opacity:0.65")
    if style.italic:
        css.append("font-style:italic")
    if style.underline or style.strike:
        css.append(f"text-decoration:{'underline' if style.underline else 'line-through'}")
    return f'<span style="{";".join(css)}">{escape(text, quote=False)}</span>'


def _css_colour(colour: int | str, *, bold: bool = False) -> str:
    if isinstance(colour, str):
        return colour
    return palette.ANSI[colour + 8 if bold and colour < 8 else colour]
