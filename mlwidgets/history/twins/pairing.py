"""Which text file is a notebook's twin: what Jupytext's own settings say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pairing:
    """A notebook and its twin.

    Parameters
    ----------
    notebook, twin
        Both files, links resolved; either may not be there yet.
    format
        Of the twin, as Jupytext writes it: ``py:percent``.
    source
        The file with the settings that say so: the notebook itself where its metadata do.
    """

    notebook: Path
    twin: Path
    format: str
    source: Path


def may_be_paired(path: Path) -> bool:
    """Return False where a file has no pairing for sure; takes well under a millisecond and imports nothing."""
    raise NotImplementedError


def pairing_of(path: Path) -> Pairing | None:
    """Return the pairing of a notebook, or of the notebook that a text file is the twin of; None where there is none.

    Raises
    ------
    TwinError
        If Jupytext is not installed, or its settings cannot be read: one line that says which, and what to do.
    """
    raise NotImplementedError
