"""What the kernel's process itself writes to its standard output and error, beside what it says in messages."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import threading

from mlwidgets.notifying.masking import MaskedStream, Masker

_MOST = 20_000
"""Characters of its last words that are kept."""


class Undertone:
    """Passes on what comes out of a kernel's process, masked; of IPython's only the last words, if it died.

    All that its cells and their children print is told in messages already, and would stand in the output twice.

    Parameters
    ----------
    is_told
        The kernel tells in messages what it writes.
    """

    def __init__(self, mask: Masker, *, is_told: bool) -> None:
        self._mask, self._is_told = mask, is_told
        self._last = ""
        self._read, self.fd = os.pipe()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def begin(self) -> None:
        """Listen; the kernel has the descriptor by now."""
        os.close(self.fd)
        self._thread.start()

    def close(self) -> None:
        """Let go of a kernel that could not be started."""
        os.close(self.fd)
        os.close(self._read)

    def last_words(self) -> None:
        """Write what a kernel said that died."""
        self._thread.join(1.0)
        if self._is_told and self._last.strip():
            sys.stderr.write(self._mask(self._last).rstrip("\n") + "\n")

    def _listen(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        stream = MaskedStream(self._mask)
        with contextlib.suppress(OSError), open(self._read, "rb", buffering=0) as pipe:
            while data := pipe.read(65536):
                text = decoder.decode(data)
                if self._is_told:
                    self._last = (self._last + text)[-_MOST:]
                else:
                    sys.stdout.write(stream.feed(text))
        if not self._is_told:
            sys.stdout.write(stream.close())
