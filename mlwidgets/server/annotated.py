"""Which runs of a store were annotated since one last looked, without looking at each of thousands."""

from __future__ import annotations

import os
from collections.abc import Collection

from mlwidgets.runs.annotations import annotation_log
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.store import RunStore


class Annotated:
    """Follows the file in which each annotation leaves the run's id. What was there at first is not news."""

    def __init__(self, store: RunStore) -> None:
        self._runs = store.runs
        self._log = annotation_log(store.path)
        self._sign = self._look()
        self._read = self._content()

    def news(self, names: Collection[str]) -> set[str]:
        """Return which of these runs were annotated; where the file does not tell, those that ever were."""
        sign = self._look()
        if sign == self._sign:
            return set()
        content = self._content()
        new = content.removeprefix(self._read)
        self._sign, known, self._read = sign, self._read, content
        if not content.startswith(known) or not new:
            # Deleted, or begun anew: some may have been in it that nobody has read.
            return {name for name in names if RunFolder(self._runs / name).annotations.exists()}
        return set(map(os.fsdecode, new.split(b"\n"))) & set(names)

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._log)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _content(self) -> bytes:
        try:
            data = self._log.read_bytes()
        except OSError:
            return b""
        return data[: data.rfind(b"\n") + 1]
