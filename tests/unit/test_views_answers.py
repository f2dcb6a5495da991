"""Questions of a view that make no sense."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.runs.annotations import annotate
from mlwidgets.runs.folder import RunFolder
from mlwidgets.views.conversation import Conversation
from tests.unit.views_support import make_run

NAMES = ("run", "first", "count", "from", "until", "axis", "text", "name", "file", "runs", "to", "frame")
DEEP: list[Any] = []
for _ in range(500):
    DEEP = [DEEP]
NUMBERS = [math.inf, -math.inf, math.nan, -1, 10**4000]
ODD: list[Any] = [*NUMBERS, "", "x", "\0", "\ud800", "..", [[[1]]], {"a": {}}, None, DEEP]


@pytest.mark.parametrize("kind", ["range", "lines", "find", "file", "media", "runs", "compare", "hello", [], None])
def test_each_has_an_answer(tmp_path: Path, kind: Any) -> None:
    run = make_run(tmp_path / "runs", metrics={"loss": [1.0, 2.0]}, output="a\nb\n")
    tmp_path.chmod(0o700)
    told: list[dict[str, Any]] = []
    talk = Conversation([run], lambda content, buffers, to: told.append(content))
    usual = {"run": run.id, "first": 0, "count": 1, "from": 0, "until": 1, "axis": "step", "text": "a", "name": "a",
             "file": "a", "runs": [], "to": 1, "frame": 0}  # fmt: skip
    for value in ODD:
        for question in (dict.fromkeys(NAMES, value), *({**usual, name: value} for name in NAMES)):
            before = len(told)
            talk.answer({"type": kind, **question})
            if isinstance(kind, str) and kind not in {"compare", "hello"}:
                assert [one["type"] for one in told[before:]] == ["answer"]
                assert len(str(told[-1]["answer"].get("error", ""))) <= 500
    told.clear()
    talk.answer({"type": "lines", "run": run.id, "first": 0, "count": 9, "to": 7})
    assert told == [{"type": "answer", "to": 7, "answer": {"lines": ["a", "b"]}}]


def test_whoever_comes_back_after_the_end_is_told_of_tags(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    told: list[dict[str, Any]] = []
    talk = Conversation([run], lambda content, buffers, to: told.append(content))
    assert not talk.refresh()
    assert told == []
    annotate(RunFolder(run.path), tags={"k": "v"})
    talk.answer({"type": "hello", "frame": 0})
    (shown,) = told[-1]["state"]["runs"]
    assert (told[-1]["type"], shown["header"]["tags"]) == ("state", [["k", "v"]])
    run.path.rename(tmp_path / ".gone")
    talk.answer({"type": "hello", "frame": -1})
    assert told[-1]["state"]["runs"][0]["header"]["tags"] == [["k", "v"]]
