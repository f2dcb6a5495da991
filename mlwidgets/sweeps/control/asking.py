"""The search as the controller uses it: what takes long happens aside, and what was told meanwhile waits for it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from mlwidgets.runs.state import FAILED, FINISHED
from mlwidgets.runs.trials import TERMINATED
from mlwidgets.sweeps.search.study import Search

SLOW = frozenset({"gp"})
"""Samplers that may think for seconds."""
_Asked = tuple[int, dict[str, Any]]


class Asker:
    """One search."""

    def __init__(self, search: Search, sampler: str) -> None:
        self.search = search
        self.exhausted = False
        self._aside = ThreadPoolExecutor(1) if sampler in SLOW else None
        self._thinking: Future[_Asked | None] | None = None
        self._untold: list[tuple[int, Sequence[float] | None, str, int]] = []

    @property
    def is_thinking(self) -> bool:
        """Whether a question has not been answered."""
        return self._thinking is not None

    def ask(self) -> _Asked | None:
        """Return the next trial's number and parameters; None if there is none, or none yet."""
        if self._aside is None:
            self.catch_up()
            return self._checked(self.search.ask())
        if self._thinking is None:
            self._thinking = self._aside.submit(self.search.ask)
        if not self._thinking.done():
            return None
        answer = self._answered(self._thinking)
        self.catch_up()
        return self._checked(answer)

    def _checked(self, answer: _Asked | None) -> _Asked | None:
        self.exhausted = self.exhausted or answer is None
        return answer

    def settle(self) -> _Asked | None:
        """Wait until nothing is being thought about; return an answer that came too late."""
        if self._thinking is None:
            return None
        answer = self._answered(self._thinking)
        self.catch_up()
        return answer

    def _answered(self, question: Future[_Asked | None]) -> _Asked | None:
        """Return the answer; where there is none for want of room the question may be asked again."""
        try:
            return question.result()
        finally:
            self._thinking = None

    def tell(self, number: int, values: Sequence[float] | None, state: str, intervals: int = 1) -> None:
        """Tell how a trial ended, now or at the next question; what is neither finished nor terminated teaches nothing.

        Values that are not finite, or of a terminated trial none, are worse than everything.
        """
        known = state if state in {FINISHED, TERMINATED} else FAILED
        self._untold.append((number, values if known != FAILED else None, known, intervals))
        with contextlib.suppress(OSError):
            self.catch_up()

    def catch_up(self) -> None:
        """Tell what was not told yet, unless it is thinking.

        Raises
        ------
        OSError
            If there is no room; what was not told stays so.
        """
        while self._untold and self._thinking is None:
            number, values, state, intervals = self._untold[0]
            self.search.tell(number, values, state, intervals=intervals)
            del self._untold[0]

    def add(self, params: Mapping[str, Any], key: str) -> tuple[int, _Asked | None]:
        """Have these parameters tried next, once for each key.

        Returns
        -------
        int
            The trial's number.
        tuple or None
            A trial that was being thought about, with its parameters.
        """
        late = self.settle()
        self.exhausted = False
        return self.search.add(params, key), late

    def importance(self) -> dict[str, float] | None:
        """Return how much of the result each parameter explains; None if nobody can tell yet."""
        _import_importance()
        return self.search.importance()


def _import_importance() -> None:
    """Import what tells the importance without scikit-learn: another way to tell it would, for seconds."""
    absent = "sklearn" not in sys.modules
    if absent:
        sys.modules["sklearn"] = None  # type: ignore[assignment]
    try:
        import optuna.importance  # noqa: F401
    finally:
        if absent:
            del sys.modules["sklearn"]
