"""What a notebook and its twin said when they last said the same: kept in the store, one file for each pair."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlwidgets.errors import TwinError
from mlwidgets.history.twins.pairing import Pairing
from mlwidgets.runs.folder import write_whole
from mlwidgets.runs.store import RunStore, find_store

_PATIENCE = 30.0
"""Seconds to wait for another process that is at a twin of the same project."""


@dataclass(frozen=True)
class Base:
    """A state in which both sides said the same.

    Parameters
    ----------
    notebook
        Its JSON, without outputs.
    text
        The twin's, its lines ended by line feeds.
    format
        In which it was written.
    digests
        Of both files' bytes.
    index
        What tells whether git has done anything since, as `mlwidgets.history.twins.origins.index_of` gives it.
    """

    notebook: dict[str, Any]
    text: str
    format: str
    digests: tuple[str, str] = ("", "")
    index: str = ""


def digest(data: bytes) -> str:
    """Return what tells a file's content from others."""
    return hashlib.sha256(data).hexdigest()


class Bases:
    """The bases of a project.

    Parameters
    ----------
    near
        A folder of the project.
    """

    def __init__(self, near: Path) -> None:
        self._store = find_store(near)
        self.folder = self._store / "twins"

    def prepare(self) -> None:
        """Make sure that bases can be kept.

        Raises
        ------
        StoreError
            If they cannot.
        TwinError
            The same.
        """
        RunStore(self._store).prepare()
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise TwinError(f"cannot write to {self.folder}: {error.strerror or error}") from error

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from this project's twins meanwhile, as far as the file system can lock a folder.

        Raises
        ------
        TwinError
            If somebody else does not come to an end.
        """
        fd = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        deadline = time.monotonic() + _PATIENCE
        try:
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise TwinError("another process is at the twins of this project; try again") from None
                    time.sleep(0.01)
                except OSError:
                    break
            yield
        finally:
            os.close(fd)

    def load(self, pairing: Pairing) -> Base | None:
        """Return what both sides said last; None where that is not known."""
        return _read(self.path_of(pairing.notebook, pairing.twin))

    def save(self, pairing: Pairing, base: Base) -> None:
        """Remember what both sides say now.

        Raises
        ------
        TwinError
            If it cannot be written.
        """
        said = {
            "version": 1,
            "paths": [self._relative(pairing.notebook), self._relative(pairing.twin)],
            "digests": list(base.digests),
            "format": base.format,
            "index": base.index,
            "text": base.text,
            "notebook": base.notebook,
        }
        path = self.path_of(pairing.notebook, pairing.twin)
        try:
            # One that a loss of power takes is found again: both files say the same.
            write_whole(path, json.dumps(said).encode(), flush=False)
        except OSError as error:
            raise TwinError(f"cannot write to {self.folder}: {error.strerror or error}; free some space") from error

    def forget(self, pairing: Pairing) -> None:
        """Know nothing of a pair any more."""
        with contextlib.suppress(OSError):
            self.path_of(pairing.notebook, pairing.twin).unlink(missing_ok=True)

    def of_missing_notebooks(self) -> Iterator[tuple[Path, Path, Base]]:
        """Return notebooks that are not there any more, with their twins and what both said last."""
        top = Path(os.path.realpath(self._store)).parent
        for path in sorted(self.folder.glob("*.json")):
            base = _read(path)
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                notebook, twin = (top / name for name in json.loads(path.read_bytes())["paths"])
                if base is not None and not notebook.exists():
                    yield notebook, twin, base

    def _relative(self, path: Path) -> str:
        """Return a path as it is in the project, which may be moved."""
        try:
            return path.relative_to(Path(os.path.realpath(self._store)).parent).as_posix()
        except ValueError:
            return path.as_posix()

    def path_of(self, notebook: Path, twin: Path) -> Path:
        """Return where the base of a pair is kept."""
        said = f"{self._relative(notebook)}\0{self._relative(twin)}"
        key = hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:24]
        return self.folder / f"{key}.json"


def _read(path: Path) -> Base | None:
    try:
        said = json.loads(path.read_bytes())
        notebook, text, written, both = (said[key] for key in ("notebook", "text", "format", "digests"))
        if said["version"] != 1 or not isinstance(notebook["cells"], list) or not isinstance(text, str):
            return None
        return Base(notebook, text, str(written), (str(both[0]), str(both[1])), str(said.get("index", "")))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
