"""What a notebook becomes once its twins come to it; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlwidgets.history.merging import documents
from mlwidgets.history.merging.documents import Document
from mlwidgets.history.notebooks.notebook import read_notebook
from mlwidgets.history.twins.bases import Base, Bases
from mlwidgets.history.twins.carrying import carried
from mlwidgets.history.twins.conversion import notebook_of, stripped
from mlwidgets.history.twins.deciding import Decided
from mlwidgets.history.twins.pair import Pair
from mlwidgets.history.twins.pairing import Pairing, pairings_of
from mlwidgets.history.twins.reading import Side, decoded, read_notebook_side, read_side
from mlwidgets.history.twins.results import Choice, Conflict, Synced
from mlwidgets.history.twins.syncing import synced_by


@dataclass(frozen=True)
class Ahead:
    """What there is to come to a notebook.

    Parameters
    ----------
    twin, format
        Its twin, the first one of several.
    notebook
        The bytes that it becomes; None where it stays as it is, and while there are conflicts.
    conflicts
        What is to be decided first.
    kinds
        Of the notebook's cells, in order: ``code``, ``markdown`` or ``raw``.
    base
        What both sides have in common once the notebook has become that; None where the twin brings nothing.
    """

    twin: Path
    format: str
    notebook: bytes | None = None
    conflicts: tuple[Conflict, ...] = ()
    kinds: tuple[str, ...] = ()
    base: Base | None = None


def look(
    path: Path, content: bytes | None = None, choices: Mapping[str, Choice] | None = None, base: Base | None = None
) -> Ahead | None:
    """Return what a notebook becomes with what its twins say; None where it has no twin.

    Parameters
    ----------
    content
        Of the notebook while somebody edits it, without outputs; by default what is in the file.
    choices
        Decisions on conflicts, by their ids.
    base
        What both sides have in common, of a notebook with one twin; by default what both files last said.

    Raises
    ------
    MlwidgetsError
        If one of the files cannot be read: one line that says why.
    """
    found: Ahead | None = None
    pairings = pairings_of(path)
    for pairing in pairings:
        now = found.notebook if found and found.notebook is not None else content
        one = _look(pairing, now, choices or {}, base if len(pairings) == 1 else None)
        if found is None or one.notebook is not None or one.conflicts:
            found = one if found is None else Ahead(found.twin, found.format, one.notebook, one.conflicts, one.kinds)
        if found.conflicts:
            break
    return found


def write_twins(path: Path) -> Synced:
    """Let the twins of a notebook say what it does; the notebook itself, which somebody has open, is not written.

    What a twin says that the notebook does not stays in it, and `look` tells of it.
    """
    return synced_by(path, lambda _: None, _Writing)


def agree_on(path: Path, base: Base) -> None:
    """Take note of what both files of a notebook with one twin have in common from now on.

    Raises
    ------
    MlwidgetsError
        If it cannot be written.
    """
    pairings = pairings_of(path)
    if len(pairings) == 1:
        bases = Bases(path.parent)
        bases.prepare()
        with bases.alone():
            bases.save(pairings[0], base)


def _look(pairing: Pairing, content: bytes | None, choices: Mapping[str, Choice], base: Base | None) -> Ahead:
    bases = Bases(pairing.notebook.parent)
    base = base or bases.load(pairing)
    twin = read_side(pairing.twin, base.digests[1] if base else "")
    side: Side
    ours: Document | None
    if content is None:
        side, ours = read_notebook_side(pairing)
    else:
        side, ours = Side(pairing.notebook, content, None), documents.read(content, str(pairing.notebook))
    if twin.data is None or ours is None:
        return Ahead(pairing.twin, pairing.format)
    kinds = tuple(cell.kind for cell in ours.cells)
    pair = _Looking(pairing, bases, lambda conflict: choices.get(conflict.id))
    synced = pair._both(base, side, ours, twin)
    conflicts = () if synced is None else synced.conflicts
    becomes = None if conflicts else pair.becomes
    return Ahead(pairing.twin, pairing.format, becomes, conflicts, kinds, None if conflicts else pair.common)


@dataclass
class _Looking(Pair):
    """Finds out what would be written, and writes nothing."""

    becomes: bytes | None = None
    common: Base | None = None

    def _remember(self, raw: dict[str, Any], text: str, notebook: bytes, twin: bytes) -> None:
        pass

    def _merge(
        self, base: Base, side: Side, ours: Document, twin: Side, now: Document, *, known: bool
    ) -> Synced | None:
        if known:
            origin = Document(b"base", base.notebook, read_notebook(base.notebook, "the base").cells)
            theirs, _ = carried(origin, notebook_of(base.text, self.pairing), now)
            self.common = Base(stripped(theirs.raw), decoded(twin), self.pairing.format)
        return super()._merge(base, side, ours, twin, now, known=known)

    def _write_twin(self, base: Base, side: Side, ours: Document, twin: Side) -> Synced:
        return self._synced()

    def _write_both(self, result: Decided, side: Side, ours: Document, twin: Side, now: Document) -> Synced:
        if result.notebook != ours.raw:
            self.becomes = ours.written(result.notebook)
        return Synced(conflicts=result.conflicts)


@dataclass
class _Writing(Pair):
    """Writes twins alone."""

    def _make_notebook(self, base: Base | None, twin: Side) -> Synced:
        return self._synced()

    def _write_both(self, result: Decided, side: Side, ours: Document, twin: Side, now: Document) -> Synced | None:
        if result.notebook != ours.raw:
            return self._synced()
        return super()._write_both(result, side, ours, twin, now)
