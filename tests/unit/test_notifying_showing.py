"""What a message shows beside its words."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.notifying.showing import MOST_BYTES, address_of, picture_of
from mlwidgets.runs.folder import RunFolder
from mlwidgets.tracking.log import MetricLog

PNG = b"\x89PNG\r\n\x1a\n and more"


def output(data: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": data}}


def written(data: bytes) -> str:
    return base64.encodebytes(data).decode()


@pytest.fixture
def report(new_run) -> RunFolder:
    folder: RunFolder = new_run("sales", report={"path": "/project/sales ü.ipynb", "publish": "sales"})
    return folder


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([output(written(PNG)), output(written(PNG + b"2"))], PNG),
        ([output(written(PNG).splitlines(keepends=True))], PNG),
        ([output(written(b"no picture")), output(written(PNG))], PNG),
        ([output(written(PNG + bytes(MOST_BYTES))), output(written(PNG))], PNG),
        ([{"output_type": "stream", "text": "x"}], None),
        ([output("no base64!")], None),
        ([3], None),
    ],
)
def test_a_report_shows_the_first_picture_of_its_notebook(outputs, expected, report: RunFolder) -> None:
    cells = [{"cell_type": "markdown", "source": "x"}, {"cell_type": "code", "source": "", "outputs": outputs}]
    (report.outputs / "sales ü.ipynb").write_text(json.dumps({"cells": cells}))
    assert picture_of(report) == expected


def test_without_a_notebook_or_metrics_there_is_none(report: RunFolder, new_run) -> None:
    assert picture_of(report) is None
    (report.outputs / "sales ü.ipynb").write_text("{")
    assert picture_of(report) is None
    assert picture_of(new_run()) is None


def test_a_run_shows_its_charts(new_run) -> None:
    run = new_run()
    log = MetricLog(run.metrics, run.events)
    for step in range(5):
        log(loss=1 / (step + 1))
    picture = picture_of(run)
    assert picture is not None
    assert picture.startswith(b"\x89PNG")


@pytest.mark.parametrize("base", ["https://jupyter.example.org/user/anna", "https://jupyter.example.org/user/anna/"])
def test_addresses_are_those_of_the_server_that_the_project_names(base: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.mlwidgets]\naddress = '{base}'\n")
    at = "https://jupyter.example.org/user/anna"
    assert address_of(tmp_path) == f"{at}/mlwidgets"
    assert address_of(tmp_path, "sales") == f"{at}/reports/sales/"
    assert address_of(tmp_path, "sales", "20261120-1") == f"{at}/reports/sales/20261120-1.html"


@pytest.mark.parametrize("value", ["3", "'javascript:alert(1)'", "'jupyter.example.org'"])
def test_what_is_no_address_is_none(value: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.mlwidgets]\naddress = {value}\n")
    assert address_of(tmp_path, "sales") is None
