"""What a page of a report is made from in tests, and how it is read: by a parser that shares nothing with ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

import html5lib
from nbformat.v4 import new_code_cell, new_notebook, new_output

from mlwidgets.reports.page.about import About
from mlwidgets.reports.page.making import export

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """A page as an independent parser sees it: every tag with its attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.strays: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        self.strays += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.strays.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def classed(self, name: str) -> list[dict[str, str]]:
        return [attributes for _, attributes in self.tags if name in attributes.get("class", "").split()]


def code(source: str = "1", *outputs: Any, tags: tuple[str, ...] = (), **metadata: Any) -> Any:
    return new_code_cell(
        source,
        outputs=list(outputs),
        execution_count=7,
        metadata={**metadata, **({"tags": list(tags)} if tags else {})},
    )


def shown(data: Mapping[str, Any], **metadata: Any) -> Any:
    return new_output("display_data", data=dict(data), metadata=metadata)


def printed(text: str, name: str = "stdout") -> Any:
    return new_output("stream", name=name, text=text)


def made(*cells: Any, about: About | None = None, metadata: dict[str, Any] | None = None, **options: Any) -> Page:
    notebook = new_notebook(cells=list(cells), metadata=metadata or {})
    page = Page(export(notebook, about, **options))
    assert_harmless(page)
    return page


def drawings(page: Page) -> Iterator[str]:
    for attributes in page.all("img"):
        if attributes["src"].startswith("data:image/svg"):
            yield unquote(attributes["src"].partition(",")[2])


def assert_harmless(page: Page) -> None:
    """Nothing runs, nothing is fetched, nothing takes the place of the page's own; and it is valid HTML."""
    html5lib.HTMLParser(strict=True).parse(page.html)
    names = [name for name, _ in page.tags]
    forbidden = "script iframe object embed form base link frame template applet svg foreignobject input button".split()
    assert not set(names) & set(forbidden)
    assert [one.get("http-equiv") for one in page.all("meta")].count("Content-Security-Policy") == 1
    assert "refresh" not in {one.get("http-equiv", "").lower() for one in page.all("meta")}
    for name in ("html", "head", "body", "main", "h1"):
        assert names.count(name) == 1, name
    for name, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on") or key in {"srcdoc", "srcset", "formaction"}]
        for key in ("src", "href", "xlink:href", "action", "data", "poster", "background"):
            value = attributes.get(key, "")
            scheme = re.match(r"[\s\x00-\x20]*([a-z][a-z0-9+.-]*):", value, re.IGNORECASE)
            if key == "href" and name == "a":
                assert not scheme or scheme[1].lower() in {"http", "https", "mailto"}, value
            elif value:
                assert re.match(r"data:(image/(png|jpeg|gif|webp|svg\+xml)|audio/|video/)", value), (name, value)
        style = attributes.get("style", "").lower()
        assert not re.search(r"url\(|expression|@import|position|behavior|-moz-binding", style)
    for sheet in re.findall(r"<style>(.*?)</style>", page.html, re.DOTALL):
        assert not re.search(r"url\(|@import|expression\(", sheet)
    for drawing in drawings(page):
        lower = drawing.lower()
        assert not re.search(
            r"<script|foreignobject|javascript:|\son\w+\s*=|<iframe|<animate|<set\b|http(?!://www\.w3\.org/)", lower
        )
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert all(one.startswith(("u-", "s-", "r-o", "figure-")) for one in ids if one not in {"title", "report"})
    own = [one["href"][1:] for one in page.all("a") if re.match("#(?!u-)", one.get("href", ""))]
    assert set(own) <= set(ids), "links of the page's own lead somewhere"
    assert not page.strays, page.strays
