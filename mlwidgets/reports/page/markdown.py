"""Markdown as HTML that is still to be cleaned; formulas and code are finished pieces."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from mlwidgets.reports.page.highlight import highlighted
from mlwidgets.reports.page.maths import formula
from mlwidgets.reports.page.pieces import Pieces

# A formula is no longer than that, so that one that never ends is found out soon.
FORMULA = re.compile(
    r"(?P<code>^[ ]{0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^[ ]{0,3}(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?P<ticks>(?<!`)`+(?!`)).*?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<escaped>\\[\\$](?![\[(]))"
    r"|\$\$(?P<double>.{1,5000}?)\$\$"
    r"|\\\\\[(?P<bracket>.{1,5000}?)\\\\\]"
    r"|\\\\\((?P<round>.{1,5000}?)\\\\\)"
    r"|(?P<environment>\\begin\{(?P<name>[a-zA-Z]+\*?)\}.{0,5000}?\\end\{(?P=name)\})"
    # A dollar before a space or behind one is money, as is one before a digit.
    r"|\$(?P<inline>(?!\s)(?:[^$\\\n]|\\.|\n(?!\s*\n))+?(?<!\s))\$(?!\d)",
    re.MULTILINE | re.DOTALL,
)
PLUGINS = ["table", "strikethrough", "task_lists", "url"]


def rendered(text: str, pieces: Pieces) -> str:
    """Return Markdown, as JupyterLab reads it, as HTML."""
    import mistune

    class Renderer(mistune.HTMLRenderer):
        def block_code(self, code: str, info: str | None = None, **_: Any) -> str:
            language = info.split()[0] if info and info.split() else ""
            return pieces.keep(
                f'<pre class="r-code" tabindex="0"><code>{highlighted(code, language)}</code></pre>', code
            )

    to_html = mistune.create_markdown(renderer=Renderer(escape=False, allow_harmful_protocols=True), plugins=PLUGINS)
    return str(to_html(with_formulas(text, pieces)))


def with_formulas(text: str, pieces: Pieces) -> str:
    """Return a text with marks for the formulas in it."""

    def one(found: re.Match[str]) -> str:
        if found["code"] is not None or found["escaped"] is not None:
            return found[0]
        block = found["inline"] is None and found["round"] is None
        kinds = ("double", "bracket", "round", "environment", "inline")
        source = next(found[kind] for kind in kinds if found[kind] is not None)
        return pieces.keep(formula(source, block=block), found[0])

    return FORMULA.sub(one, text)


def latex(text: str, pieces: Pieces) -> str:
    """Return an output of kind text/latex as HTML: formulas between words."""
    marked = with_formulas(text.strip(), pieces)
    if marked == text.strip() and re.search(r"[\\^_]", text):
        return pieces.keep(formula(text, block=True), text)
    return f"<p>{escape(marked, quote=False)}</p>"
