"""What pairing a folder has written, kept until it is taken back."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mlwidgets.errors import TwinError
from mlwidgets.history.twins.bases import Bases
from mlwidgets.runs.folder import write_whole

Written = tuple[Path, bytes | None, bytes | None, list[Path], list[Path]]
"""A file with settings, what it was and what it is since; twins that were made, and notebooks that were kept apart."""


class Pairs:
    """What was written, by the file with settings."""

    def __init__(self, bases: Bases) -> None:
        self._path = bases.folder / "pairs"

    def add(
        self, settings: Path, before: bytes | None, after: bytes, twins: Sequence[Path], apart: Sequence[Path]
    ) -> None:
        """Remember what is about to be written; what was before stays what was before the first time.

        Raises
        ------
        TwinError
            If it cannot be kept.
        """
        said = self._read()
        old = said.get(str(settings), {"before": _encoded(before), "twins": [], "apart": []})
        said[str(settings)] = {
            "before": old["before"],
            "after": _encoded(after),
            "twins": list(dict.fromkeys([*old["twins"], *map(str, twins)])),
            "apart": list(dict.fromkeys([*old["apart"], *map(str, apart)])),
        }
        self._write(said)

    def of(self, folder: Path) -> Iterator[Written]:
        """Return what was written in a folder and those below it."""
        for name, one in self._read().items():
            if Path(name).parent.is_relative_to(folder):
                both = _decoded(one["before"]), _decoded(one["after"])
                yield Path(name), *both, [Path(twin) for twin in one["twins"]], [Path(other) for other in one["apart"]]

    def forget(self, settings: Path) -> None:
        """Remember nothing more of a file with settings.

        Raises
        ------
        TwinError
            If that cannot be written.
        """
        said = self._read()
        if said.pop(str(settings), None) is not None:
            self._write(said)

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise TwinError(f"{self._path} cannot be read; remove it, then nothing is taken back") from error
        return found if isinstance(found, dict) else {}

    def _write(self, said: dict[str, Any]) -> None:
        try:
            write_whole(self._path, json.dumps(said, indent=1).encode())
        except OSError as error:
            raise TwinError(f"cannot write {os.fspath(self._path)}: {error.strerror or error}") from error


def _encoded(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
