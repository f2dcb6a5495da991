"""Which of what came from a twin is in a notebook, and what both have in common then."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlwidgets.history.twins.bases import Base
from mlwidgets.server.flows import MOST, Flows

pytestmark = pytest.mark.unit

NOTEBOOK = Path("x.ipynb")


def cells(**sources: str) -> list[dict[str, str]]:
    return [{"id": name, "source": source} for name, source in sources.items()]


def base(name: str) -> Base:
    return Base({"cells": []}, name, "py:percent")


@pytest.fixture
def flows() -> Flows:
    flows = Flows()
    flows.note(NOTEBOOK, cells(a="a = 1", b="b = 1"), cells(a="a = 2", b="b = 1"), base("first"))
    flows.note(NOTEBOOK, cells(a="a = 2", b="b = 1"), cells(a="a = 3", b="b = 1", c="c = 1"), base("second"))
    return flows


@pytest.mark.parametrize(
    ("now", "found"),
    [
        (cells(a="a = 1", b="b = 1"), None),
        (cells(a="a = 2", b="b = 1"), "first"),
        (cells(a="a = 3", b="b = 1", c="c = 1"), "second"),
        (cells(a="a = 3", b="b = 'edited'", c="c = 'edited'"), "second"),
        # Saved while it came: not all of it is there.
        (cells(a="a = 3", b="b = 1"), None),
        (cells(a="a = 1", b="b = 1", c="c = 1"), None),
        # Somebody has written over it: it cannot be told.
        (cells(a="a = 4", b="b = 1", c="c = 1"), None),
        (cells(a="# mine\na = 3", b="b = 1", c="c = 1"), None),
    ],
)
def test_what_is_in_a_notebook_tells_what_both_have_in_common(
    flows: Flows, now: list[dict[str, str]], found: str | None
) -> None:
    known = flows.base_of(NOTEBOOK, now)
    assert (known and known.text) == found


def test_an_edit_elsewhere_in_the_cell_hides_nothing() -> None:
    flows = Flows()
    long = [f"line_{n} = {n}" for n in range(9)]
    then = [*long[:8], "line_8 = 'text'"]
    flows.note(NOTEBOOK, cells(a="\n".join(long)), cells(a="\n".join(then)), base("text"))
    known = flows.base_of(NOTEBOOK, cells(a="\n".join(["line_0 = 'mine'", *then[1:]])))
    assert known is not None
    assert flows.base_of(NOTEBOOK, cells(a="\n".join(["line_0 = 'mine'", *long[1:]]))) is None


def test_cells_that_went_and_what_is_forgotten() -> None:
    flows = Flows()
    flows.note(NOTEBOOK, cells(a="a", b="b"), cells(b="b"), base("gone"))
    assert flows.base_of(NOTEBOOK, cells(a="a", b="b")) is None
    assert flows.base_of(NOTEBOOK, cells(b="b")) is not None
    assert flows.base_of(Path("other.ipynb"), cells(b="b")) is None
    flows.forget(NOTEBOOK)
    assert flows.base_of(NOTEBOOK, cells(b="b")) is None


def test_only_the_last_ones_are_remembered() -> None:
    flows = Flows()
    for n in range(3 * MOST):
        flows.note(NOTEBOOK, cells(a=f"a = {n}"), cells(a=f"a = {n + 1}"), base(str(n)))
    known = flows.base_of(NOTEBOOK, cells(a=f"a = {3 * MOST}"))
    assert known is not None
    assert known.text == str(3 * MOST - 1)
    assert flows.base_of(NOTEBOOK, cells(a="a = 1")) is None
