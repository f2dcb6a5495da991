"""How many blank lines stand between two cells of a text: as many as PEP 8 wants, in Jupytext's reading of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mlwidgets.history.text.languages import LANGUAGES
from mlwidgets.history.text.quotes import Quotes

_DEFINITIONS = ("def ", "async ", "class ")
_PYTHON = LANGUAGES["python"]


def lines_between(text: Sequence[str], following: Sequence[Sequence[str]]) -> int:
    """Return how many blank lines follow a cell of Python.

    Parameters
    ----------
    text
        The cell's lines.
    following
        The lines of all that comes after, blank ones included.
    """
    if not following:
        return 1
    if _ends_with_definition(text):
        return 2 if _has_code(_all(following)) else 1
    if text and text[-1].strip() and not text[-1].startswith("#") and _begins_with_definition(_all(following)):
        return 2
    return 1


def _all(following: Sequence[Sequence[str]]) -> Iterator[str]:
    for text in following:
        yield from text


def _outside_strings(lines: Sequence[str]) -> Sequence[str]:
    if not any('"""' in line or "'''" in line for line in lines):
        return lines
    quotes, found = Quotes(_PYTHON), []
    for line in lines:
        if quotes.open is None:
            found.append(line)
        quotes.read(line)
    return found


def _ends_with_definition(lines: Sequence[str]) -> bool:
    below = None
    for line in reversed(_outside_strings(lines)):
        blank = not line.strip()
        if blank:
            if below is not None and not below.strip():
                return False
        elif not line.startswith(("#", " ", ")")):
            return line.startswith(_DEFINITIONS)
        below = line
    return False


def _begins_with_definition(lines: Iterable[str]) -> bool:
    quotes, above = Quotes(_PYTHON), None
    for line in lines:
        inside = quotes.open is not None
        quotes.read(line)
        if not inside:
            if not line.strip():
                if above is not None and not above.strip():
                    return False
            elif line.startswith(_DEFINITIONS):
                return True
            elif not line.startswith(("#", "@", " ", ")")):
                return False
        above = line
    return False


def _has_code(lines: Iterable[str]) -> bool:
    above = None
    for line in lines:
        stripped = line.strip()
        if not stripped:
            if above is not None and not above.strip():
                return False
        elif not stripped.startswith("#"):
            return True
        above = line
    return False
