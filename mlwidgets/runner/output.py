"""Standard output and error of a run: every write reaches the file at once, and a full disk does not end the code.

Secrets that the project names are masked on the way.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from mlwidgets.notifying.masking import MaskedStream, Masker

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
        self._masked: _MaskedBytes | None = None
        self.lost = 0

    def mask(self, mask: Masker) -> None:
        """Mask secrets from now on; an end that may begin one waits for what is written next, or for `release`."""
        self._masked = _MaskedBytes(mask) if mask else None

    def release(self) -> None:
        """Write what waits."""
        if self._masked is not None:
            self._write(memoryview(self._masked.feed(b"", final=True)))

    def fileno(self) -> int:
        """Return the descriptor, for child processes that write to it themselves."""
        return self._fd

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of `data`, or as much of it as there is room for."""
        view = memoryview(data).cast("B")
        self._write(view if self._masked is None else memoryview(self._masked.feed(bytes(view))))
        return len(view)

    def flush(self) -> None:
        """Write what waits if this is a child process, which nobody tells of its end."""
        if self._masked is not None and self._masked.inherited:
            self.release()

    def _write(self, view: memoryview) -> None:
        done = 0
        try:
            while done < len(view):
                done += os.write(self._fd, view[done:])
        except OSError:
            self.lost += len(view) - done


class _MaskedBytes:
    """Masks text that comes as bytes, from several threads and forked processes."""

    def __init__(self, mask: Masker) -> None:
        self._mask = mask
        self._pid = os.getpid()
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        # What waited when this process was forked is its parent's to write, and so is the lock that a thread held.
        self._lock = threading.RLock()
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._stream = MaskedStream(self._mask)

    @property
    def inherited(self) -> bool:
        """Whether this process was forked from the one whose output it is."""
        return os.getpid() != self._pid

    def feed(self, data: bytes, *, final: bool = False) -> bytes:
        """Return what of all that came so far may be written by now."""
        with self._lock:
            text = self._stream.feed(self._decoder.decode(data, final))
            if final:
                text += self._stream.close()
        return text.encode("utf-8", "surrogateescape")


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
