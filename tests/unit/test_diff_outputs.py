from __future__ import annotations

import base64
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwidgets.history.diff.cells import compare
from mlwidgets.history.diff.outputs import MOST_TEXT, diff_outputs, one_sided, shown
from mlwidgets.history.diff.tables import read_table
from mlwidgets.history.notebooks.notebook import Cell, Notebook


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def result(**data: Any) -> dict[str, Any]:
    bundle = {key.replace("_", "/", 1): value for key, value in data.items()}
    return {"output_type": "execute_result", "data": bundle, "metadata": {}, "execution_count": 1}


def frame(value: pd.DataFrame) -> dict[str, Any]:
    return result(text_html=value._repr_html_(), text_plain=repr(value))


def shown_as(rows: list[list[Any]]) -> list[str]:
    """Rows as text, what changed in brackets."""
    said = []
    for sign, *rest in rows:
        sides = rest[2:] if sign == "~" else [[[0, rest[-1]]]]
        said.append(sign + " -> ".join("".join(f"[{t}]" if c else t for c, t in side) for side in sides))
    return said


def test_text_by_lines() -> None:
    old = [stream("epoch 1\n"), stream("loss 0.5\n"), stream("careful", "stderr")]
    new = [stream("epoch 1\nloss 0.4\n"), stream("careful", "stderr")]
    (first, second) = diff_outputs(old, new)
    assert (first["change"], first["type"]) == ("edited", "text")
    assert shown_as(first["rows"]) == ["=epoch 1", "~loss [0.5] -> loss [0.4]"]
    assert second == {"change": "same", "type": "text", "rows": [], "old": None, "new": None}


def test_what_shows_the_same() -> None:
    assert diff_outputs([stream("a\n"), stream("b\n")], [stream("a\nb")]) == []
    assert diff_outputs([stream("\x1b[31mred\x1b[0m")], [stream("red")]) == []
    assert diff_outputs([stream("10%\r50%\r100%\n")], [stream("33%\r"), stream("100%\n")]) == []
    plot = "[<matplotlib.lines.Line2D at 0x7f{}a0>]"
    assert diff_outputs([result(text_plain=plot.format("aa11"))], [result(text_plain=plot.format("bb22"))]) == []
    # A number that somebody printed is no address.
    assert diff_outputs([result(text_plain="0x7faa11")], [result(text_plain="0x7fbb22")]) != []


def test_a_stream_in_pieces_is_cut_where_one_in_a_piece_is() -> None:
    line = "x" * 99 + "\n"
    whole = line * 3000
    (one,) = shown([stream(whole)])
    assert len(one.text) == MOST_TEXT - 1
    assert shown([stream(line) for _ in range(3000)]) == [one]
    raised = {"output_type": "error", "traceback": [line[:-1]] * 3000}
    (error,) = shown([raised])
    assert (error.kind, error.text) == ("error", whole[:MOST_TEXT])


def test_a_stream_that_stopped_between_two_others() -> None:
    pieces = [stream("\x1b[3"), stream("1mred\x1b[0m\r"), stream("\ngreen\n"), stream("out", "stderr"), stream("last")]
    assert [one.text for one in shown(pieces)] == ["red\ngreen", "out", "last"]


def test_errors_without_colours() -> None:
    old = {
        "output_type": "error",
        "ename": "ValueError",
        "evalue": "a",
        "traceback": ["\x1b[0;31mValueError\x1b[0m: a"],
    }
    (one,) = diff_outputs([old], [{**old, "traceback": ["\x1b[0;31mValueError\x1b[0m: b"]}])
    assert one["type"] == "error"
    assert shown_as(one["rows"]) == ["~ValueError: [a] -> ValueError: [b]"]
    (bare,) = one_sided([{"output_type": "error", "ename": "KeyError", "evalue": "'x'"}], "added")
    assert shown_as(bare["rows"]) == ["+KeyError: 'x'"]


def test_tables_by_cells() -> None:
    old = pd.DataFrame({"accuracy": [0.91, 0.92, 0.95], "name": ["a", "b", "c"]}, index=["x", "y", "z"])
    new = pd.DataFrame(
        {"accuracy": [0.91, 0.93, 0.5, 0.95], "name": ["a", "b", "n", "c"]}, index=["x", "y", "new", "z"]
    )
    (one,) = diff_outputs([frame(old)], [frame(new)])
    assert one["type"] == "table"
    assert shown_as(one["rows"]) == [
        "=    │ accuracy │ name",
        "=x   │     0.91 │ a",
        "~y   │     [0.92] │ b -> y   │     [0.93] │ b",
        "+new │     0.50 │ n",
        "=z   │     0.95 │ c",
    ]


def test_tables_with_another_column() -> None:
    old = pd.DataFrame({"a": [1, 2], "b": [0.5, 0.25]})
    (one,) = diff_outputs([frame(old)], [frame(old.assign(c=["x", "y"])[["a", "c", "b"]].round(1))])
    assert shown_as(one["rows"]) == [
        "~  │ a │   │    b ->   │ a │ [c] │    b",
        "~0 │ 1 │   │ 0.50 -> 0 │ 1 │ [x] │  0.5",
        "~1 │ 2 │   │ [0.25] -> 1 │ 2 │ [y] │  [0.2]",
    ]


@pytest.mark.parametrize(
    "html",
    [
        "<p>no table</p>",
        "<table><tr><td>1</td></tr></table><table><tr><td>2</td></tr></table>",
        "<table><tr><td><img src=x></td></tr></table>",
        "<b>title</b><table><tr><td>1</td></tr></table>",
        "<table></table>",
    ],
)
def test_what_is_not_one_table(html: str) -> None:
    assert read_table(html) is None


def test_tables_of_others() -> None:
    html = "<style>td {color: red}</style><table><tr><th colspan=2>a<td>1<tr><td>&lt;b&gt;<br>c<td>2<td>3</table>"
    assert read_table(html) == (("a", "", "1"), ("<b> c", "2", "3"))


@pytest.mark.parametrize("piece", ["<!--", "<a ", "</", "<![", "<td a='", "&#", "<td>", "<script>", "<style><"])
def test_a_table_that_is_made_to_take_long(piece: str) -> None:
    html = "<table><tr><td>x" + piece * (180_000 // len(piece))
    for _ in range(20):
        rows = read_table(html)
    assert rows is None or rows[0][0].startswith("x")


def test_pictures_side_by_side() -> None:
    old, new = (base64.b64encode(data).decode() for data in (b"old", b"new"))
    (one,) = diff_outputs([result(image_png=old + "\n", text_plain="<Figure>")], [result(image_png=new)])
    assert one["type"] == "image"
    assert (one["old"], one["new"]) == ({"mime": "image/png", "data": old}, {"mime": "image/png", "data": new})
    (svg,) = one_sided([result(**{"image_svg+xml": "<svg/>"})], "removed")
    assert svg["old"] == {"mime": "image/svg+xml", "data": base64.b64encode(b"<svg/>").decode()}
    assert svg["new"] is None


def test_other_kinds() -> None:
    old, new = ({"output_type": "display_data", "data": {"application/json": {"a": value}}} for value in (1, 2))
    (one,) = diff_outputs([old], [new])
    assert one["type"] == "other"
    assert [row[0] for row in one["rows"]] == ["=", "~", "="]
    (added,) = diff_outputs([old], [old, stream("x")])[1:]
    assert (added["change"], shown_as(added["rows"])) == ("added", ["+x"])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
mimes = st.sampled_from(["text/plain", "text/html", "image/png", "image/svg+xml", "application/json", "x"])
outputs = st.lists(
    st.builds(stream, st.text(max_size=8), st.sampled_from(["stdout", "stderr"]))
    | st.builds(lambda data: {"output_type": "display_data", "data": data}, st.dictionaries(mimes, anything))
    | st.dictionaries(st.sampled_from(["output_type", "text", "data", "traceback", "name"]), anything),
    max_size=4,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(outputs, outputs)
def test_any_outputs(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    assert diff_outputs(old, old) == []
    found = diff_outputs(old, new)
    if found:
        assert len([one for one in found if one["change"] != "added"]) == len(shown(old))
        assert len([one for one in found if one["change"] != "removed"]) == len(shown(new))
        assert {one["change"] for one in found} != {"same"}


def test_a_cell_whose_outputs_alone_differ_is_the_same() -> None:
    old = Notebook((Cell("a", "code", "x", outputs=(stream("1"),)), Cell("b", "code", "y", outputs=(stream("2"),))))
    new = Notebook((Cell("a", "code", "x", outputs=(stream("9"),)),))
    assert not compare(Notebook(old.cells[:1]), new)
    diff = compare(old, new, outputs=True)
    assert diff
    assert diff.counts["same"] == 1
    assert [one["change"] for cell in diff.cells for one in cell.outputs] == ["edited", "removed"]
    assert "outputs" not in compare(old, new).to_json()["cells"][0]
