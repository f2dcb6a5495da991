"""``mlwidgets schedule export``: schedules as files for what an organisation has, and what these files call."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.commands.common import plain, store_of
from mlwidgets.errors import ScheduleError

if TYPE_CHECKING:
    from mlwidgets.schedules.exporting.plan import Plan

SYSTEMS = ("cron", "systemd", "kubernetes", "github-actions")
_VALIDATORS = {"cron": "crontab", "systemd": "systemd-analyze", "kubernetes": "kubectl", "github-actions": "actionlint"}


def add_export(choices: Any) -> None:
    """Add the commands to those of ``mlwidgets schedule``."""
    export = choices.add_parser(
        "export", help="files by which cron, systemd, Kubernetes or GitHub Actions start what is due, checked by each"
    )
    export.add_argument(
        "names", nargs="*", metavar="name", help="only these, at their own times; else all, by one tick a minute"
    )
    export.add_argument("--to", required=True, choices=SYSTEMS, help="what they are for")
    export.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="where to write them; by default they are printed"
    )
    export.add_argument("--image", default="mlwidgets:latest", help="of Kubernetes: an image that has mlwidgets")
    export.add_argument("--claim", default="mlwidgets-project", help="of Kubernetes: the volume claim of the project")
    export.set_defaults(action=_export)
    waiting = choices.add_parser(
        "tick-and-wait",
        help="start what is due, and exit when it has ended, was tried again and told of: for containers",
    )
    waiting.add_argument("names", nargs="*", metavar="name", help="only these schedules")
    waiting.set_defaults(action=_tick_and_wait)


def _tick_and_wait(options: argparse.Namespace) -> int:
    from mlwidgets.schedules.exporting.waiting import tick_and_wait
    from mlwidgets.schedules.tick import Ticked

    def say(done: Ticked) -> None:
        for state, found in (("started", done.started), ("ended", done.ended), ("skipped", done.skipped)):
            for firing in found:
                print(plain(" ".join(filter(None, [state, firing.run, firing.reason]))), flush=True)

    return 0 if tick_and_wait(store_of(options), options.names, say) else 1


def _export(options: argparse.Namespace) -> int:
    from mlwidgets.schedules.exporting.validating import validate

    files = _writer(options.to)(_plan(options))
    verdicts = validate(options.to, files)
    if options.output is None:
        for name, text in files.items():
            print(f"# {name}\n{text}" if len(files) > 1 else text, end="" if len(files) == 1 else "\n")
    else:
        _write(options.output, files)
    sys.stdout.flush()
    own = _VALIDATORS[options.to]
    if not any(verdict.by.startswith(own) for verdict in verdicts):
        print(f"mlwidgets: not checked by {own}, which this machine has not got", file=sys.stderr)
    for verdict in verdicts:
        said = "passed" if verdict.problem is None else f"refused:\n{verdict.problem}"
        print(f"mlwidgets: checked by {verdict.by}: {said}", file=sys.stderr)
    return 1 if any(verdict.problem for verdict in verdicts) else 0


def _plan(options: argparse.Namespace) -> Plan:
    from mlwidgets.schedules.exporting.plan import Plan
    from mlwidgets.schedules.timetable import Schedules

    store = store_of(options)
    schedules = Schedules(store)
    found = [schedules.find(name) for name in options.names] or [one for one in schedules.list() if one.enabled]
    if not found:
        raise ScheduleError(f"there is nothing to export: the store {store.path} has no schedule that is not paused")
    return Plan(store.path.absolute(), tuple(found), bool(options.names), options.image, options.claim)


def _writer(system: str) -> Callable[[Plan], dict[str, str]]:
    if system == "cron":
        from mlwidgets.schedules.exporting.cron import crontab

        return crontab
    if system == "systemd":
        from mlwidgets.schedules.exporting.systemd import units

        return units
    if system == "kubernetes":
        from mlwidgets.schedules.exporting.kubernetes import cronjobs

        return cronjobs
    from mlwidgets.schedules.exporting.github import workflows

    return workflows


def _write(folder: Path, files: dict[str, str]) -> None:
    from mlwidgets.runs.folder import write_whole

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_whole(folder / name, text.encode())
            print(folder / name)
    except OSError as error:
        raise ScheduleError(f"cannot write into {folder}: {error.strerror or error}") from error
