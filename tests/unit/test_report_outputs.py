"""What a notebook put out, on the page of a report."""

from __future__ import annotations

import re
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_markdown_cell, new_notebook, new_output, new_raw_cell

from mlwidgets.reports.page.contrast import GROUNDS, contrast, readable
from mlwidgets.reports.page.making import export
from tests.unit.report_support import PNG, Page, code, drawings, made, printed, shown


def test_formulas_are_mathml_and_what_is_none_stays_as_it_was() -> None:
    page = made(
        new_markdown_cell(
            "Inline $a<b$, `$code$`, \\$1, $5 and $6.\n\n$$\\mathcal{L}=\\sum_i x_i$$\n\n"
            "\\begin{align}\na &= b\\label{eq}\\\\\nc &= d\n\\end{align}\n\n"
            "Broken $\\frac{a$ and $\\unknown{x}$ and $\\text{<script>alert(1)</script>}$ "
            "$\\href{javascript:alert(1)}{x}$"
        ),
        code("1", shown({"text/latex": "$\\displaystyle \\frac{1}{2}$", "text/plain": "1/2"})),
        code("1", shown({"text/latex": "\\frac{7}{8}"})),
    )
    formulas = page.all("math")
    assert [one["alttext"] for one in formulas][:2] == ["a<b", "\\mathcal{L}=\\sum_i x_i"]
    assert len(formulas) == 7
    assert "ℒ" in page.text
    assert "$code$" in page.text
    assert "$5 and $6" in page.text
    assert "$\\frac{a$" in page.text
    assert "$\\unknown{x}$" in page.text
    assert "<script>alert(1)</script>" in page.text  # as words
    assert "\\label" not in re.sub(r'alttext="[^"]*"', "", page.html)


def test_every_formula_is_shown_somehow() -> None:
    for source in ("\\left( x", "}", "&", "\\\\", "\\begin{foo}", "^", "\\frac", "{" * 3000, "\\sqrt[", "x" * 4000):
        page = made(new_markdown_cell(f"before $${source}$$ after"))
        assert "before" in page.text
        assert "after" in page.text
        assert page.all("math") or source[:50] in page.text


def test_output_is_as_a_terminal_shows_it_at_the_end() -> None:
    page = made(
        code(
            "fit()",
            printed("\r  0%|   |\r 50%|#  |"),
            printed("\r100%|###|\nnext \x1b[31mred\x1b[0m \x1b[1;38;5;226mbright\x1b[0m <b>\n"),
        )
    )
    assert "100%|###|" in page.text
    assert "50%" not in page.text
    assert '<span class="r-c1">red</span>' in page.html
    assert "light-dark(" in page.html
    assert "<b>" in page.text


@given(st.integers(0, 0xFFFFFF))
@settings(max_examples=40, deadline=None)
def test_every_colour_of_text_can_be_read(colour: int) -> None:
    for ground in GROUNDS:
        assert contrast(readable(f"#{colour:06x}", ground), ground) >= 4.5


def test_long_output_is_folded_with_its_count() -> None:
    page = made(code("1", printed("".join(f"line {number}\n" for number in range(100)))))
    assert "70 more lines" in page.text
    assert "line 99" in page.text
    page = made(code("1", printed("x" * 120 + "\n" + "y\n" * 1_500_000)))
    assert "lines in between are left out" in page.text
    assert len(page.html) < 1_500_000


def test_an_error_is_said_and_its_traceback_folded() -> None:
    page = made(
        code(
            "1/0", new_output("error", ename="ValueError", evalue="a\n<b>", traceback=["\x1b[31mTrace\x1b[0m", "line"])
        )
    )
    assert "ValueError : a <b>" in page.text
    (trace,) = page.classed("r-trace")
    assert "open" not in trace


def test_pictures_have_numbers_captions_and_alternative_texts() -> None:
    image = {"image/png": PNG, "text/plain": "<Figure size 640x480 with 1 Axes>"}
    page = made(
        new_markdown_cell("# T\n\n## Loss"),
        code("plt.plot(x)", shown(image)),
        code("#| fig-cap: Revenue & more\nplot()", shown(image)),
        code("ax.set_title('By month')", shown(image, **{"image/png": {"width": 300, "height": 100}})),
        code("plot()", shown(image, **{"image/png": {"alt": "Known"}})),
        code("plot()", shown({"image/png": "no picture", "text/plain": "said instead"})),
        code("plot()", shown({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' width='72pt' height='36pt'>"
                              "<title>Bars</title><rect width='1' height='1'/></svg>"})),
    )  # fmt: skip
    pictures = page.all("img")
    assert [one["alt"] for one in pictures] == [
        "Figure 1, in “Loss”", "Revenue & more", "By month", "Known", "Bars",
    ]  # fmt: skip
    assert (pictures[2]["width"], pictures[2]["height"]) == ("300", "100")
    assert (pictures[4]["width"], pictures[4]["height"]) == ("96", "48")
    assert "Figure 2 : Revenue & more" in page.text
    assert "Figure size 640x480" not in page.text
    assert "Left out here: a picture that cannot be read" in page.text
    assert "said instead" in page.text


def test_tables_of_pandas_keep_their_look() -> None:
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "<y>"]})
    styled = frame.style.highlight_max(subset=["a"], color="yellow").to_html()
    page = made(
        code("df", shown({"text/html": frame.to_html(), "text/plain": "df"})),
        code("df.style", shown({"text/html": styled})),
    )
    assert [one["scope"] for one in page.all("th")] == ["col", "col", "row", "row"] * 2
    assert "<y>" in page.text
    (cell,) = re.findall(r"#r-o\d+ #(u-T_\w+_row1_col0) \{ background-color: yellow \}", page.html)
    assert f'id="{cell}"' in page.html
    assert page.classed("r-paper")


def test_colours_of_text_can_be_read_on_a_dark_page_unless_they_have_a_ground_of_their_own() -> None:
    bare = '<p style="color: black; border-color: black">x</p><style>b { color: #000080 }</style>'
    page = made(code("1", shown({"text/html": bare})))
    assert page.all("p")[0]["style"] == "color: light-dark(#000000, #8c8c8c); border-color: black"
    assert " b { color: light-dark(#000080, " in page.html
    grounded = '<p style="color: black; background: white">x</p>'
    page = made(code("1", shown({"text/html": grounded})))
    assert page.all("p")[0]["style"] == "color: black; background: white"


def test_a_large_table_is_cleaned_in_a_moment() -> None:
    frame = pd.DataFrame(np.arange(40_000).reshape(2000, 20))
    begun = time.process_time()
    page = export(new_notebook(cells=[code("df", shown({"text/html": frame.to_html()}))]))
    # Far beyond what it takes, far below what reading it twice would.
    assert time.process_time() - begun < 15
    # The empty corner of the head is no heading.
    assert page.count("<td>") == 40_001


def test_widgets_are_shown_as_they_were_saved() -> None:
    state = {
        "bar": ("FloatProgressModel", {"min": 0, "max": 50, "value": 50, "description": ""}),
        "label": ("HTMLModel", {"value": "fit: 100%<script>x()</script>"}),
        "row": ("HBoxModel", {"children": ["IPY_MODEL_label", "IPY_MODEL_bar", "IPY_MODEL_gone"]}),
        "kind": ("DropdownModel", {"_options_labels": ["one", "two"], "index": 1, "description": "kind"}),
        "tab": ("TabModel", {"children": ["IPY_MODEL_kind", "IPY_MODEL_out"], "titles": ["Settings", "Log"]}),
        "out": ("OutputModel", {"outputs": [dict(printed("caught\n"))]}),
        "many": ("SelectMultipleModel", {"_options_labels": ["p", "q", "r"], "index": [0, 2], "description": "many"}),
        "loop": ("VBoxModel", {"children": ["IPY_MODEL_loop"]}),
    }
    saved = {key: {"model_name": name, "state": values} for key, (name, values) in state.items()}
    saved["picture"] = {
        "model_name": "ImageModel",
        "state": {"format": "png"},
        "buffers": [{"data": PNG, "path": ["value"], "encoding": "base64"}],
    }
    view = "application/vnd.jupyter.widget-view+json"
    page = made(
        *(
            code("w", shown({view: {"model_id": key}, "text/plain": f"<{key}>"}))
            for key in [*state, "picture", "unknown"]
        ),
        metadata={"widgets": {"application/vnd.jupyter.widget-state+json": {"state": saved}}},
    )
    assert page.all("progress")[0]["value"] == "1"
    assert "kind two" in page.text
    assert "many p, r" in page.text
    assert "Settings kind two Log caught" in page.text
    assert page.all("img")[0]["src"].endswith(PNG)
    assert "An interactive widget that is shown in Jupyter alone: <unknown>" in page.text
    assert "An interactive widget that is shown in Jupyter alone: <loop>" in page.text


def test_progress_bars_stand_at_their_end_and_those_that_were_taken_away_are_gone() -> None:
    from nbclient import NotebookClient

    source = "from tqdm.notebook import tqdm\nfor i in tqdm(range(50), desc='fit'): pass\n"
    source += "for i in tqdm(range(5), desc='inner', leave=False): pass"
    cell = code(source)
    cell.outputs, cell.execution_count = [], None
    notebook = new_notebook(cells=[cell], metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    NotebookClient(notebook, timeout=120).execute()
    state = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    shown_first, taken = (one.data["application/vnd.jupyter.widget-view+json"]["model_id"] for one in cell.outputs)
    # What JupyterLab does when a widget is closed.
    del state[taken]
    page = Page(export(notebook))
    assert "fit: 100%" in page.text
    assert "50/50" in page.text
    assert [one["value"] for one in page.all("progress")] == ["1"]
    assert "inner" not in page.text.partition("leave")[2].partition(" ")[2]
    # All were taken away.
    cell.outputs, saved = [cell.outputs[1]], dict(state)
    state.clear()
    assert "interactive widget" not in Page(export(notebook)).text
    # Where nothing was saved, it is said.
    assert shown_first in saved
    del notebook.metadata["widgets"]
    assert "An interactive widget that is shown in Jupyter alone" in Page(export(notebook)).text


@pytest.mark.parametrize(
    ("mime", "named"),
    [
        ("application/vnd.plotly.v1+json", "kaleido"),
        ("application/vnd.vegalite.v5+json", "vl-convert"),
        ("application/vnd.bokehjs_exec.v0+json", "Bokeh"),
        ("application/javascript", "script"),
    ],
)
def test_what_needs_a_script_is_a_picture_or_says_what_is_missing(mime: str, named: str) -> None:
    bundle = {
        mime: {} if mime.endswith("json") else "draw()",
        "text/html": "<div id='plot'></div><script>draw()</script>",
        "text/plain": "Plot()",
    }
    assert named in made(code("1", shown(bundle))).text
    page = made(code("1", shown({**bundle, "image/png": PNG})))
    assert named not in page.text
    assert page.all("img")


def test_html_that_is_all_script_falls_back_to_the_next_form_and_says_so() -> None:
    page = made(code("1", shown({"text/html": "<script>draw()</script>", "text/plain": "a plain form"})))
    assert "a plain form" in page.text
    assert "Left out here: a script." in page.text


def test_runs_stand_as_their_own_still_view() -> None:
    chart = "<svg xmlns='http://www.w3.org/2000/svg' onload='x()'><path d='M0 0H9' stroke='#0079c1'/></svg>"
    html = (
        f'<div style="border:1px solid rgba(128,128,128,0.3)"><b style="color:#7d7d7d">lenet</b> ✓ finished'
        f'<img style="width:100%" alt="loss: last 0.1" src="data:image/svg+xml,{chart}"></div>'
    )
    page = made(code("%%train", shown({"application/vnd.mlwidgets.run+json": {"format": 2}, "image/png": PNG,
                                       "text/html": html, "text/plain": "lenet"})))  # fmt: skip
    assert page.classed("r-run")
    assert page.all("b")[0]["style"] == "color: light-dark(#6a6a6a, #8a8a8a)"
    assert not page.classed("r-paper")
    assert [one["alt"] for one in page.all("img")] == ["loss: last 0.1"]
    assert 'd="M0 0H9"' in next(drawings(page))


def test_other_outputs_and_raw_cells() -> None:
    page = made(
        code("1", shown({"application/json": {"a": [1, "<b>"]}, "text/plain": "<JSON>"})),
        code("1", shown({"text/markdown": "### Found *this*\n\n- [x] done"})),
        code("1", shown({"application/x-unknown": "?"})),
        new_raw_cell("plain <i>raw</i>"),
        new_raw_cell("<i>html</i><script>x</script>", metadata={"raw_mimetype": "text/html"}),
        new_raw_cell("\\latex", metadata={"raw_mimetype": "text/latex"}),
    )
    assert '"a": [' in page.text
    assert "JSON, " in page.text
    assert "Found this" in page.text
    assert "An output that a page cannot show: application/x-unknown" in page.text
    assert "plain <i>raw</i>" in page.text
    assert "<i>html</i>" in page.html
    assert "\\latex" not in page.text
