"""What is told, and when: a message, and which of those who are to hear of it want this one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from mlwidgets.notifying.masking import Masker, masked_notebook
from mlwidgets.runs.state import FAILED, FINISHED, KILLED, TIMEOUT

MISSED, WITHHELD, PUBLISHED = "missed", "withheld", "published"
FAILURES = frozenset({FAILED, KILLED, TIMEOUT, MISSED, WITHHELD})
SUCCESSES = frozenset({FINISHED, PUBLISHED})

WHEN = ("failure", "recovery", "success", "always")


def wants(when: str, state: str, before: str | None) -> bool:
    """Whether whoever wants to hear of `when` wants to hear of a state, given the state before."""
    if when == "failure":
        return state in FAILURES
    if when == "recovery":
        return state in SUCCESSES and before in FAILURES
    return when == "always" or state in SUCCESSES


@dataclass(frozen=True)
class Message:
    """What has happened to a run, a report or a schedule.

    Parameters
    ----------
    subject
        In one line.
    text
        In some lines.
    state
        How it ended: a state of runs, or ``published``, ``withheld``, ``missed``.
    name
        Of the run, the report or the schedule.
    cause
        Why, in one line.
    address
        Of the page that shows it.
    picture
        What it shows, as PNG.
    since
        Since when it has been in this state, Unix seconds.
    details
        What else programs are told, as JSON.
    """

    subject: str
    text: str
    state: str
    name: str
    cause: str | None = None
    address: str | None = None
    picture: bytes | None = None
    since: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def masked(self, mask: Masker) -> Message:
        """Return the message with secrets in its texts masked."""
        texts = ("subject", "text", "name", "cause", "address")
        changed: dict[str, Any] = {key: mask(value) for key in texts if (value := getattr(self, key)) is not None}
        return replace(self, **changed, details=masked_notebook(dict(self.details), mask))

    @property
    def link(self) -> str | None:
        """The address as a link may have it; None where it is none of the web's."""
        if not self.address or not self.address.lower().startswith(("http://", "https://")):
            return None
        return quote(self.address, safe=":/?#[]@!$&'()*+,;=%~", errors="replace")

    def to_json(self) -> dict[str, Any]:
        """Return what programs are told: all but the picture."""
        found = {key: getattr(self, key) for key in ("subject", "text", "state", "name", "cause", "address", "since")}
        return {**self.details, **{key: value for key, value in found.items() if value is not None or key == "cause"}}


def moment_words(seconds: float) -> str:
    """Return Unix seconds as ``2026-11-14 07:00 UTC``."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
