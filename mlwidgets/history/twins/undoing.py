"""Taking back that a folder's notebooks are paired."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlwidgets.errors import TwinError
from mlwidgets.history.setup.record import content, replace
from mlwidgets.history.twins.bases import Bases
from mlwidgets.history.twins.pairing import pairing_of
from mlwidgets.history.twins.planning import say_formats
from mlwidgets.history.twins.reading import read_side
from mlwidgets.history.twins.record import Pairs


@dataclass(frozen=True)
class Undo:
    """What would be taken back.

    Parameters
    ----------
    settings
        The file that is put back as it was before.
    remove
        Twins that were made by the pairing and say what their notebooks do.
    stay
        Files that stay as they are, each with the reason.
    apart
        Notebooks whose metadata no longer say that they have no twin.
    """

    settings: Path
    before: bytes | None
    remove: tuple[Path, ...] = ()
    stay: tuple[tuple[Path, str], ...] = ()
    apart: tuple[Path, ...] = ()


def plan_undo(folder: Path) -> list[Undo]:
    """Return what taking back the pairing of a folder would do, for each file with settings; writes nothing."""
    folder = Path(os.path.realpath(folder))
    bases = Bases(folder)
    found = []
    for settings, before, after, twins, apart in Pairs(bases).of(folder):
        stay: list[tuple[Path, str]] = []
        now = content(settings)
        edited = now not in (after, before)
        if edited:
            stay.append((settings, "it was edited since: take formats out of it"))
        remove = []
        for twin in twins:
            if not twin.exists():
                continue
            reason = _reason_to_stay(twin, bases)
            if reason:
                stay.append((twin, reason))
            else:
                remove.append(twin)
        alone = [one for one in apart if one.exists() and pairing_of(one) is None]
        found.append(Undo(settings, now if edited else before, tuple(remove), tuple(stay), tuple(alone)))
    return found


def _reason_to_stay(twin: Path, bases: Bases) -> str:
    try:
        pairing = pairing_of(twin)
    except TwinError as error:
        return str(error)
    base = bases.load(pairing) if pairing is not None else None
    if pairing is None or not pairing.notebook.exists():
        return "no notebook is paired with it any more"
    if base is None:
        return "it is not known what its notebook said"
    sides = (read_side(pairing.notebook).digest, read_side(twin).digest)
    return "" if sides == base.digests else "it says something else than its notebook: sync them first"


def undo(undos: Sequence[Undo]) -> None:
    """Take back what was planned.

    Raises
    ------
    HistoryError
        If something cannot be written; what is left can be taken back again.
    """
    for one in undos:
        bases = Bases(one.settings.parent)
        pairings = [pairing_of(twin) for twin in one.remove]
        for twin in one.remove:
            replace(twin, None)
        for pairing in pairings:
            if pairing is not None:
                bases.forget(pairing)
        replace(one.settings, one.before)
        for notebook in one.apart:
            say_formats(notebook, None)
        Pairs(bases).forget(one.settings)
