"""Figures that only a script can draw, as pictures: by the real libraries, where they are installed."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from mlwidgets.reports import pdf
from mlwidgets.reports.page import drawing
from mlwidgets.reports.page.making import export
from tests.unit.report_support import PNG, Page, assert_harmless, code, shown

PLOTLY, LITE, VEGA = (f"application/vnd.{kind}+json" for kind in ("plotly.v1", "vegalite.v5", "vega.v5"))
LINE = {"data": [{"type": "scatter", "y": [1, 3, 2], "line": {"color": "#ff0000", "width": 40}}],
        "layout": {"width": 300, "height": 200}}  # fmt: skip
BARS = {
    "data": {"values": [{"a": "x", "b": 2}, {"a": "y", "b": 5}]},
    "mark": {"type": "bar", "color": "#ff0000"},
    "encoding": {"x": {"field": "a", "type": "nominal"}, "y": {"field": "b", "type": "quantitative"}},
    "width": 300,
}
RECTANGLE = {"width": 300, "height": 200, "marks": [{"type": "rect", "encode": {"enter": {
    "x": {"value": 10}, "y": {"value": 10}, "width": {"value": 90}, "height": {"value": 90},
    "fill": {"value": "#ff0000"}}}}]}  # fmt: skip


def needs(kind: str) -> None:
    if not all(map(drawing._installed, drawing._NEEDED[kind])):
        pytest.skip(f"{' and '.join(drawing._NEEDED[kind])} not installed")
    if kind == drawing.PLOTLY and pdf.browser() is None:
        pytest.skip("no browser on PATH")


@pytest.mark.parametrize(
    ("kind", "mime", "figure"),
    [(drawing.PLOTLY, PLOTLY, LINE), (drawing.LITE, LITE, BARS), (drawing.VEGA, VEGA, RECTANGLE)],
)
def test_it_is_drawn_and_stands_on_the_page_as_a_figure(kind: str, mime: str, figure: dict[str, Any]) -> None:
    needs(kind)
    from PIL import Image

    script = {mime: figure, "text/html": "<div></div><script>draw()</script>", "text/plain": "Figure()"}
    notebook = new_notebook(
        cells=[new_markdown_cell("# T"), code("#| fig-alt: A figure\n#| fig-cap: Said below\ndraw()", shown(script))]
    )
    before = repr(notebook)
    page = Page(export(notebook))
    assert_harmless(page)
    assert repr(notebook) == before, "the notebook itself stays as it was"
    (picture,) = page.all("img")
    assert picture["alt"] == "A figure"
    assert "Figure 1 : Said below" in page.text
    assert not page.classed("r-note")
    image = Image.open(BytesIO(base64.b64decode(picture["src"].partition(",")[2])))
    assert image.width == 2 * int(picture["width"])
    colours = image.convert("RGB").getcolors(1 << 24)
    assert sum(count for count, (r, g, b) in colours if r > 200 and g < 60 and b < 60) > 1000, "what was to be drawn"


@pytest.mark.parametrize(
    ("mime", "figure"),
    [
        (PLOTLY, {**LINE, "layout": {"images": [{"source": "file:///etc/passwd"}]}}),
        (PLOTLY, {**LINE, "layout": {"images": [{"source": "http://127.0.0.1:1/a.png"}]}}),
        (LITE, {**BARS, "data": {"url": "/etc/passwd"}}),
        (LITE, {"layer": [BARS, {**BARS, "data": {"url": "file:///etc/passwd"}}]}),
        (LITE, {**BARS, "mark": "image"}),
        (VEGA, {**RECTANGLE, "marks": [{"type": "image"}]}),
        (VEGA, {**RECTANGLE, "data": [{"name": "t", "url": {"signal": "'http://' + '127.0.0.1:1'"}}]}),
        (PLOTLY, {"data": [{"type": "choropleth", "geojson": "file:///etc/passwd"}]}),
        (PLOTLY, {"data": [{"type": "scattergeo"}], "layout": {"map": {"style": "http://127.0.0.1:1/style.json"}}}),
        (PLOTLY, {"data": [{"type": "scattermap", "lat": [1], "lon": [1]}]}),
    ],
)
def test_a_figure_that_names_files_or_addresses_is_not_drawn(mime: str, figure: dict[str, Any]) -> None:
    assert drawing.reaches_out(figure)
    notebook = new_notebook(cells=[code("draw()", shown({mime: figure}))])
    assert drawing.with_pictures(notebook) is notebook
    assert "is not shown here: a picture is drawn where" in Page(export(notebook)).text


def test_what_has_a_picture_or_is_none_is_left_alone() -> None:
    assert not drawing.reaches_out(LINE)
    outputs = [shown({PLOTLY: LINE, "image/png": PNG}), shown({PLOTLY: {}}), shown({LITE: "text"}), shown({VEGA: [1]})]
    notebook = new_notebook(cells=[code("draw()", *outputs)])
    assert drawing.with_pictures(notebook) is notebook
    for odd in ({"cells": None}, {"cells": [None, {"outputs": [None, {"data": None}]}, {"outputs": 3}]}):
        assert drawing.with_pictures(odd) is odd


def test_a_figure_that_cannot_be_drawn_takes_no_other_along() -> None:
    needs(drawing.LITE)
    notebook = new_notebook(cells=[code("1", shown({LITE: {"mark": "no such"}})), code("2", shown({LITE: BARS}))])
    page = Page(export(notebook))
    assert len(page.all("img")) == 1
    assert page.text.count("is not shown here") == 1


def test_who_draws_for_too_long_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho '\"{PNG}\"'\nsleep 600 &\necho $! > {started}\nwait\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(drawing, "PATIENCE", 2)
    assert drawing._drawn([(drawing.LITE, BARS)]) == []
    child, deadline = int(started.read_text()), time.monotonic() + 30
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(child)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")


def test_a_template_that_speaks_of_maps_asks_for_nothing() -> None:
    template = {"data": {"scattermapbox": [{"type": "scattermapbox"}]}, "layout": {"mapbox": {"style": "light"}}}
    assert not drawing.reaches_out({**LINE, "layout": {"template": template, "width": 300}})


@pytest.mark.parametrize("layout", [{"width": 1e6}, {"height": float("nan")}])
def test_a_figure_of_a_million_pixels_is_not_drawn(layout: dict[str, float]) -> None:
    assert drawing.is_too_large({**LINE, "layout": layout})
    assert drawing.is_too_large({**RECTANGLE, **layout})
    assert not drawing.is_too_large(LINE)


def test_the_browser_that_draws_reaches_nothing_on_this_machine_either() -> None:
    needs(drawing.PLOTLY)
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(b'{"type": "FeatureCollection", "features": []}')

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = f"http://127.0.0.1:{server.server_port}/places.json"
        # As if what looks at figures had overlooked it.
        reaching = {"data": [{"type": "choropleth", "geojson": where, "locations": ["a"], "z": [1]}], "layout": {}}
        pictures = drawing._drawn([(drawing.PLOTLY, reaching), (drawing.PLOTLY, LINE)])
        server.shutdown()
    assert asked == []
    assert [bool(one) for one in pictures] == [False, True]
