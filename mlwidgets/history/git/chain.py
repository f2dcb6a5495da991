"""The chain of a notebook's snapshots in one repository: a ref, its commits, and the names given to them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlwidgets.history.git import objects
from mlwidgets.history.git.entries import Entry, Snapshot, message_of, new_snapshot, read_entry, with_names
from mlwidgets.history.git.repository import Repository, Unusable, last_words

REFS = "refs/mlwidgets"
_TRIES = 20

Files = Mapping[str, bytes]
"""A snapshot's tree: names with contents."""


@dataclass(frozen=True)
class Tip:
    """The newest commit of a chain: what it is, its files by blob, and the notebook in it."""

    entry: Entry
    files: dict[str, str]
    notebook: bytes | None
    algorithm: str

    def holds(self, files: Files, store: str | None = None) -> bool:
        """Return whether these files are in it, as they are; of a submit, whether its run is in that store, too."""
        snapshot = self.entry.snapshot
        if store is not None and (snapshot is None or snapshot.store != store):
            return False
        return all(
            self.files.get(name) == objects.make("blob", data, self.algorithm).id for name, data in files.items()
        )


class Chain:
    """Snapshots of one notebook in one repository.

    Parameters
    ----------
    repository
        Where they are.
    path
        The notebook's, from the top of the work tree: what tells chains apart.
    """

    def __init__(self, repository: Repository, path: str) -> None:
        self.repository = repository
        key = key_of(path, repository.worktree)
        self.ref = f"{REFS}/{key}"
        self._names_ref = f"{REFS}/names/{key}"

    def tip(self) -> Tip | None:
        """Return the newest commit, None where there is none yet.

        Raises
        ------
        Unusable
            If the repository cannot be read.
        """
        commit, tree, notebook = self.repository.read(
            f"{self.ref}^{{commit}}", f"{self.ref}^{{tree}}", f"{self.ref}:notebook.ipynb"
        )
        if commit is None or tree is None:
            return None
        entry = read_entry(commit[0], commit[2].decode("utf-8", "replace"))
        files = objects.read_tree(tree[2], self.repository.algorithm)
        return Tip(entry, files, notebook[2] if notebook is not None else None, self.repository.algorithm)

    def append(
        self,
        files: Files,
        kind: str,
        run: str | None,
        store: str | None,
        changed: Callable[[Tip | None], tuple[int, int, int] | None],
    ) -> tuple[Snapshot | None, Tip | None]:
        """Put a snapshot on top; return it, or None and the tip where the tip holds the same.

        Parameters
        ----------
        store
            Of the run: a prune looks there whether it still exists.
        changed
            Counts what changed since the tip that it is given.

        Raises
        ------
        Unusable
            If the repository cannot be written.
        """
        algorithm = self.repository.algorithm
        blobs = {name: objects.make("blob", data, algorithm) for name, data in files.items()}
        ids = {name: blob.id for name, blob in blobs.items()}
        with self.repository.locked() as lock:
            for attempt in range(_TRIES):
                tip = self.tip()
                if tip is not None and tip.holds(files, store):
                    return None, tip
                snapshot = new_snapshot(kind, run, store, changed(tip))
                tree = objects.make_tree(ids, algorithm)
                parents = [tip.entry.commit] if tip is not None else []
                commit = objects.make_commit(tree.id, parents, snapshot.time, message_of(snapshot), algorithm)
                self.repository.write([*blobs.values(), tree, commit], lock)
                if self._moved(commit.id, tip, lock, attempt):
                    return replace(snapshot, commit=commit.id), tip
        raise Unusable(f"the history in {self.repository.common} is written by too many at once; save again")

    def _moved(self, new: str, tip: Tip | None, lock: int | None, attempt: int) -> bool:
        if self.repository.update([(self.ref, new, tip.entry.commit if tip else None)], lock):
            return True
        if tip is None and attempt and self.tip() is None:
            # The ref is there, but what it names is lost: after a power cut, say.
            done = self.repository.git("update-ref", self.ref, new, keep_open=lock)
            if done.returncode:
                raise Unusable(f"the repository {self.repository.common} cannot be written: {last_words(done)}")
            return True
        return False

    def entries(self, limit: int | None = None) -> list[Entry]:
        """Return the commits, newest first.

        Raises
        ------
        Unusable
            If they cannot be read.
        """
        limited = () if limit is None else (f"--max-count={limit}",)
        done = self.repository.git("rev-list", "--header", "--topo-order", *limited, self.ref, "--")
        if done.returncode:
            if self.tip() is None:
                return []
            raise Unusable(f"the history in {self.repository.common} cannot be read: {last_words(done)}")
        records = [record.partition("\n") for record in done.stdout.decode("utf-8", "replace").split("\0")]
        return [read_entry(commit, raw) for commit, _, raw in records if commit]

    def snapshots(self, limit: int | None = None) -> list[Snapshot]:
        """Return the snapshots, newest first, without names."""
        entries = self.entries(limit)
        if any(len(entry.parents) > 1 for entry in entries):
            # Two chains were joined: which comes first is in neither.
            entries = sorted(self.entries(), key=lambda entry: entry.time, reverse=True)
        found = [entry.snapshot for entry in entries if entry.snapshot is not None]
        return found[:limit]

    def files(self, commit: str, *names: str) -> list[bytes | None]:
        """Return files of a snapshot, None for one that it has not."""
        found = self.repository.read(*(f"{commit}:{name}" for name in names))
        return [None if one is None else one[2] for one in found]

    def all_files(self, entry: Entry) -> dict[str, bytes]:
        """Return all files of a snapshot."""
        tree = self.repository.read(entry.tree)[0]
        names = list(objects.read_tree(tree[2], self.repository.algorithm)) if tree is not None else []
        found = zip(names, self.files(entry.commit, *names), strict=True)
        return {name: data for name, data in found if data is not None}

    def names(self) -> dict[str, tuple[str | None, float]]:
        """Return names with the snapshot that each was given last, or None, and when (Unix seconds)."""
        return _read_names(self.repository.read(self._names_ref)[0])

    def give_name(self, changes: Mapping[str, str | None]) -> None:
        """Give names to snapshots, or take them away (None).

        Raises
        ------
        Unusable
            If the repository cannot be written.
        """
        with self.repository.locked() as lock:
            for _ in range(_TRIES):
                found = self.repository.read(self._names_ref)[0]
                names = _read_names(found) | {name: (given, time.time()) for name, given in changes.items()}
                if self._write_names(names, found[0] if found else None, lock):
                    return
        raise Unusable(f"the history in {self.repository.common} is written by too many at once; try again")

    def _write_names(self, names: Mapping[str, Any], old: str | None, lock: int | None) -> bool:
        blob = objects.make("blob", json.dumps(names, sort_keys=True).encode(), self.repository.algorithm)
        self.repository.write([blob], lock)
        return self.repository.update([(self._names_ref, blob.id, old)], lock)

    def replace(self, old: Sequence[Entry], new: Sequence[tuple[Snapshot, str]]) -> bool:
        """Put other commits in the place of all; return False where the chain grew since it was read.

        Parameters
        ----------
        old
            All commits as they were read, newest first.
        new
            Snapshots with their trees, oldest first. Those that `old` begins with stay the commits that they are.
        """
        algorithm = self.repository.algorithm
        kept = {entry.parents: entry for entry in old if len(entry.parents) < 2}
        parents: tuple[str, ...] = ()
        fresh: list[objects.Object] = []
        for snapshot, tree in new:
            same = kept.get(parents)
            if not fresh and same is not None and same.snapshot == snapshot and same.tree == tree:
                parents = (same.commit,)
                continue
            commit = objects.make_commit(tree, parents, snapshot.time, message_of(snapshot), algorithm)
            fresh.append(commit)
            parents = (commit.id,)
        with self.repository.locked() as lock:
            if fresh:
                self.repository.write(fresh, lock)
            return self.repository.update(
                [(self.ref, parents[0] if parents else None, old[0].commit if old else None)], lock
            )

    def move_to(self, other: Chain) -> None:
        """Go on as `other`, which is of the same repository; where that has a chain already, both are joined.

        Raises
        ------
        Unusable
            If the repository cannot be written.
        """
        with self.repository.locked() as lock:
            for _ in range(_TRIES):
                mine, its = self.tip(), other.tip()
                names, its_names = self.repository.read(self._names_ref, other._names_ref)
                if mine is None:
                    return
                changes: list[tuple[str, str | None, str | None]] = [(self.ref, None, mine.entry.commit)]
                target = mine.entry.commit
                if its is not None:
                    target = self._join(mine, its, lock)
                changes.append((other.ref, target, its.entry.commit if its else None))
                if names is not None:
                    merged = json.dumps(_read_names(its_names) | _read_names(names), sort_keys=True)
                    blob = objects.make("blob", merged.encode(), self.repository.algorithm)
                    self.repository.write([blob], lock)
                    changes += [
                        (self._names_ref, None, names[0]),
                        (other._names_ref, blob.id, its_names[0] if its_names else None),
                    ]
                if self.repository.update(changes, lock):
                    return
        raise Unusable(f"the history in {self.repository.common} is written by too many at once; try again")

    def _join(self, mine: Tip, its: Tip, lock: int | None) -> str:
        """Write a commit with both chains behind it, that holds what the newer one does."""
        first, second = (tip.entry for tip in (mine, its))
        if first.time < second.time:
            first, second = second, first
        commit = objects.make_commit(
            first.tree, [first.commit, second.commit], time.time(), "Joined\n", self.repository.algorithm
        )
        self.repository.write([commit], lock)
        return commit.id


def key_of(path: str, worktree: str) -> str:
    """Return how a notebook's ref is called: readable, and a digest that tells apart what reads the same."""
    stem = path.rpartition("/")[2].removesuffix(".ipynb")
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(f"{worktree}\0{path}".encode("utf-8", "surrogateescape")).hexdigest()
    return f"{slug or 'notebook'}-{digest[:12]}"


def _read_names(found: tuple[str, str, bytes] | None) -> dict[str, tuple[str | None, float]]:
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        if found is not None:
            return {str(name): (given, float(at)) for name, (given, at) in json.loads(found[2]).items()}
    return {}


def named(snapshots: Iterable[Snapshot], told: Iterable[Mapping[str, tuple[str | None, float]]]) -> list[Snapshot]:
    """Return the snapshots with their names: of a name that several chains know, what was said last."""
    latest: dict[str, tuple[str | None, float]] = {}
    for names in told:
        for name, (given, at) in names.items():
            if name not in latest or at > latest[name][1]:
                latest[name] = given, at
    by_snapshot: dict[str, list[str]] = {}
    for name, (given, _) in latest.items():
        if given is not None:
            by_snapshot.setdefault(given, []).append(name)
    return [with_names(snapshot, by_snapshot) for snapshot in snapshots]
