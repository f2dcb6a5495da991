from __future__ import annotations

from typing import Any

import pytest

from mlwidgets.runs.displays import replay


def shown(*entries: dict[str, Any], output: int = 0) -> tuple[list[str], int]:
    displays, cleared_to = replay(entries, output)
    return [d.data["text/plain"] for d in displays], cleared_to


def display(text: str, offset: int = 0, display_id: str | None = None) -> dict[str, Any]:
    return {"event": "display", "data": {"text/plain": text}, "offset": offset, "display_id": display_id}


def update(text: str, display_id: str, offset: int = 0) -> dict[str, Any]:
    return {**display(text, offset, display_id), "event": "update"}


def clear(offset: int = 0, *, wait: bool = False) -> dict[str, Any]:
    return {"event": "clear", "wait": wait, "offset": offset}


@pytest.mark.parametrize(
    "damaged",
    [
        {"event": "display"}, {"event": "display", "offset": 0}, {"event": "display", "offset": 0, "data": "text"},
        {"event": "display", "offset": "0", "data": {}}, {"event": "clear", "offset": 0}, {"event": "clear", "wait": 0},
        {"event": "update", "offset": 0, "data": {}}, {"event": "update", "offset": 0, "display_id": "x"},
        {"event": "other"},
    ],
)  # fmt: skip
def test_damaged_entries_are_passed_over(damaged: dict[str, Any]) -> None:
    assert shown(display("a", 0, "x"), damaged, display("b")) == (["a", "b"], 0)


@pytest.mark.parametrize(
    ("entries", "output", "expected"),
    [
        ([], 100, ([], 0)),
        ([display("a"), display("b", 5)], 9, (["a", "b"], 0)),
        ([display("a", 3), clear(7)], 9, ([], 7)),
        ([display("a", 3), clear(7), display("b", 8)], 9, (["b"], 7)),
        # Waiting, nothing came: what was shown stays.
        ([display("a", 3), clear(7, wait=True)], 7, (["a"], 0)),
        # Waiting ends with the next display, or with the next output.
        ([display("a", 3), clear(7, wait=True), display("b", 7)], 7, (["b"], 7)),
        ([display("a", 3), clear(7, wait=True)], 8, ([], 7)),
        ([display("a"), clear(7, wait=True), display("b", 9), clear(20, wait=True)], 20, (["b"], 7)),
        ([display("a"), clear(7, wait=True), clear(9, wait=True)], 9, ([], 7)),
        ([display("a"), clear(7, wait=True), clear(7, wait=True)], 7, (["a"], 0)),
        ([display("a"), clear(7, wait=True), clear(7)], 7, ([], 7)),
        # An update draws nothing new: it ends no waiting.
        ([display("a", 0, "x"), clear(7, wait=True), update("b", "x", 7)], 7, (["b"], 0)),
        ([display("a", 0, "x"), clear(7, wait=True), update("b", "x", 8)], 8, ([], 7)),
    ],
)
def test_replay(entries: list[dict[str, Any]], output: int, expected: tuple[list[str], int]) -> None:
    assert shown(*entries, output=output) == expected


def test_updates_change_every_display_of_that_id_in_place() -> None:
    entries = [display("a", 0, "x"), display("b"), display("c", 0, "x"), update("d", "x")]
    assert shown(*entries)[0] == ["d", "b", "d"]


def test_updates_of_what_is_not_shown() -> None:
    assert shown(update("a", "x"), display("b", 0, "x"), clear(), update("c", "x"))[0] == []
    assert shown(display("a"), update("b", "x"))[0] == ["a"]


def test_frames_of_an_animation() -> None:
    entries = []
    for frame in range(300):
        entries += [display(str(frame), frame), clear(frame + 1, wait=True)]
    assert shown(*entries, output=300) == (["299"], 299)


def test_metadata() -> None:
    entry = {**display("a"), "metadata": {"image/png": {"width": 3}}}
    assert replay([entry, display("b")], 0)[0][0].metadata == {"image/png": {"width": 3}}
