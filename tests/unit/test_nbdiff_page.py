from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwidgets.history.diff.cells import compare
from mlwidgets.history.notebooks.notebook import Cell, Notebook
from mlwidgets.views.nbdiffpage import fragment, page
from mlwidgets.views.nbdiffwords import visible

VOID = {"meta", "img", "br"}
HOSTILE = "</pre><script>alert(1)</script>&amp;\"' <img src=x onerror=alert(2)> \u202e"
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Page(HTMLParser):
    """Reads a page and fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.lines: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))
        if (dict(attrs).get("class") or "").startswith("line"):
            self.lines.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if any((about.get("class") or "").startswith("line") for _, about in self.open):
            tag, before = self.lines[-1]
            self.lines[-1] = (tag, before + data)
        elif not any(tag in {"style", "title"} for tag, _ in self.open):
            self.text += data


def stream(said: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": said}


def image(data: str, mime: str = "image/png") -> dict[str, Any]:
    return {"output_type": "display_data", "data": {mime: data}}


def document(old: list[Cell], new: list[Cell], **metadata: Any) -> dict[str, Any]:
    diff = compare(Notebook(tuple(old)), Notebook(tuple(new), "python", metadata), outputs=True)
    return {
        "old": {"label": f"commit {HOSTILE}", "time": 1_800_000_000.0},
        "new": {"label": "now", "time": None},
        "diff": diff.to_json(),
    }


OLD = [
    Cell("a", "code", "import torch\nlr = 0.001", {}, {}, 1, (stream("loss 0.5"), image(PICTURE))),
    Cell("b", "markdown", "# Title of the part"),
    *(Cell(f"s{n}", "code", f"print({n}, 'stays')") for n in range(4)),
    Cell("d", "code", "this_goes = 1"),
]
NEW = [
    Cell("a", "code", "import torch\nlr = 0.0003", {HOSTILE: HOSTILE}, {}, 7, (stream(HOSTILE), image("AAAA"))),
    *OLD[2:6],
    Cell("n", "code", HOSTILE),
    OLD[1],
]


@pytest.mark.parametrize("draw", [page, fragment])
def test_nothing_of_a_notebook_is_taken_for_html(draw: Any) -> None:
    html = draw(document(OLD, NEW, title=HOSTILE))
    drawn = Page(html)
    names = {tag for tag, _ in drawn.tags}
    assert "script" not in names
    assert not any(name.startswith("on") for _, about in drawn.tags for name in about)
    images = [about for tag, about in drawn.tags if tag == "img"]
    assert [str(one["src"])[:22] for one in images] == ["data:image/png;base64,"] * 2
    assert all(one["alt"] for one in images)
    assert "\u202e" not in html
    assert visible(HOSTILE) in drawn.text + "".join(text for _, text in drawn.lines)


def test_the_page_is_complete_in_itself() -> None:
    html = page(document(OLD, NEW))
    assert html.startswith("<!doctype html>")
    drawn = Page(html)
    assert not [tag for tag, about in drawn.tags if "src" in about and not str(about["src"]).startswith("data:")]
    assert not {"link", "iframe", "object", "form"} & {tag for tag, _ in drawn.tags}
    assert not re.search(r"@import|url\(", html)
    (policy,) = [about["content"] for _, about in drawn.tags if "http-equiv" in about]
    assert "default-src 'none'" in str(policy)
    for media in ("prefers-color-scheme: dark", "max-width", "print"):
        assert f"@media ({media}" in html or f"@media {media}" in html


def test_what_the_page_says() -> None:
    drawn = Page(page(document(OLD, NEW, title="T")))
    assert "1 cell edited, 1 added, 1 removed, 1 moved" in drawn.text
    for said in ("Cell 1 [In 7] edited", "Former cell 7 removed", "Markdown cell 7 moved from 2", "4 unchanged cells"):
        assert said in " ".join(drawn.text.split())
    assert ("del", "lr = 0.001") in drawn.lines
    assert ("ins", "lr = 0.0003") in drawn.lines
    heads = [int(tag[1]) for tag, _ in drawn.tags if re.fullmatch(r"h\d", tag)]
    assert heads[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(heads))
    anchors = {about["href"] for tag, about in drawn.tags if tag == "a"}
    ids = [about["id"] for _, about in drawn.tags if "id" in about]
    assert anchors == {f"#{one}" for one in ids}
    assert len(ids) == len(set(ids)) == 4


def test_a_picture_of_another_kind_is_none() -> None:
    drawn = document([Cell("a", "code", "x", outputs=(image("AAAA"),))], [Cell("a", "code", "x")])
    drawn["diff"]["cells"][0]["outputs"][0]["old"]["mime"] = 'text/html"><script>'
    for draw in (page, fragment):
        assert "<img" not in draw(drawn)
        assert "<script" not in draw(drawn)


def test_a_fragment_is_bounded_and_says_so() -> None:
    new = Cell("a", "code", "\n".join(f"line_{n} = {n}" for n in range(30_000)))
    html = fragment(document([], [new]))
    assert "28000 more lines" in html
    assert "<style" not in html
    assert len(html) < 800_000
    long = Cell("a", "code", "x" * 10**6, outputs=(image("A" * 2_000_000),))
    assert len(fragment(document([], [long]))) < 10_000
    assert "too large" in fragment(document([], [long]))


cells = st.lists(
    st.builds(Cell, st.none(), st.sampled_from(["code", "markdown"]), st.text(max_size=15) | st.just("<b>\nx")),
    max_size=5,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(cells, cells)
def test_any_notebook_can_be_drawn(old: list[Cell], new: list[Cell]) -> None:
    drawn = Page(page(document(old, new)))
    diff = document(old, new)["diff"]
    # In the page unchanged lines are there twice, once for each side.
    sides = ("".join(text + "\n" for tag, text in drawn.lines if tag in {"span", kept}) for kept in ("del", "ins"))
    for side, cells_of_side in zip(sides, (old, new), strict=True):
        for one in cells_of_side:
            for line in one.source.split("\n"):
                # HTML has no carriage returns of its own, and none is left to it.
                assert visible(line) in side
    assert Page(fragment({**document(old, new), "diff": diff})).open == []
