"""HTML that a notebook holds, made harmless: read as a browser reads it, and written again from an allow list.

What was written is read once more, tag by tag, before it counts as clean: plain HTML alone, for drawings and formulas
have become pieces of the page by then. What is left out and may have said something leaves a note.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from mlwidgets.reports.page import css, svg
from mlwidgets.reports.page.allowed import (
    ATTRIBUTES,
    ENDING,
    LEFT_OUT,
    SECTIONS,
    SILENT,
    TAGS,
    VOID,
    WITH_CONTENT,
    NotClean,
    passed,
)
from mlwidgets.reports.page.outline import Heading, Outline
from mlwidgets.reports.page.pieces import Pieces

HTML = "http://www.w3.org/1999/xhtml"
REFERRING = frozenset(("aria-describedby", "aria-labelledby", "headers"))
LINKS = frozenset(("http", "https", "mailto", ""))
SOUND = re.compile(r"data:(audio|video)/[\w.+-]+(;[\w=.+-]+)*;base64,[A-Za-z0-9+/=\s]*", re.ASCII)
DONE = '<span class="r-task" role="img" aria-label="done">☑</span> '
OPEN = '<span class="r-task" role="img" aria-label="open">☐</span> '
# The first bytes of such files, as base64.
SIGNATURES = {"png": "iVBORw0KGg", "jpeg": "/9j/", "gif": "R0lGODl", "webp": "UklGR"}
DEEPEST = 400
"""Elements in each other. Reading takes time by the square of it."""
PREFIX = "u-"
"""Put before every id that a notebook brings: the page's own stay its own."""


_NAME = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_STYLE = re.compile(r' style="([^"<>]*)"')


@dataclass
class Cleaned:
    """HTML that is harmless, with marks for finished pieces, and what became of the rest."""

    html: str
    notes: list[str] = field(default_factory=list)
    empty: bool = False
    grounded: bool = False


@dataclass
class Cleaner:
    """What cleans the HTML of one page.

    Parameters
    ----------
    pieces, outline
        Those of the page.
    local_picture
        What returns a picture beside the notebook as a data address, or None.
    """

    pieces: Pieces
    outline: Outline
    local_picture: Callable[[str], str | None] = lambda _: None
    scopes: int = 0

    def clean(
        self,
        html: str,
        attachments: Callable[[str], str | None] = lambda _: None,
        alt: str = "",
        *,
        own: bool = False,
    ) -> Cleaned:
        """Return HTML with what is harmless alone.

        Parameters
        ----------
        attachments
            What returns an attachment of the cell as a data address.
        alt
            What pictures are called that do not say it themselves.
        own
            It is a view of a run, whose grounds suit light and dark pages.
        """
        from bleach.html5lib_shim import HTMLParser

        if _depth(html) > DEEPEST:
            return _as_text(html, "the form of a text nested too deep")
        parser = HTMLParser(namespaceHTMLElements=True)
        self.scopes += 1
        walk = _Walk(self, f"r-o{self.scopes}", attachments, alt)
        walk.through(parser.parseFragment(html))
        try:
            text = passed(walk.out)
        except NotClean:
            return _as_text(html, "the form of a text")
        grounded = walk.grounded or any(css.has_ground(one) for one in walk.styles)
        if own or not grounded:
            # What was written for white paper is read on a dark page, too.
            text = _STYLE.sub(_readable, text)
            walk.styles = [css.readable_text(one) for one in walk.styles]
        if walk.styles:
            style = self.pieces.keep("<style>\n" + "\n".join(walk.styles) + "\n</style>")
            text = f'<div id="{walk.scope}">{style}{text}</div>'
        return Cleaned(text, list(dict.fromkeys(walk.notes)), not walk.shows, grounded)


class _Walk:
    """One pass through the tree of one fragment."""

    def __init__(self, cleaner: Cleaner, scope: str, attachments: Callable[[str], str | None], alt: str) -> None:
        self.cleaner, self.scope, self.attachments, self.alt = cleaner, scope, attachments, alt
        self.parts: list[str] = []
        self.notes: list[str] = []
        self.styles: list[str] = []
        self.headings: list[Heading] = []
        self.shows = self.grounded = False
        self.heads = 0

    @property
    def out(self) -> str:
        return "".join(self.parts)

    def through(self, root: Any) -> None:
        """Write a tree. A list of what is to be done instead of recursion: trees may be deep."""
        to_do: list[Iterator[Any]] = [iter((self.inside(root),))]
        while to_do:
            step = next(to_do[-1], None)
            if step is None:
                to_do.pop()
            elif isinstance(step, str):
                self.parts.append(step)
            else:
                to_do.append(iter(step))

    def inside(self, element: Any) -> Iterator[Any]:
        yield self.text(element.text)
        for child in element:
            yield self.element(child)
            yield self.text(child.tail)

    def text(self, text: str | None) -> str:
        if not text:
            return ""
        self.shows = self.shows or not text.isspace()
        for heading in self.headings[-1:]:
            heading.text += self.cleaner.pieces.as_text(text)
        return escape(text, quote=False)

    def element(self, element: Any) -> Iterator[Any]:
        if not isinstance(element.tag, str):
            return  # a comment
        space, _, name = element.tag.rpartition("}")
        if space[1:] != HTML:
            yield self.foreign(element, name)
        elif name == "style":
            self.styles.append(css.sheet("".join(element.itertext()), f"#{self.scope}", PREFIX))
        elif name == "input" and "task-list" in element.get("class", ""):
            yield self.cleaner.pieces.keep(OPEN if element.get("checked") is None else DONE)
        elif name in SILENT:
            return
        elif name in LEFT_OUT:
            self.notes.append(_left_out(name, element))
            if name in WITH_CONTENT:
                yield self.inside(element)
        elif name == "img":
            yield self.image(element)
        elif re.fullmatch("h[1-6]", name) and not self.headings:
            yield self.heading(int(name[1]), element)
        else:
            yield self.plain(element, name)

    def plain(self, element: Any, name: str) -> Iterator[Any]:
        if name in {"audio", "video", "hr", "progress", "meter"}:
            self.shows = True
        if name in {"audio", "video"}:
            element.set("controls", "")
        written = "div" if name in SECTIONS else name if name in TAGS else ""
        if name == "th" and not len(element) and not (element.text or "").strip():
            written = "td"  # a heading without words is none
        attributes = "".join(self.attribute(written, key, value) for key, value in element.attrib.items())
        if written == "a" and 'href="' in attributes:
            attributes += ' rel="noopener"'
        if written == "th" and "scope" not in element.attrib:
            attributes += f' scope="{"col" if self.heads else "row"}"'
        self.heads += written == "thead"
        if written == "table":
            yield self.cleaner.pieces.keep('<div class="r-scroll" tabindex="0">')
        yield f"<{written}{attributes}>" if written else ""
        yield self.inside(element)
        yield f"</{written}>" if written and written not in VOID else ""
        if written == "table":
            yield self.cleaner.pieces.keep("</div>")
        self.heads -= written == "thead"

    def attribute(self, name: str, key: Any, value: str) -> str:
        if not isinstance(key, str) or key not in ATTRIBUTES["*"] | ATTRIBUTES.get(name, frozenset()):
            return ""
        value = self.cleaner.pieces.as_text(str(value))
        if key == "style":
            value = css.declarations(value)
            self.grounded = self.grounded or css.has_ground(value)
        elif key == "class":
            value = " ".join(one for one in value.split() if not one.startswith("r-"))
        elif key == "id" or key in REFERRING:
            value = " ".join(PREFIX + one for one in value.split())
        elif key == "src":
            value = "".join(value.split()) if SOUND.fullmatch(value.strip()) else ""
        elif key == "href":
            return self.link(value)
        if not value and key not in {"controls", "open", "reversed", "loop", "muted"}:
            return ""
        return f' {key}="{escape(value)}"'

    def link(self, address: str) -> str:
        # Browsers drop these before they look at the scheme.
        address = self.cleaner.pieces.as_text(unquote(address)) if "%EF%B7%90" in address else address
        address = re.sub(r"[\x00-\x20\x7f\u200b\ufeff]+", lambda m: "%20" if m[0] == " " else "", address.strip())
        try:
            scheme = urlsplit(address).scheme.lower()
        except ValueError:
            return ""
        if scheme not in LINKS or (re.match(r"[^/?#]*:", address) and not scheme):
            return ""
        if address.startswith("#"):
            target, outline = unquote(address[1:]), self.cleaner.outline
            # Which headings there are is known once the page is whole.
            later = self.cleaner.pieces.keep(lambda: escape(outline.find(target) or PREFIX + quote(target)))
            return f' href="#{later}"'
        return f' href="{escape(address)}"'

    def heading(self, level: int, element: Any) -> Iterator[Any]:
        heading = self.cleaner.outline.add(level)
        self.headings.append(heading)
        yield self.cleaner.pieces.keep(lambda: _start(heading))
        yield self.inside(element)
        self.headings.pop()
        heading.text = " ".join(heading.text.split())
        yield self.cleaner.pieces.keep(lambda: _end(heading))

    def image(self, element: Any) -> str:
        source = element.get("src", "").strip()
        alt = self.cleaner.pieces.as_text(element.get("alt", "")).strip()
        if source.startswith("attachment:"):
            source = self.attachments(unquote(source.removeprefix("attachment:"))) or source
        elif not source.startswith("data:") and not _scheme(source):
            source = self.cleaner.local_picture(unquote(source)) or source
        picture = picture_address(source)
        self.shows = True
        if picture is None:
            return self.missing(source, alt)
        given = ((key, value) for key, value in element.attrib.items() if key not in {"src", "alt"})
        kept = "".join(self.attribute("img", key, value) for key, value in given)
        called = escape(alt or self.alt or "Picture")
        return self.cleaner.pieces.keep(f'<img src="{escape(picture)}" alt="{called}"{kept}>', alt)

    def missing(self, source: str, alt: str) -> str:
        words = escape(alt or "picture", quote=False)
        if _scheme(source) in {"http", "https"}:
            link = f'<a href="{escape(source)}" rel="noopener">{words}</a>'
            return self.cleaner.pieces.keep(f'<span class="r-missing">Picture elsewhere: {link}</span>', alt)
        where = "" if source.startswith("data:") or not source else f" ({escape(source[:200], quote=False)})"
        return self.cleaner.pieces.keep(f'<span class="r-missing">Picture left out: {words}{where}</span>', alt)

    def foreign(self, element: Any, name: str) -> str:
        self.shows = True
        if name == "svg":
            try:
                drawing = svg.document(element)
            except svg.Unreadable:
                self.notes.append("a drawing that cannot be read")
                return ""
            alt = svg.said(element) or self.alt or "Drawing"
            sides = svg.size(element)
            given = f' width="{sides[0]}" height="{sides[1]}"' if sides else ""
            return self.cleaner.pieces.keep(
                f'<img class="r-drawing" src="{escape(svg.address(drawing))}" alt="{escape(alt)}"{given}>'
            )
        if name == "math":
            from mlwidgets.reports.page.maths import NoFormula, from_element

            try:
                return self.cleaner.pieces.keep(from_element(element))
            except (NoFormula, RecursionError):
                pass
        return escape("".join(element.itertext()), quote=False)


def _start(heading: Heading) -> str:
    if heading.hidden or not heading.text:
        return "<div hidden>" if heading.hidden else "<div>"
    return f'<h{heading.level} id="{heading.anchor}">'


def _end(heading: Heading) -> str:
    return "</div>" if heading.hidden or not heading.text else f"</h{heading.level}>"


def picture_address(source: str) -> str | None:
    """Return the data address of a picture that is one, drawings read again; else None."""
    if picture := svg.PICTURE.fullmatch(source):
        address = "".join(source.split())
        return address if address.partition(",")[2].startswith(SIGNATURES[picture[1]]) else None
    found = re.match(r"data:image/svg\+xml(?:;charset=[\w-]+|;utf-?8)*(;base64)?,", source, re.IGNORECASE)
    if not found:
        return None
    try:
        text = source[found.end() :]
        data = b64decode(unquote(text)).decode() if found[1] else unquote(text)
        return svg.address(svg.document(svg.read(data)))
    except (svg.Unreadable, ValueError):
        return None


def _as_text(html: str, note: str) -> Cleaned:
    text = escape(re.sub(r"<[^<>]*>", " ", html), quote=False)
    return Cleaned(f'<div class="r-wrapped">{text}</div>', [note])


def _readable(style: re.Match[str]) -> str:
    return style[0] if css.has_ground(style[1]) else f' style="{css.readable_text(style[1])}"'


def _depth(html: str) -> int:
    """Return how deep elements may be nested at most, roughly: those that end by themselves do not count."""
    depth = deepest = 0
    for closing, name in _NAME.findall(html):
        if name.lower() not in ENDING:
            depth = max(0, depth - 1) if closing else depth + 1
            deepest = max(deepest, depth)
    return deepest


def _scheme(address: str) -> str:
    try:
        split = urlsplit(address)
    except ValueError:
        return "unreadable"
    return split.scheme.lower() or ("https" if split.netloc else "")


def _left_out(name: str, element: Any) -> str:
    """Return what was left out, with its address where a reader may want to go there."""
    source = element.get("src") or element.get("data") or ""
    where = f" ({source.strip()[:200]})" if _scheme(source.strip()) in {"http", "https"} else ""
    return LEFT_OUT[name] + where
