"""Tells those whom the project names that a run has ended."""

from __future__ import annotations

import contextlib
import functools
import math
import time

from mlwidgets.notifying.message import Message
from mlwidgets.notifying.sending import Errand, send
from mlwidgets.notifying.settings import ConfigError, Setting, find_setting
from mlwidgets.notifying.showing import address_of, picture_of
from mlwidgets.notifying.targets import HELP, shown, wanted
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.journal import read_lines, write_event
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import FINISHED, Outcome, settle
from mlwidgets.runs.store import RunStore


def notify(folder: RunFolder, outcome: Outcome) -> None:
    """Notify whom ``[tool.mlwidgets] notify`` names of how a run ended, once per run; of a trial its sweep will tell.

    It may take as long as the user's commands and webhooks are given. Whatever goes wrong is an event of the run.
    """
    # The run has ended as it has: nothing here may keep its supervisor from ending too.
    with contextlib.suppress(Exception):
        if any(event["event"] == "notified" for event in read_lines(folder.events)):
            return
        if (read_json(folder.spec) or {}).get("trial_of"):
            return
        try:
            setting = find_setting(folder, "notify")
            targets = [] if setting is None else _wanted(setting, outcome.state, folder)
        except ConfigError as error:
            write_event(folder.events, "notified", target="pyproject.toml", ok=False, error=str(error))
            return
        if setting is None or not targets:
            return
        message = _message(folder, outcome)
        about = {"id": folder.id, "name": message.name, "state": message.state, "cause": message.cause}
        variables = {f"MLWIDGETS_RUN_{key.upper()}": value for key, value in about.items()}
        variables["MLWIDGETS_RUN_FOLDER"] = str(folder.path)
        draw = functools.cache(lambda: picture_of(folder))
        errand = Errand(message, f"run/{folder.id}", folder, folder.store, setting.file.parent, variables, draw)
        for target in targets:
            problem, _ = send(target, errand)
            said = None if problem is None else problem.text
            write_event(folder.events, "notified", target=shown(target), ok=problem is None, error=said)


def check_config(folder: RunFolder) -> str | None:
    """Return what is wrong with the setting that this run will be notified by, in one line; None if all is well."""
    try:
        setting = find_setting(folder, "notify")
        if setting is not None:
            _wanted(setting, FINISHED, folder)
    except ConfigError as error:
        return str(error)
    except Exception as error:  # an unreadable folder is told of where the run is submitted
        return f"cannot read who is to be notified: {error}"
    return None


def _wanted(setting: Setting, state: str, folder: RunFolder) -> list[str]:
    asked = isinstance(setting.value, dict) and "recovery" in setting.value
    try:
        return wanted(setting.value, state, _state_before(folder) if asked else None)
    except ConfigError as error:
        raise ConfigError(f"[tool.mlwidgets] notify in {setting.file}: {error}; {HELP}") from error


def _state_before(folder: RunFolder) -> str | None:
    """Return how the run of the same name before this one ended."""
    for other in RunStore(folder.store).called(Run(folder.path).name):
        if other.id < folder.id:
            outcome = settle(other)
            if outcome.ended:
                return outcome.state
    return None


def _message(folder: RunFolder, outcome: Outcome) -> Message:
    import socket

    run = Run(folder.path)
    elapsed = 0.0
    if outcome.started_at is not None:
        elapsed = max(0.0, (outcome.ended_at or time.time()) - outcome.started_at)
    try:
        values = run.last_values()
    except Exception:  # metrics that cannot be read do not keep the message back
        values = {}
    text = f"{run.name}: {outcome.state} after {elapsed:.0f} s on {socket.gethostname()}"
    if outcome.cause and outcome.state != FINISHED:
        text += f": {outcome.cause}"
    details = {
        "id": run.id,
        # JSON has no NaN and no infinity: they are text.
        "metrics": {name: value if math.isfinite(value) else str(value) for name, value in values.items()},
        "elapsed": round(elapsed, 3),
        "host": socket.gethostname(),
    }
    report = (run.spec.report or {}).get("publish")
    address = address_of(folder, report, folder.id if report else None)
    subject = f"{run.name}: {outcome.state}"
    return Message(subject, text, outcome.state, run.name, outcome.cause, address, details=details)
