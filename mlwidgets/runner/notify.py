"""Tells the user's own command or webhook that a run has ended."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mlwidgets.runner.settings import ConfigError, Setting, find_setting
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.journal import read_lines, write_event
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import FAILED, FINISHED, KILLED, TIMEOUT, Outcome

WEBHOOK_SECONDS = 10.0
COMMAND_SECONDS = 60.0
_WHEN: dict[str, Callable[[str], bool]] = {
    "success": lambda state: state == FINISHED,
    "failure": lambda state: state in {FAILED, KILLED, TIMEOUT},
    "always": lambda _: True,
}


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
            targets = [] if setting is None else _targets(setting, outcome.state)
        except ConfigError as error:
            write_event(folder.events, "notified", target="pyproject.toml", ok=False, error=str(error))
            return
        if setting is None or not targets:
            return
        message = _message(folder, outcome)
        for target in targets:
            problem = _send(target, message, folder, setting.file.parent)
            write_event(folder.events, "notified", target=shown(target), ok=problem is None, error=problem)


def check_config(folder: RunFolder) -> str | None:
    """Return what is wrong with the setting that this run will be notified by, in one line; None if all is well."""
    try:
        setting = find_setting(folder, "notify")
        if setting is not None:
            _targets(setting, FINISHED)
    except ConfigError as error:
        return str(error)
    except Exception as error:  # an unreadable folder is told of where the run is submitted
        return f"cannot read who is to be notified: {error}"
    return None


def shown(target: str) -> str:
    """Return a target without what may be secret: a webhook's host, a command's first word."""
    if _is_webhook(target):
        parts = urlsplit(target)
        more = "/…" if len(parts.path) > 1 or parts.query else ""
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{more}"
    words = [word for word in target.split() if "=" not in word]
    return target if words == [target] else " ".join([*words[:1], "…"])


def _is_webhook(target: str) -> bool:
    return target.lower().startswith(("http://", "https://"))


def _targets(setting: Setting, state: str) -> list[str]:
    """Return whom to notify of this state.

    Raises
    ------
    ConfigError
        If the setting, also the part for another state, is none.
    """
    value = setting.value if isinstance(setting.value, dict) else {"always": setting.value}
    found: list[str] = []
    for when, targets in value.items():
        if when not in _WHEN:
            raise _malformed(setting, f"{when!r} is none of success, failure, always")
        listed = targets if isinstance(targets, list) else [targets]
        for target in listed:
            if not isinstance(target, str) or not target.strip() or "\0" in target:
                raise _malformed(setting, f"{target!r:.60} is neither a command nor a URL")
            if _is_webhook(target) and not _has_host(target):
                raise _malformed(setting, f"{target:.60} names no host")
        if _WHEN[when](state):
            found += [target.strip() for target in listed]
    return list(dict.fromkeys(found))


def _has_host(target: str) -> bool:
    try:
        return bool(urlsplit(target.strip()).hostname)
    except ValueError:
        return False


def _malformed(setting: Setting, problem: str) -> ConfigError:
    return ConfigError(
        f"[tool.mlwidgets] notify in {setting.file}: {problem}; write a command, a URL, a list of them, or a table "
        "with success, failure, always"
    )


def _message(folder: RunFolder, outcome: Outcome) -> dict[str, Any]:
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
    return {
        "id": run.id,
        "name": run.name,
        "state": outcome.state,
        "cause": outcome.cause,
        # JSON has no NaN and no infinity: they are text.
        "metrics": {name: value if math.isfinite(value) else str(value) for name, value in values.items()},
        "elapsed": round(elapsed, 3),
        "host": socket.gethostname(),
        "text": text,
    }


def _send(target: str, message: dict[str, Any], folder: RunFolder, cwd: Path) -> str | None:
    """Return what went wrong, None if nothing did."""
    try:
        data = json.dumps(message).encode()
        return _post(target, data) if _is_webhook(target) else _execute(target, data, message, folder, cwd)
    except Exception as error:  # any library's own kind of error, and a full disk
        return _one_line(f"{type(error).__name__}: {error}")


def _post(url: str, data: bytes) -> str | None:
    """POST in a thread: a time-out of the socket's own ends neither a name server's delay nor a trickle of bytes."""
    problems: list[str | None] = []
    thread = threading.Thread(target=lambda: problems.append(_answer(url, data)), name="mlwidgets-notify", daemon=True)
    thread.start()
    thread.join(WEBHOOK_SECONDS)
    return problems[0] if problems else f"no answer within {WEBHOOK_SECONDS:g} s"


def _answer(url: str, data: bytes) -> str | None:
    import urllib.error
    import urllib.request

    headers = {"Content-Type": "application/json", "User-Agent": "mlwidgets"}
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    if login:
        # urllib would take it for a part of the host's name.
        url = parts._replace(netloc=host).geturl()
        headers["Authorization"] = f"Basic {b64encode(unquote(login).encode()).decode()}"
    try:
        request = urllib.request.Request(url, data, headers, method="POST")  # noqa: S310 (a web address: it was checked)
        with urllib.request.urlopen(request, timeout=WEBHOOK_SECONDS):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code} {_one_line(error.reason)}"
    except TimeoutError:
        return f"no answer within {WEBHOOK_SECONDS:g} s"
    except urllib.error.URLError as error:
        return _one_line(str(error.reason))
    except Exception as error:  # http.client and ssl have kinds of their own; the address is not repeated
        return type(error).__name__


def _execute(command: str, data: bytes, message: dict[str, Any], folder: RunFolder, cwd: Path) -> str | None:
    """Run a shell command; what it leaves running in the background when it ends is left alone."""
    about = {key: "" if message[key] is None else str(message[key]) for key in ("id", "name", "state", "cause")}
    environment = {**os.environ, **{f"MLWIDGETS_RUN_{key.upper()}": _clean(value) for key, value in about.items()}}
    environment["MLWIDGETS_RUN_FOLDER"] = str(folder.path)
    with _scratch() as given:
        given.write(data)
        given.flush()
        given.seek(0)
        process = subprocess.Popen(  # noqa: S602 (the user's own command, as in a Makefile)
            command,
            shell=True,
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment,
            start_new_session=True,
        )
    said = _Tail(process)
    try:
        status = process.wait(COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"killed: it had not ended after {COMMAND_SECONDS:g} s"
    if status == 0:
        return None
    ended = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    last = said.last_line()
    return f"{ended}: {last}" if last else ended


class _Tail:
    """Reads what a process writes to its standard error, and keeps the end of it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        self._pipe = process.stderr
        self._end = b""
        self._thread = threading.Thread(target=self._read, name="mlwidgets-notify", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._pipe:
            while data := os.read(self._pipe.fileno(), 65536):
                self._end = (self._end + data)[-4096:]

    def last_line(self) -> str:
        # A process in the background may hold the pipe open.
        self._thread.join(0.2)
        lines = self._end.decode(errors="replace").split("\n")
        return next((_one_line(line) for line in reversed(lines) if line.strip()), "")


def _scratch() -> Any:
    """Return a file that is gone when it is closed; in memory where the system has that: the disk may be full."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("mlwidgets-notify"), "w+b")
    import tempfile

    return tempfile.TemporaryFile()


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _one_line(text: str) -> str:
    return " ".join(_clean(text).split())[:200]
