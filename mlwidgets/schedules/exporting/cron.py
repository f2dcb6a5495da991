"""A crontab."""

from __future__ import annotations

import shlex

from mlwidgets.errors import ScheduleError
from mlwidgets.schedules.exporting.plan import Plan, cron_of
from mlwidgets.schedules.exporting.times import read_times
from mlwidgets.schedules.schedule import Schedule

_MOST = 990
"""Characters of a command: Debian's cron takes less than 1000."""
_ZONES = """\
# The times are those of the time zone above them where cron knows CRON_TZ, as cronie does (Fedora, RHEL, Arch).
# Debian's and Ubuntu's cron takes them for times of the machine: there, export without names, which ticks every minute.
"""


def crontab(plan: Plan) -> dict[str, str]:
    """Return the lines for ``crontab``, in one file.

    Raises
    ------
    ScheduleError
        If a schedule cannot be said in them.
    """
    name = f"{plan.label()}.cron"
    lines = ["# mlwidgets: schedules, written by `mlwidgets schedule export --to cron`."]
    lines.append(f"# To install: (crontab -l 2>/dev/null; cat {shlex.quote(name)}) | crontab -")
    lines.append(
        "# Secrets that notifications name ($NAME) are set above the lines, NAME=value; or use keyring:service/user."
    )
    if not plan.chosen:
        lines += ["# Starts what is due, once a minute; a tick that finds nothing due does nothing.", ""]
        lines.append(f"* * * * * {_command(plan.tick())}")
        return {name: "\n".join(lines) + "\n"}
    text = "\n".join(lines) + f"\n{_ZONES}"
    for schedule in plan.schedules:
        line = f"{_fields(schedule)} {_command(plan.tick(schedule.name))}"
        text += f"\n# {schedule.name}\nCRON_TZ={schedule.timezone}\n{line}\n"
    return {name: text}


def _fields(schedule: Schedule) -> str:
    """Return the expression as it stands: Debian's cron, cronie and cronsim read days alike."""
    times = read_times(cron_of(schedule))
    if times.special or min(times.days) < 0:
        raise ScheduleError(
            f"{schedule.name}: cron does not know last and nth days; export without names, which ticks every minute"
        )
    return cron_of(schedule)


def _command(words: list[str]) -> str:
    # To cron a per cent sign is the end of a line.
    command = shlex.join(words).replace("%", "\\%")
    if len(command) > _MOST:
        raise ScheduleError(f"the command is longer than the {_MOST} characters that cron takes: {command:.60}…")
    return command
