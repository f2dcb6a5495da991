"""One message to one target, by the channel that the target names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlwidgets.notifying import command, webhook
from mlwidgets.notifying.masking import Masker, masked_notebook, masker_for
from mlwidgets.notifying.message import Message
from mlwidgets.notifying.notices import add_notice
from mlwidgets.notifying.patience import Problem, one_line, patiently
from mlwidgets.notifying.secrets import SecretNotFound
from mlwidgets.notifying.settings import ConfigError, find_setting
from mlwidgets.notifying.targets import Target, parse_target
from mlwidgets.runs.folder import RunFolder

_TOLD = ("subject", "text", "name", "state", "cause", "address")


@dataclass(frozen=True)
class Errand:
    """A message on its way.

    Parameters
    ----------
    message
        What is told.
    key
        Names the event; who has seen it may drop a message that comes again.
    where
        The run or the folder whose project has ``smtp`` and ``secrets``.
    store
        Where notices for the browser are left.
    cwd
        Where commands are run.
    variables
        What commands have in their environment.
    draw
        Makes the message's picture where it has none: asked only when a letter is written, which alone shows one.
    """

    message: Message
    key: str
    where: RunFolder | Path
    store: Path
    cwd: Path
    variables: Mapping[str, Any] = field(default_factory=dict)
    draw: Callable[[], bytes | None] | None = None

    def masked(self, mask: Masker) -> Errand:
        """Return the errand with secrets in its texts masked."""
        return replace(self, message=self.message.masked(mask), variables=masked_notebook(dict(self.variables), mask))


def send(text: str, errand: Errand) -> tuple[Problem | None, int]:
    """Send a message to a target, as often as it takes within a minute.

    Returns
    -------
    problem
        Without secrets; None if there was none.
    tries
        How often it was attempted.
    """
    mask = Masker(())
    try:
        mask = masker_for(errand.where, text)
        problem, tries = _send(parse_target(text), errand.masked(mask))
    except (ConfigError, SecretNotFound) as error:
        problem, tries = Problem(str(error)), 0
    except Exception as error:  # any library's own kind of error, and a full disk
        problem, tries = Problem(f"{type(error).__name__}: {error}"), 1
    return None if problem is None else problem._replace(text=one_line(mask(problem.text))), tries


def _send(target: Target, errand: Errand) -> tuple[Problem | None, int]:
    message = errand.message
    if target.kind == "mail":
        return _mail(target, errand)
    if target.kind == "browser":
        add_notice(errand.store, message, errand.key)
        return None, 1
    if target.kind == "command":
        about = {f"MLWIDGETS_NOTICE_{name.upper()}": getattr(message, name) for name in _TOLD}
        data = json.dumps(message.to_json()).encode()
        return command.execute(target.value, data, {**about, **errand.variables}, errand.cwd), 1
    body = webhook.slack_body(message) if target.kind == "slack" else message.to_json()
    return patiently(lambda left: webhook.post(target.value, body, errand.key, left))


def _mail(target: Target, errand: Errand) -> tuple[Problem | None, int]:
    # The library for letters is slow to import, and most people are told otherwise.
    from email.errors import MessageError

    from mlwidgets.notifying import letter, smtp

    server = smtp.mail_server(find_setting(errand.where, "smtp"))
    message = errand.message
    if message.picture is None and errand.draw is not None:
        message = replace(message, picture=errand.draw())
    try:
        written = letter.letter(message, server.sender, target.addresses, errand.key)
        recipients = [letter.mail_address(one) for one in target.addresses]
    except (ValueError, MessageError) as error:  # headers that are none, and domains
        return Problem(f"the letter could not be written: {error}", final=True), 1
    return patiently(smtp.Delivery(server, written, recipients).attempt)
