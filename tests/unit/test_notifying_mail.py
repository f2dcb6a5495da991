"""Letters, handed to real mail servers on this machine: some are slow, refuse, die and come back."""

from __future__ import annotations

import email
import email.policy
import json
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwidgets.notifying import patience, smtp, tell
from mlwidgets.notifying.letter import letter
from mlwidgets.notifying.message import Message
from mlwidgets.runs.store import RunStore

PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
MESSAGE = Message(
    "sales: failed",
    "The edition of 07:00 failed; the page is of yesterday.",
    "failed",
    "sales",
    "cell 5: ValueError: no rows for <EU>",
    "http://127.0.0.1:8888/reports/sales/?a=1&b=2",
    PICTURE,
    1795237200.0,
)


class Inbox:
    """Keeps letters; the commands of a letter are answered as a test says."""

    def __init__(self) -> None:
        self.letters: list[Envelope] = []
        self.answers: dict[str, Callable[[], str]] = {}

    async def handle_MAIL(self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]) -> str:
        answer = self.answers.get("MAIL", lambda: "250 OK")()
        if answer.startswith("2"):
            envelope.mail_from = address
        return answer

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]) -> str:
        answer = self.answers.get(address, lambda: "250 OK")()
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        answer = self.answers.get("DATA", lambda: "250 OK")()
        if answer.startswith("2"):
            self.letters.append(envelope)
        return answer

    @property
    def mails(self) -> list[EmailMessage]:
        policy = email.policy.default
        return [email.message_from_bytes(one.content, policy=policy) for one in self.letters]  # type: ignore[misc]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAITS", (0.01, 0.02))
    monkeypatch.setattr(tell, "PAUSES", (0.0,))


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def serve(inbox: Inbox) -> Iterator[Callable[..., int]]:
    """Start a mail server; return its port."""
    running: list[Controller] = []

    def start(port: int | None = None, **options: Any) -> int:
        port = port or free_port()
        server = Controller(inbox, hostname="127.0.0.1", port=port, ready_timeout=60, **options)
        server.start()
        running.append(server)
        return port

    yield start
    for server in running:
        server.stop(no_assert=True)


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


@pytest.fixture
def told(store: RunStore) -> Callable[..., tuple[bool, str | None]]:
    """Tell a team by the mail server at a port."""

    def send(
        port: int, *, to: str = "team@example.org", key: str = "k", message: Message = MESSAGE, **more: str
    ) -> Any:
        table = {"server": f"127.0.0.1:{port}", "security": "none", "from": "reports@example.org"} | more
        written = ", ".join(f"{name} = {json.dumps(value)}" for name, value in table.items() if value)
        (store.path.parent / "pyproject.toml").write_text(f"[tool.mlwidgets]\nsmtp = {{{written}}}\n")
        (one,) = tell.tell(f"mailto:{to}", message, store=store.path, key=key)
        return one.ok, one.error

    return send


def test_a_letter_arrives_with_text_page_and_picture(serve, told, inbox: Inbox) -> None:
    assert told(serve(), to="team@example.org,anna@example.org") == (True, None)
    ((envelope,), (mail,)) = inbox.letters, inbox.mails
    assert envelope.mail_from == "reports@example.org"
    assert envelope.rcpt_tos == ["team@example.org", "anna@example.org"]
    assert mail["Subject"] == "sales: failed"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["To"] == "team@example.org, anna@example.org"
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    assert str(MESSAGE.cause) in text.get_content()
    assert str(MESSAGE.address) in text.get_content()
    assert "Since 2026-11-21 05:00 UTC" in text.get_content()
    html = page.get_content()
    assert "no rows for &lt;EU&gt;" in html
    assert 'href="http://127.0.0.1:8888/reports/sales/?a=1&amp;b=2"' in html
    (picture,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert picture.get_content() == PICTURE
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html


def test_one_event_is_one_letter(serve, told, inbox: Inbox) -> None:
    port = serve()
    for _ in range(3):
        assert told(port)[0]
    assert told(port, key="another")[0]
    first, second = inbox.mails
    assert first["Message-ID"] != second["Message-ID"]


def test_a_server_that_is_not_there_and_comes_back(serve, told, inbox: Inbox) -> None:
    port = free_port()
    ok, error = told(port)
    assert (ok, error) == (False, f"the mail server 127.0.0.1:{port} cannot be reached: Connection refused")
    serve(port)
    assert told(port) == (True, None)
    assert told(port) == (True, None)
    assert len(inbox.letters) == 1


def test_it_comes_back_while_it_is_tried(serve, told, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAITS", (0.05,) * 400)
    port = free_port()
    later = threading.Timer(0.4, serve, (port,))
    later.start()
    assert told(port) == (True, None)
    later.join()
    assert len(inbox.letters) == 1


def test_a_temporary_refusal_is_tried_again_and_a_final_one_is_not(serve, told, inbox: Inbox) -> None:
    answers = iter(["451 greylisted", "450 not yet", "250 OK"])
    inbox.answers["DATA"] = lambda: next(answers)
    port = serve()
    assert told(port) == (True, None)
    asked: list[int] = []
    inbox.answers["DATA"] = lambda: asked.append(1) or "554 spam"
    assert told(port, key="b") == (False, f"the mail server 127.0.0.1:{port} refused: 554 spam")
    assert len(asked) == 1
    inbox.answers["MAIL"] = lambda: "550 who are you"
    assert told(port, key="c") == (False, f"the mail server 127.0.0.1:{port} refused: 550 who are you")


def test_of_several_recipients_those_who_can_get_it_do_once(serve, told, inbox: Inbox) -> None:
    answers = iter(["450 full", "250 OK"])
    inbox.answers |= {"gone@example.org": lambda: "550 no such user", "full@example.org": lambda: next(answers)}
    to = "a@example.org,gone@example.org,full@example.org"
    port = serve()
    said = (False, "gone@example.org was refused: 550 no such user")
    assert told(port, to=to) == said
    assert [one.rcpt_tos for one in inbox.letters] == [["a@example.org"], ["full@example.org"]]
    assert told(port, to=to) == said
    assert len(inbox.letters) == 2


def test_a_server_that_is_slow_but_does_it(serve, told, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "STEP_SECONDS", 5.0)
    over = threading.Event()
    inbox.answers["DATA"] = lambda: "250 OK" if over.wait(1.5) is False else "554"
    assert told(serve()) == (True, None)


class Odd(socketserver.ThreadingTCPServer):
    """Speaks SMTP up to where a test wants something else."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, at: str) -> None:
        super().__init__(("127.0.0.1", 0), Talk)
        self.at = at
        self.over = threading.Event()
        self.visits = 0


class Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        server.visits += 1
        if server.at == "silent":
            server.over.wait(60)
            return
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            word = line.strip().upper()[:4].decode()
            if word == "DATA" and server.at == "closes":
                self.wfile.write(b"354 go\r\n")
                self.rfile.readline()
                return
            if word == "DATA" and server.at == "leaves":
                self.wfile.write(b"354 go\r\n")
                while self.rfile.readline() not in {b".\r\n", b""}:
                    pass
                # It has taken the letter and is gone before it can be taken leave of.
                self.wfile.write(b"250 taken\r\n")
                return
            if word == "MAIL" and server.at == "trickles":
                while not server.over.wait(0.02):
                    self.wfile.write(b"2")
                return
            if word == "MAIL" and server.at == "babbles":
                self.wfile.write(b"\xff\xfe nonsense\r\n" * 3)
                return
            self.wfile.write(b"250 OK\r\n")


@pytest.fixture
def odd() -> Iterator[Callable[[str], Odd]]:
    servers: list[Odd] = []

    def start(at: str) -> Odd:
        server = Odd(at)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.over.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("at", ["silent", "trickles"])
def test_a_server_that_never_ends_is_left(at: str, odd, told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "SECONDS", 0.5)
    server = odd(at)
    ok, error = told(server.server_address[1])
    assert (ok, error) == (False, "the mail server 127.0.0.1 had not taken it within 0.5 s")
    assert server.visits == 3


def test_a_server_that_closes_in_the_middle(odd, told) -> None:
    server = odd("closes")
    ok, error = told(server.server_address[1])
    assert not ok
    assert "closed" in str(error) or "cannot be reached" in str(error)
    assert server.visits == 3


def test_a_server_that_takes_it_and_is_gone(odd, told) -> None:
    server = odd("leaves")
    assert told(server.server_address[1]) == (True, None)
    assert server.visits == 1


def test_a_server_that_talks_nonsense(odd, told) -> None:
    ok, error = told(odd("babbles").server_address[1])
    assert not ok
    assert "\n" not in str(error)


def login(_: Any, __: Any, ___: Any, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"anna", b"p&ss word")
    return AuthResult(success=good, handled=False, message=None if good else "535 5.7.8 no, anna:p&ss word")


def test_a_server_that_demands_a_login(serve, told, inbox: Inbox, monkeypatch: pytest.MonkeyPatch, store) -> None:
    port = serve(auth_required=True, auth_require_tls=False, authenticator=login)
    ok, error = told(port)
    assert not ok
    assert "Authentication required" in str(error)
    with_login = {"user": "anna", "password": "$TEST_SMTP_PASSWORD"}
    assert told(port, key="b", **with_login) == (
        False,
        "smtp: $TEST_SMTP_PASSWORD is not set in the environment of this process",
    )
    monkeypatch.setenv("TEST_SMTP_PASSWORD", "p&ss word")
    assert told(port, key="b", **with_login) == (True, None)
    monkeypatch.setenv("TEST_SMTP_PASSWORD", "wrong word")
    ok, error = told(port, key="c", **with_login)
    assert not ok
    assert "refused the login of anna: 535" in str(error)
    assert "wrong word" not in (store.path / "notified.jsonl").read_text()


def test_a_password_that_a_server_repeats_is_masked(serve, told, monkeypatch: pytest.MonkeyPatch, inbox: Inbox) -> None:
    monkeypatch.setenv("TEST_SMTP_PASSWORD", "p&ss word")
    port = serve(auth_required=True, auth_require_tls=False, authenticator=login)
    inbox.answers["MAIL"] = lambda: "550 not with p&ss word"
    said = told(port, user="anna", password="$TEST_SMTP_PASSWORD")
    assert said == (False, f"the mail server 127.0.0.1:{port} refused: 550 not with ••••")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"user": "anna", "password": "hunter2"}, "the password stands in the file"),
        ({"server": "mail.example.org:25", "user": "anna", "password": "$TEST_SMTP_PASSWORD"}, "unencrypted"),
        ({"user": "anna"}, "belong together"),
        ({"server": "http://mail"}, "no host:port"),
        ({"server": "mail:99999"}, "no host:port"),
        ({"security": "tls"}, "none of ssl, starttls, none"),
        ({"sender": "x"}, "'sender' is not understood"),
        ({"from": "a@b\r\nBcc: c@d"}, "'from' is not understood"),
    ],
)
def test_a_malformed_server_is_said_in_one_line(table, said: str, told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SMTP_PASSWORD", "p&ss word")
    ok, error = told(1, **table)
    assert not ok
    assert said in str(error)
    assert "\n" not in str(error)
    assert "hunter2" not in str(error)


def test_without_a_mail_server_it_is_said_what_to_write(store: RunStore) -> None:
    (one,) = tell.tell("mailto:a@example.org", MESSAGE, store=store.path, key="k")
    assert "smtp = {server =" in str(one.error)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("certificate")
    key, chain = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(chain)], check=True, capture_output=True)
    return chain, key


@pytest.mark.parametrize("security", ["starttls", "ssl"])
def test_encrypted_with_a_certificate_that_is_trusted_and_not_otherwise(
    security: str, certificate, serve, told, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, key = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    port = free_port()
    if security == "ssl":
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))  # the server's own first connection, by which it knows it is up
        server = smtp_over_tls(inbox, port, context)
    else:
        serve(port, tls_context=context, require_starttls=True, authenticator=login, auth_required=True)
        server = None
    monkeypatch.setenv("TEST_SMTP_PASSWORD", "p&ss word")
    more = {"security": security, "server": f"localhost:{port}"}
    if server is None:
        more |= {"user": "anna", "password": "$TEST_SMTP_PASSWORD"}
    try:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        ok, error = told(port, **more)
        assert not ok
        assert "has a certificate that is not trusted: self-signed certificate" in str(error)
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
        assert told(port, **more) == (True, None)
        assert len(inbox.letters) == 1
    finally:
        if server is not None:
            server.stop(no_assert=True)


def smtp_over_tls(inbox: Inbox, port: int, context: ssl.SSLContext) -> Controller:
    server = Controller(inbox, hostname="localhost", port=port, ssl_context=context, ready_timeout=60)
    server.start()
    return server


def test_a_server_that_cannot_encrypt_gets_nothing(serve, told, inbox: Inbox) -> None:
    ok, error = told(serve(), security="starttls")
    assert not ok
    assert "STARTTLS extension not supported" in str(error)
    assert inbox.letters == []


HOSTILE = st.lists(
    st.sampled_from([*"a<>\"'&\r\n\t \0\u202e\ud800é😀:;,@()[]", "=?utf-8?q?=0d=0aX:_y?="]), max_size=40
).map("".join)


@settings(max_examples=80, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_no_text_is_a_header_or_markup(subject: str, text: str, name: str, cause: str, address: str) -> None:
    message = Message(subject, text, "failed", name, cause, f"https://x/{address}")
    data = letter(message, "from@example.org", ["to@example.org"], "k").as_bytes()
    mail = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    assert sorted(set(mail.keys())) == sorted(
        ("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type")
    )
    page = mail.get_body(("html",))
    assert page is not None
    import html5lib

    tree = html5lib.parse(page.get_content(), namespaceHTMLElements=False)
    known = {"html", "head", "body", "meta", "title", "style", "div", "p", "h1", "pre", "a"}
    assert {element.tag for element in tree.iter()} <= known
    allowed = {"class", "style", "href", "lang", "charset", "name", "content"}
    assert {key for element in tree.iter() for key in element.attrib} <= allowed
    assert all(link.get("href", "").startswith("https://x/") for link in tree.iter("a"))


@pytest.mark.parametrize(
    "subject", ["a\r\nBcc: evil@example.org", "a\nX: y", "", "\0", "é" * 500, "=?utf-8?q?a=0d=0aBcc:_x?=", "a\u2028b"]
)
def test_subjects_that_try_to_be_headers(subject: str, serve, told, inbox: Inbox) -> None:
    message = Message(subject, "text", "failed", "n")
    assert told(serve(), message=message) == (True, None)
    (mail,) = inbox.mails
    assert mail["Bcc"] is None
    assert mail["X"] is None
    assert inbox.letters[0].rcpt_tos == ["team@example.org"]
    assert mail["Subject"]


def test_a_domain_in_another_script(serve, told, inbox: Inbox) -> None:
    assert told(serve(), to="anna@b%C3%BCcher.example") == (True, None)
    assert inbox.letters[0].rcpt_tos == ["anna@xn--bcher-kva.example"]
