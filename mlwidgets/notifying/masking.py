"""Secrets that appear in output are masked, also where they are written in another way."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from mlwidgets.notifying.secrets import KEYRING, known_value
from mlwidgets.notifying.settings import ConfigError, find_setting
from mlwidgets.runs.folder import RunFolder

MASK = "••••"
SHORTEST = 4
"""Characters of a secret that is masked: shorter ones are in every text by chance."""
SHORTEST_LINE = 8
"""Characters of a line of a secret that has several, as a private key has."""
_LEAST_CORE = 6
_LONGEST_WORD = 16
"""Characters of a part of an address that is taken for a secret of its own, and not for a word."""
# Pictures are bytes: what looks like a secret in them is chance, and masking it would break them.
_PICTURE = re.compile(r"data:(?:image/(?!svg)|audio/|video/|font/)[\w.+-]+;base64,[A-Za-z0-9+/=]{64,}")
_BYTES = re.compile(r"(?:image/(?!svg)|audio/|video/|font/|application/pdf$).*")


class Masker:
    """Replaces secrets in texts by ``••••``; true if it knows any.

    Parameters
    ----------
    secrets
        Their values. Those of fewer than four characters are left out.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self.forms = tuple(sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True))

    def __bool__(self) -> bool:
        return bool(self.forms)

    def __call__(self, text: str) -> str:
        """Return the text with every secret masked."""
        spans = list(self.find(text))
        for start, end in reversed(spans):
            text = text[:start] + MASK + text[end:]
        return text

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where secrets stand in a text."""
        # Most texts hold none: looking for each is much faster than one expression with all of them.
        found = [form for form in self.forms if form in text]
        if not found:
            return
        pictures = _PICTURE.pattern if "base64," in text else r"(?!)"
        for match in re.finditer(f"({pictures})|{'|'.join(map(re.escape, found))}", text):
            if match[1] is None:
                yield match.span()


class MaskedStream:
    """Masks text that comes in pieces: also a secret that begins in one and ends in another.

    Only an end that may be the beginning of a secret is held back until the next piece.
    """

    def __init__(self, mask: Masker) -> None:
        self._mask = mask
        self._held = ""

    def feed(self, text: str) -> str:
        """Take a piece; return what may be shown by now, masked."""
        if not self._mask:
            return text
        whole = self._held + text
        cut = self._cut(whole)
        self._held = whole[cut:]
        return self._mask(whole[:cut])

    def close(self) -> str:
        """Return what was held back, masked."""
        held, self._held = self._held, ""
        return self._mask(held)

    def _cut(self, text: str) -> int:
        """Return from where on the text may be the beginning of a secret."""
        starts = sorted({start for form in self._mask.forms for start in _beginnings(text, form)})
        spans = list(self._mask.find(text))
        return next((at for at in starts if not any(first < at < end for first, end in spans)), len(text))


def _beginnings(text: str, form: str) -> Iterator[int]:
    """Yield where a text's end is a beginning of `form`."""
    at = text.find(form[0], max(0, len(text) - len(form) + 1))
    while at >= 0:
        if form.startswith(text[at:]):
            yield at
        at = text.find(form[0], at + 1)


def masked_notebook(value: Any, mask: Masker) -> Any:
    """Return a notebook, or any JSON value, with the secrets in its texts masked; pictures in it stay as they are."""
    if not mask:
        return value
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list | tuple):
        return [masked_notebook(item, mask) for item in value]
    if isinstance(value, dict):
        return {
            mask(key) if isinstance(key, str) else key: item
            if isinstance(key, str) and _BYTES.fullmatch(key)
            else masked_notebook(item, mask)
            for key, item in value.items()
        }
    return value


def masker_for(where: RunFolder | Path, *more: Any) -> Masker:
    """Return what masks the secrets of a project, as far as this process has them.

    These are what ``[tool.mlwidgets] secrets`` names, and what ``notify`` and ``smtp`` beside it name.

    Parameters
    ----------
    where
        A run, or a folder of the project.
    more
        Settings in which further secrets are named.

    Raises
    ------
    ConfigError
        If the setting cannot be read: nothing should be published then.
    """
    named = _secrets_setting(where)
    for name in ("notify", "smtp"):
        try:
            setting = find_setting(where, name, harmless=True)
        except ConfigError:
            continue  # said where it is used
        if setting is not None:
            named += texts_in(setting.value)
    named += [text for one in more for text in texts_in(one)]
    return Masker(value for text in dict.fromkeys(named) if (value := known_value(text)) is not None)


def texts_in(value: Any) -> list[str]:
    """Return the texts in a setting that may name a secret: itself, or behind the kind of a target."""
    if isinstance(value, str):
        text = value.strip()
        return [text, text.partition(":")[2].strip()]
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_in(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in texts_in(item)]
    return []


def _secrets_setting(where: RunFolder | Path) -> list[str]:
    setting = find_setting(where, "secrets", harmless=True)
    if setting is None:
        return []
    value = setting.value if isinstance(setting.value, list) else [setting.value]
    named = []
    for name in value:
        if not isinstance(name, str) or not re.fullmatch(rf"\$?[A-Za-z_]\w*|{KEYRING}.+/.+", name, re.ASCII):
            raise ConfigError(
                f"[tool.mlwidgets] secrets in {setting.file}: an entry names no secret; write the names of environment "
                f"variables, and {KEYRING}service/user"
            )
        named.append(name if name.startswith(("$", KEYRING)) else f"${name}")
    return named


def _forms(secret: str) -> set[str]:
    """Return how a secret may be written."""
    parts = {secret, secret.strip()}
    if len(lines := secret.split()) > 1 and "\n" in secret.strip():
        parts |= {line for line in (*lines, *map(str.strip, secret.splitlines())) if len(line) >= SHORTEST_LINE}
    parts |= _parts_of_address(secret.strip())
    forms: set[str] = set()
    for part in parts:
        if len(part) >= SHORTEST:
            forms |= _written(part)
    return forms


def _parts_of_address(secret: str) -> set[str]:
    """Return what is secret in an address by itself: its password, and of a webhook the path."""
    try:
        parts = urlsplit(secret)
    except ValueError:
        return set()
    if not parts.scheme or not parts.netloc:
        return set()
    found = {parts.password or "", unquote(parts.password or "")}
    if parts.scheme in {"http", "https"}:
        path = parts.path.strip("/")
        found |= {one for one in (path, path.rpartition("/")[2], parts.query) if len(one) >= _LONGEST_WORD}
    return found


def _written(secret: str) -> set[str]:
    data = secret.encode("utf-8", "surrogatepass")
    as_json = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    urls = {quote(data), quote(data, safe=""), quote_plus(data)}
    lower = {re.sub("%..", lambda code: code[0].lower(), url) for url in urls}
    as_html = {html.escape(secret), html.escape(secret, quote=False), html.escape(secret).replace("&#x27;", "&#39;")}
    twice = {json.dumps(text)[1:-1] for text in as_json}
    forms = {secret, repr(secret)[1:-1], data.hex(), *as_json, *twice, *urls, *lower, *as_html}
    return {form for form in forms if len(form) >= SHORTEST} | set(_base64(data))


def _base64(data: bytes) -> Iterator[str]:
    """Yield what base64 makes of a secret wherever it stands among other bytes: as in ``user:password``.

    Three bytes are four characters, so there are three ways; those at the edges depend on the neighbours.
    """
    for before in range(3):
        text = b64encode(bytes(before) + data).decode().rstrip("=")
        whole = 4 * ((before + len(data)) // 3)
        core = text[(0, 2, 3)[before] : whole]
        if len(core) >= _LEAST_CORE:
            yield core
            yield core.replace("+", "-").replace("/", "_")
