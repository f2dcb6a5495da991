"""Whether a notebook and its twins are as they were when they last said the same: found out without Jupytext."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from mlwidgets.history.twins.bases import Bases, digest
from mlwidgets.history.twins.pairing import NOTEBOOK, Pairing, settings_files
from mlwidgets.history.twins.results import Synced
from mlwidgets.runs.folder import write_whole

Digests = tuple[str, str]
"""Of a notebook's bytes and of a twin's."""


def in_step(path: Path) -> tuple[Path, ...]:
    """Return a notebook's twins where neither a file nor the settings changed since they said the same; else nothing.

    Parameters
    ----------
    path
        The notebook, or a twin beside it of the same name.
    """
    path = Path(os.path.realpath(path))
    notebook = path if path.suffix == NOTEBOOK else path.with_suffix(NOTEBOOK)
    bases = Bases(notebook.parent)
    try:
        said = json.loads(_record(bases, notebook).read_bytes())
        twins = tuple(Path(one["twin"]) for one in said["twins"])
        if (
            said["path"] != os.fspath(notebook)
            or said["settings"] != _settings(notebook)
            or not all(one.is_file() for one in (notebook, *twins))
            or said["notebook"] != digest(notebook.read_bytes())
            or any(one["digest"] != digest(twin.read_bytes()) for twin, one in zip(twins, said["twins"], strict=True))
            or any(one["base"] != _stamp(bases, notebook, twin) for twin, one in zip(twins, said["twins"], strict=True))
        ):
            return ()
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return twins if path.suffix == NOTEBOOK or path in twins else ()


def synced(path: Path) -> Synced | None:
    """Return what synchronising would where it has nothing to do; None where that is not known."""
    twins = in_step(path)
    return Synced(twin=twins[0] if path.suffix == NOTEBOOK else Path(os.path.realpath(path))) if twins else None


def note(pairings: Sequence[Pairing], digests: Sequence[Digests]) -> None:
    """Take note of the state in which a notebook and all of its twins say the same."""
    notebook = pairings[0].notebook
    if len({one for one, _ in digests}) != 1:
        return
    bases = Bases(notebook.parent)
    with contextlib.suppress(OSError):
        said = {
            "path": os.fspath(notebook),
            "settings": _settings(notebook),
            "notebook": digests[0][0],
            "twins": [
                {"twin": os.fspath(one.twin), "digest": twin, "base": _stamp(bases, notebook, one.twin)}
                for one, (_, twin) in zip(pairings, digests, strict=True)
            ],
        }
        data = json.dumps(said).encode()
        record = _record(bases, notebook)
        if not record.exists() or record.read_bytes() != data:
            write_whole(record, data, flush=False)


def _record(bases: Bases, notebook: Path) -> Path:
    return bases.folder / f"{hashlib.sha256(os.fsencode(notebook)).hexdigest()[:24]}.known"


def _stamp(bases: Bases, notebook: Path, twin: Path) -> list[int]:
    """Return what tells whether the base was lost or written since."""
    status = bases.path_of(notebook, twin).stat()
    return [status.st_size, status.st_mtime_ns]


def _settings(notebook: Path) -> str:
    """Return what tells whether Jupytext's settings for a notebook are others."""
    found = hashlib.sha256()
    for path in settings_files(notebook.parent):
        found.update(os.fsencode(path) + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()
