"""A real run that fails tells a real mail server, with its charts and without its secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlwidgets
from tests.mail import Inbox
from tests.waiting import until

CODE = """
import os
from mlwidgets import log

for step in range(20):
    log(loss=1 / (step + 1))
raise ConnectionError(f"no login at db with {os.environ['TEST_DB_PASSWORD']}")
"""


def test_a_letter_of_a_run_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inbox: Inbox) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_DB_PASSWORD", "hunter2-db")
    (tmp_path / "pyproject.toml").write_text(
        "[tool.mlwidgets]\n"
        "notify = {failure = 'mailto:team@example.org'}\n"
        "secrets = ['TEST_DB_PASSWORD']\n"
        "address = 'https://jupyter.example.org'\n"
        f"smtp = {{server = '127.0.0.1:{inbox.port}', security = 'none', from = 'runs@example.org'}}\n"
    )
    run = mlwidgets.train(CODE, name="told", namespace={}).wait(120)
    assert run.state == "failed"
    until(lambda: '"notified"' in (run.path / "events.jsonl").read_text())
    assert '"ok": true' in (run.path / "events.jsonl").read_text()
    (letter,) = inbox.letters
    assert letter["Subject"] == "told: failed"
    text = letter.get_body(("plain",))
    assert text is not None
    assert "no login at db with ••••" in text.get_content()
    assert "https://jupyter.example.org/mlwidgets" in text.get_content()
    assert [part.get_content_type() for part in letter.walk()].count("image/png") == 1
    assert "hunter2" not in letter.as_string()
