"""Random edits of a notebook and of its twin: no cell and no line is ever lost."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.history.merging.documents import Document, load, read
from mlwidgets.history.notebooks.notebook import encode, read_notebook
from mlwidgets.history.twins.carrying import carried
from mlwidgets.history.twins.conversion import notebook_of, say_the_same, stripped, text_of
from mlwidgets.history.twins.deciding import Decided, clashes, decided
from mlwidgets.history.twins.pairing import Pairing
from mlwidgets.history.twins.syncing import settle, sync
from tests.twin_support import TOKEN, Editor, sources, write
from tests.twin_support import read as read_json

CASES = int(os.environ.get("MLWIDGETS_TWIN_CASES", "300"))
"""How many histories are tried."""
CHOICES = ("notebook", "twin", "both")


def said(text: str) -> set[str]:
    return set(TOKEN.findall(text))


def said_in(raw: dict[str, Any]) -> set[str]:
    return said("\n".join(sources(raw)))


def wanted(before: set[str], ours: set[str], theirs: set[str], choice: str | None) -> set[str]:
    """Return what must be there afterwards: what both still have, and what was added on the sides that stay."""
    new = {"notebook": ours, "twin": theirs}.get(choice or "", ours | theirs)
    return (before & ours & theirs) | (new - before)


@pytest.fixture
def pairing(tmp_path: Path) -> Pairing:
    (tmp_path / "jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
    return Pairing(tmp_path / "n.ipynb", tmp_path / "n.py", "py:percent", tmp_path / "jupytext.toml")


def merged(seed: int, pairing: Pairing) -> None:
    editor = Editor(seed)
    base = editor.notebook()
    text = text_of(base, pairing)
    ours, theirs = editor.edited(base), editor.edited_text(text)
    before = Document(b"base", stripped(base), read_notebook(base, "base").cells)
    here = read(encode(ours), "ours")
    there, _ = carried(before, notebook_of(text, pairing), notebook_of(theirs, pairing))
    choice = editor.random.choice(CHOICES)
    found = clashes(before, here, there, lambda _: choice, known=True)
    done = decided(before, here, there, found)
    assert done.notebook == done.twin == done.base
    must = wanted(said_in(base), said_in(ours), said(theirs), choice if found else None)
    assert not must - said_in(done.notebook)
    ids = [one["id"] for one in done.notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert _outputs(done.notebook) <= _outputs(here.raw)
    if len(found) > 1:
        check_partly(before, here, there, said(theirs), editor.random)
    # Where neither side said anything that differs, nothing is different.
    if not said_in(base) ^ said_in(ours) and not said_in(base) ^ said(theirs):
        assert said_in(done.notebook) == said_in(base)


def _outputs(raw: dict[str, Any]) -> set[str]:
    return {repr(one["outputs"]) for one in raw["cells"] if one.get("outputs")}


def check_partly(base: Document, ours: Document, theirs: Document, text: set[str], chance: random.Random) -> None:
    """Decide on some conflicts: the others are as they were on both sides, and are conflicts again."""
    open_ones = set(chance.sample(range(9), 5))
    number = iter(range(1000))
    found = clashes(base, ours, theirs, lambda _: None if next(number) in open_ones else "both", known=True)
    done: Decided = decided(base, ours, theirs, found)
    both = said_in(done.notebook) | said_in(done.twin)
    assert not wanted(said_in(base.raw), said_in(ours.raw), text, "both") - both
    for one in done.conflicts:
        if one.deleted != "notebook":
            assert one.notebook in sources(done.notebook)
        if one.deleted != "twin":
            assert one.twin in sources(done.twin)


@pytest.mark.parametrize("part", range(4))
def test_merges_lose_nothing(pairing: Pairing, part: int) -> None:
    for seed in range(part, CASES, 4):
        try:
            merged(seed, pairing)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


@pytest.mark.parametrize("text_format", ["py:percent", "py:light", "md", "md:myst", "Rmd"])
def test_a_twin_that_was_not_edited_changes_nothing(pairing: Pairing, text_format: str) -> None:
    twin = pairing.twin.with_suffix(f".{text_format.partition(':')[0]}")
    one = Pairing(pairing.notebook, twin, text_format, pairing.source)
    for seed in range(1000, 1000 + CASES // 10):
        raw = Editor(seed).notebook()
        base = Document(b"base", stripped(raw), read_notebook(raw, "base").cells)
        now = notebook_of(text_of(raw, one), one)
        there, kept = carried(base, now, now)
        assert there.raw == base.raw, f"seed {seed}"
        assert kept == list(range(len(base.cells)))
        assert say_the_same(now, notebook_of(text_of(there.raw, one), one))


@pytest.mark.parametrize("part", range(3))
def test_histories_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    monkeypatch.delenv("MLWIDGETS_STORE")
    (tmp_path / "jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
    (tmp_path / ".mlwidgets").mkdir(mode=0o700)
    path, twin = tmp_path / "n.ipynb", tmp_path / "n.py"
    editor = Editor(7000 + part)
    write(path, editor.notebook())
    assert sync(path).problem is None
    for step in range(max(CASES // 30, 1)):
        before, text = read_json(path), twin.read_text()
        ours, theirs = editor.edited(before), editor.edited_text(text)
        write(path, ours)
        if theirs != text:
            twin.write_text(theirs)
            os.utime(twin, (time.time() - 5, time.time() - 5))
        if editor.random.random() < 0.15:
            for one in (tmp_path / ".mlwidgets" / "twins").glob("*.json"):
                one.unlink()
            before = {"cells": []}
        done = sync(path)
        choice = None
        if done.conflicts:
            assert (read_json(path), twin.read_text()) == (ours, theirs), step
            choice = editor.random.choice(CHOICES)
            done = settle(path, dict.fromkeys((one.id for one in done.conflicts), choice))
        assert done.problem is None, (step, done.problem)
        assert not done.conflicts
        must = wanted(said_in(before), said_in(ours), said(theirs), choice)
        assert not must - said_in(load(path).raw), step
        assert not must - said(twin.read_text()), step
        now = path.read_bytes(), twin.read_bytes()
        assert sync(path).changed == "none"
        assert (path.read_bytes(), twin.read_bytes()) == now
