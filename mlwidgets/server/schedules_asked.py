"""What requests ask of schedules: checked, and made what `mlwidgets.schedules` takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlwidgets.errors import MlwidgetsError, ParameterError
from mlwidgets.notifying.targets import kind_of
from mlwidgets.notifying.tell import check_targets
from mlwidgets.reports.publishing.definition import check_report_name, check_settings
from mlwidgets.schedules.checking import resolve_source
from mlwidgets.schedules.schedule import CURRENT, KINDS, REPORT, Schedule
from mlwidgets.schedules.times import end_of, local_zone
from mlwidgets.server.stores import Stores

_SETTINGS = ("title", "show_code", "on_failed_check")
_NUMBERS = ("timeout", "cell_timeout")
_OF_REPORTS = ("notebook", "report", "source", *_SETTINGS, *_NUMBERS)
_TEXT, _NUMBER, _YES = (str, "a text"), (int | float, "a number of seconds"), (bool, "true or false")
_KINDS: dict[str, tuple[Any, str]] = {
    "kind": (str, f"one of {', '.join(KINDS)}"),
    "notebook": (str, "the path of a notebook, from the server's root"),
    "run": (str, "the id of a run"),
    "name": _TEXT,
    "cron": (str | None, 'five fields, such as "0 7 * * 1-5"'),
    "timezone": (str | None, "the name of a time zone"),
    "params": (dict | None, "an object of names and texts"),
    "matrix": (list | None, "a list of objects of names and texts"),
    "enabled": _YES,
    "missed": (str, "'once' or 'record'"),
    "overlap": _YES,
    "jitter": _NUMBER,
    "until": (int | float | str | None, "a time in Unix seconds, or a date"),
    "retries": (int, "a whole number"),
    "retry_wait": _NUMBER,
    "after": (str | None, "the name of a report or a run"),
    "when_changed": (list | None, "a list of paths, from the server's root"),
    "source": (str | None, "'current' or a commit"),
    "notify": (str | list | dict | None, "whom to tell"),
    "report": (str | None, "the name of a report"),
    "title": (str | None, "a text"),
    "show_code": (bool | None, "true or false"),
    "on_failed_check": (str | None, "'publish' or 'withhold'"),
    "timeout": (int | float | None, "a number of seconds"),
    "cell_timeout": (int | float | None, "a number of seconds"),
}
_OF_PREVIEW = ("cron", "timezone", "until", "after", "when_changed", "count")
_MOST_TIMES = 20


class Refused(ParameterError):
    """What this server lets nobody do."""


def check_kinds(given: dict[str, Any], known: Any = _KINDS) -> dict[str, Any]:
    """Return what a request gives if its fields are known ones of their kinds.

    Raises
    ------
    ParameterError
        If one is not.
    """
    for key, value in given.items():
        if key not in known:
            raise ParameterError(f"{key!r:.60} cannot be asked for; there are: {', '.join(known)}")
        kind, what = _KINDS.get(key, (int, "a whole number"))
        # JSON knows truth from numbers, Python does not.
        is_number = isinstance(value, bool) and kind not in (bool, bool | None)
        if is_number or not isinstance(value, kind):
            raise ParameterError(f"{key} is {what}")
        if isinstance(value, str) and (not value.isprintable() or len(value) > 4096):
            raise ParameterError(f"{key} is {what}, in one line")
    for key in ("notebook", "run", "name", "kind"):
        if given.get(key) == "":
            raise ParameterError(f"{key} is {_KINDS[key][1]}, and not empty")
    return given


def fields_of(
    given: dict[str, Any], old: Schedule | None, stores: Stores, notebook: Path | None, *, files: bool, commands: bool
) -> dict[str, Any]:
    """Return the fields of a schedule that a request gives.

    Parameters
    ----------
    given
        As from `check_kinds`.
    old
        What is to be changed; None if it is new.
    notebook
        That which the request names.
    files
        Whether the server's files may be named.
    commands
        Whether commands may be run when somebody is to be told.

    Raises
    ------
    MlwidgetsError
        If something of it cannot be kept.
    Refused
        If it may not be.
    """
    kind = old.kind if old else given.get("kind")
    _check_fit(given, kind)
    timezone = given.get("timezone") or (old.timezone if old else local_zone())
    plain = ("name", "missed", "overlap", "jitter", "retries", "retry_wait", "enabled")
    found: dict[str, Any] = {key: given[key] for key in plain if key in given}
    found |= {key: given[key] or None for key in ("cron", "after") if key in given}
    found |= {"timezone": timezone} if "timezone" in given or old is None else {}
    if "params" in given:
        found["params"] = given["params"] or {}
    if "matrix" in given:
        found["matrix"] = tuple(given["matrix"] or ())
    if "until" in given:
        found["until"] = _until(given["until"], timezone)
    if "when_changed" in given:
        found["when_changed"] = tuple(_watched(given["when_changed"] or [], old, stores, files=files))
    if "notify" in given:
        found["notify"] = _notify(given["notify"], commands=commands)
    target = _target(given, old, notebook)
    if old is None or target != old.target:
        found["target"] = target
    if given.get("source") not in (None, CURRENT):
        found["source"] = resolve_source(target["notebook"], given["source"])
    elif "source" in given:
        found["source"] = CURRENT
    return found


def _check_fit(given: dict[str, Any], kind: Any) -> None:
    if kind not in KINDS:
        raise ParameterError(f"kind is {_KINDS['kind'][1]}")
    if given.get("kind", kind) != kind:
        raise ParameterError(f"it starts a {kind}: remove it and add another one")
    for key in ("run",) if kind == REPORT else _OF_REPORTS:
        if key in given:
            raise ParameterError(f"a schedule of a {kind} has no {key!r}")


def _target(given: dict[str, Any], old: Schedule | None, notebook: Path | None) -> dict[str, Any]:
    found = dict(old.target) if old else {}
    if notebook is not None:
        found["notebook"] = os.fspath(notebook)
    if "run" in given:
        found["run"] = given["run"]
    if "report" in given:
        found["report"] = check_report_name(given["report"]) if given["report"] else None
    for part, keys in (("settings", _SETTINGS), ("options", _NUMBERS)):
        known = {**(found.get(part) or {}), **{key: given[key] for key in keys if key in given}}
        found[part] = {key: value for key, value in known.items() if value is not None}
    check_settings(found["settings"])
    for key in _NUMBERS:
        if not 0 < found["options"].get(key, 1) <= 1e9:
            raise ParameterError(f"{key} is {_KINDS[key][1]}, more than 0")
    return {key: value for key, value in found.items() if value not in (None, {})}


def _until(value: Any, timezone: str) -> float | None:
    if isinstance(value, str):
        return end_of(value, timezone) if value else None
    return value if value is None else float(value)


def _watched(paths: list[Any], old: Schedule | None, stores: Stores, *, files: bool) -> Iterator[str]:
    """Yield the paths to be watched: those below the root, and those that the schedule has already."""
    known = set(old.when_changed) if old else set()
    for path in paths:
        if not isinstance(path, str) or not path or not path.isprintable():
            raise ParameterError(f"when_changed is {_KINDS['when_changed'][1]}")
        inside = os.path.normpath(os.path.join(stores.root, path.lstrip("/")))
        same = next((one for one in (path, inside, str(stores.given_root / path)) if one in known), None)
        if same is not None:
            yield same
        elif not files:
            raise Refused("there are no files on this server whose changes could be waited for")
        elif path.startswith(("/", "~")) or ".." in path.split("/"):
            raise ParameterError(f"{path!r:.100} does not lie below the server's root")
        else:
            yield inside


def _notify(targets: Any, *, commands: bool) -> Any:
    """Return whom to tell, if such targets may be named here."""
    if targets in ("", [], {}, None):
        return None
    try:
        check_targets(targets)
    except (MlwidgetsError, TypeError, ValueError) as error:
        raise ParameterError(str(error)) from error
    for text in () if commands else _texts(targets):
        # What a variable of the server holds may be a command as well.
        if kind_of(text) in ("command", "named"):
            raise Refused("this server runs no commands, and tells nobody by one: name an address, or browser")
    return targets


def _texts(targets: Any) -> Iterator[str]:
    if isinstance(targets, str):
        yield targets
    else:
        for one in targets.values() if isinstance(targets, dict) else targets:
            yield from _texts(one)


def preview_of(given: dict[str, Any], stores: Stores, *, files: bool) -> tuple[Schedule, int]:
    """Return a schedule that is due as a request says, and how many times are asked for.

    Raises
    ------
    MlwidgetsError
        If a field of it cannot be read.
    """
    check_kinds(given, _OF_PREVIEW)
    count = given.get("count", 5)
    if not 1 <= count <= _MOST_TIMES:
        raise ParameterError(f"count is a whole number from 1 to {_MOST_TIMES}")
    if not (given.get("cron") or given.get("after") or given.get("when_changed")):
        raise ParameterError('say when, such as "0 7 * * 1-5", after what, or what has to change')
    timezone = given.get("timezone") or local_zone()
    watched = tuple(_watched(given.get("when_changed") or [], None, stores, files=files))
    shown = tuple(stores.relative(path) or path for path in watched)
    return (
        Schedule(
            "preview",
            REPORT,
            {"notebook": ""},
            cron=given.get("cron") or None,
            timezone=timezone,
            after=given.get("after") or None,
            until=_until(given.get("until"), timezone),
            when_changed=shown,
        ),
        count,
    )
