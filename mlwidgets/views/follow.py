"""What changed in a run folder since one last looked, for views that are kept up to date."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runs.displays import Replay
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import parse_line
from mlwidgets.views.changes import read_changes
from mlwidgets.views.checkpoints import read_kept
from mlwidgets.views.data import OUTPUT_BYTES, read_header, read_progress
from mlwidgets.views.details import list_files, read_details
from mlwidgets.views.grouping import place_system
from mlwidgets.views.lines import LineIndex
from mlwidgets.views.media import MediaFeed
from mlwidgets.views.sweep import definition_of, progress_of
from mlwidgets.views.sweepfeed import SweepFeed
from mlwidgets.views.tracks import Sent, Track, Tracks, about, pack, size_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlwidgets.runs.run import Run

HEADER_INTERVAL = 0.25
"""Seconds between two looks at state and place in the queue, which cost more than the size of a file."""
DETAILS_INTERVAL = 2.0
MOST_NEW_OUTPUT = 4 * OUTPUT_BYTES
"""Bytes: where more than this was printed between two looks, a view is sent the end of it alone."""

Changes = dict[str, Any]
"""Parts of a view: header, progress, series, system, output, displays, details, and what a sweep has besides; bytes
where there are many numbers."""


class Follower:
    """Reads a run again and again, and each byte of its files once."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._folder = folder = RunFolder(run.path)
        self._metrics = _Metrics(Tracks(folder.metrics, folder.events, "metric"))
        self._system = _Metrics(Tracks(folder.system, folder.events, "system", place_system))
        self._screen = _Screen(folder)
        self._media = MediaFeed(run)
        asked = definition_of(run)
        self._sweep = SweepFeed(run, asked) if asked else None
        self._header: dict[str, Any] = {}
        self._progress: dict[str, Any] | None = None
        self._details: dict[str, Any] = {}
        self._header_due = self._details_due = 0.0
        self._known = (0, 0)
        self._gathered: tuple[Any, ...] = ()
        self._said: tuple[int, int] | None = None

    @property
    def ended(self) -> bool:
        """Whether the run had ended when one last looked: what was told of it then was all."""
        return self._header.get("ended") is not None

    @property
    def lines(self) -> LineIndex:
        """The output by line numbers."""
        return self._screen.index

    def changes(self) -> Changes:
        """Return what is new since the last call; everything the first time.

        The header is read first: once it tells of an end state, the other parts of the same call are complete.
        """
        found: Changes = {}
        now = time.monotonic()
        known = (size_of(self._folder.outcome), size_of(self._folder.stop_request))
        if now >= self._header_due or known != self._known:
            self._header_due, self._known = now + HEADER_INTERVAL, known
            self._said = _sign(self._folder.annotations)
            header = read_header(self.run)
            if header != self._header:
                found["header"] = self._header = header
            if self._gathered_now() != self._gathered:
                self._details_due = now
        if series := self._metrics.changes():
            found["series"] = series
        if system := self._system.changes():
            found["system"] = system
        found.update(self._screen.changes())
        if media := self._media.changes(last=self.ended):
            found["media"] = media
        if self._sweep and (news := self._sweep.changes(ended=self.ended)):
            found["sweep"] = news
        if series or "header" in found or "sweep" in found:
            done = self._read_progress()
            if done != self._progress:
                found["progress"] = self._progress = done
        if now >= self._details_due or "header" in found:
            self._details_due = now + DETAILS_INTERVAL
            details = self._read_details()
            if details != self._details:
                found["details"] = self._details = details
        return found

    def annotated(self) -> Changes:
        """Return what may still change of a run that has ended: what the user says of it, what is found out late."""
        said = _sign(self._folder.annotations)
        late = self._gathered_now() != self._gathered
        # One that was deleted meanwhile is shown as it was.
        if (said == self._said and not late) or not self._folder.outcome.exists():
            return {}
        found: Changes = {}
        try:
            if late and (details := self._read_details()) != self._details:
                found["details"] = self._details = details
            header = read_header(self.run)
        except (MlwidgetsError, OSError):
            return found
        self._said = said
        if header != self._header:
            found["header"] = self._header = header
        return found

    def full(self) -> Changes:
        """Return everything as it was when one last looked: what `changes` says next adds to it."""
        return {
            "header": self._header,
            "progress": self._progress,
            "series": self._metrics.full(),
            "system": self._system.full(),
            **self._screen.full(),
            "details": self._details,
            "media": self._media.shown,
            **({"sweep": self._sweep.full()} if self._sweep else {}),
        }

    def _read_progress(self) -> dict[str, Any] | None:
        if self._header["ended"] is not None:
            return None
        if self._sweep:
            return progress_of(self._sweep.status)
        done = read_progress(self.run, list(self._metrics.tracks.by_name.values()), self._header)
        return asdict(done) if done else None

    def _read_details(self) -> dict[str, Any]:
        self._gathered = self._gathered_now()
        if self._details.get("packages"):
            found = {"files": list_files(self.run), "changes": read_changes(self.run)}
            return {**self._details, **found, "checkpoints": read_kept(self.run)}
        return read_details(self.run)

    def _gathered_now(self) -> tuple[Any, ...]:
        """Return the signs of what is found out about a run beside it, and may come after the end of a short one."""
        return tuple(_sign(one) for one in (self._folder.environment, self._folder.snapshot, self._folder.verdict))


class _Metrics:
    """Metrics on their way to a view: each point is told once."""

    def __init__(self, tracks: Tracks) -> None:
        self.tracks = tracks
        self._sent: dict[str, tuple[Track, Sent]] = {}

    def changes(self) -> list[dict[str, Any]]:
        grown = self.tracks.advance()
        return [self._next(one) for name, one in self.tracks.by_name.items() if name in grown]

    def full(self) -> list[dict[str, Any]]:
        every = self.tracks.by_name.values()
        return [{**about(one), "keep": 0, "points": pack(one.reducer.points())} for one in every]

    def _next(self, one: Track) -> dict[str, Any]:
        before, sent = self._sent.get(one.name, (None, None))
        if sent is None or before is not one:
            sent = Sent()
            self._sent[one.name] = one, sent
        keep, points = sent.next(one.reducer)
        return {**about(one), "keep": keep, "points": pack(points)}


class _Screen:
    """Output and displays, which clear_output ties together."""

    def __init__(self, folder: RunFolder) -> None:
        self.index = LineIndex(folder.output)
        self._folder = folder
        self._replay = Replay()
        self._displays_read = 0
        self._shown: list[dict[str, Any]] = []
        self._read = 0
        self._first = True

    def changes(self) -> Changes:
        found: Changes = {}
        size = size_of(self._folder.output)
        news = self._read_displays()
        if not news and size == self._read and not self._first:
            return found
        displays, cleared = self._replay.on_show(size)
        if news or self._first:
            shown = [{"data": one.data, "metadata": one.metadata} for one in displays]
            if shown != self._shown or self._first:
                found["displays"] = self._shown = shown
        begins_anew = cleared != self.index.start or self._first
        if cleared != self.index.start:
            self.index = LineIndex(self._folder.output, cleared)
            if not displays and self._shown:
                found["displays"] = self._shown = []
        if begins_anew or size - self._read > MOST_NEW_OUTPUT:
            self._read = size
            found["output"] = self._tail()
        elif size > self._read:
            text = _read(self._folder.output, self._read, size)
            self._read += len(text)
            self.index.advance(self._read)
            if text:
                found["output"] = {"add": text.decode("utf-8", "replace"), "lines": self.index.lines}
        self._first = False
        return found

    def full(self) -> Changes:
        return {"displays": self._shown, "output": self._tail()}

    def _read_displays(self) -> bool:
        data = _read(self._folder.displays, self._displays_read, size_of(self._folder.displays))
        whole = data.rfind(b"\n") + 1
        self._displays_read += whole
        for line in data[:whole].split(b"\n"):
            if entry := parse_line(line):
                self._replay.feed(entry)
        return whole > 0

    def _tail(self) -> dict[str, Any]:
        """Return the end of what was read: whole lines, unless one alone is longer than that."""
        self.index.advance(self._read)
        start = max(self.index.start, self._read - OUTPUT_BYTES)
        data = _read(self._folder.output, start, self._read)
        if start > self.index.start:
            data = data.partition(b"\n")[2] or data
        before = self.index.lines - data.count(b"\n")
        return {
            "text": data.decode("utf-8", "replace"),
            "first": before,
            "lines": self.index.lines,
            "cut": start > self.index.start,
        }


def _sign(path: Path) -> tuple[int, int] | None:
    """Return what differs once a file was replaced, None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _read(path: Path, start: int, end: int) -> bytes:
    """Return the bytes between two offsets, without the beginning of a character whose end is not there yet."""
    if end <= start:
        return b""
    try:
        with open(path, "rb") as file:
            file.seek(start)
            data = file.read(end - start)
    except OSError:
        return b""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if back < needed else data
        if byte < 0x80:
            break
    return data
