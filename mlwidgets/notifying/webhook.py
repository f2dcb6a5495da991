"""Webhooks: a POST of JSON, as it is or as Slack reads it."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from mlwidgets.notifying.message import FAILURES, SUCCESSES, Message, moment_words
from mlwidgets.notifying.patience import Problem, one_line, within

SECONDS = 10.0
"""An attempt's time."""
_MOST_HEADER, _MOST_SECTION, _MOST_LINK = 150, 3000, 1500


def post(url: str, body: dict[str, Any], key: str, seconds: float) -> Problem | None:
    """POST once; return what went wrong. The server is told the event's key: what it has seen already it may drop."""
    limit = min(SECONDS, seconds)
    try:
        return within(limit, lambda: _answer(url, json.dumps(body).encode(), key, limit))
    except TimeoutError:
        return Problem(f"no answer within {limit:g} s")


def slack_body(message: Message) -> dict[str, Any]:
    """Return a message in blocks, as Slack's incoming webhooks take it; others (Mattermost) show its ``text``."""
    mark = ":red_circle:" if message.state in FAILURES else ":large_green_circle:"
    if message.state not in FAILURES | SUCCESSES:
        mark = ":white_circle:"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(one_line(message.subject), _MOST_HEADER)}},
        _section(f"{mark} *{_escaped(message.name)}*: {_escaped(message.state)}"),
    ]
    if message.text.strip():
        blocks.append(_section(_escaped(message.text)))
    if message.cause and message.cause not in message.text:
        blocks.append(_section("\n".join(f">{line}" for line in _escaped(message.cause).splitlines())))
    if message.link and len(message.link) <= _MOST_LINK:
        blocks.append(_section(f"<{message.link.replace('&', '&amp;')}|Open>"))
    if message.since is not None:
        words = f"since {moment_words(message.since)}"
        blocks.append({"type": "context", "elements": [{"type": "plain_text", "text": words}]})
    plain = [message.subject, message.text, *([message.address] if message.address else [])]
    return {"text": _cut(_escaped("\n".join(plain)), _MOST_SECTION), "blocks": blocks}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, _MOST_SECTION)}}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _escaped(text: str) -> str:
    """Return a text that is no link, no mention and no channel (Slack: Formatting text, escaping)."""
    return text.replace("\0", "").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _answer(url: str, data: bytes, key: str, seconds: float) -> Problem | None:
    import http.client
    import ssl
    import urllib.error
    import urllib.request

    headers = {"Content-Type": "application/json", "User-Agent": "mlwidgets"}
    if key:
        headers["Idempotency-Key"] = quote(key, errors="replace")
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    if login:
        # urllib would take it for a part of the host's name.
        url = parts._replace(netloc=host).geturl()
        headers["Authorization"] = f"Basic {b64encode(unquote(login).encode()).decode()}"

    class Stay(urllib.request.HTTPRedirectHandler):
        """Follows nobody elsewhere: what comes of a POST on the way is a GET, which tells nothing."""

        def redirect_request(self, *_: Any) -> None:
            return None

    try:
        request = urllib.request.Request(url, data, headers, method="POST")  # noqa: S310 (a web address: it was checked)
        with urllib.request.build_opener(Stay).open(request, timeout=seconds):
            return None
    except urllib.error.HTTPError as error:
        with error:
            again = error.code >= 500 or error.code in {408, 425, 429}
            return Problem(f"HTTP {error.code} {one_line(error.reason)}", again, _seconds(error.headers), not again)
    except TimeoutError:
        return Problem(f"no answer within {seconds:g} s")
    except urllib.error.URLError as error:
        refused = isinstance(error.reason, ssl.SSLError) or not isinstance(error.reason, OSError)
        return Problem(one_line(str(error.reason)), temporary=not refused)
    except (http.client.RemoteDisconnected, ConnectionError):
        return Problem("the server closed the connection")
    except Exception as error:  # http.client and ssl have kinds of their own; the address is not repeated
        return Problem(type(error).__name__, temporary=False)


def _seconds(headers: Any) -> float:
    value = str(headers.get("Retry-After", "")).strip()
    return float(value) if value.isdecimal() and len(value) < 6 else 0.0
