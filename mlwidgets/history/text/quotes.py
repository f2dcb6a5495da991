"""Whether a line of code stands inside a string that began above it, as Jupytext sees it."""

from __future__ import annotations

import re
from functools import cache

from mlwidgets.history.text.languages import Language


@cache
def _signs(comment: str) -> re.Pattern[str]:
    return re.compile(f"[\"']|{re.escape(comment)}")


class Quotes:
    """Reads code line by line; says after each whether a string in triple quotes is open.

    It sees what ``jupytext.stringparser`` sees, quirks included: a text is read in the same pieces by both.
    """

    def __init__(self, language: Language) -> None:
        self._comment = language.comment
        self._knows_triples = language.name != "R"
        self._signs = _signs(language.comment)
        self.open: str | None = None

    def read(self, line: str) -> None:
        """Read the next line."""
        if not self._knows_triples or not ('"' in line or "'" in line):
            return
        if self.open is None and line.lstrip().startswith(self._comment):
            return
        single: str | None = None
        ended = -1
        for match in self._signs.finditer(line):
            at, sign = match.start(), match[0]
            if sign == self._comment:
                if single is None and self.open is None:
                    return
                continue
            if line[at - 1 : at] == "\\":
                continue
            if single is not None:
                single = None if single == sign else single
            elif line[at - 2 : at + 1] == 3 * sign and at >= ended + 3:
                if self.open == sign:
                    self.open, ended = None, at
                elif self.open is None:
                    self.open, ended = sign, at
            elif self.open is None:
                single = sign
