"""A real run that fails tells a real mail server, with its charts and without its secrets."""

from __future__ import annotations

import email
import email.policy
import socket
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

import mlwidgets

CODE = """
import os
from mlwidgets import log

for step in range(20):
    log(loss=1 / (step + 1))
raise ConnectionError(f"no login at db with {os.environ['TEST_DB_PASSWORD']}")
"""


class Inbox:
    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 OK"


def test_a_letter_of_a_run_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    inbox = Inbox()
    server = Controller(inbox, hostname="127.0.0.1", port=port, ready_timeout=60)
    server.start()
    try:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TEST_DB_PASSWORD", "hunter2-db")
        (tmp_path / "pyproject.toml").write_text(
            "[tool.mlwidgets]\n"
            "notify = {failure = 'mailto:team@example.org'}\n"
            "secrets = ['TEST_DB_PASSWORD']\n"
            "address = 'https://jupyter.example.org'\n"
            f"smtp = {{server = '127.0.0.1:{port}', security = 'none', from = 'runs@example.org'}}\n"
        )
        run = mlwidgets.train(CODE, name="told", namespace={}).wait(120)
        assert run.state == "failed"
        deadline = time.monotonic() + 120
        while '"notified"' not in (run.path / "events.jsonl").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        server.stop(no_assert=True)
    assert '"ok": true' in (run.path / "events.jsonl").read_text()
    (letter,) = inbox.letters
    assert letter["Subject"] == "told: failed"
    text = letter.get_body(("plain",))
    assert text is not None
    assert "no login at db with ••••" in text.get_content()
    assert "https://jupyter.example.org/mlwidgets" in text.get_content()
    assert [part.get_content_type() for part in letter.walk()].count("image/png") == 1
    assert "hunter2" not in letter.as_string()
