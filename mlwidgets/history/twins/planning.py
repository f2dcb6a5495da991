"""Pairing the notebooks of a folder with text, and taking that back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PERCENT = "py:percent"


@dataclass(frozen=True)
class Plan:
    """What would be written.

    Parameters
    ----------
    folder
        Whose notebooks are paired, with those in the folders below it.
    format
        Of the twins, as Jupytext writes it.
    settings
        The file with Jupytext's settings.
    before, after
        Its content now (None: it is not there) and then; the same where it says so already.
    write
        Notebooks with the twins that would be written.
    present
        Notebooks with twins that are there already.
    apart
        Notebooks that stay without a twin, each with the reason: their metadata say so then.
    """

    folder: Path
    format: str
    settings: Path
    before: bytes | None
    after: bytes
    write: tuple[tuple[Path, Path], ...] = ()
    present: tuple[tuple[Path, Path], ...] = ()
    apart: tuple[tuple[Path, str], ...] = ()


def plan(folder: Path, format: str | None = None) -> Plan:  # noqa: A002
    """Return what pairing the notebooks of a folder would write; writes nothing.

    Parameters
    ----------
    format
        ``py:percent``, ``md``, ``md:myst``, ``Rmd``, ``qmd`` or another one that Jupytext knows; by default what
        settings that are there say, else ``py:percent``.

    Raises
    ------
    TwinError
        If settings that are there say something else, or Jupytext does not know the format.
    """
    raise NotImplementedError


def pair(plan: Plan) -> list[str]:
    """Write what was planned; return a line for each notebook with which something is wrong."""
    raise NotImplementedError


def unpair(notebook: Path) -> Path | None:
    """Let a notebook have no twin from now on: its metadata say so; return the text file, which stays as it is.

    Raises
    ------
    TwinError
        If the notebook cannot be written.
    """
    raise NotImplementedError
