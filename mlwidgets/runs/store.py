"""The only door to the disk: a project's ``.mlwidgets`` directory."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from mlwidgets.errors import StoreError, UnknownRun
from mlwidgets.runs.annotations import read_annotations
from mlwidgets.runs.folder import ANNOTATIONS, RunFolder, read_json, write_whole
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import FORMAT, RunSpec

STORE_VARIABLE = "MLWIDGETS_STORE"


def find_store(start: Path) -> Path:
    """Return where the store of the project around `start` is or would be.

    ``MLWIDGETS_STORE`` names it outright; else it is ``.mlwidgets`` in the nearest folder upwards that has one, else
    in the top folder of the git work tree, else in `start`.
    """
    named = os.environ.get(STORE_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    start = start.absolute()
    folders = (start, *start.parents)
    for folder in folders:
        if (folder / ".mlwidgets").is_dir():
            return folder / ".mlwidgets"
    for folder in folders:
        if (folder / ".git").exists():
            return folder / ".mlwidgets"
    return start / ".mlwidgets"


class RunStore:
    """Run folders and frozen inputs of one project.

    Opening creates nothing; the first run does.

    Raises
    ------
    StoreError
        If the store belongs to somebody else, others can write it, or a newer version wrote it: reading a result
        unpickles it, so it has to be the user's own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs = path / "runs"
        self.objects = ObjectStore(path / "objects")
        self._check()

    def _check(self) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"cannot open the store {self.path}: {error.strerror}") from error
        if not stat.S_ISDIR(status.st_mode):
            raise StoreError(f"the store {self.path} is not a directory; move that file away")
        if status.st_uid != os.geteuid():
            raise StoreError(
                f"the store {self.path} belongs to user {status.st_uid}, not to you; "
                f"set {STORE_VARIABLE} to a directory of your own"
            )
        if status.st_mode & 0o022:
            raise StoreError(
                f"other users can write to the store {self.path}, and reading a result unpickles it; "
                f"run: chmod 700 '{self.path}'"
            )
        found = read_json(self.path / "store.json")
        written = 0 if found is None else found.get("format", 0)
        if not isinstance(written, int) or written > FORMAT:
            raise StoreError(
                f"the store {self.path} was written by a newer mlwidgets (format {written}, this one reads "
                f"up to {FORMAT}); upgrade mlwidgets"
            )

    def _make(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.runs.mkdir(mode=0o700, exist_ok=True)
        self.objects.path.mkdir(mode=0o700, exist_ok=True)
        if not (self.path / ".gitignore").exists():
            write_whole(self.path / ".gitignore", b"*\n")
        if not (self.path / "store.json").exists():
            write_whole(self.path / "store.json", json.dumps({"format": FORMAT}).encode())

    def prepare(self) -> None:
        """Make sure that runs can be written.

        Raises
        ------
        StoreError
            If they cannot; the message says why.
        """
        try:
            self._make()
        except OSError as error:
            raise self._unwritable(error) from error
        if not os.access(self.runs, os.W_OK) or not os.access(self.objects.path, os.W_OK):
            raise StoreError(f"the store {self.path} is read-only; set {STORE_VARIABLE} to a directory you can write")

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"cannot write to the store {self.path}: {error.strerror or error}; free some space there or set "
            f"{STORE_VARIABLE} to another directory"
        )

    def put(self, data: bytes | memoryview) -> str:
        """Store frozen content; return its digest.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        try:
            return self.objects.put(data)
        except OSError as error:
            raise self._unwritable(error) from error

    def create_run(self, spec: RunSpec) -> RunFolder:
        """Make the run folder of `spec`.

        Raises
        ------
        StoreError
            If it cannot be written; nothing is left of it then.
        """
        try:
            return RunFolder.create(self.runs, spec)
        except BaseException as error:
            shutil.rmtree(self.runs / f".new-{spec.id}", ignore_errors=True)
            if isinstance(error, OSError):
                raise self._unwritable(error) from error
            raise

    def folders(self) -> Iterator[RunFolder]:
        """Yield all run folders, newest first."""
        for one in self.ids():
            yield RunFolder(self.runs / one)

    def ids(self) -> list[str]:
        """Return the names of all run folders, newest first."""
        try:
            names = os.listdir(self.runs)
        except OSError:
            return []
        return sorted((name for name in names if not name.startswith(".")), key=age, reverse=True)

    def called(self, name: str) -> Iterator[RunFolder]:
        """Yield the runs that are called so now, newest first."""
        for one in self.ids():
            if self._name_now(one) == name:
                yield RunFolder(self.runs / one)

    def find(self, name: str) -> RunFolder:
        """Return the newest run of that name, or the run with that id or with an id that starts so.

        ``NAME~1`` is the one of that name before the newest, ``NAME~2`` the one before that. Where no run is called so,
        those that once were count.

        Raises
        ------
        UnknownRun
            If there is none.
        """
        named, tilde, back = name.rpartition("~")
        if tilde and back.isdecimal():
            return self._find_earlier(named, int(back))
        ids = self.ids()
        if name in ids:
            return RunFolder(self.runs / name)
        begins = (RunFolder(self.runs / one) for one in ids if len(name) >= 8 and one.startswith(name))
        for folder in itertools.chain(self.called(name), begins, self._formerly(name), self._trials_called(name)):
            return folder
        known = self._names()
        have = f"it has: {', '.join(known[:8])}{' …' if len(known) > 8 else ''}" if known else "it is empty"
        raise UnknownRun(f"no run {name!r} in the store {self.path}; {have}")

    def _find_earlier(self, name: str, back: int) -> RunFolder:
        same = list(self.called(name)) or list(self._formerly(name))
        if back < len(same):
            return same[back]
        many = {0: "no run", 1: "only one run"}.get(len(same), f"only {len(same)} runs")
        raise UnknownRun(f"{name}~{back}: there is {many} of that name in the store {self.path}")

    def _formerly(self, name: str) -> Iterator[RunFolder]:
        """Yield the runs that were called so once, newest first."""
        for one in self.ids():
            folder = RunFolder(self.runs / one)
            if name_of(one) == name or (self.is_annotated(one) and name in read_annotations(folder).formerly):
                yield folder

    def is_annotated(self, run_id: str) -> bool:
        """Whether a run was given something: of thousands most were not, and this is cheaper than to read what."""
        return os.access(f"{os.fspath(self.runs)}/{run_id}/{ANNOTATIONS}", os.F_OK)

    def _name_now(self, run_id: str) -> str:
        return name_now(RunFolder(self.runs / run_id)) if self.is_annotated(run_id) else name_of(run_id)

    def _trials_called(self, name: str) -> Iterator[RunFolder]:
        """Yield the trials whose sweep was given another name, by that name."""
        sweep, _, number = name.rpartition("-")
        for one in self.called(sweep) if number.isdecimal() else ():
            for trial in self._formerly(f"{name_of(one.id)}-{number}"):
                if (read_json(trial.spec) or {}).get("trial_of") == one.id:
                    yield trial

    def _names(self) -> list[str]:
        """Return the names of runs and sweeps, the newest first; hundreds of trials would hide them."""
        ids = self.ids()
        sweeps = {name_of(one) for one in ids if os.path.exists(RunFolder(self.runs / one).wishes)}
        own = [one for one in ids if not _is_trial_of(sweeps, *name_of(one).rpartition("-"))]
        return list(dict.fromkeys(map(self._name_now, own)))


def _is_trial_of(sweeps: set[str], sweep: str, _dash: str, number: str) -> bool:
    return number.isdecimal() and sweep in sweeps


def age(run_id: str) -> str:
    """Return what ids sort by: the second and its fraction, which the name stands between."""
    # One text: of thousands they are compared in a third of the time that tuples take.
    return f"{run_id[:15]}{run_id[-4:]}{run_id}"


def name_of(run_id: str) -> str:
    """Return the run's name, which its id holds between the time and the last four characters."""
    return run_id[16:-5]


def name_now(folder: RunFolder) -> str:
    """Return what a run is called: what it was given last, or the name that its id holds.

    A trial goes by that of its submit here, also where its sweep was given another name.
    """
    return read_annotations(folder).name or name_of(folder.id)
