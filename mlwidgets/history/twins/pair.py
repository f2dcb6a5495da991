"""One notebook and one twin: read both, find out what changed, write what has to be written."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlwidgets.errors import HistoryError, TwinError
from mlwidgets.history.merging import documents
from mlwidgets.history.merging.documents import Document
from mlwidgets.history.notebooks.notebook import encode, read_notebook
from mlwidgets.history.restoring import put_in_place
from mlwidgets.history.twins import keeping
from mlwidgets.history.twins.bases import Base, Bases, digest
from mlwidgets.history.twins.carrying import carried
from mlwidgets.history.twins.conversion import notebook_of, say_the_same, stripped, text_of
from mlwidgets.history.twins.deciding import Decide, Decided, clashes, decided
from mlwidgets.history.twins.origins import after_git, from_git, index_of
from mlwidgets.history.twins.pairing import Pairing
from mlwidgets.history.twins.reading import (
    Side,
    check_text,
    decoded,
    encoded,
    make_folder,
    read_notebook_side,
    read_side,
)
from mlwidgets.history.twins.results import Synced


@dataclass
class Pair:
    """A notebook and its twin while nobody else is at them.

    Parameters
    ----------
    decide
        Says whose version of a cell stays, None where nobody has decided.
    digests
        Of both files where they say the same now; None where they do not.
    """

    pairing: Pairing
    bases: Bases
    decide: Decide
    digests: tuple[str, str] | None = field(default=None, init=False)
    _read: dict[str, Document] = field(default_factory=dict, init=False, repr=False)

    def sync(self) -> Synced | None:
        """Let both say the same; None where one of them was written meanwhile.

        Raises
        ------
        MlwidgetsError
            If that cannot be: one line that says why.
        """
        base = self.bases.load(self.pairing)
        twin = read_side(self.pairing.twin, base.digests[1] if base else "")
        if base is not None and twin.digest == base.digests[1] and base.format == self.pairing.format:
            with contextlib.suppress(OSError):
                if digest(self.pairing.notebook.read_bytes()) == base.digests[0]:
                    self.digests = base.digests
                    return self._synced()
        side, ours = read_notebook_side(self.pairing)
        if ours is None:
            return self._make_notebook(base, twin)
        if twin.data is None:
            return self._make_twin(base, side, ours, twin)
        return self._both(base, side, ours, twin)

    def _meant(self, text: str) -> Document:
        """Return the notebook that a text says; Jupytext reads a long one for seconds, so it does once."""
        if text not in self._read:
            self._read[text] = notebook_of(text, self.pairing)
        return self._read[text]

    def _differs(self, ours: Document, base: Base) -> bool:
        """Return whether a notebook may have another text than the base has."""
        return stripped(ours.raw) != base.notebook or base.format != self.pairing.format

    def _synced(self) -> Synced:
        return Synced(twin=self.pairing.twin)

    def _remember(self, raw: dict[str, Any], text: str, notebook: bytes, twin: bytes) -> None:
        digests = digest(notebook), digest(twin)
        index = index_of(self.pairing.notebook.parent)
        self.bases.save(self.pairing, Base(stripped(raw), text, self.pairing.format, digests, index))
        self.digests = digests

    def _make_notebook(self, base: Base | None, twin: Side) -> Synced | None:
        """Make the notebook anew of what the twin says and what is known of its cells."""
        if twin.data is None:
            raise TwinError(f"there is no notebook {self.pairing.notebook}; check the path")
        text = decoded(twin)
        check_text(text, base.text if base else None, twin.path)
        now = self._meant(text)
        empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        before = base.notebook if base else empty
        known = Document(b"base", before, read_notebook(before, "the base").cells)
        read = self._meant(base.text) if base else Document(b"", empty, ())
        theirs, _ = carried(known, read, now)
        start = Document(b"{", {**empty, "metadata": theirs.raw["metadata"]}, ())
        raw = decided(documents.nothing(), start, theirs, []).notebook
        data = encode(raw)
        make_folder(self.pairing.notebook)
        if not put_in_place(self.pairing.notebook, data, None):
            return None
        self._remember(raw, text, data, twin.data)
        return replace(self._synced(), changed="notebook")

    def _make_twin(self, base: Base | None, side: Side, ours: Document, twin: Side) -> Synced | None:
        if base is None and self._take_over_lost(ours):
            return None
        text = text_of(ours.raw, self.pairing)
        data = encoded(text, twin)
        make_folder(self.pairing.twin)
        if not put_in_place(self.pairing.twin, data, None):
            return None
        self._remember(ours.raw, text, side.data or b"", data)
        return replace(self._synced(), changed="twin")

    def _both(self, base: Base | None, side: Side, ours: Document, twin: Side) -> Synced | None:
        text = decoded(twin)
        if base is not None and base.index != index_of(self.pairing.notebook.parent):
            base = after_git(self.pairing, side.data or b"", twin.data or b"", base) or base
        if base is not None and text == base.text:
            return self._write_twin(base, side, ours, twin)
        check_text(text, base.text if base else None, twin.path)
        now = self._meant(text)
        # Of a long notebook that takes seconds, so not where it is known.
        said = base.text if base is not None and not self._differs(ours, base) else text_of(ours.raw, self.pairing)
        told = self._meant(said)
        if say_the_same(now, told):
            self._remember(ours.raw, text, side.data or b"", twin.data or b"")
            return self._synced()
        if not now.cells and told.cells:
            raise TwinError(
                f"{twin.path} holds no cell any more: the notebook stays as it is; remove the text to have it "
                "written again"
            )
        known = base or from_git(self.pairing)
        if known is None:
            keeping.check_is_twin(now, told, text, twin.path, ours)
        return self._merge(known or Base(stripped(ours.raw), said, ""), side, ours, twin, now, known=known is not None)

    def _write_twin(self, base: Base, side: Side, ours: Document, twin: Side) -> Synced | None:
        """Write the twin of a notebook that changed; the twin did not."""
        text, result = base.text, self._synced()
        data = twin.data or b""
        if self._differs(ours, base):
            text = text_of(ours.raw, self.pairing)
            if text != base.text:
                data = encoded(text, twin)
                if base.index != index_of(self.pairing.notebook.parent) and keeping.has_more(base.text, text):
                    # Nobody may have meant that: git has put an older notebook there, say.
                    keeping.keep_twin(self.pairing, base.notebook, twin)
                if not put_in_place(twin.path, data, twin.state):
                    return None
                result = replace(result, changed="twin")
        self._remember(ours.raw, text, side.data or b"", data)
        return result

    def _merge(
        self, base: Base, side: Side, ours: Document, twin: Side, now: Document, *, known: bool
    ) -> Synced | None:
        origin = Document(b"base", base.notebook, read_notebook(base.notebook, "the base").cells)
        theirs, kept = carried(origin, self._meant(base.text), now)
        if not known:
            raw = {**base.notebook, "cells": [base.notebook["cells"][n] for n in kept]}
            origin = Document(b"base", raw, tuple(origin.cells[n] for n in kept))
        found = clashes(origin, ours, theirs, self.decide, known=known)
        open_ones = [one for one in found if one.choice is None]
        if open_ones and (len(open_ones) == len(found) or not known):
            return replace(self._synced(), conflicts=tuple(one.conflict for one in found))
        return self._write_both(decided(origin, ours, theirs, found), side, ours, twin, now)

    def _write_both(self, result: Decided, side: Side, ours: Document, twin: Side, now: Document) -> Synced | None:
        text = said = text_of(result.twin, self.pairing)
        if say_the_same(now, self._meant(said)):
            # However it is written, it says so already.
            text = decoded(twin)
        notebook = side.data or b"" if result.notebook == ours.raw else ours.written(result.notebook)
        data = twin.data or b"" if text == decoded(twin) else encoded(text, twin)
        changed = [notebook != side.data, data != twin.data]
        keeping.keep(self.pairing, side if changed[0] else None, result, twin if changed[1] else None, now)
        if changed[0] and not put_in_place(side.path, notebook, side.state):
            return None
        if changed[1] and not put_in_place(twin.path, data, twin.state):
            return None
        if changed[0]:
            # Whoever has the notebook open may save an older one over it.
            with contextlib.suppress(HistoryError):
                keeping.keep_result(self.pairing, result.notebook)
        if result.conflicts:
            before = text_of(result.base, self.pairing)
            self.bases.save(self.pairing, Base(stripped(result.base), before, self.pairing.format))
        else:
            self._remember(result.notebook, text, notebook, data)
        words = {(False, False): "none", (True, False): "notebook", (False, True): "twin", (True, True): "both"}
        return Synced(words[changed[0], changed[1]], result.conflicts, None, self.pairing.twin)  # type: ignore[arg-type]

    def _take_over_lost(self, ours: Document) -> bool:
        """Find out whether a notebook without a twin is one that had another name; take its twin over then."""
        ids = {cell.id for cell in ours.cells if cell.id}
        for notebook, _, base in self.bases.of_missing_notebooks():
            known = {cell.get("id") for cell in base.notebook["cells"] if isinstance(cell, dict)} - {None}
            if known and 2 * len(ids & known) > len(known) and self.take_over(notebook):
                return True
        return False

    def take_over(self, old: Path) -> bool:
        """Let the twin of a notebook that was called `old` be this one's; return whether there was one to be had."""
        for notebook, twin, base in self.bases.of_missing_notebooks():
            if notebook != old or twin.suffix != self.pairing.twin.suffix:
                continue
            if twin.exists() and not self.pairing.twin.exists():
                make_folder(self.pairing.twin)
                try:
                    os.rename(twin, self.pairing.twin)
                except OSError as error:
                    raise TwinError(f"{twin} cannot be renamed: {error.strerror or error}") from error
            self.bases.save(self.pairing, base)
            self.bases.forget(Pairing(notebook, twin, base.format, notebook))
            return self.pairing.twin.exists()
        return False
