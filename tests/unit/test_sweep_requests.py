"""Wishes that people leave for a sweep."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlwidgets.errors import StoreError
from mlwidgets.runs.folder import RunFolder
from mlwidgets.sweeps.requests import Wishes, ask


@pytest.fixture
def folder(new_run: Callable[..., RunFolder]) -> RunFolder:
    return new_run("hunt", sweep={"space": {}})


def test_wishes_are_read_once_and_in_order(folder: RunFolder) -> None:
    wishes = Wishes(folder.wishes)
    assert wishes.advance() == []
    first = ask(folder, "pause", "me")
    second = ask(folder, "concurrent", n=2, now=True)
    found = wishes.advance()
    assert [(one.id, one.ask, one.by, one.about) for one in found] == [
        (first, "pause", "me", {}),
        (second, "concurrent", "user", {"n": 2, "now": True}),
    ]
    assert wishes.advance() == []
    ask(folder, "add", params={"x": "0.5"})
    assert [one.about for one in wishes.advance()] == [{"params": {"x": "0.5"}}]
    assert len(Wishes(folder.wishes).advance()) == 3


def test_what_is_no_wish_is_passed_over(folder: RunFolder) -> None:
    wishes = Wishes(folder.wishes)
    with open(folder.wishes, "ab") as file:
        file.write(b'nonsense\n[]\n{"id": 1, "ask": "pause"}\n{"id": "a", "ask": "explode"}\n{"id": "b", "ask": "pau')
    assert wishes.advance() == []
    with open(folder.wishes, "ab") as file:
        file.write(b'se", "by": 3}\n')
    assert [(one.id, one.ask, one.by) for one in wishes.advance()] == [("b", "pause", "user")]


def test_a_torn_wish_does_not_swallow_the_next(folder: RunFolder) -> None:
    with open(folder.wishes, "ab") as file:
        file.write(b'{"id": "torn", "ask": "pau')
    asked = ask(folder, "resume")
    assert [one.id for one in Wishes(folder.wishes).advance()] == [asked]


def test_only_a_sweep_can_be_asked(new_run: Callable[..., RunFolder]) -> None:
    with pytest.raises(StoreError, match="is no sweep"):
        ask(new_run("lenet"), "pause")
