"""Styles that a notebook brings: what only colours and arranges its own output stays."""

from __future__ import annotations

import re
from typing import Any

from mlwidgets.reports.page.contrast import on_both
from mlwidgets.reports.page.names import names

PROPERTIES = names(
    "align-content align-items align-self background background-color border-collapse border-radius border-spacing "
    "box-shadow box-sizing caption-side clear color color-scheme column-gap direction display empty-cells flex "
    "flex-basis flex-direction flex-flow flex-grow flex-shrink flex-wrap float font font-family font-size font-style "
    "font-variant font-weight gap grid-auto-columns grid-auto-flow grid-auto-rows grid-column grid-gap grid-row "
    "grid-template-columns grid-template-rows height hyphens justify-content justify-items justify-self "
    "letter-spacing line-height list-style list-style-position list-style-type margin margin-bottom margin-left "
    "margin-right margin-top max-height max-width min-height min-width opacity order overflow overflow-wrap "
    "overflow-x overflow-y padding padding-bottom padding-left padding-right padding-top row-gap tab-size "
    "table-layout text-align text-decoration text-decoration-color text-decoration-line text-decoration-style "
    "text-indent text-overflow text-transform unicode-bidi vertical-align visibility white-space width word-break "
    "word-spacing word-wrap writing-mode"
)
DRAWING = names(
    "alignment-baseline baseline-shift clip-path clip-rule dominant-baseline fill fill-opacity fill-rule filter "
    "marker marker-end marker-mid marker-start mask paint-order shape-rendering stop-color stop-opacity stroke "
    "stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin stroke-miterlimit stroke-opacity stroke-width "
    "text-anchor text-rendering transform transform-box transform-origin vector-effect"
)
FUNCTIONS = names(
    "calc clamp color-mix hsl hsla hwb lab lch light-dark linear-gradient max min minmax oklab oklch "
    "radial-gradient repeat repeating-linear-gradient rgb rgba rotate scale translate matrix var"
)
SELECTING = names("where is not nth-child nth-last-child nth-of-type nth-last-of-type lang")
_BORDER = re.compile(
    r"border(-(top|right|bottom|left|inline|block))?(-(color|style|width|radius|left-radius|right-radius))?"
)
_TEXT_COLOUR = re.compile(r"(?<![\w-])color: ([^;}!]+)")
_TRANSLUCENT = re.compile(r"rgba\([^)]*,\s*0?\.[0-3]\d*\s*\)|transparent|inherit|unset|initial|none")


def declarations(text: str, *, drawing: bool = False) -> str:
    """Return those declarations of a style attribute that are allowed.

    Parameters
    ----------
    drawing
        It belongs to an SVG drawing, which may refer to its own parts.
    """
    import tinycss2

    return _kept(tinycss2.parse_declaration_list(text, skip_comments=True, skip_whitespace=True), drawing=drawing)


def sheet(text: str, scope: str = "", prefix: str = "") -> str:
    """Return those rules of a style sheet that are allowed, for the elements below `scope` alone.

    Parameters
    ----------
    scope
        A selector; where it is empty the rules stay as they are, in a drawing that is a document of its own.
    prefix
        Put before every id.
    """
    import tinycss2

    rules = []
    for rule in tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True):
        if rule.type != "qualified-rule":
            continue
        selectors = [_selector(part, prefix) for part in _by_commas(rule.prelude)]
        parsed = tinycss2.parse_declaration_list(rule.content, skip_comments=True, skip_whitespace=True)
        body = _kept(parsed, drawing=not scope)
        if body and all(selectors):
            rules.append(f"{', '.join(f'{scope} {one}'.strip() for one in selectors)} {{ {body} }}")
    # Neither a selector nor a value needs one, and a style element ends with one.
    return "\n".join(rule for rule in rules if "<" not in rule)


def readable_text(styles: str) -> str:
    """Return styles with each colour of text as one that can be read on the page, light and dark."""
    from tinycss2.color3 import RGBA, parse_color

    def one(found: re.Match[str]) -> str:
        colour = parse_color(found[1])
        if not isinstance(colour, RGBA) or colour.alpha < 1:
            return found[0]
        channels = (round(255 * min(1.0, max(0.0, channel))) for channel in colour[:3])
        return "color: " + on_both("#{:02x}{:02x}{:02x}".format(*channels))

    return _TEXT_COLOUR.sub(one, styles)


def has_ground(styles: str) -> bool:
    """Return whether styles colour a ground so that text on it may be unreadable on a dark page."""
    found = re.findall(r"background(?:-color)?\s*:\s*([^;}]+)", styles)
    return any(not _TRANSLUCENT.match(value.strip().lower()) for value in found)


def _kept(parsed: list[Any], *, drawing: bool) -> str:
    import tinycss2

    kept = []
    for one in parsed:
        if one.type != "declaration" or not _is_allowed(one.lower_name, drawing=drawing):
            continue
        if all(_is_harmless(token, drawing=drawing) for token in one.value):
            value = tinycss2.serialize(one.value).strip()
            kept.append(f"{one.name}: {value}{' !important' if one.important else ''}")
    return "; ".join(kept)


def _is_allowed(name: str, *, drawing: bool) -> bool:
    if name in PROPERTIES or _BORDER.fullmatch(name):
        return True
    return (
        name in DRAWING if drawing else re.fullmatch(r"--[a-z0-9-]+", name) is not None and not name.startswith("--r-")
    )


def _is_harmless(token: Any, *, drawing: bool) -> bool:
    if token.type in {"function", "() block"}:
        inside = token.arguments if token.type == "function" else token.content
        named = token.type != "function" or token.lower_name in FUNCTIONS
        return named and all(_is_harmless(one, drawing=drawing) for one in inside)
    if token.type == "url":
        return drawing and re.fullmatch(r"#[\w.:-]+", token.value) is not None
    return token.type in {
        "ident",
        "whitespace",
        "literal",
        "number",
        "percentage",
        "dimension",
        "hash",
        "string",
        "comment",
    }


def _by_commas(tokens: list[Any]) -> list[list[Any]]:
    parts: list[list[Any]] = [[]]
    for one in tokens:
        if one == ",":
            parts.append([])
        elif one.type != "comment":
            parts[-1].append(one)
    return parts


def _selector(tokens: list[Any], prefix: str) -> str:
    """Return a selector with its ids renamed; empty where it is one that reaches out of its output."""
    import tinycss2

    text = ""
    for token in tokens:
        if token.type == "hash":
            text += f"#{prefix}{token.value}" if re.fullmatch(r"[\w-]+", token.value) else "\0"
        elif token.type == "function":
            text += tinycss2.serialize([token]) if token.lower_name in SELECTING else "\0"
        elif token.type in {"ident", "whitespace", "literal", "[] block"}:
            text += tinycss2.serialize([token])
        else:
            return ""
    text = text.strip()
    return "" if "\0" in text or re.match(r"[+~>|]", text) else text
