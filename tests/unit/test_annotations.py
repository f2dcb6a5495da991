"""What a user says of a run afterwards."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable

import pytest

from mlwidgets.cli import main
from mlwidgets.errors import ParameterError, StoreError
from mlwidgets.runs.annotations import LONGEST_NOTE, MOST_TAGS, Annotations, annotate, read_annotations
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import RunIndex
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore

Make = Callable[..., RunFolder]


def test_one_thing_at_a_time(new_run: Make) -> None:
    folder = new_run(tags={"a": "1"}, note="first")
    run = Run(folder.path)
    assert (run.tags, run.note, run.pinned) == ({"a": "1"}, "first", False)
    annotate(folder, pinned=True)
    assert annotate(folder, note="") == Annotations(pinned=True, note="")
    annotate(folder, tags={})
    assert (run.tags, run.note, run.pinned) == ({}, "", True)
    annotate(folder, tags=None, note=None, pinned=False)
    assert (run.tags, run.note, run.pinned) == ({"a": "1"}, "first", False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tags": {"": "x"}},
        {"tags": {" ": "x"}},
        {"tags": {"a": 1}},
        {"tags": ["a"]},
        {"tags": {"a" * 101: "x"}},
        {"tags": {"a": "x" * 501}},
        {"tags": {str(i): "x" for i in range(MOST_TAGS + 1)}},
        {"note": "x" * (LONGEST_NOTE + 1)},
        {"note": 3},
        {"pinned": 1},
    ],
)
def test_what_is_refused(new_run: Make, wrong: dict[str, object]) -> None:
    folder = new_run()
    with pytest.raises(ParameterError) as caught:
        annotate(folder, **wrong)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert not folder.annotations.exists()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"pinned": 1}',
        '{"tags": {"a": 1}, "note": 2}',
        '{"tags": [], "pinned": null}',
        "\x00",
        "[" * 100_000,
    ],
    ids=range(7),
)
def test_a_damaged_file_counts_as_nothing(new_run: Make, content: str) -> None:
    folder = new_run(note="first")
    folder.annotations.write_text(content)
    assert read_annotations(folder) == Annotations()
    assert Run(folder.path).note == "first"
    assert [one.note for one in RunIndex(RunStore(folder.store)).summaries()] == ["first"]


def test_a_run_that_is_gone(new_run: Make) -> None:
    folder = new_run()
    os.rename(folder.path, folder.path.with_name(".away"))
    with pytest.raises(StoreError, match="could not be annotated"):
        annotate(folder, pinned=True)


def test_nobody_takes_anothers_words_back(new_run: Make) -> None:
    folder = new_run()

    def note(i: int) -> None:
        for j in range(20):
            annotate(folder, tags={**(read_annotations(folder).tags or {}), "x": "y"}, note=f"{i} {j}")

    def pin() -> None:
        annotate(folder, pinned=True)

    threads = [threading.Thread(target=note, args=(i,)) for i in range(4)] + [threading.Thread(target=pin)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read_annotations(folder)
    assert (found.pinned, found.tags) == (True, {"x": "y"})
    assert found.note is not None
    assert not [path for path in folder.path.iterdir() if path.name.startswith(".")]


def test_from_python(new_run: Make) -> None:
    run = Run(new_run(tags={"a": "1"}).path)
    assert run.annotate(tags=lambda tags: tags | {"b": "2"}, note="n").annotate(pinned=True) is run
    assert (run.tags, run.note, run.pinned) == ({"a": "1", "b": "2"}, "n", True)
    with pytest.raises(ParameterError, match="tags are pairs of texts"):
        run.annotate(tags={"a": 1})


def test_tags_that_are_made_of_those_it_has(new_run: Make) -> None:
    folder = new_run(tags={"a": "1", "empty": ""})

    def add(i: int) -> None:
        for j in range(5):
            annotate(folder, tags=lambda now: {**now, f"{i} {j}": "x"})

    threads = [threading.Thread(target=add, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tags = read_annotations(folder).tags
    assert tags is not None
    assert len(tags) == 22
    with pytest.raises(ParameterError):
        annotate(folder, tags=lambda now: {**now, "": "x"})
    assert read_annotations(folder).tags == tags
    annotate(folder, tags=None)
    folder.spec.write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        annotate(folder, tags=dict)


def test_lists_tell_what_was_said_after_a_run_was_kept(store: RunStore, new_run: Make) -> None:
    folder = new_run(tags={"a": "1"})
    write_outcome(folder, Outcome("finished", None, 1.0, 2.0, 0))
    index = RunIndex(store)
    assert [one.pinned for one in index.summaries()] == [False]
    annotate(folder, pinned=True, tags={"b": "2"}, note="n")
    for _ in range(2):
        (one,) = index.summaries()
        assert (one.pinned, one.tags, one.note) == (True, {"b": "2"}, "n")
    # The cache holds what does not change.
    assert index.kept()[folder.id].tags == {"a": "1"}
    folder.annotations.unlink()
    assert [(one.pinned, one.tags) for one in index.summaries()] == [(False, {"a": "1"})]


def test_from_the_command_line(store: RunStore, new_run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder = new_run("lenet", tags={"a": "1"})
    where = ["--store", str(store.path)]
    assert main([*where, "pin", "lenet"]) == 0
    assert main([*where, "tag", "lenet", "b=2", "a="]) == 0
    assert main([*where, "note", "lenet", "the best one"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "lenet:  pinned  [b: 2]  the best one"
    assert json.loads(folder.annotations.read_text()) == {"pinned": True, "tags": {"b": "2"}, "note": "the best one"}
    assert main([*where, "unpin", "lenet"]) == 0
    assert main([*where, "tag", "lenet", "c"]) == 1
    assert capsys.readouterr().err == "mlwidgets: 'c' is no tag: give it as key=value, and key= to take it away\n"
    assert main([*where, "tag", "lenet", "zz="]) == 0
    annotate(folder, tags={"empty": ""})
    assert main([*where, "tag", "lenet", "d=3"]) == 0
    assert read_annotations(folder).tags == {"empty": "", "d": "3"}
