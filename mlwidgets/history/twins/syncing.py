"""A notebook and its twin are made to say the same again, by content and against what they last both said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlwidgets.history.twins.results import Choice, Conflict, Synced

__all__ = ["Conflict", "Synced", "settle", "sync"]


def sync(notebook: Path, *, choose: Choice | None = None) -> Synced:
    """Let what changed on one side come to the other; never raises for what lies in files, folders or settings.

    Parameters
    ----------
    notebook
        The notebook or its twin.
    choose
        Whose version stays where both sides changed a cell; without it these are conflicts, and nothing is written.
    """
    raise NotImplementedError


def settle(notebook: Path, choices: Mapping[str, Choice]) -> Synced:
    """Carry out decisions on conflicts, by their ids; what does not conflict is merged, too.

    Conflicts without a decision, and those of which either version has changed since, are returned again and stay as
    they are on both sides.
    """
    raise NotImplementedError
