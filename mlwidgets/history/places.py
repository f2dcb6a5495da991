"""Where a notebook's snapshots are: in the repository that it lies in, or in a bare one inside the store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from mlwidgets.errors import HistoryError, StoreError
from mlwidgets.history.git.chain import Chain
from mlwidgets.history.git.repository import Repository, Unusable
from mlwidgets.runs.store import RunStore

_T = TypeVar("_T")

BARE = "history.git"
"""The bare repository in the store."""


class Places:
    """The one or two chains of a notebook.

    Parameters
    ----------
    notebook
        Its path, links resolved.
    store
        Which has the bare repository, or would.
    """

    def __init__(self, notebook: Path, store: Path) -> None:
        self._notebook = notebook
        self.store = store

    @cached_property
    def repository(self) -> Repository | None:
        """The user's, None where the notebook lies in none that git is willing to read."""
        return Repository.find(self._notebook.parent)

    @cached_property
    def path(self) -> str:
        """The notebook's path from the top of the user's work tree."""
        assert self.repository is not None
        return _relative(self._notebook, self.repository.top or self.repository.common)

    @property
    def in_repository(self) -> bool:
        """Whether snapshots are taken to the user's repository, as far as can be said without writing."""
        return self.repository is not None and may_write(self.repository)

    def chains(self) -> list[Chain]:
        """Return what is there to be read, that in the user's repository first."""
        chains = [] if self.repository is None else [Chain(self.repository, self.path)]
        bare = Repository.open_bare(self.store / BARE)
        # Git runs what a repository's configuration says: the store has to be the user's own.
        with contextlib.suppress(StoreError):
            if bare is not None:
                RunStore(self.store)
                chains.append(self._in_store(bare))
        return chains

    def _in_store(self, bare: Repository) -> Chain:
        return Chain(bare, _relative(self._notebook, Path(os.path.realpath(self.store)).parent))

    def _made_in_store(self) -> Chain:
        try:
            RunStore(self.store).prepare()
        except StoreError as error:
            raise Unusable(str(error)) from error
        return self._in_store(Repository.make_bare(self.store / BARE))

    def read(self, work: Callable[[Chain], _T], *, every: bool = False) -> list[_T]:
        """Return what `work` finds in each chain that can be read.

        Raises
        ------
        HistoryError
            If none can be; with `every`, if one cannot.
        """
        found: list[_T] = []
        problem: Unusable | None = None
        for chain in self.chains():
            try:
                found.append(work(chain))
            except Unusable as error:
                problem = problem or error
        if problem is not None and (every or not found):
            raise problem
        return found

    def write(self, work: Callable[[Chain], None]) -> None:
        """Do `work` where it can be done: in the user's repository, else in the store.

        Raises
        ------
        HistoryError
            If it can be done in neither.
        """
        if self.repository is None:
            work(self._made_in_store())
            return
        try:
            work(Chain(self.repository, self.path))
        except Unusable as error:
            try:
                work(self._made_in_store())
            except HistoryError as second:
                raise HistoryError(f"{error}; nor can the store: {second}") from second


def may_write(repository: Repository) -> bool:
    """Whether objects and refs of a repository may be written by whoever asks."""
    return all(os.access(repository.common / name, os.W_OK) for name in ("objects", "refs"))


def _relative(path: Path, top: Path) -> str:
    """Return a path from the top of a project, or as it is where it lies elsewhere."""
    try:
        return path.relative_to(top).as_posix()
    except ValueError:
        return path.as_posix()
