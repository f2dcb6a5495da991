"""``--deterministic``: torch uses operations that give the same bits each time, and what has no such form is told."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, SupportsIndex

from mlwidgets.capture.ambient import set_deterministic
from mlwidgets.capture.onimport import when_imported
from mlwidgets.runs.journal import LineWriter
from mlwidgets.runs.nondeterminism import EVENT, sentence
from mlwidgets.tracking.active import tell_once

# Context.cpp and the attention kernels of torch say so; each name is that of the operation.
_SAID = re.compile(
    r"(?P<without>\S+) does not have a deterministic implementation"
    r"|(?P<default>.{1,80}?) defaults to a non-deterministic algorithm"
    r"|Deterministic behavior was enabled .{0,300}not deterministic because it uses (?P<library>\w+)",
    re.DOTALL,
)


def switch_on(events: LineWriter, name_of: Callable[[str], str]) -> None:
    """Make torch deterministic, now or when it is imported, and record what cannot be.

    Parameters
    ----------
    events
        Where an event is written for each operation, once.
    name_of
        Returns how tracebacks call a file of code.
    """
    # In front of the filters of the code, which may want to see no warnings: this is no opinion of torch's.
    warnings.filters = _Filters(("ignore", Listener(events, name_of), Warning, None, 0), warnings.filters)  # type: ignore[arg-type]
    getattr(warnings, "_filters_mutated", lambda: None)()
    when_imported("torch", _set_switches)


def _set_switches(torch: Any) -> None:
    if not torch.are_deterministic_algorithms_enabled():
        # Code that has chosen errors keeps them.
        set_deterministic(torch, "warn")
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


class Listener:
    """Stands in a warnings filter where the pattern of a message does, and so hears each warning that torch gives."""

    def __init__(self, events: LineWriter, name_of: Callable[[str], str]) -> None:
        self._events = events
        self._name_of = name_of
        self._heard: set[str] = set()

    def match(self, text: str) -> bool:
        """Whether it is about an operation that is not deterministic; tells of it the first time."""
        said = _SAID.match(text)
        if said is None:
            return False
        operation = said["without"] or said["default"] or said["library"]
        if operation not in self._heard:
            self._heard.add(operation)
            # torch's own threads have no frame of Python's before this one.
            self._tell(operation, self._where(sys._getframe().f_back))
        return True

    def _tell(self, operation: str, where: str) -> None:
        tell_once(f"{sentence(operation, where)}: a rerun may differ from there on, in the last bits")
        try:
            self._events.write(EVENT, operation=operation, where=where)
        except OSError as problem:
            tell_once(f"that is not recorded: {problem.strerror}. The code goes on.")

    def _where(self, frame: FrameType | None) -> str:
        """Return the line of the code that led to torch."""
        while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in {"torch", "warnings"}:
            frame = frame.f_back
        return "" if frame is None else f"{self._name_of(frame.f_code.co_filename)}, line {frame.f_lineno}"

    def __reduce__(self) -> Any:
        # Libraries send the filters to processes of theirs, where nobody records anything.
        return re.compile, ("(?!)",)


class _Filters(list[Any]):
    """Warnings filters of which the first one stays the first."""

    def __init__(self, first: Any, others: list[Any]) -> None:
        super().__init__([first, *others])
        self._first = first

    def insert(self, at: SupportsIndex, item: Any) -> None:
        super().insert(max(1, int(at)) if int(at) >= 0 else at, item)

    def __getitem__(self, which: Any) -> Any:
        found = super().__getitem__(which)
        # ``warnings.catch_warnings`` goes on with a copy.
        return _Filters(self._first, found[1:]) if isinstance(which, slice) and found[:1] == [self._first] else found

    def __setitem__(self, which: Any, items: Any) -> None:
        super().__setitem__(which, items)
        if self[:1] != [self._first]:
            super().insert(0, self._first)

    def __reduce__(self) -> Any:
        return list, (list(self),)


def name_of_file(name: str) -> str:
    """Return a file's name as seen from the working directory."""
    path = Path(name)
    return str(path.relative_to(os.getcwd())) if path.is_relative_to(os.getcwd()) else name
