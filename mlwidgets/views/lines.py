"""The output of a run by line numbers: any part of a file of a million lines without reading all of it."""

from __future__ import annotations

import re
from pathlib import Path

EVERY = 256
"""The index knows where each line of this number begins."""
CHUNK = 1 << 22
LONGEST = 8192
"""Bytes of one line that are shown; of a progress bar its end."""
MOST_LINES = 2000
MOST_FOUND = 10_000


class LineIndex:
    """Where the lines of a growing file begin, from the byte `start` on."""

    def __init__(self, path: Path, start: int = 0) -> None:
        self.start = start
        self.lines = 0
        """Line ends found so far."""
        self._path = path
        self._read = start
        self._offsets = [start]

    def advance(self, to: int) -> None:
        """Take in the file up to the byte `to`."""
        import numpy as np

        if to <= self._read:
            return
        with open(self._path, "rb") as file:
            file.seek(self._read)
            while self._read < to:
                data = file.read(min(CHUNK, to - self._read))
                if not data:
                    return
                ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
                marks = ends[EVERY - 1 - self.lines % EVERY :: EVERY] + self._read + 1
                self._offsets += marks.tolist()
                self.lines += len(ends)
                self._read += len(data)

    def read(self, first: int, count: int) -> list[str]:
        """Return the lines from number `first` on, at most `count` and `MOST_LINES` of them."""
        first, count = max(0, first), min(count, MOST_LINES)
        found: list[str] = []
        if first > self.lines or count < 1:
            return found
        with open(self._path, "rb") as file:
            file.seek(self._offsets[first // EVERY])
            for _ in range(first % EVERY):
                file.readline()
            while len(found) < count and file.tell() < self._read:
                found.append(_shown(file.readline()))
        return found

    def find(self, text: str) -> tuple[list[int], bool]:
        """Return the numbers of the lines that contain `text`, in any case; whether there are more than are told."""
        import numpy as np

        pattern = re.compile(re.escape(text.encode()), re.IGNORECASE)
        found: list[int] = []
        passed = 0
        rest = b""
        with open(self._path, "rb") as file:
            file.seek(self.start)
            at = self.start
            while at < self._read:
                data = file.read(min(CHUNK, self._read - at))
                if not data:
                    break
                at += len(data)
                data = rest + data
                cut = data.rfind(b"\n") + 1 if at < self._read else len(data)
                rest, data = data[cut:], data[:cut]
                ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
                hits = np.fromiter((match.start() for match in pattern.finditer(data)), np.int64)
                numbers = np.unique(np.searchsorted(ends, hits)) + passed
                found += numbers.tolist()
                passed += len(ends)
                if len(found) > MOST_FOUND:
                    return found[:MOST_FOUND], True
        return found, False


def _shown(line: bytes) -> str:
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    if len(line) > LONGEST:
        # Of a line that was written over and over only the last states can be seen.
        over = line.find(b"\r", len(line) - LONGEST)
        line = line[over:] if over >= 0 else line[:LONGEST] + " …".encode()
    return line.decode("utf-8", "replace")
