"""What HTML of a notebook may be on a page: elements, attributes, and the last look at what was written of them."""

from __future__ import annotations

import re

from mlwidgets.reports.page.names import names

TAGS = names(
    "a abbr address article aside audio b bdi bdo blockquote br caption center cite code col colgroup data dd del "
    "details dfn div dl dt em figcaption figure font footer header hr i img ins kbd li mark meter ol p pre progress q "
    "rp rt ruby s samp section small source span strike strong sub summary sup table tbody td tfoot th thead time tr "
    "track tt u ul var video wbr"
)
VOID = frozenset(("br", "col", "hr", "img", "source", "track", "wbr"))
ENDING = VOID | names("area base dd dt embed input li link meta option p param tbody td tfoot th thead tr")
SECTIONS = frozenset(("article", "aside", "footer", "header", "section"))
"""They would be landmarks beside the page's own."""
SILENT = frozenset(("base", "head", "link", "meta", "title", "template", "input", "param", "track"))
"""They say nothing to a reader."""
LEFT_OUT = {
    "applet": "an embedded object",
    "canvas": "a drawing that needs a script",
    "embed": "an embedded object",
    "frame": "a frame",
    "iframe": "a frame",
    "object": "an embedded object",
    "portal": "a frame",
    "script": "a script",
}
WITH_CONTENT = frozenset(("applet", "canvas", "object"))
"""What they hold is meant for readers without them."""
ATTRIBUTES = {
    "*": names("aria-describedby aria-hidden aria-label aria-labelledby class dir id lang style title"),
    "a": frozenset(("href",)),
    "audio": frozenset(("controls", "src")),
    "col": frozenset(("span", "width")),
    "colgroup": frozenset(("span", "width")),
    "data": frozenset(("value",)),
    "details": frozenset(("open",)),
    "font": frozenset(("color", "size")),
    "img": frozenset(("alt", "height", "src", "width")),
    "li": frozenset(("value",)),
    "meter": names("high low max min optimum value"),
    "ol": frozenset(("reversed", "start", "type")),
    "p": frozenset(("align",)),
    "div": frozenset(("align",)),
    "progress": frozenset(("max", "value")),
    "source": frozenset(("src", "type")),
    "table": names("align border cellpadding cellspacing width"),
    "td": names("align colspan headers height rowspan valign width"),
    "th": names("abbr align colspan headers height rowspan scope valign width"),
    "time": frozenset(("datetime",)),
    "tr": frozenset(("align", "valign")),
    "video": frozenset(("controls", "height", "loop", "muted", "src", "width")),
}
_ANGLE = re.compile(r"<[^>]*>?|>")
_ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"<>]*)"')
_LOADING = re.compile(r"(url|expression|image|image-set|src)\s*\(|@import", re.IGNORECASE)
_TAG = re.compile(r'</?([a-z0-9]+)((?: [a-z-]+="[^"<>]*")*)>')


class NotClean(ValueError):
    """Something was written that is on no allow list: a mistake of the writer, never shown."""


def passed(html: str) -> str:
    """Return HTML that was written from the allow lists, once every tag in it was found on them.

    Raises
    ------
    NotClean
        If one is not.
    """
    for found in _ANGLE.finditer(html):
        tag = _TAG.fullmatch(found[0])
        if tag is None or tag[1] not in TAGS:
            raise NotClean(found[0])
        for name, value in _ATTRIBUTE.findall(tag[2]):
            allowed = name in ATTRIBUTES["*"] | ATTRIBUTES.get(tag[1], frozenset()) or name in {"rel", "scope"}
            if not allowed or (name == "style" and _LOADING.search(value)):
                raise NotClean(found[0])
    return html
