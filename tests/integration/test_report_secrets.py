"""What a report prints on its way: secrets of its project are in none of it, and nothing is said twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlwidgets import api
from mlwidgets.reports.publishing.publish import publish
from mlwidgets.runs.folder import RunFolder
from tests.integration.report_support import executed, printed, send, text, write

SECRET = "hunter2-of-the-database"
TELLS = """
import os, subprocess, sys
import mlwidgets
from IPython.display import HTML, display
secret = os.environ["DB_PASSWORD"]
print("print", secret)
print(secret[:9], end="", flush=True)
import time; time.sleep(0.3)
print(secret[9:], flush=True)
subprocess.run(["sh", "-c", "echo child $DB_PASSWORD; echo complaint $DB_PASSWORD >&2"])
os.write(1, b"descriptor\\n")
display(HTML(f"<b>{secret}</b>"))
mlwidgets.check(True, "rows of " + secret)
"""
BARS = """
from tqdm.auto import tqdm
for n in tqdm(range(3), desc="passing", leave=False): pass
"""
STAYS = 'for n in tqdm(range(3), desc="staying"): pass'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path / ".mlwidgets"))
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    (tmp_path / "pyproject.toml").write_text('[tool.mlwidgets]\nsecrets = ["DB_PASSWORD"]\n')
    return tmp_path


def test_secrets_are_masked_before_anything_is_written_and_nothing_stands_twice(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = api.report(write(project / "n.ipynb", text("# Sales"), TELLS, "raise ValueError(secret)"))
    run.wait(120)
    # Whoever publishes may know no secret.
    monkeypatch.delenv("DB_PASSWORD")
    edition = publish(RunFolder(run.path))
    assert edition is not None
    assert (run.cause, edition.cause) == ("cell 3: ValueError: ••••",) * 2
    telling = [
        path
        for path in (project / ".mlwidgets").rglob("*")
        # What the kernel itself writes of a check is read by the run's own view.
        if path.is_file() and SECRET.encode() in path.read_bytes() and path.name != "events.jsonl"
    ]
    assert telling == []
    assert edition.page.read_text().count("••••") >= 4
    lines = sorted(filter(None, run.output.splitlines()))
    assert lines == ["child ••••", "complaint ••••", "descriptor", "print ••••", "••••"]


def test_a_setting_that_cannot_be_read_ends_it_before_it_begins(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.mlwidgets]\nsecrets = [3]\n")
    run = send(project, "print(1)").wait(120)
    assert run.state == "failed"
    assert "names no secret" in (run.cause or "")
    assert run.output == ""


def test_what_a_kernel_says_at_its_death_is_kept(project: Path) -> None:
    dies = "import os, sys\nos.write(sys.stderr._original_stdstream_copy, b'last words')\nos.abort()"
    run = send(project, "print('before')", dies).wait(120)
    assert (run.state, "SIGABRT" in (run.cause or "")) == ("failed", True)
    assert run.output.splitlines() == ["before", "last words"]


@pytest.mark.parametrize("stays", [True, False])
def test_a_bar_that_its_code_took_away_is_gone(project: Path, stays: bool) -> None:
    pytest.importorskip("ipywidgets")
    run = send(project, BARS, *([STAYS] if stays else []), publish=True).wait(120)
    saved = json.loads(next(run.outputs.glob("*.ipynb")).read_bytes())["metadata"]["widgets"]
    names = [one["model_name"] for one in saved["application/vnd.jupyter.widget-state+json"]["state"].values()]
    assert names.count("HBoxModel") == int(stays)
    edition = publish(RunFolder(run.path))
    assert edition is not None
    page = edition.page.read_text()
    assert "passing:" not in page
    assert ("staying" in page) == stays
    assert [printed(cell) for cell in executed(run) if cell["cell_type"] == "code"][:1] == [""]


def test_hints_on_where_runs_end_are_not_for_readers(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    run = send(project, "%load_ext mlwidgets", "%%train inner --wait\nprint('trained')").wait(120)
    assert (run.state, run.cause) == ("finished", None)
    assert "pod" not in json.dumps([cell["outputs"] for cell in executed(run)])
