"""Whoever waits for a report does not make its page: a kernel has other things to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlwidgets.reports.publishing.awaiting import await_edition
from mlwidgets.runs.store import RunStore
from tests.integration.report_support import write
from tests.unit.edition_support import ended, notebook

WAITS = """
import sys
from mlwidgets import api
run = api.report(sys.argv[1], settings={"pdf": False}, wait=True)
edition = run.path.parents[1] / "reports" / run.name / "editions" / run.id
print(run.state, (edition / "index.html").is_file(), "jinja2" in sys.modules)
"""


def test_the_supervisor_publishes_and_others_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path / ".mlwidgets"))
    path = write(tmp_path / "sales.ipynb", "1")
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", WAITS, path], capture_output=True, text=True, check=True, timeout=120
        )
        assert done.stdout == "finished True False\n"


def test_where_the_supervisor_was_killed_whoever_waits_publishes(tmp_path: Path) -> None:
    edition = await_edition(ended(RunStore(tmp_path / ".mlwidgets"), executed=notebook("42 pieces")))
    assert edition is not None
    assert edition.state == "published"
