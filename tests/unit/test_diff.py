from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwidgets.history.diff import sequences
from mlwidgets.history.diff.cells import NotebookDiff, compare, lines
from mlwidgets.history.diff.lines import split
from mlwidgets.history.diff.sequences import Budget
from mlwidgets.history.diff.words import changed_words, tokens
from mlwidgets.history.notebooks.notebook import Cell, Notebook

LOAD = "import pandas as pd\ndata = pd.read_csv('data/train.csv')\ndata.describe()"
MODEL = (
    "class Net(nn.Module):\n    def __init__(self, hidden):\n        super().__init__()\n        self.hidden = hidden"
)
TRAIN = "for epoch in range(epochs):\n    loss = step(model, batch)\n    print(epoch, loss)"
PLOT = "figure, axes = plt.subplots()\naxes.plot(losses)\naxes.set_title('loss')"
NOTES = "# Results\n\nThe model reaches an accuracy of 0.91 after ten epochs."
ALL = [LOAD, MODEL, TRAIN, PLOT, NOTES]


def notebook(*cells: Cell | str | tuple[str, str]) -> Notebook:
    """A notebook of cells, sources, or ids and sources."""
    made = []
    for one in cells:
        if isinstance(one, Cell):
            made.append(one)
        else:
            made.append(Cell(None, "code", one) if isinstance(one, str) else Cell(one[0], "code", one[1]))
    return Notebook(tuple(made))


def told(diff: NotebookDiff) -> list[tuple[str, int | None, int | None]]:
    return [
        (
            cell.change + ("+moved" if cell.moved and cell.change == "edited" else ""),
            cell.old.index if cell.old else None,
            cell.new.index if cell.new else None,
        )
        for cell in diff.cells
    ]


def sides(rows: Sequence[Sequence[Any]]) -> tuple[str, str]:
    """Rebuild both texts from rows, whose line numbers count without a gap."""
    old: list[str] = []
    new: list[str] = []
    for sign, *rest in rows:
        if sign in "=~-":
            assert rest[0] == len(old) + 1
            old.append("".join(text for _, text in rest[2]) if sign == "~" else rest[-1])
        if sign in "=~+":
            assert rest[0 if sign == "+" else 1] == len(new) + 1
            new.append("".join(text for _, text in rest[3]) if sign == "~" else rest[-1])
    return "\n".join(old), "\n".join(new)


def rebuilt(document: dict[str, Any], side: str) -> list[tuple[str, str]]:
    """Return kind and source of the cells of one side, from the JSON alone."""
    found: dict[int, tuple[str, str]] = {}
    for cell in document["cells"]:
        if cell[side] is None:
            continue
        assert cell[side]["index"] not in found
        source = sides(cell["rows"])[side == "new"] if "rows" in cell else cell["source"]
        found[cell[side]["index"]] = (cell["kind" if side == "new" else "old_kind"], source)
    assert sorted(found) == list(range(len(found)))
    return [found[index] for index in range(len(found))]


def check(old: Notebook, new: Notebook) -> NotebookDiff:
    """Compare, and check what holds of every comparison."""
    diff = compare(old, new)
    document = json.loads(json.dumps(diff.to_json()))
    assert rebuilt(document, "new") == [(cell.kind, cell.source) for cell in new.cells]
    assert rebuilt(document, "old") == [(cell.kind, cell.source) for cell in old.cells]
    assert sum(document["counts"].values()) == len(document["cells"])
    indices = [cell["new"]["index"] for cell in document["cells"] if cell["new"]]
    assert indices == sorted(indices)
    stay = [cell["old"]["index"] for cell in document["cells"] if cell["old"] and not cell["moved"]]
    assert stay == sorted(stay)
    back = compare(new, old).counts
    assert back == {**diff.counts, "added": diff.counts["removed"], "removed": diff.counts["added"]}
    return diff


words = st.sampled_from(["x", "y = 1", "f(x)", "", " ", ")", "for i in x:", "    print(i)", "é東京", "0.5", "else:"])
text = st.lists(words, max_size=6).map("\n".join) | st.text(max_size=20)
cell = st.builds(
    Cell,
    st.none() | st.sampled_from("abcdefgh"),
    st.sampled_from(["code", "code", "markdown", "raw"]),
    text | st.sampled_from(ALL),
    st.just({}) | st.dictionaries(st.sampled_from(["tags", "name"]), st.integers() | st.lists(st.text(max_size=2))),
)
books = st.lists(cell, max_size=8).map(lambda cells: Notebook(tuple(cells)))


@st.composite
def edited(draw: st.DrawFn) -> tuple[Notebook, Notebook]:
    """A notebook and what became of it: cells moved, edited, removed, added, ids kept or not."""
    old = draw(books)
    cells = list(draw(st.permutations(old.cells))) if draw(st.booleans()) else list(old.cells)
    for index in draw(st.lists(st.integers(0, 7), max_size=3)):
        if index < len(cells):
            one = cells[index]
            cells[index] = Cell(one.id, one.kind, one.source + draw(text), one.metadata)
    cells = [one for one in cells if draw(st.integers(0, 5))]
    cells[1:1] = draw(st.lists(cell, max_size=2))
    if draw(st.booleans()):
        cells = [Cell(f"new{n}", one.kind, one.source, one.metadata) for n, one in enumerate(cells)]
    return old, Notebook(tuple(cells))


@settings(max_examples=150, deadline=None)
@given(st.tuples(books, books) | edited())
def test_any_two_notebooks(pair: tuple[Notebook, Notebook]) -> None:
    check(*pair)


@settings(max_examples=60, deadline=None)
@given(books)
def test_a_notebook_and_itself(book: Notebook) -> None:
    diff = check(book, book)
    assert diff.counts["same"] == len(book.cells)
    assert not diff


@settings(max_examples=150, deadline=None)
@given(text, text)
def test_lines_of_any_two_texts(old: str, new: str) -> None:
    rows = lines(old, new)
    assert sides(rows) == (old, new)
    assert all(row[0] == "=" for row in rows) == (old == new)
    for row in rows:
        if row[0] == "~":
            same = ["".join(text for changed, text in side if not changed) for side in row[3:]]
            assert same[0] == same[1]
            assert all(text for side in row[3:] for _, text in side)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30))
def test_tokens_lose_nothing(line: str) -> None:
    assert "".join(tokens(line)) == line


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
def test_the_longest_common_subsequence(old: list[str], new: list[str]) -> None:
    lengths = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i, j in itertools.product(range(len(old)), range(len(new))):
        lengths[i + 1][j + 1] = lengths[i][j] + 1 if old[i] == new[j] else max(lengths[i][j + 1], lengths[i + 1][j])
    pairs = sequences.longest(old, new)
    assert len(pairs) == lengths[-1][-1]
    assert all(old[i] == new[j] for i, j in pairs)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(pairs))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 9)), max_size=8, unique_by=lambda p: p[:2])
)
def test_the_heaviest_chain(pairs: list[tuple[int, int, int]]) -> None:
    weights = {(i, j): weight for i, j, weight in pairs}
    chain = sequences.heaviest([(i, j, float(weight)) for i, j, weight in pairs])
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(chain))
    chains = (c for n in range(len(pairs) + 1) for c in itertools.combinations(sorted(weights), n))
    rising = [c for c in chains if all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(c))]
    assert sum(weights[one] for one in chain) == max(sum(weights[one] for one in c) for c in rising)


def test_added_removed_edited() -> None:
    new = notebook(("a", LOAD), ("x", "print('new')"), ("c", TRAIN.replace("epochs", "20")), ("d", PLOT))
    diff = check(notebook(("a", LOAD), ("b", MODEL), ("c", TRAIN), ("d", PLOT)), new)
    assert told(diff) == [("same", 0, 0), ("removed", 1, None), ("added", None, 1), ("edited", 2, 2), ("same", 3, 3)]
    assert diff.cells[3].rows[0][3:] == [
        [[0, "for epoch in range("], [1, "epochs"], [0, "):"]],
        [[0, "for epoch in range("], [1, "20"], [0, "):"]],
    ]


@pytest.mark.parametrize("ids", ["none", "new", "places", "swapped"])
def test_ids_that_say_nothing(ids: str) -> None:
    """Cells are found by what they hold where ids are gone, written anew, or belong to places."""
    given = {"none": [None] * 6, "new": list("uvwxyz"), "places": list("012345"), "swapped": list("bacdef")}[ids]
    old = notebook(*(Cell(i, "code", s) for i, s in zip("012345" if ids == "places" else "abcdef", ALL, strict=False)))
    sources = ["print('at the top')", LOAD, MODEL.replace("hidden", "width"), TRAIN, PLOT, NOTES]
    diff = check(old, notebook(*(Cell(i, "code", s) for i, s in zip(given, sources, strict=True))))
    assert told(diff)[:3] == [("added", None, 0), ("same", 0, 1), ("edited", 1, 2)]
    assert diff.counts == {"added": 1, "removed": 0, "edited": 1, "moved": 0, "same": 4}


def test_contents_that_changed_places_under_their_ids() -> None:
    diff = check(notebook(("a", LOAD), ("b", PLOT), ("c", NOTES)), notebook(("a", PLOT), ("b", LOAD), ("c", NOTES)))
    assert diff.counts == {"added": 0, "removed": 0, "edited": 0, "moved": 1, "same": 2}


def test_the_smaller_of_two_blocks_is_the_one_that_moved() -> None:
    cells = [f"step_{n} = compute({n}, 'some text {n}')" for n in range(20)]
    new = cells[:2] + cells[12:] + cells[2:12]
    diff = check(notebook(*cells), notebook(*new))
    assert diff.counts == {"added": 0, "removed": 0, "edited": 0, "moved": 8, "same": 12}
    assert [cell.new.index for cell in diff.cells if cell.moved and cell.new] == list(range(2, 10))
    block = cells[15:] + cells[:15]
    assert check(notebook(*cells), notebook(*block)).counts["moved"] == 5


@pytest.mark.parametrize("ids", [True, False])
def test_moved_and_edited(ids: bool) -> None:
    named = [(f"id{n}", source) for n, source in enumerate(ALL)]
    new = [*named[1:], (named[0][0], LOAD.replace("train", "validation"))]
    pick = (lambda book: book) if ids else (lambda book: [source for _, source in book])
    diff = check(notebook(*pick(named)), notebook(*pick(new)))
    assert told(diff)[-1] == ("edited+moved", 0, 4)
    assert diff.counts == {"added": 0, "removed": 0, "edited": 1, "moved": 0, "same": 4}


def test_another_cell_is_no_edited_one() -> None:
    diff = check(notebook(LOAD, TRAIN), notebook(LOAD, "%matplotlib inline\nimport seaborn\nseaborn.set_theme()"))
    assert told(diff) == [("same", 0, 0), ("removed", 1, None), ("added", None, 1)]


def test_a_cell_is_itself_rather_than_what_was_put_in_its_place() -> None:
    """Its id went to something else, while it lives on, edited, under another one."""
    diff = check(
        notebook(("a", LOAD), ("b", TRAIN), ("c", NOTES), ("d", PLOT)),
        notebook(("a", LOAD), ("b", MODEL), ("n", TRAIN + "\n    log(loss=loss)"), ("c", NOTES), ("d", PLOT)),
    )
    assert told(diff)[1:3] == [("added", None, 1), ("edited", 1, 2)]


def test_a_cell_written_anew_in_place() -> None:
    assert told(check(notebook(("a", "x = 1")), notebook(("a", "print('hello')")))) == [("edited", 0, 0)]
    assert told(check(notebook(("a", "")), notebook(("a", LOAD)))) == [("edited", 0, 0)]


def test_split_and_joined() -> None:
    diff = check(notebook(LOAD, f"{TRAIN}\n\n{PLOT}", NOTES), notebook(LOAD, TRAIN, PLOT, NOTES))
    assert diff.counts == {"added": 1, "removed": 0, "edited": 1, "moved": 0, "same": 2}
    assert {row[0] for cell in diff.cells for row in cell.rows} == {"=", "-"}
    three = check(notebook(f"{LOAD}\n{TRAIN}\n{PLOT}"), notebook(LOAD, TRAIN, PLOT))
    assert three.counts == {"added": 2, "removed": 0, "edited": 1, "moved": 0, "same": 0}


def test_cells_that_are_everywhere() -> None:
    show = "plt.show()"
    old = notebook(LOAD, show, MODEL, show, TRAIN, show, "", PLOT, "")
    assert not check(old, old)
    diff = check(old, notebook(LOAD, show, MODEL, TRAIN, show, "", PLOT, "", show))
    assert diff.counts["same"] == 8
    diff = check(notebook(*[""] * 5, LOAD), notebook(LOAD, *[""] * 3))
    assert (diff.counts["same"], diff.counts["moved"]) == (1, 0)


def test_code_that_became_text() -> None:
    diff = check(notebook(LOAD, TRAIN), notebook(LOAD, Cell(None, "markdown", TRAIN)))
    assert told(diff) == [("same", 0, 0), ("edited", 1, 1)]
    assert (diff.cells[1].old_kind, diff.cells[1].kind) == ("code", "markdown")
    assert {row[0] for row in diff.cells[1].rows} == {"="}


def test_what_else_a_cell_has() -> None:
    old = Cell("a", "markdown", "![](x.png)", {"tags": ["a"], "deep": {"er": 1}}, {"x.png": {"image/png": "AAAA"}}, 1)
    new = Cell("a", "markdown", "![](x.png)", {"deep": {"er": 2}}, {"x.png": {"image/png": "BBBB"}}, 2)
    diff = compare(notebook(old), notebook(new))
    assert diff.counts["edited"] == 1
    (tags, deep, image) = diff.cells[0].metadata
    assert (tags, deep) == (["tags", '["a"]', None], ["deep.er", "1", "2"])
    assert image[0] == "attachments.x.png.image/png"
    assert "3 bytes" in str(image[1])
    assert not compare(notebook(Cell("a", "code", "x", {}, {}, 1)), notebook(Cell("b", "code", "x", {}, {}, 7)))
    about = compare(Notebook((), "r", {"kernelspec": {"name": "ir"}}), Notebook((), "python", {"authors": [1]}))
    assert about.metadata == [["kernelspec.name", '"ir"', None], ["authors", None, "[1]"]]
    assert about


def signs(old: str, new: str) -> list[str]:
    return [f"{row[0]}{row[-1] if row[0] != '~' else ''}" for row in lines(old, new)]


def test_what_was_added_is_a_block() -> None:
    old = "def a():\n    return 1\n\ndef c():\n    return 3"
    new = "def a():\n    return 1\n\ndef b():\n    return 2\n\ndef c():\n    return 3"
    added = ["+def b():", "+    return 2", "+"]
    assert [line for line in signs(old, new) if line[0] == "+"] == added
    assert [line for line in signs(new, old) if line[0] == "-"] == ["-" + line[1:] for line in added]
    inner = "for x in y:\n    if x:\n        f(x)\n    if z:\n        f(x)\nend"
    assert signs("for x in y:\n    if x:\n        f(x)\nend", inner)[3:5] == ["+    if z:", "+        f(x)"]


def test_blank_lines_hold_nothing_together() -> None:
    old = "a = load()\n\nb = clean(a)\n\nplot(b)"
    new = "import torch\n\nnet = Net().cuda()\n\nnet.train()"
    assert [line[0] for line in signs(old, new)] == ["-"] * 5 + ["+"] * 5
    closing = signs("foo(\n    1,\n)\nbar", "baz[\n    'x'\n]\n)\nqux")
    assert "=)" not in closing


def test_edited_lines_stand_side_by_side() -> None:
    old = "lr = 0.001\nmodel = Net(hidden=32)\nmodel.fit(x, y)"
    new = "lr = 0.0003\nseed = 7\nmodel = Net(hidden=64)\nmodel.fit(x, y)"
    assert signs(old, new) == ["~", "+seed = 7", "~", "=model.fit(x, y)"]


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("df.head()", "df.tail(20)", "df.[-head-]{+tail+}({+20+})"),
        ("f(a, b)", "f(c, d)", "f([-a, b-]{+c, d+})"),
        ("lr=1e-3, wd=0.1", "lr=3e-4, wd=0.2", "lr=[-1e-3-]{+3e-4+}, wd=[-0.1-]{+0.2+}"),
        ("a  = 1", "a = 1", "a[-  -]{+ +}= 1"),
        ("naïve Größe", "naïve Grösse", "naïve [-Größe-]{+Grösse+}"),
        ("cafe\u0301 x", "cafe x", "[-cafe\u0301-]{+cafe+} x"),
        ("東京は大きい", "京都は大きい", "[-東-]京{+都+}は大きい"),
        ("ok 👩\u200d🔬 x", "ok 👨\u200d🔬 x", "ok [-👩\u200d🔬-]{+👨\u200d🔬+} x"),
        ("m['a'].b().c[-1]: x", "m['a']: x", "m['a'][-.b().c[-1]-]: x"),
        ("open('5.csv')", "open('5.txt')", "open('5.[-csv-]{+txt+}')"),
        ("x = f(1_000.5e-3, y)", "x = f(.25e+3, y)", "x = f([-1_000.5e-3-]{+.25e+3+}, y)"),
        ("f(x)", "f(g(x))", "f({+g(+}x{+)+})"),
        ("x ** 2 // 3", "x * 2 // 3", "x [-**-]{+*+} 2 // 3"),
    ],
)
def test_words(old: str, new: str, shown: str) -> None:
    found = changed_words(old, new, Budget())
    assert found is not None
    left, right = (iter(side) for side in found)
    text, pending = "", next(right, None)
    for changed, piece in left:
        if changed:
            text += f"[-{piece}-]"
            continue
        while pending and pending[0]:
            text, pending = f"{text}{{+{pending[1]}+}}", next(right, None)
        text, pending = text + piece, next(right, None)
    while pending:
        text, pending = f"{text}{{+{pending[1]}+}}", next(right, None)
    assert text == shown


def test_lines_that_share_little_take_each_others_place() -> None:
    assert changed_words("data = load(path)", "model.compile(optimizer='adam')", Budget()) is None
    assert [row[0] for row in lines("x = load()", "import torch")] == ["-", "+"]


def test_a_line_of_a_megabyte() -> None:
    half = "spam = [1, 2, 3]; " * 30_000
    (row,) = lines(half + "a" + half, half + "bcd" + half)
    assert [text for changed, text in row[3] if changed] == ["a"]
    assert [text for changed, text in row[4] if changed] == ["bcd"]


random_ab = [random.Random(seed).choices("ab", k=6000) for seed in (1, 2)]
HUGE = {
    "all the same": (["x"] * 2000, ["x"] * 1500),
    "all empty": ([""] * 2000, [""] * 1500),
    "nearly the same": ([f"x = f({n}, 1)" for n in range(2000)], [f"x = f({n}, 2)" for n in range(2000)]),
    "backwards": ([f"x_{n} = f({n})" for n in range(2000)], [f"x_{n} = f({n})" for n in range(1999, -1, -1)]),
    "strangers": ([f"a{n} = b{n}" for n in range(2000)], [f"c{n} + d{n}" for n in range(2000)]),
    "one cell of two lines": (["\n".join(random_ab[0])], ["\n".join(random_ab[1])]),
    "one cell, all lines edited": (["\n".join(f"line {n}" for n in range(20_000))],
                                   ["\n".join(f"line {n}!" for n in range(20_000))]),
    "one cell, shuffled": (["\n".join(str(n) for n in range(20_000))],
                           ["\n".join(random.Random(3).sample([str(n) for n in range(20_000)], 20_000))]),
}  # fmt: skip


@pytest.mark.parametrize("name", HUGE)
def test_nothing_explodes(name: str) -> None:
    old, new = (notebook(*((str(n), source) for n, source in enumerate(side))) for side in HUGE[name])
    diff = check(old, new)
    if name == "nearly the same":
        assert diff.counts["edited"] == 2000
    if name in {"all the same", "all empty"}:
        assert diff.counts == {"added": 0, "removed": 500, "edited": 0, "moved": 0, "same": 1500}


def test_a_huge_cell_takes_no_words_from_others() -> None:
    huge = "\n".join(f"value_{n} = compute(input_{n}, {n})" for n in range(20_000))
    small = "lr = 0.001\nmomentum = 0.9"
    for cells in ((huge, small), (small, huge)):
        new = [cell.replace("0.001", "0.01").replace("compute", "calculate") for cell in cells]
        diff = check(notebook(*zip("ab", cells, strict=True)), notebook(*zip("ab", new, strict=True)))
        (edited,) = [cell for cell in diff.cells if len(cell.rows) == 2]
        assert edited.rows[0][3] == [[0, "lr = "], [1, "0.001"]]


def test_what_ids_tell_apart() -> None:
    """One cell went and another came: they look alike, but nobody edited the one into the other."""
    old, new = "print('the first result', x)", "print('the second value', y)"
    around = [("a", LOAD), ("b", TRAIN), ("c", PLOT)]
    apart = check(notebook(*around, ("d", old)), notebook(*around, ("n", new)))
    assert apart.counts == {"added": 1, "removed": 1, "edited": 0, "moved": 0, "same": 3}
    edited = check(notebook(*around, ("d", old)), notebook(*around, ("d", new)))
    assert edited.counts["edited"] == 1
    nameless = check(notebook(LOAD, TRAIN, PLOT, old), notebook(LOAD, TRAIN, PLOT, new))
    assert nameless.counts["edited"] == 1


def test_one_of_many_shows_went_and_another_came() -> None:
    show = "plt.show()"
    old = notebook(("a", show), ("b", LOAD), ("c", show), ("d", TRAIN), ("e", NOTES))
    new = notebook(("b", LOAD), ("c", show), ("d", TRAIN), ("e", NOTES), ("n", show))
    assert check(old, new).counts == {"added": 1, "removed": 1, "edited": 0, "moved": 0, "same": 4}


def test_thousands_of_cells_that_were_shuffled_and_edited() -> None:
    rng = random.Random(5)
    cells = [f"frame_{rng.random()} = read({n})\nplot(frame, {rng.random()})" for n in range(1500)]
    new = [cell + "\nsave()" for cell in rng.sample(cells, len(cells))]
    diff = check(notebook(*cells), notebook(*new))
    assert diff.counts["edited"] == 1500


def test_a_spent_budget_is_coarser_and_right() -> None:
    old = ["a", "b", "c", "a", "b", "d"] * 20
    new = ["b", "a", "c", "b", "a", "d"] * 20
    for bits in (0, 100, 1000, 10_000_000):
        budget = Budget(bits=bits)
        pairs = sequences.common(old, new, (), budget)
        assert all(old[i] == new[j] for i, j in pairs)
        assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(pairs))
        assert budget.bits >= -len(old) * len(new)
    assert split("") == []


def test_the_mark_of_a_merge_is_no_change_of_a_cell() -> None:
    def of(metadata: dict[str, Any]) -> Notebook:
        return notebook(Cell("a", "code", "x", metadata))

    marked = {"mlwidgets": {"conflict": {"kind": "edited", "note": "edited in ours and in theirs"}}}
    assert not compare(of({}), of(marked))
    assert compare(of({}), of({"mlwidgets": {"other": 1}}))
