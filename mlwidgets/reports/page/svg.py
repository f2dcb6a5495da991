"""SVG drawings: read again from an allow list, shown as pictures, where nothing in them could run anyway."""

from __future__ import annotations

import re
from html import escape
from typing import Any
from urllib.parse import quote

from mlwidgets.reports.page import css
from mlwidgets.reports.page.names import names

ELEMENTS = names(
    "circle clipPath defs desc ellipse feBlend feColorMatrix feComposite feDropShadow feFlood feGaussianBlur feMerge "
    "feMergeNode feOffset filter g image line linearGradient marker mask path pattern polygon polyline radialGradient "
    "rect stop style svg symbol text textPath title tspan use"
)
UNWRAPPED = frozenset(("a", "switch"))
ATTRIBUTES = css.DRAWING | names(
    "class clipPathUnits color cx cy d display dx dy flood-color flood-opacity font-family font-size font-style "
    "font-weight fr fx fy gradientTransform gradientUnits height id in in2 k1 k2 k3 k4 lengthAdjust letter-spacing "
    "markerHeight markerUnits markerWidth maskContentUnits maskUnits mode offset opacity operator orient overflow "
    "pathLength patternContentUnits patternTransform patternUnits points preserveAspectRatio primitiveUnits r refX "
    "refY result rotate rx ry side spreadMethod startOffset stdDeviation style text-decoration textLength type values "
    "version viewBox visibility width word-spacing x x1 x2 y y1 y2"
)
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
_FOREIGN = re.compile(r"url(?!\(\s*['\"]?#)", re.IGNORECASE)
_DRAWN = re.compile("<(circle|ellipse|image|line|path|polygon|polyline|rect|text|use)[ >]")
_LENGTH = re.compile(r"\s*([0-9.]+)\s*(px|pt|in|cm|mm)?\s*")
_UNITS = {None: 1.0, "px": 1.0, "pt": 4 / 3, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4}


class Unreadable(ValueError):
    """It is no drawing."""


def read(text: str) -> Any:
    """Return a drawing as an element.

    Raises
    ------
    Unreadable
        If it is none.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root = fromstring(text)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise Unreadable(str(error)) from None
    if _local(root.tag) != "svg":
        raise Unreadable("no svg element")
    return root


def document(root: Any) -> str:
    """Return a drawing as an SVG document of allowed elements and attributes.

    Raises
    ------
    Unreadable
        If it is nested too deep, or nothing in it is drawn.
    """
    try:
        drawn = "".join(_element(root, top=True))
    except RecursionError:
        raise Unreadable("nested too deep") from None
    if not _DRAWN.search(drawn):
        raise Unreadable("nothing in it is drawn")
    return drawn


def address(document: str) -> str:
    """Return an SVG document as the address of an ``<img>``."""
    return "data:image/svg+xml," + quote(document, safe=" =:/,;()+'!*@$")


def said(root: Any) -> str:
    """Return the title of a drawing, or its description."""
    found = (one.text for one in root if isinstance(one.tag, str) and _local(one.tag) in {"title", "desc"} and one.text)
    return " ".join(next(found, "").split())


def size(root: Any) -> tuple[int, int] | None:
    """Return width and height in CSS pixels, where the drawing says them."""
    sides = [_LENGTH.fullmatch(root.get(side, "")) for side in ("width", "height")]
    if not all(sides):
        return None
    width, height = (float(one[1]) * _UNITS[one[2]] for one in sides if one)
    return (round(width), round(height)) if 0 < width < 1e5 and 0 < height < 1e5 else None


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _element(element: Any, *, top: bool = False) -> list[str]:
    if not isinstance(element.tag, str):
        return []
    name = _local(element.tag)
    if name in UNWRAPPED:
        return ["<g>", *_content(element), "</g>"]
    if name not in ELEMENTS:
        return []
    if name == "style":
        return ["<style>", escape(css.sheet("".join(element.itertext())), quote=False), "</style>"]
    space = ' xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"' if top else ""
    attributes = "".join(_attribute(key, value) for key, value in element.attrib.items())
    return [f"<{name}{space}{attributes}>", *_content(element), f"</{name}>"]


def _content(element: Any) -> list[str]:
    parts = [escape(element.text or "", quote=False)]
    for child in element:
        parts += _element(child)
        parts.append(escape(child.tail or "", quote=False))
    return parts


def _attribute(key: str, value: str) -> str:
    name = _local(key) if isinstance(key, str) else ""
    value = str(value)
    if name == "href":
        reference = re.fullmatch(r"#[\w.:-]+", value.strip())
        value = value.strip() if reference or PICTURE.fullmatch(value.strip()) else ""
        # Drawings of older tools say it in this namespace, and it is understood everywhere.
        return f' xlink:href="{escape(value)}"' if value else ""
    if name == "style":
        value = css.declarations(value, drawing=True)
    elif name not in ATTRIBUTES or _FOREIGN.search(value):
        return ""
    return f' {name}="{escape(value)}"' if value else ""
