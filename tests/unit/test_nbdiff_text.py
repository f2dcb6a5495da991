from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwidgets.history.diff.cells import compare
from mlwidgets.history.notebooks.notebook import Cell, Notebook
from mlwidgets.views import nbdiffwords as words
from mlwidgets.views.nbdifftext import rows_text, text

NOW = 1_800_000_000.0
LONG = "\n".join(f"step_{n} = compute({n})" for n in range(20))


def document(old: list[Cell], new: list[Cell], **options: Any) -> dict[str, Any]:
    diff = compare(
        Notebook(tuple(old), "python", {"title": "A"}), Notebook(tuple(new), "python", {"title": "A"}), **options
    )
    return {
        "old": {"label": "commit 1a2b3c4", "time": NOW - 7300},
        "new": {"label": "now", "time": None},
        "diff": diff.to_json(),
    }


def shown(old: list[Cell], new: list[Cell], **options: Any) -> list[str]:
    return text(document(old, new, **options), colour=False, width=60, now=NOW).split("\n")


OLD = [
    Cell("a", "code", "import torch\nlr = 0.001", {}, {}, 1),
    Cell("b", "markdown", "# Title of the part"),
    Cell("c", "code", LONG),
    Cell("d", "code", "print('this goes')"),
    *(Cell(f"s{n}", "code", f"print({n}, 'stays')") for n in range(4)),
]
NEW = [
    Cell("a", "code", "import torch\nlr = 0.0003", {"tags": ["x"]}, {}, 7),
    Cell("c", "code", LONG.replace("compute(9)", "compute(99)")),
    Cell("n", "code", "print('this came')\nprint('and this')"),
    *OLD[4:],
    OLD[1],
]


def test_a_notebook_in_a_terminal() -> None:
    assert shown(OLD, NEW) == [
        "2 cells edited, 1 added, 1 removed, 1 moved since commit 1a2b3c4, 2 h ago",
        "",
        "── cell 1 [In 7]: edited ───────────────────────────────────",
        "  import torch",
        "~ lr = [-0.001-]{+0.0003+}",
        '  tags: none → ["x"]',
        "",
        "── cell 2: edited ──────────────────────────────────────────",
        "  ⋯ 6 unchanged lines",
        "  step_6 = compute(6)",
        "  step_7 = compute(7)",
        "  step_8 = compute(8)",
        "~ step_9 = compute([-9-]{+99+})",
        "  step_10 = compute(10)",
        "  step_11 = compute(11)",
        "  step_12 = compute(12)",
        "  ⋯ 7 unchanged lines",
        "",
        "── former cell 4: removed ──────────────────────────────────",
        "- print('this goes')",
        "",
        "── cell 3: added ───────────────────────────────────────────",
        "+ print('this came')",
        "+ print('and this')",
        "",
        "  ⋯ 4 unchanged cells",
        "",
        "── markdown cell 8: moved from 2 ───────────────────────────",
        "  # Title of the part",
    ]


def test_colours_mark_the_words() -> None:
    painted = text(document(OLD[:1], NEW[:1]), colour=True, width=60, now=NOW)
    assert "\x1b[31m- lr = \x1b[7m0.001\x1b[27m\x1b[0m\n\x1b[32m+ lr = \x1b[7m0.0003\x1b[27m\x1b[0m" in painted
    assert "[-" not in painted
    plain = re.sub(r"\x1b\[[\d;]*m", "", painted)
    assert "- lr = 0.001\n+ lr = 0.0003" in plain


def test_nothing() -> None:
    assert shown(OLD, OLD) == ["Nothing has changed since commit 1a2b3c4, 2 h ago"]
    two = {**document(OLD, OLD), "new": {"label": "run lenet", "time": NOW - 30}}
    assert text(two, colour=False, width=60, now=NOW).startswith(
        "No difference between commit 1a2b3c4, 2 h ago and run lenet, 30 s ago"
    )


def test_outputs() -> None:
    def stream(said: str) -> dict[str, Any]:
        return {"output_type": "stream", "name": "stdout", "text": said}

    picture = {"output_type": "display_data", "data": {"image/png": "QUJD" * 500}}
    old = Cell("a", "code", "x", {}, {}, 1, (stream("loss 0.5"), picture))
    new = Cell("a", "code", "x", {}, {}, 2, (stream("loss 0.4"),))
    assert shown([old], [new], outputs=True)[2:] == [
        "── cell 1 [In 2]: other outputs ────────────────────────────",
        "  output 1, text: edited",
        "~ loss [-0.5-]{+0.4+}",
        "  output 2, image: removed, image/png of 1.5 kB",
    ]


def test_lines_in_which_much_changed_are_not_marked() -> None:
    old = [part for n in range(5) for part in ([0, "="], [1, f"old{n}"])]
    new = [part for n in range(5) for part in ([0, "="], [1, f"new{n}"])]
    assert rows_text([["~", 1, 1, old, new]], colour=False, width=80) == [
        "- =old0=old1=old2=old3=old4", "+ =new0=new1=new2=new3=new4"
    ]  # fmt: skip


def test_many_words_of_a_line_are_marked_in_both() -> None:
    old = "We train for ten epochs. The loss goes down quickly at first and then slowly. Then it stays."
    new = "We train for six epochs. The loss goes down fast at first and later slowly. Then it rises."
    left, right = shown([Cell("a", "code", old)], [Cell("a", "code", new)])[3:]
    assert re.findall(r"\[-(.*?)-\]", left) == ["ten", "quickly", "then", "stays"]
    assert re.findall(r"{\+(.*?)\+}", right) == ["six", "fast", "later", "rises"]
    assert re.sub(r"\[-|-\]", "", left) == f"- {old}"


def test_a_very_long_line_is_shown_where_it_changed() -> None:
    half = "spam " * 10_000
    lines = shown([Cell("a", "code", f"{half}egg {half}")], [Cell("a", "code", f"{half}ham {half}")])
    assert max(map(len, lines)) < 400
    assert "[-egg-]{+ham+}" in lines[3]
    (added,) = [line for line in shown([], [Cell("a", "code", half)]) if line.startswith("+")]
    assert added.endswith("…")


def test_what_a_terminal_would_obey_is_shown() -> None:
    hostile = "print('\x1b]0;title\x07', '\u202e', '\x9b2J', 'a\rb')"
    for colour in (False, True):
        painted = text(document([], [Cell("a", "code", hostile)]), colour=colour, width=60, now=NOW)
        assert "␛]0;title␇" in painted
        assert "⟨202e⟩" in painted
        assert not re.search("[\x00-\x08\x0b-\x1a\x1c-\x1f\x80-\x9f\u202e]|\x1b[^[]", painted)
    painted = text(document([], [Cell("a", "code", "\ud800")]), colour=False, width=60, now=NOW)
    assert painted.encode()


cells = st.lists(
    st.builds(Cell, st.none(), st.sampled_from(["code", "markdown"]), st.text(max_size=20)), max_size=5
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(cells, cells, st.booleans())
def test_any_notebook_can_be_printed(old: list[Cell], new: list[Cell], colour: bool) -> None:
    painted = text(document(old, new), colour=colour, width=0, now=NOW)
    assert painted.encode()
    without = re.sub(r"\x1b\[[\d;]*m", "", painted) if colour else painted
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", without)


def test_rows_alone() -> None:
    rows = [["=", n, n, str(n)] for n in range(1, 9)] + [["+", 9, "new"]]
    assert rows_text(rows, colour=False, width=80) == ["  ⋯ 5 unchanged lines", "  6", "  7", "  8", "+ new"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "just now"), (59, "59 s ago"), (3599, "59 min ago"), (86399, "23 h ago"), (30 * 86400, "30 d ago")],
)
def test_ago(seconds: float, said: str) -> None:
    assert words.ago(NOW - seconds, NOW) == said
    assert words.ago(0, NOW) == "on 1970-01-01"
    snapshot = {"label": "snapshot 20261121-181502-k3f9", "time": NOW - 60}
    assert words.side_words(snapshot, NOW) == "the snapshot of 1 min ago"
    assert words.side_words({"label": "last save", "time": None}, NOW) == "the last save"


def test_stretches() -> None:
    found = words.stretches(list("....x......x."), lambda one: one == "x", 1, 2)
    assert [(folded, "".join(part)) for folded, part in found] == [
        (True, "..."), (False, ".x."), (True, "...."), (False, ".x.")
    ]  # fmt: skip
    assert words.stretches([], bool, 1, 2) == []
