"""The mail server: how it is reached, and one attempt to hand it a letter."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from mlwidgets.notifying.patience import Problem, one_line, within
from mlwidgets.notifying.secrets import SecretNotFound, is_named, resolve
from mlwidgets.notifying.settings import ConfigError, Setting

SECONDS = 45.0
"""An attempt's time."""
STEP_SECONDS = 10.0
"""A step's time until the letter is on its way; a server may look at a letter for longer before it takes it."""
PORTS = {"ssl": 465, "starttls": 587, "none": 25}
_KEYS = ("server", "security", "user", "password", "from")
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class MailServer:
    """Where letters are handed in, and as whom."""

    host: str
    port: int
    security: str
    user: str
    password: str
    sender: str


def mail_server(setting: Setting | None) -> MailServer:
    """Return the mail server that ``[tool.mlwidgets] smtp`` describes; its secrets are looked up.

    Raises
    ------
    ConfigError
        If it is not set, or not rightly.
    SecretNotFound
        If a secret is not there.
    """
    if setting is None:
        raise ConfigError('e-mail needs smtp = {server = "smtp.example.org"} under [tool.mlwidgets] in pyproject.toml')
    try:
        table = _texts(setting.value)
        host, port = _place(table.get("server", ""))
        security = table.get("security") or next((name for name, usual in PORTS.items() if usual == port), "starttls")
        if security not in PORTS:
            raise ConfigError(f"security is {security!r:.20}, which is none of {', '.join(PORTS)}")
        if security == "none" and table.get("password") and host not in _HERE:
            raise ConfigError(f"the password would reach {host} unencrypted: set security to starttls or ssl")
        if bool(table.get("user")) != bool(table.get("password")):
            raise ConfigError("user and password belong together")
        sender = table.get("from") or (table["user"] if "@" in table.get("user", "") else f"mlwidgets@{host}")
        return MailServer(
            host, port or PORTS[security], security, table.get("user", ""), table.get("password", ""), sender
        )
    except ConfigError as error:
        raise ConfigError(f"[tool.mlwidgets] smtp in {setting.file}: {error}") from error


class Delivery:
    """A letter, and those of its recipients for whom the mail server has not taken it yet.

    Parameters
    ----------
    recipients
        As the mail server takes them.
    """

    def __init__(self, server: MailServer, letter: EmailMessage, recipients: list[str]) -> None:
        self._server = server
        self._letter = letter
        self._all = recipients
        self._left = list(recipients)
        self._refused: list[str] = []

    def attempt(self, seconds: float) -> Problem | None:
        """Hand the letter in once; return what went wrong."""
        limit = min(SECONDS, seconds)
        try:
            problem = within(limit, self._hand_in)
        except TimeoutError:
            problem = Problem(f"the mail server {self._server.host} had not taken it within {limit:g} s")
        if problem is None and not self._refused:
            return None
        texts = [*self._refused, *([problem.text] if problem else [])]
        temporary = problem is not None and problem.temporary
        return Problem("; ".join(texts), temporary, final=len(self._left) < len(self._all))

    def _hand_in(self) -> Problem | None:
        try:
            session = _open(self._server)
        except Exception as error:  # sockets, ssl and smtplib have kinds of their own
            return _failed(self._server, error)
        try:
            _give_time(session, SECONDS)
            refused = session.send_message(self._letter, self._server.sender, self._left)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except Exception as error:
            return _failed(self._server, error)
        finally:
            # It has answered for the letter: how it takes leave does not matter.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                _give_time(session, 1.0)
                session.quit()
            session.close()
        problems = {who: _said(code, words, f"{who} was refused") for who, (code, words) in refused.items()}
        later = [who for who, problem in problems.items() if problem.temporary]
        self._refused += [problem.text for problem in problems.values() if not problem.temporary]
        self._left = later
        return Problem("; ".join(problems[who].text for who in later)) if later else None


def _open(server: MailServer) -> smtplib.SMTP:
    context = None if server.security == "none" else ssl.create_default_context()
    session: smtplib.SMTP
    if server.security == "ssl":
        session = smtplib.SMTP_SSL(server.host, server.port, timeout=STEP_SECONDS, context=context)
    else:
        session = smtplib.SMTP(server.host, server.port, timeout=STEP_SECONDS)
    try:
        if server.security == "starttls":
            session.starttls(context=context)
        if server.user:
            session.login(server.user, server.password)
    except BaseException:
        session.close()
        raise
    return session


def _give_time(session: smtplib.SMTP, seconds: float) -> None:
    if session.sock is not None:
        session.sock.settimeout(seconds)


def _failed(server: MailServer, error: Exception) -> Problem:
    where = f"the mail server {server.host}:{server.port}"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return _said(error.smtp_code, error.smtp_error, f"{where} refused the login of {server.user}")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Problem(
            one_line(f"{where} has a certificate that is not trusted: {error.verify_message}"), temporary=False
        )
    if isinstance(error, smtplib.SMTPResponseException):
        return _said(error.smtp_code, error.smtp_error, f"{where} refused")
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return Problem(f"{where} closed the connection")
    if isinstance(error, smtplib.SMTPException | UnicodeError | ValueError):
        return Problem(one_line(f"{where}: {error}"), temporary=False)
    words = error.strerror if isinstance(error, OSError) and error.strerror else error
    return Problem(one_line(f"{where} cannot be reached: {words}"), temporary=isinstance(error, OSError))


def _said(code: int, words: Any, what: str) -> Problem:
    text = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
    # 4xx: not now (RFC 5321, 4.2.1). A code of -1 is smtplib's for an answer that is none.
    return Problem(one_line(f"{what}: {code} {text}"), temporary=not 500 <= code <= 599)


def _texts(value: Any) -> dict[str, str]:
    table = {"server": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping):
        raise ConfigError(f"write a table with {', '.join(_KEYS)}")
    for key, one in table.items():
        if key not in _KEYS or not isinstance(one, str) or not one or any(not c.isprintable() for c in one):
            raise ConfigError(f"{key!r:.40} is not understood: it takes {', '.join(_KEYS)}, each a text")
    password = table.get("password", "")
    if password and not is_named(password):
        raise ConfigError("the password stands in the file: name it, as $NAME or keyring:service/user")
    try:
        return {key: resolve(one) for key, one in table.items()}
    except SecretNotFound as error:
        raise SecretNotFound(f"smtp: {error}") from error


def _place(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if not colon or (server.count(":") > 1 and not server.startswith("[")):
        host, port = server, "0"
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65535 or set(host) & set("/@ "):
        raise ConfigError(f"server is {server!r:.60}, which is no host:port")
    return host, int(port)
