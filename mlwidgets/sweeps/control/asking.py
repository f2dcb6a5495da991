"""The search as the controller uses it: what takes long happens aside, and what was told meanwhile waits for it."""

from __future__ import annotations

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
            return self._checked(self.search.ask())
        if self._thinking is None:
            self._thinking = self._aside.submit(self.search.ask)
        if not self._thinking.done():
            return None
        answer, self._thinking = self._thinking.result(), None
        self._tell_all()
        return self._checked(answer)

    def _checked(self, answer: _Asked | None) -> _Asked | None:
        self.exhausted = self.exhausted or answer is None
        return answer

    def settle(self) -> _Asked | None:
        """Wait until nothing is being thought about; return an answer that came too late."""
        if self._thinking is None:
            return None
        answer, self._thinking = self._thinking.result(), None
        self._tell_all()
        return answer

    def tell(self, number: int, values: Sequence[float] | None, state: str, intervals: int = 1) -> None:
        """Tell how a trial ended; what is neither finished nor terminated teaches nothing."""
        known = state if state in {FINISHED, TERMINATED} and values is not None else FAILED
        self._untold.append((number, values if known != FAILED else None, known, intervals))
        if self._thinking is None:
            self._tell_all()

    def _tell_all(self) -> None:
        untold, self._untold = self._untold, []
        for number, values, state, intervals in untold:
            self.search.tell(number, values, state, intervals=intervals)

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
