"""Which notebooks a rename has moved, also where they have been moved on before anybody could look.

Paths are as requests give them: from the server's root, with ``/``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

Rename = tuple[str, str]
"""The old path and the new one."""


def is_below(path: str, top: str) -> bool:
    """Whether a path is `top`, or is in it."""
    return path == top or path.startswith(f"{top}/")


def moved_notebooks(rename: Rename, later: Sequence[Rename], path_of: Callable[[str], Path]) -> list[Rename]:
    """Return the old and new path of each notebook that a rename has moved, its own or those of a folder.

    Parameters
    ----------
    later
        What was renamed since, in order: a notebook's new path is the one that it had before.
    path_of
        Where the file of such a path lies.
    """
    old, new = rename
    tops = [new]
    for source, target in later:
        left = [target for top in tops if is_below(source, top) and source != top]
        tops = [*(_renamed(top, source, target) for top in tops), *left]
    found: dict[str, None] = {}
    for top in tops:
        for path in _notebooks(top, path_of(top)):
            then = path
            for source, target in reversed(later):
                then = _renamed(then, target, source)
            if is_below(then, new):
                found[then] = None
    pairs = [(old + path[len(new) :], path) for path in found]
    return [pair for pair in pairs if all(path.endswith(".ipynb") for path in pair)]


def _renamed(path: str, source: str, target: str) -> str:
    return target + path[len(source) :] if is_below(path, source) else path


def _notebooks(top: str, place: Path) -> Iterator[str]:
    """Yield what is below a path and seen as a notebook; the path itself where it is no folder."""
    if not place.is_dir():
        yield top
    for folder, folders, names in os.walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(folder).relative_to(place)
        for name in sorted(names):
            if name.endswith(".ipynb") and not name.startswith("."):
                yield f"{top}/{(inside / name).as_posix()}"
