"""Files and folders that code reads: named by the user, known by the digests of their contents."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from mlwidgets.capture.contents import Contents, DigestCache, read_contents
from mlwidgets.errors import ParameterError
from mlwidgets.runs.alive import holder
from mlwidgets.runs.data import read_data
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.spec import RunSpec

DIGITS = 8
"""Of a digest, for people."""
_LOOK = 0.3
"""Seconds between two looks at a run that waits."""


def named_data(paths: Iterable[str | Path] | str | Path) -> tuple[dict[str, str], ...]:
    """Return what a spec holds of data files: ``path`` as given, and ``absolute``.

    Raises
    ------
    ParameterError
        If there is no such file or folder.
    """
    named: dict[str, dict[str, str]] = {}
    for path in (paths,) if isinstance(paths, str | Path) else paths:
        if not str(path):
            raise ParameterError("--data '': name a file or a folder")
        absolute = os.path.abspath(os.path.expanduser(path))
        if not os.path.exists(absolute):
            raise ParameterError(f"--data {path}: there is no such file or folder ({absolute})")
        if not os.path.isfile(absolute) and not os.path.isdir(absolute):
            raise ParameterError(f"--data {path}: is neither a file nor a folder ({absolute})")
        named[str(path)] = {"path": str(path), "absolute": absolute}
    return tuple(named.values())


def digest_data(folder: RunFolder) -> dict[str, dict[str, Any]]:
    """Read all data that a run names; return what `mlwidgets.runs.data.read_data` is to find of them.

    What a run that waits in the queue will read is not known before it begins: that is waited for.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError
        If the run folder is damaged.
    """
    spec = folder.read_spec()
    if not spec.data:
        return {}
    began = _await_begin(folder, spec)
    found: dict[str, dict[str, Any]] = {}
    with closing(DigestCache(folder.store)) as cache:
        for one in spec.data:
            try:
                contents = read_contents(one["absolute"], cache)
            except OSError as error:
                found[one["path"]] = {"problem": error.strerror or str(error), "changed": True}
            else:
                found[one["path"]] = _told(contents, began)
    return found


def _await_begin(folder: RunFolder, spec: RunSpec) -> float:
    """Wait until a run has what it waits for in the queue; return when that was, in Unix seconds."""
    while True:
        waits = not folder.outcome.exists() and holder(folder.alive, "supervisor") is not None
        for event in read_lines(folder.events, "slots"):
            return float(event["time"])
        if not waits:
            return spec.submitted_at
        time.sleep(_LOOK)


def _told(contents: Contents, began: float) -> dict[str, Any]:
    changed = contents.moving or contents.touched > began
    unreadable = {"unreadable": list(contents.unreadable)} if contents.unreadable else {}
    return {
        "digest": contents.digest,
        "bytes": contents.nbytes,
        "files": contents.files,
        "changed": changed,
        **unreadable,
    }


def check_data(folder: RunFolder, cwd: Path) -> list[str]:
    """Return a sentence for each file or folder that is not what a run has read, or nobody knows whether it is.

    Parameters
    ----------
    cwd
        Where the code is to run: relative paths are looked up there.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError
        If the run folder is damaged.
    """
    named = [one["path"] for one in folder.read_spec().data]
    known = read_data(folder) if named else {}
    with closing(DigestCache(folder.store)) as cache:
        return [problem for path in named for problem in _problems(path, known.get(path), cwd, cache)]


def _problems(path: str, known: dict[str, Any] | None, cwd: Path, cache: DigestCache) -> Iterator[str]:
    where = os.path.abspath(os.path.join(cwd, os.path.expanduser(path)))
    if not os.path.exists(where):
        yield f"the data {path} are missing: there is no {where}"
        return
    digest = known.get("digest") if known else None
    if known is None or not isinstance(digest, str):
        why = f" ({known['problem']})" if known and known.get("problem") else ""
        yield f"the data {path} were never digested{why}, so nobody knows whether they are the same"
        return
    try:
        now = read_contents(where, cache)
    except OSError as error:
        yield f"the data {path} cannot be read: {error.strerror or error}"
        return
    if now.digest != digest:
        sizes = [_size(one) for one in ((known.get("bytes"), known.get("files")), (now.nbytes, now.files))]
        then = f"{digest[:DIGITS]} then ({sizes[0]})"
        yield f"the data {path} have changed: {then}, {now.digest[:DIGITS]} now ({sizes[1]})"
    elif known.get("changed"):
        yield f"the data {path} changed while the run began, so nobody knows what it has read of them"
    elif now.unreadable:
        yield f"the data {path} cannot be read whole: {', '.join(now.unreadable)}"


def _size(of: tuple[Any, Any]) -> str:
    nbytes, files = (one if isinstance(one, int) else 0 for one in of)
    return f"{nbytes:,} bytes" if files == 1 else f"{nbytes:,} bytes in {files:,} files"
