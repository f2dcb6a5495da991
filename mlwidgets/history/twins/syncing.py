"""A notebook and its twin are made to say the same again, by content and against what they last both said."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from mlwidgets.errors import MlwidgetsError
from mlwidgets.history.twins import known
from mlwidgets.history.twins.bases import Bases
from mlwidgets.history.twins.deciding import Decide
from mlwidgets.history.twins.pair import Pair
from mlwidgets.history.twins.pairing import NOTEBOOK, Pairing, pairings_of
from mlwidgets.history.twins.results import Choice, Conflict, Synced

__all__ = ["Conflict", "Synced", "follow_rename", "settle", "sync"]

_TRIES = 10
Changed = Literal["none", "twin", "notebook", "both"]


def sync(notebook: Path, *, choose: Choice | None = None) -> Synced:
    """Let what changed on one side come to the other; never raises for what lies in files, folders or settings.

    Parameters
    ----------
    notebook
        The notebook or its twin.
    choose
        Whose version stays where both sides changed a cell; without it these are conflicts, and nothing is written.
    """
    return synced_by(notebook, lambda _: choose)


def settle(notebook: Path, choices: Mapping[str, Choice]) -> Synced:
    """Carry out decisions on conflicts, by their ids; what does not conflict is merged, too.

    Conflicts without a decision, and those of which either version has changed since, are returned again and stay as
    they are on both sides. Where it is not known what both sides said last, all are decided together or none.
    """
    return synced_by(notebook, lambda conflict: choices.get(conflict.id))


def synced_by(path: Path, decide: Decide, kind: type[Pair] = Pair) -> Synced:
    """Do what `sync` does, by a way of its own to write what has to be written."""
    found = known.synced(path)
    if found is not None:
        return found
    try:
        pairings = pairings_of(path)
        agreed: dict[Path, known.Digests | None] = {}
        done = [_sync_one(one, decide, kind, agreed) for one in pairings]
        if len(pairings) > 1 and done[-1].changed in {"notebook", "both"}:
            # What came from the last twin goes to the others.
            done += [_sync_one(one, decide, kind, agreed) for one in pairings[:-1]]
    except MlwidgetsError as error:
        return Synced(problem=str(error))
    except OSError as error:
        return Synced(problem=f"{error.filename or path}: {error.strerror or error}")
    if not done:
        return Synced()
    if path.suffix == NOTEBOOK:
        digests = [both for both in agreed.values() if both is not None]
        if len(digests) == len(pairings):
            known.note(pairings, digests)
    written = {side for one in done for side in ("twin", "notebook") if one.changed in {side, "both"}}
    changed: Changed = "both" if len(written) == 2 else "twin" if "twin" in written else "none"
    return Synced(
        "notebook" if written == {"notebook"} else changed,
        tuple(conflict for one in done for conflict in one.conflicts),
        next((one.problem for one in done if one.problem), None),
        done[0].twin,
    )


def _sync_one(pairing: Pairing, decide: Decide, kind: type[Pair], agreed: dict[Path, known.Digests | None]) -> Synced:
    bases = Bases(pairing.notebook.parent)
    try:
        bases.prepare()
        with bases.alone():
            for _ in range(_TRIES):
                pair = kind(pairing, bases, decide)
                result = pair.sync()
                if result is not None:
                    agreed[pairing.twin] = pair.digests
                    return result
    except MlwidgetsError as error:
        return Synced(problem=str(error), twin=pairing.twin)
    except OSError as error:
        return Synced(problem=f"{error.filename or pairing.twin}: {error.strerror or error}", twin=pairing.twin)
    return Synced(problem=f"{pairing.twin} is being written by somebody else; sync again", twin=pairing.twin)


def follow_rename(old: Path, new: Path) -> None:
    """Let a notebook that was renamed keep its twin: the twin is renamed, too, unless another file is in its place.

    Raises
    ------
    TwinError
        If the twin cannot be renamed, or the pairing cannot be read.
    """
    new = Path(os.path.realpath(new))
    old = Path(os.path.realpath(old.parent), old.name)
    for pairing in pairings_of(new):
        bases = Bases(new.parent)
        bases.prepare()
        with bases.alone():
            Pair(pairing, bases, lambda _: None).take_over(old)
