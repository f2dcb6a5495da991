"""``%report``: a notebook publishes itself, from a real kernel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlwidgets.reports.publishing.editions import Report
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.timetable import Schedules
from tests.notebook import Notebook

TITLE = "# Sales of the week"
PARAMS = 'region = "US"\nfactor = 2  # by which all is multiplied'
RESULT = 'print(f"{region}: {21 * factor}")'


def write(path: Path, *sources: str) -> None:
    cells: list[dict[str, object]] = [{"cell_type": "markdown", "metadata": {}, "id": "title", "source": TITLE}]
    for source in sources:
        tags = {"tags": ["parameters"]} if source == PARAMS else {}
        name = hashlib.md5(source.encode()).hexdigest()[:8]
        about = {"cell_type": "code", "outputs": [], "execution_count": None}
        cells.append({**about, "metadata": tags, "id": name, "source": source})
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A notebook that publishes itself in its last cell."""
    path = tmp_path / "weekly sales.ipynb"
    write(path, PARAMS, "%load_ext mlwidgets", RESULT, "%report")
    return path


@pytest.fixture
def nb(book: Path) -> Iterator[Notebook]:
    notebook = Notebook(book.parent, {"JPY_SESSION_NAME": str(book)})
    yield notebook
    notebook.close()


def test_a_notebook_publishes_itself_once_with_other_parameters_and_says_where(nb: Notebook, book: Path) -> None:
    told = nb.run('%report --wait --title "This week" --every "0 7 * * 1-5" --tz Europe/Berlin region=EU factor=3')
    assert "at 07:00 from Monday to Friday, Europe/Berlin" in told.text
    report = Report(RunStore(book.parent / ".mlwidgets"), "weekly-sales")
    edition = report.latest()
    assert edition is not None
    assert edition.state == "published"
    page = edition.page.read_text(encoding="utf-8")
    assert "EU: 63" in page
    assert "<title>This week</title>" in page
    assert str(edition.page) in told.text
    # Its own cell did not start another one while the report was executed.
    assert len(report.editions(10)) == 1

    assert "did you mean 'region'?" in nb.run("%report regoin=EU", fails=True).text
    assert len(report.editions(10)) == 1

    nb.run("unsaved = 'never saved'")
    told = nb.run("%report --as-it-stands --wait")
    assert "not saved: they are not in the report" in told.text
    assert len(report.editions(10)) == 2

    schedules = Schedules(RunStore(book.parent / ".mlwidgets"))
    nb.run('%report --wait --every "0 8 * * *" region=EU')
    (schedule,) = schedules.list()
    assert (schedule.name, schedule.cron, schedule.params) == ("weekly-sales", "0 8 * * *", {"region": "EU"})
    assert "is no cron" in nb.run('%report --every "every monday"', fails=True).text
    assert "--every" in nb.run("%report --retries 2", fails=True).text
    assert "no longer" in nb.run("%report --every off").text
    assert schedules.list() == []
    book.rename(book.with_name("elsewhere.md"))
    assert "was renamed, moved or deleted" in nb.run("%report", fails=True).text
