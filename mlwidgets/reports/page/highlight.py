"""Code with its words marked by classes; the page's own style sheet colours them."""

from __future__ import annotations

from html import escape

MOST = 200_000
"""Characters of one text that are marked; what is longer is no code that somebody reads."""


def highlighted(code: str, language: str) -> str:
    """Return code as HTML for a ``<code>``, escaped; plain where the language is not known."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    code = code.strip("\n")
    try:
        lexer = get_lexer_by_name(language) if language and len(code) <= MOST else None
    except ClassNotFound:
        lexer = None
    if lexer is None:
        return escape(code, quote=False)
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True, classprefix="r-t-"))).rstrip("\n")
