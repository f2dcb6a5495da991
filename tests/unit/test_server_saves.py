"""Who hears of saves: in which order they are kept, and what is never in the way of one."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_events import EventLogger

from mlwidgets.errors import HistoryError, NotebookError
from mlwidgets.history import settled
from mlwidgets.server import saves
from mlwidgets.server.saves import AT_ONCE, SCHEMA, Listener, Saves, is_kept


class Keeping:
    """Stands where snapshots are taken, and can be made to wait."""

    def __init__(self, root: Path) -> None:
        self.done: list[tuple[str, ...]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.begun = threading.Event()
        self.root = root
        self.problem: Exception | None = None
        self.gone: Exception = FileNotFoundError("gone")
        self.saves = Saves(root.joinpath, self.keep, self.follow)

    def keep(self, path: Path) -> None:
        self.begun.set()
        assert self.go_on.wait(60)
        if self.problem is not None:
            raise self.problem
        if not path.exists():
            raise self.gone
        self.done.append(("save", path.relative_to(self.root).as_posix()))

    def follow(self, old: Path, new: Path) -> None:
        self.done.append(("rename", *(path.relative_to(self.root).as_posix() for path in (old, new))))

    def wait(self) -> None:
        """Hold up what is kept next, and return as soon as it is."""
        self.go_on.clear()
        self.begun.clear()
        (self.root / "first.ipynb").touch()
        self.save("first.ipynb")
        assert self.begun.wait(60)

    def save(self, *paths: str) -> None:
        for path in paths:
            self.saves.heard({"action": "save", "path": path})

    def rename(self, old: str, new: str) -> None:
        (self.root / old).rename(self.root / new)
        self.saves.heard({"action": "rename", "path": new, "source_path": old})

    def finish(self) -> list[tuple[str, ...]]:
        self.go_on.set()
        self.saves.close(60)
        return [one for one in self.done if one != ("save", "first.ipynb")]


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Keeping]:
    made = Keeping(tmp_path)
    for name in ("a.ipynb", "b.ipynb", "ä b/c d.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    yield made
    made.finish()


def test_a_burst_of_saves_is_kept_once(keeping: Keeping) -> None:
    keeping.wait()
    keeping.save(*["a.ipynb"] * 100, "/b.ipynb", "ä b/c d.ipynb", *["a.ipynb", "b.ipynb"] * 50)
    assert keeping.finish() == [("save", "a.ipynb"), ("save", "b.ipynb"), ("save", "ä b/c d.ipynb")]


def test_what_is_saved_while_it_is_being_kept_is_kept_again(keeping: Keeping) -> None:
    keeping.wait()
    keeping.save("first.ipynb", "first.ipynb")
    keeping.finish()
    assert keeping.done == [("save", "first.ipynb")] * 2


def test_who_saves_at_each_pause_in_typing_is_kept_once_in_a_while(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(AT_ONCE):
        keeping.save("a.ipynb")
        keeping.saves.settle("a.ipynb", 60)
        assert len(keeping.done) == number + 1
    for _ in range(3):
        keeping.save("a.ipynb", "b.ipynb")
        keeping.saves.settle("a.ipynb", 60)
        keeping.saves.settle("b.ipynb", 60)
    assert keeping.done.count(("save", "a.ipynb")) == AT_ONCE, "one that is kept later is not waited for"
    assert keeping.done.count(("save", "b.ipynb")) == 3
    keeping.rename("a.ipynb", "z.ipynb")
    keeping.saves.settle("z.ipynb", 60)
    assert keeping.done[-2:] == [("rename", "a.ipynb", "z.ipynb"), ("save", "z.ipynb")]
    monkeypatch.setattr(saves, "WHILE", 0.2)
    for _ in range(AT_ONCE + 1):
        keeping.save("b.ipynb")
        keeping.saves.settle("b.ipynb", 60)
    kept = keeping.done.count(("save", "b.ipynb"))
    keeping.save("b.ipynb")
    deadline = time.monotonic() + 60
    while keeping.done.count(("save", "b.ipynb")) == kept and time.monotonic() < deadline:
        time.sleep(0.01)
    assert keeping.done.count(("save", "b.ipynb")) > kept, "its time comes by itself"
    monkeypatch.setattr(saves, "WHILE", 1000.0)
    for _ in range(AT_ONCE + 1):
        keeping.save("b.ipynb")
        keeping.saves.settle("b.ipynb", 60)
    kept = keeping.done.count(("save", "b.ipynb"))
    assert keeping.finish().count(("save", "b.ipynb")) == kept + 1, "at the end nothing waits any longer"


def test_only_notebooks_that_one_sees(keeping: Keeping, tmp_path: Path) -> None:
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "a-checkpoint.ipynb").touch()
    for path in (".ipynb_checkpoints/a-checkpoint.ipynb", "x/.y/a.ipynb", ".a.ipynb", "a.py", "", "ä b", "ipynb"):
        assert not is_kept(path)
        keeping.save(path)
    for event in ({}, {"action": "save"}, {"action": "save", "path": 3}, {"action": "get", "path": "a.ipynb"},
                  {"action": "delete", "path": "a.ipynb"}, {"action": "rename", "path": "a.ipynb"}):  # fmt: skip
        keeping.saves.heard(event)
    assert keeping.finish() == []


def test_what_waits_goes_along_with_a_rename(keeping: Keeping, tmp_path: Path) -> None:
    keeping.wait()
    keeping.save("a.ipynb", "b.ipynb")
    keeping.rename("a.ipynb", "z.ipynb")
    (tmp_path / "a.ipynb").touch()
    keeping.save("a.ipynb")
    assert keeping.finish() == [
        ("save", "b.ipynb"),
        ("rename", "a.ipynb", "z.ipynb"),
        ("save", "z.ipynb"),
        ("save", "a.ipynb"),
    ]


@pytest.mark.parametrize("said", [FileNotFoundError("gone"), HistoryError("the folder is gone")])
def test_what_is_renamed_while_it_is_being_kept_is_kept_again(
    keeping: Keeping, said: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    keeping.gone = said
    keeping.wait()
    keeping.rename("first.ipynb", "z.ipynb")
    assert keeping.finish() == [("rename", "first.ipynb", "z.ipynb"), ("save", "z.ipynb")]
    assert not caplog.records


def test_a_folder_takes_its_notebooks_along(keeping: Keeping, tmp_path: Path) -> None:
    (tmp_path / "ä b" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "ä b" / "in").mkdir()
    for name in (".ipynb_checkpoints/c-checkpoint.ipynb", "in/e.ipynb", "data.csv"):
        (tmp_path / "ä b" / name).touch()
    (tmp_path / "ä bc.ipynb").touch()
    keeping.wait()
    keeping.save("ä b/c d.ipynb", "ä bc.ipynb")
    keeping.rename("ä b", "new")
    assert keeping.finish() == [
        ("save", "ä bc.ipynb"),
        ("rename", "ä b/c d.ipynb", "new/c d.ipynb"),
        ("rename", "ä b/in/e.ipynb", "new/in/e.ipynb"),
        ("save", "new/c d.ipynb"),
    ]


def test_a_folder_that_is_renamed_again_before_anybody_looks(keeping: Keeping) -> None:
    keeping.wait()
    keeping.save("ä b/c d.ipynb")
    keeping.rename("ä b", "new")
    keeping.rename("new", "newer")
    assert keeping.finish() == [
        ("rename", "ä b/c d.ipynb", "new/c d.ipynb"),
        ("rename", "new/c d.ipynb", "newer/c d.ipynb"),
        ("save", "newer/c d.ipynb"),
    ]


def test_what_is_renamed_within_a_renamed_folder_and_out_of_it(keeping: Keeping, tmp_path: Path) -> None:
    (tmp_path / "ä b" / "in").mkdir()
    for name in ("in/e.ipynb", "f.ipynb"):
        (tmp_path / "ä b" / name).touch()
    keeping.wait()
    keeping.rename("ä b", "new")
    keeping.rename("new/c d.ipynb", "new/z.ipynb")
    keeping.rename("new/in", "out")
    keeping.rename("out/e.ipynb", "e.ipynb")
    done = keeping.finish()
    assert sorted(done[:3]) == [
        ("rename", "ä b/c d.ipynb", "new/c d.ipynb"),
        ("rename", "ä b/f.ipynb", "new/f.ipynb"),
        ("rename", "ä b/in/e.ipynb", "new/in/e.ipynb"),
    ]
    assert done[3:] == [
        ("rename", "new/c d.ipynb", "new/z.ipynb"),
        ("rename", "new/in/e.ipynb", "out/e.ipynb"),
        ("rename", "out/e.ipynb", "e.ipynb"),
    ]


@pytest.mark.parametrize("suffix", ["", ".ipynb"])
def test_two_that_swap_their_names(suffix: str, keeping: Keeping, tmp_path: Path) -> None:
    for name in ("one", "two"):
        if suffix:
            (tmp_path / f"{name}{suffix}").touch()
        else:
            (tmp_path / name).mkdir()
            (tmp_path / name / "x.ipynb").touch()
    keeping.wait()
    told = [("one", "aside"), ("two", "one"), ("aside", "two")]
    for old, new in told:
        keeping.rename(f"{old}{suffix}", f"{new}{suffix}")
    end = suffix or "/x.ipynb"
    assert keeping.finish() == [("rename", f"{old}{end}", f"{new}{end}") for old, new in told]


def test_what_is_renamed_while_its_folder_is_followed(keeping: Keeping, tmp_path: Path) -> None:
    (tmp_path / "ä b" / "later.ipynb").touch()
    renamed = iter(["once"])
    follow = keeping.follow

    def slow(old: Path, new: Path) -> None:
        for _ in renamed:
            keeping.rename("new", "newer")
            keeping.rename("newer/later.ipynb", "newer/last.ipynb")
        follow(old, new)

    keeping.saves = Saves(tmp_path.joinpath, keeping.keep, slow)
    keeping.rename("ä b", "new")
    keeping.saves.settle("new", 60)
    assert keeping.finish() == [
        *(("rename", f"ä b/{name}.ipynb", f"new/{name}.ipynb") for name in ("c d", "later")),
        *(("rename", f"new/{name}.ipynb", f"newer/{name}.ipynb") for name in ("c d", "later")),
        ("rename", "newer/later.ipynb", "newer/last.ipynb"),
    ]


def test_a_large_folder_takes_all_its_notebooks_along(
    keeping: Keeping, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1100):
        (tmp_path / "ä b" / f"{number}.ipynb").touch()
    follow = keeping.follow

    def fail_once(old: Path, new: Path) -> None:
        if old.name == "5.ipynb":
            raise HistoryError("its repository is full")
        follow(old, new)

    keeping.saves = Saves(tmp_path.joinpath, keeping.keep, fail_once)
    keeping.rename("ä b", "new")
    assert len(keeping.finish()) == 1100, "1101 but one, which is no reason to leave the others behind"
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == ["its repository is full"]


def test_a_notebook_that_is_none_any_more(keeping: Keeping, caplog: pytest.LogCaptureFixture) -> None:
    keeping.wait()
    keeping.save("a.ipynb", "b.ipynb")
    (keeping.root / "b.ipynb").unlink()
    keeping.rename("a.ipynb", "a.txt")
    assert keeping.finish() == []
    assert not caplog.records


def test_what_is_wrong_is_said_once_and_the_next_save_is_kept(
    keeping: Keeping, caplog: pytest.LogCaptureFixture
) -> None:
    for problem in (HistoryError("git is not installed"), ZeroDivisionError("by zero")):
        keeping.problem = problem
        for name in ("a.ipynb", "b.ipynb"):
            keeping.save(name)
            keeping.saves.settle(name, 60)
    keeping.problem = None
    keeping.save("a.ipynb")
    assert keeping.finish() == [("save", "a.ipynb")]
    said = [record.getMessage() for record in caplog.records]
    assert [line.partition(": ")[2] for line in said] == ["git is not installed", "ZeroDivisionError: by zero"]
    assert all("\n" not in line for line in said)


def test_a_server_that_ends_does_not_wait_for_ever(keeping: Keeping) -> None:
    keeping.wait()
    keeping.save("a.ipynb")
    begin = time.monotonic()
    keeping.saves.close(0.1)
    assert time.monotonic() - begin < 30
    keeping.save("b.ipynb")
    assert keeping.finish() == [("save", "a.ipynb")], "nothing more is heard after the end"


def test_whoever_asks_waits_for_what_was_saved(keeping: Keeping) -> None:
    keeping.wait()
    keeping.save("a.ipynb")
    keeping.saves.settle("a.ipynb", 0.01)
    keeping.saves.settle("b.ipynb", 60)
    assert keeping.done == []
    keeping.go_on.set()
    keeping.saves.settle("a.ipynb", 60)
    assert keeping.done == [("save", "first.ipynb"), ("save", "a.ipynb")]


@pytest.fixture
def event_logger() -> EventLogger:
    """Jupyter's, with its own schema of what happens to files."""
    import jupyter_server

    made = EventLogger()
    made.register_event_schema(Path(jupyter_server.__file__).parent / "event_schemas" / "contents_service" / "v1.yaml")
    return made


def test_a_save_in_a_thread_without_a_loop_is_heard(keeping: Keeping, event_logger: EventLogger) -> None:
    event_logger.register_handler(Listener(keeping.saves))
    problems: list[BaseException] = []

    def save() -> None:
        try:
            event_logger.emit(schema_id=SCHEMA, data={"action": "save", "path": "a.ipynb"})
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=save)
    thread.start()
    thread.join(60)
    assert not problems
    assert keeping.finish() == [("save", "a.ipynb")]


def test_a_listener_that_fails_fails_no_save(
    keeping: Keeping, event_logger: EventLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(logging, "raiseExceptions", False)
    event_logger.register_handler(Listener(keeping.saves))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        event_logger.emit(schema_id=SCHEMA, data={"action": "save", "path": "a.ipynb"})
    event_logger.emit(schema_id=SCHEMA, data={"action": "save", "path": "b.ipynb"})
    assert keeping.finish() == [("save", "a.ipynb"), ("save", "b.ipynb")]


def test_a_file_that_is_being_written_is_read_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.ipynb"
    cells = [{"cell_type": "markdown", "id": f"c{at}", "source": "x" * 100, "metadata": {}} for at in range(50)]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    path.write_text("")
    parts = iter([text[at : at + 1000] for at in range(0, len(text), 1000)])

    def somebody_writes(_: float) -> None:
        with open(path, "a") as file:
            file.write(next(parts, ""))

    monkeypatch.setattr(settled, "time", SimpleNamespace(sleep=somebody_writes))
    assert len(settled.load_settled(path).cells) == 50
    path.write_text(text[:-1])
    with pytest.raises(NotebookError, match="is not JSON"):
        settled.load_settled(path)
