"""What a picture is called: in the cell's options, in its metadata, or in the code that drew it."""

from __future__ import annotations

import ast
import re
from typing import Any

_OPTION = re.compile(r"^#\|\s*(fig-cap|fig-alt|tbl-cap):\s*(.+?)\s*$", re.MULTILINE)
TITLING = frozenset(("set_title", "suptitle", "title"))


def option(source: str, name: str) -> str:
    """Return an option that the cell's code says in a comment, as Quarto writes them: ``#| fig-cap: Loss``."""
    found = next((value for key, value in _OPTION.findall(source) if key == name), "")
    return found.strip("\"'")


def caption(source: str, metadata: dict[str, Any]) -> str:
    """Return what the author wants to stand below the pictures of a cell; empty where nothing was said."""
    return option(source, "fig-cap") or _text(metadata.get("caption"))


def alternative(source: str, metadata: dict[str, Any], mime: str) -> str:
    """Return what a picture shows, as far as it is known.

    Parameters
    ----------
    source
        The cell's code.
    metadata
        The output's.
    """
    own = metadata.get(mime)
    said = own.get("alt") if isinstance(own, dict) else None
    return _text(said) or _text(metadata.get("alt")) or option(source, "fig-alt") or drawn_title(source)


def drawn_title(source: str) -> str:
    """Return the titles that plotting code gives as plain texts."""
    try:
        tree = ast.parse(re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            titles = [one.value for one in node.keywords if one.arg == "title"]
            if node.func.attr in TITLING:
                titles += node.args[:1]
            found += [one.value for one in titles if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return "; ".join(dict.fromkeys(found))[:300]


def _text(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
