"""What two runs that should be the same logged beyond numbers: images, histograms, confusion matrices, tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines

_KINDS = frozenset({"histogram", "image", "confusion_matrix", "table"})
_FILE = re.compile(r"[0-9a-f]{8,64}\.[a-z]{2,5}")
_Entry = dict[str, Any]


@dataclass(frozen=True)
class MediaEquality:
    """What came of comparing them.

    Attributes
    ----------
    count
        How many were compared.
    first
        Where those of a name first differ, the earliest step first: ``image samples`` and the step.
    """

    count: int
    first: dict[str, int]


def compare_media(a: RunFolder, b: RunFolder, *, a_cut: bool = False, b_cut: bool = False) -> MediaEquality:
    """Compare to the bit what was logged, in the order in which it was, by what the files hold.

    Parameters
    ----------
    a_cut, b_cut
        Whether that run ended before its code had: the other one is then compared as far as it got.
    """
    left, right = _entries(a), _entries(b)
    found: dict[str, int] = {}
    compared = 0
    for name in dict.fromkeys((*left, *right)):
        one, other = left.get(name, []), right.get(name, [])
        if b_cut:
            one = one[: len(other)]
        if a_cut:
            other = other[: len(one)]
        both = min(len(one), len(other))
        at = next((n for n in range(both) if not _same(one[n], a, other[n], b)), both)
        compared += max(len(one), len(other))
        if at < max(len(one), len(other)):
            found[name] = min(int(side[at]["step"]) for side in (one, other) if at < len(side))
    return MediaEquality(compared, dict(sorted(found.items(), key=lambda item: item[1])))


def _entries(folder: RunFolder) -> dict[str, list[_Entry]]:
    """Return the lines of a run's media by kind and name; what a further attempt logged again counts once."""
    found: dict[str, list[_Entry]] = {}
    for entry in read_lines(folder.media):
        if entry["event"] in _KINDS and isinstance(entry.get("step"), int):
            found.setdefault(f"{entry['event'].replace('_', ' ')} {entry.get('name')!s:.100}", []).append(entry)
    for attempt in read_lines(folder.events, "attempt"):
        found = {name: _without_repeated(entries, attempt["time"]) for name, entries in found.items()}
    return {name: entries for name, entries in found.items() if entries}


def _without_repeated(entries: list[_Entry], begin: float) -> list[_Entry]:
    later = [entry["step"] for entry in entries if entry["time"] >= begin]
    return [one for one in entries if one["time"] >= begin or (later and one["step"] < min(later))]


def _same(one: _Entry, a: RunFolder, other: _Entry, b: RunFolder) -> bool:
    left, right = ({key: value for key, value in entry.items() if key != "time"} for entry in (one, other))
    # repr tells NaN, -0.0 and 1 of their likes.
    return repr(left) == repr(right) or repr(_told(left, a)) == repr(_told(right, b))


def _told(value: Any, folder: RunFolder) -> Any:
    """Return a line's value with digests in the place of files, whose names may be chance."""
    if isinstance(value, dict):
        return {key: _told(one, folder) for key, one in value.items()}
    if isinstance(value, list):
        return [_told(one, folder) for one in value]
    return _digest(folder.media_files / value) if isinstance(value, str) and _FILE.fullmatch(value) else value


def _digest(path: Path) -> str | None:
    try:
        with open(path, "rb") as file:
            return file_digest(file, "blake2b").hexdigest()
    except OSError:
        return None
