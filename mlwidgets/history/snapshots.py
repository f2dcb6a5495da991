"""A notebook's history: snapshots taken without being asked, in git, beside the user's own commits."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mlwidgets.errors import HistoryError, NotebookError, UnknownSnapshot
from mlwidgets.history import pruning
from mlwidgets.history.contents import EXACT, WHOLE, changed, files_of, newest
from mlwidgets.history.finding import check_name, find_among
from mlwidgets.history.git.chain import Chain, Files, Tip, named
from mlwidgets.history.git.commits import Commit, commits_of, read_committed
from mlwidgets.history.git.entries import KINDS, Snapshot
from mlwidgets.history.notebooks.document import read_document, read_file
from mlwidgets.history.notebooks.executed import Executed
from mlwidgets.history.notebooks.notebook import Notebook, read_notebook
from mlwidgets.history.places import Places
from mlwidgets.history.restoring import put_in_place, restored, state_of
from mlwidgets.history.text.percent import to_text
from mlwidgets.runs.store import find_store

__all__ = ["Commit", "History", "Snapshot"]

_TRIES = 5


class History:
    """The snapshots of one notebook.

    They are in the repository that the notebook lies in, under ``refs/mlwidgets/``; where there is none that can be
    written, in a bare one inside the store. Both are read. Opening does nothing yet.

    Parameters
    ----------
    notebook
        Its path; the file need not be there any more.
    store
        Where the bare repository would be, by default the store of the project around the notebook.
    """

    def __init__(self, notebook: Path, store: Path | None = None) -> None:
        self.notebook = Path(os.path.realpath(notebook))
        self.store = find_store(self.notebook.parent) if store is None else store
        self._places = Places(self.notebook, self.store)

    @property
    def where(self) -> str:
        """Where snapshots are taken to, for people."""
        return "this repository" if self._places.in_repository else "the store"

    def take(
        self,
        kind: str,
        notebook: Notebook,
        *,
        executed: Sequence[Executed] | None = None,
        run: str | None = None,
        beside: Files | None = None,
    ) -> Snapshot | None:
        """Keep the notebook as it is now.

        Parameters
        ----------
        kind
            ``save``, ``submit``, ``kept`` or ``twin``.
        executed
            What was executed until a submit, in order.
        run
            Id of the run that is submitted.
        beside
            Other files that are kept with it: names with contents.

        Returns
        -------
        Snapshot or None
            None where nothing changed since the last one; of a submit the last one itself then, if the run that it
            is of is in the same store.

        Raises
        ------
        HistoryError
            If it can be kept nowhere: one line that says why.
        """
        taken, same = self._take(kind, notebook, {**files_of(notebook, executed), **(beside or {})}, run)
        return taken or (same if kind == "submit" else None)

    def _take(
        self, kind: str, notebook: Notebook, files: Files, run: str | None
    ) -> tuple[Snapshot | None, Snapshot | None]:
        """Return the snapshot that was taken and None, or None and the last one, which holds the same."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no kind of snapshot")
        store = None if run is None else os.path.realpath(self.store)
        result: tuple[Snapshot | None, Snapshot | None] = (None, None)

        def work(chain: Chain) -> None:
            nonlocal result
            tips = self._places.read(lambda one: None if one.repository == chain.repository else one.tip())
            others = [tip for tip in tips if tip is not None]
            newer = newest([*others, chain.tip()]) if others else None
            if newer in others and newer is not None and newer.holds(files, store):
                result = None, newer.entry.snapshot
                return
            taken, tip = chain.append(files, kind, run, store, lambda tip: changed(notebook, newest([*others, tip])))
            result = taken, None if taken else self._last(chain, tip)
            if chain.repository.common.parent == Path(os.path.realpath(self.store)):
                chain.repository.tidy()

        self._places.write(work)
        return result

    @staticmethod
    def _last(chain: Chain, tip: Tip | None) -> Snapshot | None:
        if tip is not None and tip.entry.snapshot is not None:
            return tip.entry.snapshot
        return next(iter(chain.snapshots(_TRIES)), None)

    def snapshots(self, limit: int | None = None) -> list[Snapshot]:
        """Return the snapshots, newest first; at most so many.

        Raises
        ------
        HistoryError
            If there is no git, or they cannot be read.
        """
        return self._listed(limit)

    def _listed(self, limit: int | None = None, *, every: bool = False) -> list[Snapshot]:
        most = None if limit is None else limit + _TRIES
        found = self._places.read(lambda chain: (chain.snapshots(most), chain.names()), every=every)
        merged = [snapshot for one, _ in found for snapshot in one]
        if sum(bool(one) for one, _ in found) > 1:
            merged.sort(key=lambda snapshot: (snapshot.time, snapshot.id), reverse=True)
        return named(merged[:limit], (names for _, names in found))

    def find(self, text: str) -> Snapshot:
        """Return the snapshot that is meant.

        Parameters
        ----------
        text
            A name, an id or its beginning, ``~1`` (the one before the last), a run's name or id.

        Raises
        ------
        UnknownSnapshot
            If there is none, or several begin so.
        """
        return find_among(self.snapshots(), text, self.notebook.name, self.store)

    def place_of(self, snapshot: Snapshot) -> tuple[Path, str]:
        """Return the git directory and the ref that a snapshot is kept under.

        Raises
        ------
        UnknownSnapshot
            If it was pruned.
        """
        for found, repository, ref in self._places.read(
            lambda chain: (chain.files(snapshot.commit, EXACT)[0], chain.repository.common, chain.ref)
        ):
            if found is not None:
                return repository, ref
        raise UnknownSnapshot(f"the snapshot {snapshot.id} of {self.notebook.name} is gone")

    def _read(self, snapshot: Snapshot, *names: str) -> list[bytes | None]:
        for files in self._places.read(lambda chain: chain.files(snapshot.commit, EXACT, *names)):
            if files[0] is not None:
                return files
        # A prune has written it anew since.
        for found in self._places.read(Chain.snapshots):
            for one in found:
                if one.id == snapshot.id and one.commit != snapshot.commit:
                    return self._read(one, *names)
        raise UnknownSnapshot(f"the snapshot {snapshot.id} of {self.notebook.name} is gone")

    def read(self, snapshot: Snapshot) -> Notebook:
        """Return the notebook as it was, without outputs.

        Raises
        ------
        UnknownSnapshot
            If it was pruned.
        """
        found = read_notebook(self._read(snapshot)[0] or b"", f"the snapshot {snapshot.id}")
        return replace(found, outputs_kept=False)

    def text(self, snapshot: Snapshot) -> str:
        """Return the notebook as it was, as text in the percent format.

        Raises
        ------
        UnknownSnapshot
            If it was pruned.
        """
        return to_text(self.read(snapshot))

    def restore(self, snapshot: Snapshot) -> Snapshot | None:
        """Put the notebook as it was in the place of the file; the file as it is now is kept first, to the byte.

        Cells that say the same keep their outputs. A state that was kept so comes back to the byte.

        Returns
        -------
        Snapshot or None
            Where the file as it was is kept; None where there was no file, or it is so already.

        Raises
        ------
        HistoryError
            If the file holds no notebook, cannot be kept or cannot be written; it is as it was then.
        UnknownSnapshot
            If the snapshot was pruned.
        """
        exact, whole = self._read(snapshot, WHOLE)
        wanted = read_notebook(exact or b"", f"the snapshot {snapshot.id}")
        for _ in range(_TRIES):
            state = state_of(self.notebook)
            kept = None
            data = whole or restored(wanted, None)
            if state is not None:
                now = read_file(self.notebook)
                present, document = self._present(now)
                data = whole or restored(wanted, document)
                if data == now:
                    return None
                taken, same = self._take("kept", present, {**files_of(present), WHOLE: now}, None)
                kept = taken or same
            if put_in_place(self.notebook, data, state):
                return kept
            time.sleep(0.05)
        raise HistoryError(f"{self.notebook} is being written by somebody else; close it there and try again")

    def _present(self, data: bytes) -> tuple[Notebook, dict[str, object]]:
        try:
            return read_notebook(data, str(self.notebook)), read_document(data, str(self.notebook))
        except NotebookError as error:
            raise HistoryError(f"{error}; nothing was restored: it would be lost. Move it away first") from error

    def name(self, snapshot: Snapshot, name: str | None) -> None:
        """Call a snapshot so, and no longer what it was called; no other one of the notebook has the name from then on.

        Parameters
        ----------
        name
            None to call it nothing.

        Raises
        ------
        HistoryError
            If it cannot be called so, or that cannot be written.
        """
        current = next((one for one in self.snapshots() if one.id == snapshot.id), None)
        if current is None:
            raise UnknownSnapshot(f"the snapshot {snapshot.id} of {self.notebook.name} is gone")
        changes: dict[str, str | None] = dict.fromkeys(current.names)
        if name is not None:
            changes[check_name(name)] = snapshot.id
        if changes:
            self._places.write(lambda chain: chain.give_name(changes))

    def prune(
        self, *, keep: int | None = None, older_than: float | None = None, dry_run: bool = False
    ) -> list[Snapshot]:
        """Forget snapshots but the newest `keep` and those that are no older than `older_than` seconds.

        The last one, those with a name and those of runs that are there stay in any case; so do those of runs whose
        store cannot be read.

        Returns
        -------
        list of Snapshot
            Which are forgotten, or would be.

        Raises
        ------
        HistoryError
            If a repository with some of them cannot be read: nothing is forgotten then. If one cannot be written:
            those in it are all there then.
        """
        if keep is None and older_than is None:
            return []
        found = self._listed(every=True)
        since = math.inf if older_than is None else time.time() - older_than
        kept = {one.id for at, one in enumerate(found) if at < max(keep or 0, 1) or one.time > since or one.names}
        kept |= pruning.of_runs(self.store, found)
        gone = [one for one in found if one.id not in kept]
        if gone and not dry_run:
            for chain in self._places.chains():
                pruning.prune(chain, {one.id for one in gone})
        return gone

    def committed(self, rev: str = "HEAD") -> tuple[Notebook, str, float] | None:
        """Return the notebook in one of the user's own commits, the commit's short id and time (Unix seconds).

        Returns
        -------
        tuple or None
            None where there is no such commit, or the notebook is not in it.

        Raises
        ------
        NotebookError
            If what is in it is no notebook.
        """
        found = (
            None if self._places.repository is None else read_committed(self._places.repository, rev, self._places.path)
        )
        return None if found is None else (found[0], found[1].id, found[1].time)

    def commits(self, limit: int = 20) -> list[Commit]:
        """Return the newest of the user's own commits that touch the notebook; where history is long, some of them."""
        if self._places.repository is None or self._places.repository.top is None:
            return []
        return commits_of(self._places.repository, self._places.path, limit)

    def follow_rename(self, old: Path) -> None:
        """Let the history of another path go on here: the notebook was renamed.

        Raises
        ------
        HistoryError
            If that cannot be written; both are as they were then.
        """
        before = History(old, None if self.store == find_store(self.notebook.parent) else self.store)
        if before.notebook == self.notebook:
            return
        here = self._places.chains()
        for chain in before._places.chains():
            target = next((one for one in here if one.repository.common == chain.repository.common), None)
            if target is not None:
                chain.move_to(target)
            elif chain.tip() is not None:
                self._places.write(lambda target, chain=chain: pruning.copy(chain, target))  # type: ignore[misc]
