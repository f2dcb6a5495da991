"""Standard output and error of a run: every write reaches the file at once, and a full disk does not end the code."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputFile(io.RawIOBase):
    """Writes to a descriptor; what cannot be written is counted, not raised.

    Attributes
    ----------
    lost
        Bytes that could not be written.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.lost = 0

    def fileno(self) -> int:
        """Return the descriptor, for child processes that write to it themselves."""
        return self._fd

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of `data`, or as much of it as there is room for."""
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view):
                done += os.write(self._fd, view[done:])
        except OSError:
            self.lost += len(view) - done
        return len(view)


def write_through() -> list[OutputFile]:
    """Put such files in the place of ``sys.stdout`` and ``sys.stderr``; return them."""
    files = []
    for name, fd in (("stdout", 1), ("stderr", 2)):
        raw: Any = OutputFile(fd)
        stream = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
        files.append(raw)
    return files
