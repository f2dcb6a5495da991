"""The headings of a page: one h1, no level left out, each with an address that reads like its text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

CONTENTS_DEPTH = 3
"""Levels of headings, as the notebook has them, that the table of contents lists."""


@dataclass
class Heading:
    """One heading, in the order of the page.

    Parameters
    ----------
    asked
        Its level in the notebook, from 1.
    text
        Without formatting.
    level
        Its level on the page: from 2, for the page's title is the only h1.
    anchor
        Its address on the page.
    hidden
        It is the page's title already.
    """

    asked: int
    text: str = ""
    level: int = 2
    anchor: str = ""
    hidden: bool = False


class Outline:
    """All headings of one page, level and address known once `settle` was called."""

    def __init__(self) -> None:
        self.headings: list[Heading] = []

    def add(self, asked: int) -> Heading:
        """Take up the next heading; whoever reads on gives it its text."""
        heading = Heading(asked)
        self.headings.append(heading)
        return heading

    def title(self) -> str:
        """Return the text of the first heading, empty where there is none."""
        return next((one.text for one in self.headings if one.text), "")

    def settle(self, title: str) -> None:
        """Give every heading its level and address; the first is hidden where it says what the title says."""
        shown = [one for one in self.headings if one.text]
        if shown and shown[0].text.casefold() == title.casefold():
            shown[0].hidden = True
        taken: set[str] = set()
        above: list[int] = []
        for one in shown:
            if one.hidden:
                continue
            above = [level for level in above if level < one.asked]
            above.append(one.asked)
            one.level = min(6, len(above) + 1)
            one.anchor = _free(_slug(one.text), taken)

    def contents(self) -> list[Heading]:
        """Return what the table of contents lists."""
        return [one for one in self.headings if one.anchor and one.level <= CONTENTS_DEPTH + 1]

    def find(self, anchor: str) -> str | None:
        """Return the address of the heading that Jupyter knows by `anchor`."""
        wanted = anchor.replace("-", " ").casefold()
        found = (one for one in self.headings if one.text.replace("-", " ").casefold() == wanted)
        one = next(found, None)
        return None if one is None else (one.anchor or "title")


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "s-" + (re.sub(r"[^\w]+", "-", plain, flags=re.ASCII).strip("-")[:60] or "section")


def _free(slug: str, taken: set[str]) -> str:
    candidates: Iterable[str] = (slug, *(f"{slug}-{number}" for number in range(2, len(taken) + 3)))
    free = next(one for one in candidates if one not in taken)
    taken.add(free)
    return free
