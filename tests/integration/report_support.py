"""Notebooks that are executed as reports, by real kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlwidgets import api
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.run import Run
from tests.waiting import processes_of, until

SLEEP = "import time\nprint('asleep')\ntime.sleep(300)"
DEAF = """
import subprocess, time
child = subprocess.Popen(["sleep", "300"], start_new_session=True)
print("asleep")
while True:
    try:
        time.sleep(300)
    except KeyboardInterrupt:
        pass
"""
FILL = """
with open({path!r}, "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(b"x" * 65536)
    except OSError:
        pass
"""


def code(source: str, *tags: str) -> dict[str, Any]:
    """Return a code cell."""
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source, "outputs": []}


def text(source: str) -> dict[str, Any]:
    """Return a Markdown cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def write(path: Path, *cells: dict[str, Any] | str, **metadata: Any) -> Path:
    """Write a notebook; a text is a code cell."""
    made = [code(cell) if isinstance(cell, str) else cell for cell in cells]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}))
    return path


def send(folder: Path, *cells: dict[str, Any] | str, name: str = "n", **asked: Any) -> Run:
    """Send a notebook off that is only executed, unless `asked` says so."""
    return api.report(write(folder / f"{name}.ipynb", *cells), **{"publish": False, **asked})


def executed(run: Run) -> list[dict[str, Any]]:
    """Return the cells of the notebook among a run's outputs."""
    (path,) = [one for one in run.outputs.iterdir() if one.suffix == ".ipynb"]
    cells: list[dict[str, Any]] = json.loads(path.read_bytes())["cells"]
    return cells


def printed(cell: dict[str, Any]) -> str:
    """Return what a cell printed."""
    return "".join("".join(one["text"]) for one in cell["outputs"] if one["output_type"] == "stream")


def cells_told(run: Run) -> list[tuple[int, str]]:
    """Return what the run's events tell of cells."""
    return [(event["index"], event["state"]) for event in read_lines(RunFolder(run.path).events, "cell")]


def leaves_nothing(run: Run) -> bool:
    """Whether all processes of a run end, those that gather facts about it too."""
    until(lambda: not processes_of(run))
    return not (run.path / "kernel.json").exists()


def asleep(run: Run) -> Run:
    """Return a run once its cell sleeps."""
    until(lambda: "asleep" in run.output)
    return run
