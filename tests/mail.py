"""A mail server on this machine that keeps the letters."""

from __future__ import annotations

import email.policy
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope


class Inbox:
    """Keeps what comes; ``port`` is where."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.letters: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[Inbox]:
    """Serve as long as the context lasts."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        inbox = Inbox(unused.getsockname()[1])
    server = Controller(inbox, hostname="127.0.0.1", port=inbox.port, ready_timeout=60)
    server.start()
    try:
        yield inbox
    finally:
        server.stop(no_assert=True)


def text_of(letter: EmailMessage) -> str:
    """Return what it says where no HTML is shown."""
    plain = letter.get_body(("plain",))
    assert plain is not None
    return str(plain.get_content())
