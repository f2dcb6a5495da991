"""Who is told: targets as people write them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from mlwidgets.notifying.message import WHEN, wants
from mlwidgets.notifying.secrets import is_named, resolve
from mlwidgets.notifying.settings import ConfigError

HELP = "write mailto:…, https://…, slack:…, a command, browser, a list of them, or a table with " + ", ".join(WHEN)
_SLACK = "hooks.slack.com"
# What would end a header, a word of SMTP or a list of addresses; the rest is the mail server's to judge.
_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]+@[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]+")


class Target(NamedTuple):
    """Who is told: by which channel (mail, slack, webhook, command, browser), and what that one needs to know."""

    kind: str
    value: str

    @property
    def addresses(self) -> list[str]:
        """Of a mail target: its recipients."""
        return [unquote(part) for part in self.value.split(",")]


def parse_target(text: str) -> Target:
    """Return what a text means; a secret that it names is looked up.

    Raises
    ------
    ConfigError
        If it means nothing.
    SecretNotFound
        If the secret is not there.
    """
    kind, value = _split(text)
    value = resolve(value)
    if kind == "named":
        kind, value = _split(value)
    return _checked(kind, value)


def kind_of(text: str) -> str:
    """Return how one is told: mail, slack, webhook, command, browser; named where only a secret says it."""
    return _split(text)[0]


def check_text(text: Any) -> None:
    """Make sure that a text is a target, as far as one can know without the secret that it names.

    Raises
    ------
    ConfigError
        If it is none.
    """
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise ConfigError(f"{text!r:.60} is neither an address nor a command")
    kind, value = _split(text)
    if not is_named(value):
        _checked(kind, value)


def wanted(value: Any, state: str, before: str | None) -> list[str]:
    """Return which targets of a setting want to hear of a state, in order, each once.

    Raises
    ------
    ConfigError
        If the setting, also the part for another state, is none.
    """
    table = value if isinstance(value, dict) else {"always": value}
    found: list[str] = []
    for when, targets in table.items():
        if when not in WHEN:
            raise ConfigError(f"{when!r} is none of {', '.join(WHEN)}")
        listed = targets if isinstance(targets, list | tuple) else [targets]
        for target in listed:
            check_text(target)
        if wants(when, state, before):
            found += [target.strip() for target in listed]
    return list(dict.fromkeys(found))


def shown(text: str) -> str:
    """Return a target without what may be secret: a webhook's host, a command's first word."""
    kind, value = _split(text)
    if kind in {"mail", "browser", "named"}:
        return text.strip()
    if kind in {"slack", "webhook"}:
        prefix = "" if _is_address(text) else f"{kind}:"
        return prefix + (value if is_named(value) else _shown_address(value))
    words = [word for word in value.split() if "=" not in word]
    return value if words == [value] else " ".join([*words[:1], "…"])


def _shown_address(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return "…"
    more = "/…" if len(parts.path) > 1 or parts.query else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{more}"


def _is_address(text: str) -> bool:
    return text.strip().lower().startswith(("http://", "https://"))


def _split(text: str) -> tuple[str, str]:
    text = text.strip()
    if text == "browser":
        return "browser", ""
    if _is_address(text):
        return ("slack" if _host(text) == _SLACK else "webhook"), text
    if is_named(text):
        return "named", text
    prefix, colon, rest = text.partition(":")
    kind = {"mailto": "mail", "slack": "slack", "webhook": "webhook", "command": "command"}.get(prefix.lower())
    # `command` stands alone in many a shell line; with a colon it is no program's name.
    return (kind, rest.strip()) if colon and kind else ("command", text)


def _checked(kind: str, value: str) -> Target:
    target = Target(kind, value)
    if kind in {"slack", "webhook"} and not (_is_address(value) and _host(value)):
        words = f"{_shown_address(value):.60} names no host" if _is_address(value) else "is no web address"
        raise ConfigError(words if _is_address(value) else f"what stands behind {kind}: {words}")
    if kind == "mail":
        bad = next((one for one in target.addresses if not _ADDRESS.fullmatch(one)), None)
        if bad is not None:
            raise ConfigError(f"mailto:{value:.60} has an address that is none: {bad!r:.60}")
    if kind == "named" or (kind == "command" and not value):
        raise ConfigError("a secret names another secret" if kind == "named" else "command: names no command")
    return target


def _host(address: str) -> str | None:
    try:
        return urlsplit(address.strip()).hostname
    except ValueError:
        return None
