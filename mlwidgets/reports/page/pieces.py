"""What the page makes itself stands as a mark in texts that are still to be cleaned, and takes its place at the end.

So formulas, pictures and highlighted code need not get past the allow lists for what a user wrote, and nothing that a
user wrote gets past them by looking like one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

# Characters that are none: no text holds them on purpose.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"


@dataclass(frozen=True)
class _Piece:
    html: str | Callable[[], str]
    text: str


class Pieces:
    """The finished pieces of one page."""

    def __init__(self) -> None:
        self._kept: list[_Piece] = []
        # Unknown to whoever wrote the notebook, so that no text of theirs is a mark.
        nonce = secrets.token_hex(8)
        self._start = f"{_OPEN}{nonce}-"
        self._mark = re.compile(rf"{re.escape(self._start)}(\d+){_CLOSE}")

    def keep(self, html: str | Callable[[], str], text: str = "") -> str:
        """Return the mark of a piece.

        Parameters
        ----------
        html
            The piece, safe as it is, or what returns it once the whole page is known.
        text
            What stands for it where no HTML can, in attributes.
        """
        self._kept.append(_Piece(html, text))
        return f"{self._start}{len(self._kept) - 1}{_CLOSE}"

    def as_text(self, marked: str) -> str:
        """Return a text with the pieces' plain texts for their marks."""
        return self._mark.sub(lambda m: self._kept[int(m[1])].text, marked) if _OPEN in marked else marked

    def resolve(self, marked: str) -> str:
        """Return HTML with the pieces for their marks."""
        return self._mark.sub(self._html, marked) if _OPEN in marked else marked

    def _html(self, mark: re.Match[str]) -> str:
        html = self._kept[int(mark[1])].html
        return self.resolve(html if isinstance(html, str) else html())
