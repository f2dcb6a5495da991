"""What a schedule is asked to be, as options of commands say it."""

from __future__ import annotations

import argparse
import itertools
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.commands.common import store_of
from mlwidgets.errors import ScheduleError
from mlwidgets.runs.spans import seconds_of

if TYPE_CHECKING:
    from mlwidgets.schedules.schedule import Schedule
    from mlwidgets.schedules.timetable import Schedules

NAME = "a schedule's name"
_LATELY = 300.0


def add(choices: Any) -> None:
    """Add ``add`` and ``edit`` to the commands of ``mlwidgets schedule``."""
    adding = choices.add_parser("add", help="have something run by itself")
    adding.add_argument("name", help="what to call it: letters, digits, '_', '.' and '-'")
    what = adding.add_mutually_exclusive_group(required=True)
    what.add_argument("--report", metavar="NOTEBOOK", help="execute and publish a notebook")
    what.add_argument(
        "--run", metavar="RUN", help="repeat a run, with the code and the variables that it was sent with"
    )
    what.add_argument("--sweep", metavar="SWEEP", help="repeat a sweep")
    add_when(adding)
    adding.add_argument("--paused", action="store_true", help="keep it, but let it not be due")
    adding.add_argument("--dry-run", action="store_true", help="only say when it would be due")
    adding.set_defaults(action=_add)
    editing = choices.add_parser("edit", help="change a schedule; an empty text takes a setting away")
    editing.add_argument("name", help=NAME)
    editing.add_argument("--name", dest="new_name", help="another name")
    editing.add_argument("--report", metavar="NOTEBOOK", help="another notebook")
    editing.add_argument("--run", metavar="RUN", help="another run or sweep to repeat")
    add_when(editing)
    editing.set_defaults(action=_edit)


def add_report_schedule(choices: Any) -> None:
    """Add ``schedule`` to the commands of ``mlwidgets report``."""
    command = choices.add_parser("schedule", help="have a notebook executed and published by itself")
    command.add_argument("report", metavar="NOTEBOOK")
    command.add_argument("--name", help="of the report and of the schedule; that of the file by default")
    add_when(command)
    command.add_argument("--paused", action="store_true", help="keep it, but let it not be due")
    command.add_argument("--dry-run", action="store_true", help="only say when it would be due")
    command.set_defaults(action=_add, run=None, sweep=None)


def add_when(command: argparse.ArgumentParser) -> None:
    """Add the options that say when something runs by itself, and how."""
    command.add_argument("--every", metavar="CRON", help='five fields, such as "0 7 * * 1-5", or @daily')
    command.add_argument("--tz", metavar="ZONE", help="time zone, such as Europe/Berlin; this machine's by default")
    command.add_argument("--param", action="append", metavar="NAME=VALUE", help="a parameter; may be repeated")
    command.add_argument(
        "--matrix",
        action="append",
        metavar="NAME=A,B",
        help="one run for each value; if repeated, for each combination",
    )
    command.add_argument(
        "--matrix-file", metavar="FILE", help="one run for each row of a CSV file, or each object of a list in JSON"
    )
    command.add_argument(
        "--missed", choices=("once", "record"), help="times that nobody was there for: run once (default)"
    )
    command.add_argument(
        "--overlap", action=argparse.BooleanOptionalAction, help="start though the one before still runs"
    )
    command.add_argument("--jitter", metavar="TIME", help="put off by up to as long, by chance: 90, 5m, 1h")
    command.add_argument("--until", metavar="DATE", help="the last day, or the last moment: 2027-01-31T18:00")
    command.add_argument("--retries", type=int, metavar="N", help="how often to try again what failed")
    command.add_argument("--retry-wait", metavar="TIME", help="how long to wait before that (5m)")
    command.add_argument("--after", metavar="NAME", help="only after a newer edition of a report, or a finished run")
    command.add_argument("--when-changed", action="append", metavar="PATH", help="only if the content has changed")
    command.add_argument("--commit", metavar="REV", help="the notebook as it is in a commit; `current`: the file")
    command.add_argument(
        "--notify", action="append", metavar="[WHEN=]TARGET", help="whom to tell: failure=mailto:me@example.org"
    )


def given_of(options: argparse.Namespace, timezone: str) -> dict[str, Any]:
    """Return the fields of a schedule that options say something of."""
    from mlwidgets.schedules.matrix import read_matrix
    from mlwidgets.schedules.times import end_of

    found: dict[str, Any] = {}
    for name, option in (("cron", options.every), ("after", options.after)):
        if option is not None:
            found[name] = option or None
    plain = {"timezone": options.tz, "overlap": options.overlap, "retries": options.retries, "missed": options.missed}
    found |= {name: option for name, option in plain.items() if option is not None}
    if options.param is not None:
        found["params"] = dict(_pair(one) for one in options.param if one)
    if options.matrix is not None:
        found["matrix"] = _matrix([one for one in options.matrix if one])
    if options.matrix_file is not None:
        if found.get("matrix"):
            raise ScheduleError("give a matrix by --matrix or by --matrix-file, not by both")
        found["matrix"] = read_matrix(Path(options.matrix_file).expanduser()) if options.matrix_file else ()
    for name, option in (("jitter", options.jitter), ("retry_wait", options.retry_wait)):
        if option is not None:
            found[name] = _seconds(option)
    if options.until is not None:
        found["until"] = end_of(options.until, options.tz or timezone) if options.until else None
    if options.when_changed is not None:
        found["when_changed"] = tuple(path for path in options.when_changed if path)
    if options.notify is not None:
        found["notify"] = _targets([one for one in options.notify if one])
    return found


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ScheduleError(f"{text!r} is no parameter: give it as NAME=VALUE")
    return name, value


def _matrix(texts: Sequence[str]) -> tuple[dict[str, str], ...]:
    axes = [(name, value.split(",")) for name, value in map(_pair, texts)]
    if not axes:
        return ()
    names = [name for name, _ in axes]
    return tuple(dict(zip(names, one, strict=True)) for one in itertools.product(*(values for _, values in axes)))


def _seconds(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError:
        raise ScheduleError(f"{text!r} is no time: give seconds, or 5m, 2h, 1d") from None


def _targets(texts: Sequence[str]) -> dict[str, list[str]] | None:
    found: dict[str, list[str]] = {}
    for text in texts:
        named = re.match(r"(failure|recovery|success|always)=", text)
        found.setdefault(named[1] if named else "always", []).append(text[named.end() :] if named else text)
    return found or None


def _add(options: argparse.Namespace) -> int:
    from mlwidgets.schedules.checking import resolve_source
    from mlwidgets.schedules.schedule import CURRENT, Schedule
    from mlwidgets.schedules.times import local_zone
    from mlwidgets.schedules.timetable import Schedules

    schedules = Schedules(store_of(options))
    timezone = options.tz or local_zone()
    given = {"timezone": timezone, **given_of(options, timezone)}
    if options.report is not None:
        notebook = str(Path(options.report).expanduser().absolute())
        target, kind = {"notebook": notebook}, "report"
        given["source"] = resolve_source(notebook, options.commit or CURRENT)
    else:
        target, kind = {"run": options.run or options.sweep}, "run" if options.run else "sweep"
        _no_commit(options)
    name = options.name or re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(options.report).stem).strip("-._") or "report"
    schedule = schedules.checked(Schedule(name, kind, target, enabled=not options.paused, **given))
    show(schedules, schedule)
    if options.dry_run:
        return 0
    schedule = schedules.add(schedule)
    print(f"{schedule.name}: kept{'' if schedule.enabled else ', paused'}{who_ticks(schedules)}")
    return 0


def _no_commit(options: argparse.Namespace) -> None:
    if options.commit:
        raise ScheduleError("--commit is for reports: a run has the code that it was sent with")


def _edit(options: argparse.Namespace) -> int:
    from mlwidgets.schedules.checking import resolve_source
    from mlwidgets.schedules.schedule import CURRENT, REPORT
    from mlwidgets.schedules.timetable import Schedules

    schedules = Schedules(store_of(options))
    old = schedules.find(options.name)
    given = given_of(options, old.timezone)
    if options.new_name:
        given["name"] = options.new_name
    if options.report or options.run:
        key, value = ("notebook", options.report) if options.report else ("run", options.run)
        if (key == "notebook") != (old.kind == REPORT):
            raise ScheduleError(f"{old.name} starts a {old.kind}: remove it and add another one")
        given["target"] = {**old.target, key: str(Path(value).expanduser().absolute()) if options.report else value}
    if old.kind != REPORT:
        _no_commit(options)
    elif options.commit is not None:
        notebook = given.get("target", old.target)["notebook"]
        given["source"] = resolve_source(notebook, options.commit or CURRENT)
    show(schedules, schedules.checked(replace(old, **given)))
    print(f"{schedules.edit(options.name, **given).name}: kept")
    return 0


def show(schedules: Schedules, schedule: Schedule, count: int = 5) -> None:
    """Say when a schedule is due."""
    from mlwidgets.schedules.words import moment

    said, times = schedules.preview(schedule, count)
    print(f"{schedule.name}: {said}")
    for at in times:
        print(f"  {moment(at, schedule.timezone)}")
    if schedule.jitter:
        print(f"  each up to {schedule.jitter:g} s later")


def who_ticks(schedules: Schedules) -> str:
    """Return what has to run for schedules to start, empty where somebody ticks."""
    last = schedules.last_tick()
    if last is not None and abs(time.time() - last) < _LATELY:
        return ""
    return (
        "; it starts while a Jupyter server with mlwidgets or `mlwidgets schedule serve` runs here, or by "
        "`mlwidgets schedule tick` in cron"
    )
