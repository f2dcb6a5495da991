"""A process that has imported Jupytext already, so that a twin is written a few milliseconds after a save."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlwidgets.history.twins.results import Choice, Synced


class Helper:
    """The process; it starts when it is first needed, again when it has died, and ends with whoever holds this.

    Its methods may be called from any thread, and wait for one another.
    """

    def sync(self, notebook: Path, *, choose: Choice | None = None) -> Synced:
        """Do what `mlwidgets.history.twins.syncing.sync` does, in the process."""
        raise NotImplementedError

    def settle(self, notebook: Path, choices: Mapping[str, Choice]) -> Synced:
        """Do what `mlwidgets.history.twins.syncing.settle` does, in the process."""
        raise NotImplementedError

    def close(self) -> None:
        """End the process."""
        raise NotImplementedError
