"""What becomes of a notebook's twins when it is paired in another format."""

from __future__ import annotations

from pathlib import Path

from mlwidgets.errors import MlwidgetsError
from mlwidgets.history.merging import documents
from mlwidgets.history.setup.record import replace
from mlwidgets.history.twins.bases import Bases
from mlwidgets.history.twins.conversion import notebook_of, say_the_same, text_of
from mlwidgets.history.twins.keeping import keep_twin
from mlwidgets.history.twins.pairing import Pairing, Settings, pairings_of
from mlwidgets.history.twins.reading import decoded, read_side


def left_twins(notebook: Path, settings: Path, using: Settings) -> tuple[Pairing, ...]:
    """Return the pairings with text files that are there, and are no twins any more with other settings.

    Parameters
    ----------
    settings
        The file that is about to say so; what another file says stays.
    using
        What it will say.
    """
    then = {one.twin for one in pairings_of(notebook, using)}
    if not then:
        return ()
    return tuple(
        one for one in pairings_of(notebook) if one.source == settings and one.twin not in then and one.twin.is_file()
    )


def reason_to_stay(pairing: Pairing) -> str:
    """Return why a twin that is left may not be removed; empty where all that it says is in its notebook.

    Raises
    ------
    MlwidgetsError
        If one of the files cannot be read.
    """
    side, base = read_side(pairing.twin), Bases(pairing.notebook.parent).load(pairing)
    if base is not None and side.digest == base.digests[1]:
        return ""
    raw = documents.load(pairing.notebook).raw
    if say_the_same(notebook_of(decoded(side), pairing), notebook_of(text_of(raw, pairing), pairing)):
        return ""
    return "it says something else than its notebook; sync them first, or remove it yourself"


def leave(pairing: Pairing) -> str | None:
    """Remove a twin that is left, once its text is kept in the notebook's history; return why it stays, if it does."""
    bases = Bases(pairing.notebook.parent)
    try:
        with bases.alone():
            # Read first: what is written after this is not removed.
            side = read_side(pairing.twin)
            reason = reason_to_stay(pairing)
            if reason:
                return f"{pairing.twin} stays: {reason}"
            keep_twin(pairing, documents.load(pairing.notebook).raw, side)
            replace(pairing.twin, None, side.data)
            bases.forget(pairing)
    except MlwidgetsError as error:
        return f"{pairing.twin} stays: {error}"
    return None
