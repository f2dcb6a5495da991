"""The page of a report: its head, its contents, which cells are shown of it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from mlwidgets.errors import NotebookError
from mlwidgets.reports.page.about import About, Check, date_words, duration_words
from mlwidgets.reports.page.making import export
from tests.unit.report_support import PNG, Page, assert_harmless, code, made, printed, shown


def test_a_page_has_its_head_its_contents_and_its_cells_in_order() -> None:
    about = About(
        notebook="sales.ipynb",
        params={"region": "EU & US"},
        started=datetime(2026, 11, 21, 19, 5, tzinfo=UTC),
        duration=3723,
        commit="ec3fba4 on main",
        edition="20261121-1905",
        author="Ada",
        banner="Stale since Friday.",
        links=[("PDF", "sales.pdf")],
    )
    page = made(
        new_markdown_cell("# Sales\n\nWords."),
        code("print(1)", printed("1\n")),
        new_markdown_cell("## First\n\n#### Deep\n\n# Second\n\n## First"),
        about=about,
    )

    for said in ("21 November 2026, 19:05 UTC", "took 1 h 2 min", "ec3fba4 on main", "region EU & US", "Ada",
                 "Stale since Friday.", "edition 20261121-1905", "Made from sales.ipynb"):  # fmt: skip
        assert said in page.text
    assert {"href": "sales.pdf"} in page.all("a")
    assert re.findall(r"<(h\d)[^>]*>(.*?)</h\d>", page.html) == [
        ("h1", "Sales"), ("h2", "First"), ("h3", "Deep"), ("h2", "Second"), ("h3", "First"),
    ]  # fmt: skip
    anchors = [one["href"] for one in page.all("a") if one["href"].startswith("#s-")]
    assert anchors == ["#s-first", "#s-deep", "#s-second", "#s-first-2"] * 2
    assert {one["href"][1:] for one in page.all("a") if one["href"].startswith("#")} <= {
        attributes.get("id") for _, attributes in page.tags
    }
    assert page.text.index("Words.") < page.text.index("In [7]") < page.text.rindex("Deep")
    assert all("open" not in one for one in page.classed("r-fold"))


@pytest.mark.parametrize(
    ("about", "cells", "metadata", "title"),
    [
        (About(title="Given"), ["# Heading"], {"title": "Named"}, "Given"),
        (About(), ["# Heading"], {"title": "Named"}, "Named"),
        (About(notebook="file.ipynb"), ["text", "## Heading $x^2$"], {}, "Heading $x^2$"),
        (About(notebook="file.ipynb"), ["text"], {}, "file"),
        (About(), [], {}, "Report"),
    ],
)
def test_a_page_is_called_what_is_known_best(
    about: About, cells: list[str], metadata: dict[str, Any], title: str
) -> None:
    page = made(*map(new_markdown_cell, cells), about=about, metadata=metadata)
    assert re.search(r"<title>(.*?)</title>", page.html)[1] == title  # type: ignore[index]


def test_links_to_headings_lead_there() -> None:
    page = made(new_markdown_cell("# T\n\n[a](#Some-Part) [b](#t) [c](#nowhere)"), new_markdown_cell("## Some Part"))
    links = [one["href"] for one in page.all("a") if one.get("rel") == "noopener"]
    assert links == ["#s-some-part", "#title", "#u-nowhere"]


def test_checks_are_said_in_words_whoever_tells_of_them() -> None:
    mime = "application/vnd.mlwidgets.check+json"
    told = {"text": "fresh <b>", "passed": False, "detail": "3 days"}
    page = made(code("check()", shown({mime: told, "text/html": "<b>other</b>", "text/plain": "x"})))
    assert "1 of 1 checks failed" in page.text
    assert page.text.count("✕ failed fresh <b> 3 days") == 2
    assert "open" in page.classed("r-checks")[0]

    page = made(about=About(checks=[Check("a", passed=True), Check("b", passed=True)]))
    assert "All 2 checks passed" in page.text
    assert "open" not in page.classed("r-checks")[0]


def test_real_checks_reach_the_head(tmp_path: Path) -> None:
    from nbclient import NotebookClient

    cell = code("import mlwidgets\nmlwidgets.check(1 > 2, 'order')")
    cell.outputs, cell.execution_count = [], None
    notebook = new_notebook(cells=[cell], metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert "1 of 1 checks failed" in Page(export(notebook)).text


@pytest.mark.parametrize(
    ("tag", "code_shown", "output_shown"),
    [
        ("", "folded", "open"),
        ("remove-input", "", "open"),
        ("remove_input", "", "open"),
        ("hide-input", "folded", "open"),
        ("show-input", "open", "open"),
        ("remove-output", "folded", ""),
        ("hide-output", "folded", "folded"),
        ("remove-cell", "", ""),
        ("hide-cell", "folded", "folded"),
        ("parameters", "", "open"),
        ("injected-parameters", "", "open"),
    ],
)
def test_tags_say_what_of_a_cell_is_shown(tag: str, code_shown: str, output_shown: str) -> None:
    page = made(code("secret_name = 1", printed("said\n"), tags=(tag,) if tag else ()))
    main = page.html.partition("<main")[2]
    folds = page.classed("r-fold")
    assert ("secret_name" in main) == bool(code_shown)
    assert [("open" if "open" in one else "folded") for one in folds] == ([code_shown] if code_shown else [])
    assert (">said</pre>" in main) == bool(output_shown)
    assert bool(page.classed("r-more")) == (output_shown == "folded")


def test_code_is_open_where_it_was_asked_for() -> None:
    notebook = new_notebook(cells=[code("a = 1"), code("b = 1", tags=("hide-input",))])
    assert ["open" in one for one in Page(export(notebook, show_code=True)).classed("r-fold")] == [True, False]


def test_parameters_and_times_are_taken_from_the_notebook() -> None:
    first, last = "2026-11-21T19:05:00.000000Z", "2026-11-21T19:06:10.000000Z"
    page = made(
        code('region = "EU"\nrows = 10', tags=("parameters",), execution={"iopub.execute_input": first}),
        code("rows = 20", tags=("injected-parameters",), execution={"shell.execute_reply": last}),
        metadata={"authors": [{"name": "Ada"}, {"name": "Grace"}]},
    )
    assert "region EU rows 20" in page.text
    assert "Ada, Grace" in page.text
    assert "took 1 min 10 s" in page.text
    assert page.all("time")[0]["datetime"] == datetime.fromisoformat(first).astimezone().isoformat(timespec="seconds")


def test_dates_and_durations_are_words() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    assert date_words(datetime(2026, 1, 2, 3, 4, tzinfo=east)) == "2 January 2026, 03:04 UTC+05:30"
    assert [duration_words(one) for one in (0.04, 9.94, 59.7, 3600, 7260)] == [
        "0.0 s",
        "9.9 s",
        "1 min",
        "1 h",
        "2 h 1 min",
    ]


def test_pictures_beside_the_notebook_become_part_of_the_page(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "in here.png").write_bytes(base64.b64decode(PNG))
    (tmp_path / "outside.png").write_bytes(base64.b64decode(PNG))
    (folder / "secret.png").write_text("token=1234")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    names = ("in%20here.png", "../outside.png", "secret.png", "link.png", "/etc/passwd", "missing.png", "a\0.png")
    cell = new_markdown_cell(
        "\n\n".join(f"![{number}](<{name}>)" for number, name in enumerate(names)) + "\n\n![att](attachment:x.png)"
    )
    cell["attachments"] = {"x.png": {"image/png": PNG}}
    page = made(cell, folder=folder)
    assert [one["alt"] for one in page.all("img")] == ["0", "att"]
    assert page.text.count("Picture left out") == 5
    assert "1234" not in page.html


@pytest.mark.parametrize("content", ["", "{}", "[]", "no json", json.dumps({"nbformat": 2, "cells": []})])
def test_what_is_no_notebook_is_said_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(content)
    with pytest.raises(NotebookError) as raised:
        export(path)
    assert "\n" not in str(raised.value)
    with pytest.raises(NotebookError):
        export(tmp_path / "none.ipynb")


def test_odd_notebooks_are_shown_all_the_same() -> None:
    cells = [
        {
            "cell_type": "code",
            "source": ["a = 1\n", "a"],
            "outputs": [None, {}, {"output_type": "new"}],
            "metadata": None,
        },
        {"cell_type": "code", "source": "b", "outputs": "none", "execution_count": None},
        {"cell_type": "code", "source": None, "outputs": [{"output_type": "stream", "text": ["x", "y"]}]},
        {
            "cell_type": "code",
            "source": "c",
            "outputs": [{"output_type": "display_data", "data": {"text/html": ["<p>", "z</p>"]}}],
        },
        {
            "cell_type": "code",
            "source": "d",
            "outputs": [{"output_type": "display_data", "data": {"text/plain": None}}],
        },
        {"cell_type": "markdown", "source": ["**m**"], "attachments": [], "metadata": {"tags": "no list"}},
        {"cell_type": "new", "source": "kind"},
    ]
    page = Page(export({"cells": cells, "metadata": {"widgets": [], "language_info": []}, "nbformat": 4}))
    assert_harmless(page)
    for said in ("a = 1", "xy", "z", "m", "kind"):
        assert said in page.text


def test_nbconvert_knows_the_exporter(tmp_path: Path) -> None:
    from mlwidgets.reports.exporter import ReportExporter

    (tmp_path / "near.png").write_bytes(base64.b64decode(PNG))
    path = tmp_path / "sales.ipynb"
    notebook = new_notebook(cells=[new_markdown_cell("# T\n\n![near](near.png)"), code("secret = 1", printed("1\n"))])
    path.write_text(json.dumps(notebook))

    command = [sys.executable, "-m", "nbconvert", "--to", "mlwidgets.reports.exporter.ReportExporter", str(path)]
    done = subprocess.run([*command, "--no-input"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = Page((tmp_path / "sales.html").read_text(encoding="utf-8"))
    assert_harmless(page)
    assert page.all("img")[0]["alt"] == "near"
    assert "secret" not in page.html
    assert "Made from sales.ipynb" in page.text

    html, _ = ReportExporter(show_code=True).from_filename(str(path))
    assert "open" in Page(html).classed("r-fold")[0]
