"""LaTeX formulas as MathML, which browsers draw without any script."""

from __future__ import annotations

import re
import unicodedata
from html import escape, unescape
from typing import Any

from mlwidgets.reports.page.names import names

ELEMENTS = names(
    "maction math menclose merror mfenced mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow "
    "ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none"
)
ATTRIBUTES = names(
    "accent accentunder columnspan depth display displaystyle fence form height largeop linethickness lspace "
    "mathbackground mathcolor mathsize maxsize minsize movablelimits rowspan rspace scriptlevel separator stretchy "
    "symmetric voffset width"
)
_UNNUMBERED = re.compile(r"\\(begin|end)\{(align|gather|multline|eqnarray|alignat)\}")
_DROPPED = re.compile(r"\\label\s*\{[^}]*\}|\\nonumber\b|\\notag\b|\\(begin|end)\{(equation|displaymath|math)\*?\}")
_VARIANTS = {"script": "SCRIPT", "bold-script": "BOLD SCRIPT", "fraktur": "FRAKTUR", "double-struck": "DOUBLE-STRUCK"}


class NoFormula(ValueError):
    """It is a formula that cannot be read."""


def formula(source: str, *, block: bool) -> str:
    """Return LaTeX as MathML; where it cannot be read, as it was written.

    Parameters
    ----------
    source
        Without the dollars around it.
    block
        It stands by itself, not in a line of text.
    """
    try:
        return mathml(source, block=block)
    except NoFormula:
        dollars = "$$" if block else "$"
        code = f'<code class="r-tex">{escape(f"{dollars}{source.strip()}{dollars}")}</code>'
        return f'<span class="r-formula">{code}</span>' if block else code


def mathml(source: str, *, block: bool) -> str:
    """Return LaTeX as MathML.

    Raises
    ------
    NoFormula
        If it cannot be read.
    """
    from latex2mathml.converter import convert_to_element

    latex = _UNNUMBERED.sub(r"\\\1{\2*}", _DROPPED.sub("", source)).strip()
    braces = re.sub(r"\\.", "", latex)
    if not latex or braces.count("{") != braces.count("}"):
        raise NoFormula("nothing, or an open brace")
    try:
        element = convert_to_element(latex, display="block" if block else "inline")
        text = _element(element, escape(" ".join(source.split())))
    except Exception as error:
        # The library is asked with whatever a notebook holds, and has no root of its own errors.
        raise NoFormula(str(error)) from None
    return f'<span class="r-formula" tabindex="0">{text}</span>' if block else text


def from_element(element: Any) -> str:
    """Return MathML that a notebook holds, with what is allowed of it.

    Raises
    ------
    NoFormula
        If it holds anything else.
    """
    return _element(element, escape(" ".join("".join(element.itertext()).split())))


def _element(element: Any, source: str = "") -> str:
    if not isinstance(element.tag, str):
        return ""
    name = element.tag.rpartition("}")[2]
    if name not in ELEMENTS:
        raise NoFormula(name)
    given = ((key, str(value)) for key, value in element.attrib.items())
    attributes = [f'{key}="{escape(value)}"' for key, value in given if _is_allowed(key, value)]
    if name == "math":
        attributes.append(f'alttext="{source}"')
    if name == "mtd" and (align := element.get("columnalign")) in {"left", "right"}:
        # Browsers know styles alone, Chromium its own; both sides of an aligned relation touch it.
        attributes.append(f'style="text-align:{align};text-align:-webkit-{align};padding-{align}:0"')
    text = unescape(element.text or "")
    if re.match(r"\\[A-Za-z]", text) and name != "mtext":
        raise NoFormula(f"unknown command {text}")
    text = _letters(text, element.get("mathvariant", ""))
    if name == "mi" and element.get("mathvariant") == "normal":
        attributes.append('mathvariant="normal"')
    inside = "".join(_element(child) + escape(unescape(child.tail or ""), quote=False) for child in element)
    start = " ".join([name, *attributes])
    return f"<{start}>{escape(text, quote=False)}{inside}</{name}>"


def _is_allowed(key: str, value: str) -> bool:
    return key in ATTRIBUTES and re.fullmatch(r"[\w #.%+-]*", value) is not None


def _letters(text: str, variant: str) -> str:
    """Return letters of a script as Unicode has them: browsers know no such attribute any more."""
    if variant not in _VARIANTS:
        return text
    return "".join(_letter(char, _VARIANTS[variant]) for char in text)


def _letter(char: str, script: str) -> str:
    if not (char.isascii() and char.isalpha()):
        return char
    case = "CAPITAL" if char.isupper() else "SMALL"
    plain = {"FRAKTUR": "BLACK-LETTER"}.get(script, script)
    for name in (f"MATHEMATICAL {script} {case} {char.upper()}", f"{plain} {case} {char.upper()}"):
        try:
            return unicodedata.lookup(name)
        except KeyError:
            continue
    return char
