"""What became of a notebook and its twin, and what is to be decided."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Choice = Literal["notebook", "twin", "both"]
"""Whose version of a cell stays; ``both``: the notebook's, and below it the twin's as a cell of its own."""
Side = Literal["notebook", "twin"]


@dataclass(frozen=True)
class Conflict:
    """A cell that was changed on both sides since they last said the same.

    Parameters
    ----------
    id
        Of the conflict: of the cell and of both versions, so that nobody decides on what has changed since.
    cell
        Its number in the notebook, from 1; where it is deleted there, the number that it would have.
    notebook, twin
        The source on either side; empty where it is deleted there.
    base
        What it was when both sides last said the same; None where that is not known.
    deleted
        The side on which the cell is gone.
    """

    id: str
    cell: int
    notebook: str
    twin: str
    base: str | None = None
    deleted: Side | None = None


@dataclass(frozen=True)
class Synced:
    """What was done to make both sides say the same.

    Parameters
    ----------
    changed
        Which files were written.
    conflicts
        What is to be decided first; while there are some, no file is written.
    problem
        Why nothing could be done, in one line that says what to do; None where all is well.
    twin
        The text file; None where the notebook has none.
    """

    changed: Literal["none", "twin", "notebook", "both"] = "none"
    conflicts: tuple[Conflict, ...] = ()
    problem: str | None = None
    twin: Path | None = None
