"""A run's result as a mapping that is loaded when it is first looked into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from mlwidgets.errors import ResultNotAvailable
from mlwidgets.runs.folder import RunFolder


class Result(Mapping[str, Any]):
    """The names that a run's code bound or changed in place.

    Looking at the keys loads nothing; the first value loads them all, so that what shared memory still does.
    """

    def __init__(self, title: str, names: list[str], missing: dict[str, str], load: Callable[[], dict[str, Any]]):
        self._title = title
        self._names = names
        self._missing = missing
        self._load = load
        self._values: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        if name in self._missing:
            raise ResultNotAvailable(f"{self._title} has no result {name!r}: {self._missing[name]}")
        if name not in self._names:
            raise KeyError(f"{self._title} has no result {name!r}; it has: {', '.join(self._names) or 'none'}")
        if self._values is None:
            self._values = self._load()
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        lost = f"; not sent back: {', '.join(self._missing)}" if self._missing else ""
        return f"<Result of {self._title}: {', '.join(self._names) or 'nothing'}{lost}>"


class ResultOpener(Protocol):
    """Reads what a run left behind: the one who knows how it was frozen."""

    def open_result(self, folder: RunFolder, title: str) -> Result:
        """Return the result of the run in `folder`."""

    def load_exception(self, folder: RunFolder, error: dict[str, Any]) -> BaseException:
        """Return what the run's code raised."""
