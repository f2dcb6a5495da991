"""What an archive of runs looks like, and what one that is refused does.

It is a zip file: ``runs/<run id>/…`` are run folders, ``objects/<digest>`` what they refer to, and ``manifest.json``
says which runs there are and of each member the size and the SHA-256.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from mlwidgets.errors import MlwidgetsError

FORMAT = 1
MANIFEST = "manifest.json"
RUNS, OBJECTS = "runs", "objects"
DIGEST = re.compile(r"[0-9a-f]{64}")
RUN_ID = re.compile(r"\d{8}-\d{6}-[A-Za-z0-9][A-Za-z0-9_.-]{0,99}-[0-9a-z]{4}")
MOST_MEMBERS = 1_000_000
LARGEST_MANIFEST = 1 << 30
"""Bytes."""
LONGEST_NAME, LONGEST_PART = 1000, 255
"""Bytes of a member's name, and of what is between two slashes."""
OURS = frozenset({"imported.json"})
"""Files of a run folder that are never part of an archive: whoever imports it writes them."""


class ArchiveError(MlwidgetsError):
    """The archive cannot be written, or is none that can be taken in; nothing was changed."""


def problem_with(name: str) -> str | None:
    """Return what is wrong with a member's name, None for one that leads to a place of its own in a store."""
    parts = name.split("/")
    problems = (
        ("\0" in name, "has a NUL in its name"),
        ("\\" in name, "has a backslash in its name"),
        (name.startswith("/") or re.match(r"[A-Za-z]:", name), "has an absolute name"),
        (any(unicodedata.category(c) in ("Cc", "Cs") for c in name), "has a control character in its name"),
        (".." in parts, "leads out of its folder"),
        ("" in parts or "." in parts, "has a name that is no path"),
        (len(name) > LONGEST_NAME or any(len(part) > LONGEST_PART for part in parts), "has a name that is too long"),
    )
    return next((problem for wrong, problem in problems if wrong), None) or _misplaced(name, parts)


def _misplaced(name: str, parts: list[str]) -> str | None:
    if name == MANIFEST or (parts[0] == OBJECTS and len(parts) == 2 and DIGEST.fullmatch(parts[1])):
        return None
    if len(name.encode()) > LONGEST_NAME or any(len(part.encode()) > LONGEST_PART for part in parts):
        return "has a name that is too long"
    if parts[0] != RUNS or len(parts) < 3:
        return "belongs to no run"
    if not RUN_ID.fullmatch(parts[1]):
        return f"lies in {shown(parts[1])}, which is no run's id"
    return "is never part of an archive" if parts[2] in OURS else None


def collision(names: Iterable[str]) -> tuple[str, str] | None:
    """Return two names that are one file on some disk: equal but for case or accents, or one the other's folder."""
    known: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        parts = unicodedata.normalize("NFC", name).casefold().split("/")
        whole = "/".join(parts)
        if whole in known:
            return known[whole], name
        known[whole] = name
        for number in range(1, len(parts)):
            above, spelled = "/".join(parts[:number]), "/".join(name.split("/")[:number])
            if folders.setdefault(above, spelled) != spelled:
                return f"{folders[above]}/…", f"{spelled}/…"
    for above, spelled in folders.items():
        if above in known:
            return known[above], f"{spelled}/…"
    return None


def shown(text: str) -> str:
    """Return a name that anybody may have chosen in one line that a terminal shows as it is."""
    line = "".join(c if c.isprintable() else "?" for c in text)
    return repr(line if len(line) <= 80 else f"{line[:79]}…")
