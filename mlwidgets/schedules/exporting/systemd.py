"""A user's systemd units: a service that ticks, and its timer."""

from __future__ import annotations

from datetime import UTC, datetime

from mlwidgets.errors import ScheduleError
from mlwidgets.schedules.exporting.plan import Plan, cron_of
from mlwidgets.schedules.exporting.times import after_gaps, as_calendar, read_times
from mlwidgets.schedules.schedule import Schedule

_SERVICE = """\
# mlwidgets: written by `mlwidgets schedule export --to systemd`.
# To install: copy the .service and the .timer to ~/.config/systemd/user, then
#   systemctl --user daemon-reload && systemctl --user enable --now {unit}.timer
#   loginctl enable-linger          # it goes on when you have logged out
[Unit]
Description=mlwidgets: {what}

[Service]
Type=oneshot
ExecStart=/usr/bin/env {command}
# What a tick has started goes on without it.
KillMode=process
# Secrets that notifications name ($NAME): one NAME=value a line, in a file that only you can read.
EnvironmentFile=-%h/.config/mlwidgets/environment
"""

_TIMER = """\
# mlwidgets: written by `mlwidgets schedule export --to systemd`.
[Unit]
Description=mlwidgets: {what}

[Timer]
{events}
AccuracySec=1s
# What came while the machine was down comes when it is up.
Persistent=true

[Install]
WantedBy=timers.target
"""


def units(plan: Plan) -> dict[str, str]:
    """Return a service and a timer, or for schedules that were named those of each.

    Raises
    ------
    ScheduleError
        If a schedule cannot be said in them.
    """
    if not plan.chosen:
        return _pair(plan.label(), f"schedules of {plan.project}", plan.tick(), ["*-*-* *:*:00"])
    files: dict[str, str] = {}
    for schedule in plan.schedules:
        what = f"schedule {schedule.name} of {plan.project}"
        files |= _pair(plan.label(schedule.name), what, plan.tick(schedule.name), _events(schedule))
    return files


def _pair(unit: str, what: str, words: list[str], events: list[str]) -> dict[str, str]:
    what = what.replace("%", "%%").rstrip("\\ ")
    command = " ".join(map(_quoted, words))
    lines = "\n".join(f"OnCalendar={event}" for event in events)
    return {
        f"{unit}.service": _SERVICE.format(unit=unit, what=what, command=command),
        f"{unit}.timer": _TIMER.format(what=what, events=lines),
    }


def _events(schedule: Schedule) -> list[str]:
    times = read_times(cron_of(schedule))
    try:
        events = as_calendar(times, schedule.timezone)
    except ScheduleError as error:
        raise ScheduleError(f"{schedule.name}: {error}; export without names, which ticks every minute") from error
    # systemd leaves out times that the clock leaps over.
    for cron in after_gaps(times, schedule.timezone, datetime.now(UTC)):
        events += as_calendar(read_times(cron), schedule.timezone)
    return events


def _quoted(word: str) -> str:
    """Return a word that neither quotes, nor variables, nor specifiers change (systemd.service(5), Command lines)."""
    for character, written in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(character, written)
    return f'"{word}"'
