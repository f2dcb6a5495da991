"""A message as a letter: plain text, and HTML with the picture in it, for light and dark."""

from __future__ import annotations

import hashlib
import html
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from mlwidgets.notifying.message import FAILURES, SUCCESSES, Message, moment_words
from mlwidgets.notifying.patience import one_line
from mlwidgets.notifying.showing import MOST_BYTES
from mlwidgets.runs.machine import host

_MOST_TEXT = 20_000
_PICTURE = "picture@mlwidgets"

_STYLE = """
:root { color-scheme: light dark; supported-color-schemes: light dark; }
body { margin: 0; padding: 24px 12px; background: #f4f5f7; color: #1f2328;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
.card { max-width: 640px; margin: 0 auto; padding: 24px 28px; background: #ffffff; border: 1px solid #dcdfe4;
  border-top: 4px solid #59636e; border-radius: 6px; }
.failure { border-top-color: #c62828; }
.success { border-top-color: #1a7f37; }
.state { margin: 0 0 2px; font-size: 13px; font-weight: 600; letter-spacing: 0.02em; color: #59636e; }
.failure .state { color: #b3261e; }
.success .state { color: #1a7f37; }
h1 { margin: 0 0 14px; font-size: 20px; line-height: 1.3; overflow-wrap: anywhere; }
p, pre { margin: 0 0 14px; overflow-wrap: anywhere; white-space: pre-wrap; }
.cause { padding: 10px 14px; background: #f4f5f7; border-radius: 4px; font: 13px/1.5 ui-monospace, Menlo, Consolas,
  "DejaVu Sans Mono", monospace; }
img { display: block; max-width: 100%; height: auto; margin: 0 0 16px; border-radius: 4px; background: #ffffff; }
.open { display: inline-block; padding: 8px 16px; background: #0b57d0; color: #ffffff; font-weight: 600;
  text-decoration: none; border-radius: 4px; }
.foot { max-width: 640px; margin: 12px auto 0; font-size: 12px; color: #59636e; }
@media (prefers-color-scheme: dark) {
  body { background: #15171a; color: #e4e6ea; }
  .card { background: #1f2226; border-color: #3a3f46; border-top-color: #9aa4af; }
  .card.failure { border-top-color: #ff8a80; }
  .card.success { border-top-color: #6fdd8b; }
  .state, .foot { color: #a4adb8; }
  .failure .state { color: #ff8a80; }
  .success .state { color: #6fdd8b; }
  .cause { background: #15171a; }
  .open { background: #a8c7fa; color: #062e6f; }
}
"""


def letter(message: Message, sender: str, recipients: list[str], key: str) -> EmailMessage:
    """Return the letter that tells of a message.

    Its Message-ID follows from the event and who is told: mail systems drop a letter that came twice.
    """
    written = EmailMessage(policy=SMTP)
    # The library decodes what looks like an encoded word (RFC 2047), and with it line ends that it then writes.
    written["Subject"] = _printable(one_line(message.subject)).replace("=?", "= ?") or message.state
    written["From"] = Address("mlwidgets", addr_spec=_encoded(sender))
    written["To"] = [Address(addr_spec=_encoded(one)) for one in recipients]
    written["Date"] = formatdate()
    digest = hashlib.sha256("\0".join([key, *recipients]).encode("utf-8", "replace")).hexdigest()[:32]
    written["Message-ID"] = f"<{digest}@mlwidgets.invalid>"
    # Nobody's holiday note should answer (RFC 3834).
    written["Auto-Submitted"] = "auto-generated"
    written.set_content(_plain(message))
    picture = message.picture if message.picture and len(message.picture) <= MOST_BYTES else None
    written.add_alternative(_page(message, with_picture=picture is not None), subtype="html")
    if picture is not None:
        page = written.get_payload(1)
        assert isinstance(page, EmailMessage)
        page.add_related(picture, "image", "png", cid=f"<{_PICTURE}>", filename="picture.png", disposition="inline")
    return written


def mail_address(address: str) -> str:
    """Return an address as the mail server takes it: the domain in ASCII (RFC 5890)."""
    return _encoded(address)


def _plain(message: Message) -> str:
    return "\n\n".join(_printable(part) for part in (message.subject, message.text, *_more(message)) if part) + "\n"


def _more(message: Message) -> list[str]:
    cause = message.cause if message.cause and message.cause not in message.text else None
    since = None if message.since is None else f"Since {moment_words(message.since)}"
    return [part for part in (cause, since, message.address) if part]


def _page(message: Message, *, with_picture: bool) -> str:
    tone = "failure" if message.state in FAILURES else "success" if message.state in SUCCESSES else "other"
    since = "" if message.since is None else f", since {moment_words(message.since)}"
    parts = [
        f'<p class="state">{_escaped(message.state.capitalize())}{since}</p>',
        f"<h1>{_escaped(message.subject)}</h1>",
    ]
    if message.text.strip() and message.text.strip() != message.subject.strip():
        parts.append(f"<p>{_escaped(message.text.strip())}</p>")
    if message.cause and message.cause not in message.text:
        parts.append(f'<pre class="cause">{_escaped(message.cause)}</pre>')
    if with_picture:
        parts.append(f'<img src="cid:{_PICTURE}" alt="What {_escaped(message.name)} shows">')
    if message.link:
        parts.append(f'<p style="margin: 0"><a class="open" href="{html.escape(message.link)}">Open</a></p>')
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>'
        f"{_escaped(message.subject)}</title>"
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        f'<style>{_STYLE}</style></head>\n<body><div class="card {tone}">\n'
        + "\n".join(parts)
        + f'\n</div><p class="foot">Sent by mlwidgets on {_escaped(host())}.</p></body></html>\n'
    )


def _escaped(text: str) -> str:
    return html.escape(_printable(text))


def _printable(text: str) -> str:
    """Return a text that letters can hold: no control characters, nothing that turns its direction, not too long."""
    text = text.encode("utf-8", "replace").decode()
    shown = "".join(c for c in text[:_MOST_TEXT] if c in "\n\t" or c.isprintable())
    return shown if len(text) <= _MOST_TEXT else f"{shown} …"


def _encoded(address: str) -> str:
    name, _, domain = address.rpartition("@")
    return address if domain.isascii() else f"{name}@{domain.encode('idna').decode()}"
