"""What a process remembers of the index is over as soon as anybody has changed it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import RunIndex
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.trash import delete, restore

Make = Callable[..., RunFolder]
LIST = "import sys, pathlib; from mlwidgets.runs.index import RunIndex; from mlwidgets.runs.store import RunStore; "
LIST += "print(len(RunIndex(RunStore(pathlib.Path(sys.argv[1]))).summaries()))"


def ended(folder: RunFolder) -> RunFolder:
    write_outcome(folder, Outcome("finished", None, 1.0, 2.0, 0))
    return folder


def names(store: RunStore) -> list[str]:
    return [one.name for one in RunIndex(store).summaries()]


def test_what_was_read_is_not_read_again(store: RunStore, new_run: Make) -> None:
    ended(new_run("a"))
    names(store)
    first, again = RunIndex(store).kept(), RunIndex(store).kept()
    assert list(first) == list(again) != []
    assert first is again


def test_a_run_that_another_process_has_kept(store: RunStore, new_run: Make) -> None:
    ended(new_run("a"))
    assert names(store) == names(store) == ["a"]
    ended(new_run("b"))
    done = subprocess.run([sys.executable, "-c", LIST, store.path], capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"
    assert len(RunIndex(store).kept()) == 2
    assert names(store) == ["b", "a"]


def test_runs_that_are_deleted_and_restored(store: RunStore, new_run: Make) -> None:
    first, second = ended(new_run("a")), ended(new_run("b"))
    assert names(store) == names(store) == ["b", "a"]
    delete(store, first)
    assert names(store) == ["b"]
    assert list(RunIndex(store).kept()) == [second.id]
    restore(store, first.id)
    assert names(store) == ["b", "a"]


def test_an_index_that_is_deleted_or_put_back(store: RunStore, new_run: Make) -> None:
    folder, index = ended(new_run("a")), store.path / "index.sqlite"
    names(store)
    shutil.copy(index, older := store.path / "older.sqlite")
    ended(new_run("b"))
    assert names(store) == ["b", "a"]
    index.unlink()
    assert RunIndex(store).kept() == {}
    older.rename(index)
    assert list(RunIndex(store).kept()) == [folder.id]
    assert names(store) == ["b", "a"]
    index.write_bytes(b"no database")
    assert RunIndex(store).kept() == {}
    assert names(store) == names(store) == ["b", "a"]


def test_two_stores_in_turns(store: RunStore, new_run: Make) -> None:
    ended(new_run("a"))
    other = RunStore(store.path.with_name("other"))
    for _ in range(2):
        assert names(store) == ["a"]
        assert names(other) == []
