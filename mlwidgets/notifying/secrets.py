"""Secrets are named, never written: ``$NAME`` stands in the environment, ``keyring:service/user`` in the keyring."""

from __future__ import annotations

import os
import re

from mlwidgets.errors import MlwidgetsError
from mlwidgets.notifying.patience import within

KEYRING = "keyring:"
KEYRING_SECONDS = 10.0
"""A keyring that wants to be unlocked asks on a screen that a server does not have."""
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})", re.ASCII)


class SecretNotFound(MlwidgetsError):
    """A secret that is named is not there; the message says where it was looked for."""


def is_named(text: str) -> bool:
    """Whether a text names a secret and is none itself."""
    return variable_of(text) is not None or text.startswith(KEYRING)


def variable_of(text: str) -> str | None:
    """Return the environment variable that a text names, None where it names none."""
    found = _VARIABLE.fullmatch(text)
    return (found[1] or found[2]) if found else None


def resolve(text: str) -> str:
    """Return the secret that a text names; a text that names none as it is.

    Raises
    ------
    SecretNotFound
        If it is not there.
    """
    if name := variable_of(text):
        value = os.environ.get(name)
        if not value:
            raise SecretNotFound(f"${name} is not set in the environment of this process")
        return value.strip()
    if text.startswith(KEYRING):
        return _from_keyring(text.removeprefix(KEYRING))
    return text


def known_value(text: str) -> str | None:
    """Return the secret that a text names, None where it names none or this process has not got it."""
    try:
        return resolve(text) if is_named(text) else None
    except SecretNotFound:
        return None


def _from_keyring(entry: str) -> str:
    service, slash, user = entry.rpartition("/")
    if not slash or not service or not user:
        raise SecretNotFound(f"{KEYRING}{entry} names no entry: write {KEYRING}service/user")
    try:
        value = within(KEYRING_SECONDS, lambda: _ask_keyring(service, user))
    except ImportError as error:
        raise SecretNotFound(f"{KEYRING}{entry} needs the package keyring: pip install keyring") from error
    except Exception as error:  # each system's keyring has errors of its own
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise SecretNotFound(f"the keyring did not give {KEYRING}{entry}: {words}") from error
    if not value:
        raise SecretNotFound(f"the keyring has no {KEYRING}{entry}: run `keyring set {service} {user}`")
    return value


def _ask_keyring(service: str, user: str) -> str | None:
    import keyring

    return keyring.get_password(service, user)
