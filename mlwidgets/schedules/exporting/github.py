"""Workflows of GitHub Actions: one for each report, which executes it from the repository."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mlwidgets.errors import MlwidgetsError, ScheduleError
from mlwidgets.notifying.masking import texts_in
from mlwidgets.notifying.secrets import variable_of
from mlwidgets.notifying.settings import find_setting
from mlwidgets.schedules.exporting.plan import Plan, printable
from mlwidgets.schedules.exporting.times import Times, as_cron, changes, read_times
from mlwidgets.schedules.schedule import REPORT, Schedule

_HEAD = """\
# mlwidgets: written by `mlwidgets schedule export --to github-actions`; belongs into .github/workflows.
# GitHub starts workflows in UTC, some minutes late, at most every five minutes; 60 days without a commit end it.
# There is no store here: the notebook is executed as the repository has it, and nothing is known of missed times.
"""
_GUARD = """\
      # Of the lines above one is right in summer and one in winter. A time that the clock leaps over is left out.
      - id: due
        shell: bash
        env:
          LINE: ${{{{ github.event.schedule }}}}
        run: |
          case "$LINE" in
{cases}
            *) wanted=any ;;
          esac
          case " $wanted " in
            *" $(TZ={timezone} date +%z) "* | " any ") echo "now=true" >> "$GITHUB_OUTPUT" ;;
          esac
"""
_YEARS = 2


def workflows(plan: Plan) -> dict[str, str]:
    """Return a workflow for each schedule.

    Raises
    ------
    ScheduleError
        If one cannot be said in a workflow.
    """
    return {f"{plan.label(schedule.name)}.yml": _workflow(schedule) for schedule in plan.schedules}


def _workflow(schedule: Schedule) -> str:
    if schedule.kind != REPORT:
        raise ScheduleError(f"{schedule.name} is a {schedule.kind}, whose code lies in the store: GitHub has none")
    if schedule.cron is None:
        raise ScheduleError(f"{schedule.name} has no times of its own: GitHub cannot know when it is due")
    notebook = Path(schedule.target["notebook"])
    repository = _repository(notebook)
    lines = lines_in_utc(read_times(schedule.cron), schedule.timezone, datetime.now(UTC), schedule.name)
    only = len({offset for offsets in lines.values() for offset in offsets}) == 1
    condition = "" if only else "\n        if: steps.due.outputs.now == 'true'"
    name = _scalar(f"mlwidgets: {schedule.name}")
    text = f"{_HEAD}name: {name}\non:\n  schedule:\n"
    text += "".join(f"    - cron: {_scalar(line)}\n" for line in lines)
    text += "  workflow_dispatch:\npermissions:\n  contents: read\nconcurrency:\n"
    text += (
        f"  group: {_scalar(f'mlwidgets-{schedule.name}')}\njobs:\n  report:\n    runs-on: ubuntu-latest\n    steps:\n"
    )
    if not only:
        cases = "\n".join(
            f"            '{line}') wanted='{' '.join(sorted(map(_offset, found)))}' ;;"
            for line, found in lines.items()
        )
        text += _GUARD.format(cases=cases, timezone=schedule.timezone)
    text += f"      - uses: actions/checkout@v4{condition}\n"
    text += f"      - uses: actions/setup-python@v5{condition}\n        with:\n          python-version: '3.12'\n"
    install = "if [ -f requirements.txt ]; then pip install -r requirements.txt; fi && pip install mlwidgets"
    text += f"      - run: {_scalar(install)}{condition}\n"
    secrets = "".join(f"\n          {one}: ${{{{ secrets.{one} }}}}" for one in _secrets(schedule, repository))
    for element, params in enumerate(schedule.elements):
        command = shlex.join(printable(_command(schedule, element, params, notebook.relative_to(repository))))
        text += f"      - run: {_scalar(command)}{condition}\n"
        text += f"        env:{secrets}\n" if secrets else ""
    always = "always()" if only else "always() && steps.due.outputs.now == 'true'"
    text += f"      - uses: actions/upload-artifact@v4\n        if: {always}\n        with:\n"
    text += f"          name: {_scalar(schedule.name)}\n          path: .mlwidgets/reports\n"
    return text + "          include-hidden-files: true\n"


def _command(schedule: Schedule, element: int, params: dict[str, str], notebook: Path) -> list[str]:
    words = ["mlwidgets", "report", "run", "--name", schedule.name_of(element)]
    words += [f"--param={name}={value}" for name, value in params.items()]
    options, settings = schedule.target.get("options", {}), schedule.target.get("settings", {})
    for key in ("cell_timeout", "timeout", "kernel"):
        if options.get(key) is not None:
            words.append(f"--{key.replace('_', '-')}={options[key]}")
    if settings.get("title"):
        words.append(f"--title={settings['title']}")
    words += [f"--{key.replace('_', '-')}" for key in ("show_code", "pdf") if settings.get(key)]
    if settings.get("on_failed_check") == "withhold":
        words.append("--withhold-on-failed-check")
    return [*words, "--", str(notebook)]


def lines_in_utc(times: Times, timezone: str, now: datetime, name: str) -> dict[str, set[timedelta]]:
    """Return lines of cron in UTC, and at which distances of the time zone from UTC each is right.

    Raises
    ------
    ScheduleError
        If a day in UTC is another one there, and cron has no words for the day before or after.
    """
    until = now + timedelta(days=366 * _YEARS)
    found = [(before, after) for moment, before, after in changes(timezone, now) if moment < until]
    offsets = {offset for pair in found for offset in pair}
    if not offsets:
        from mlwidgets.schedules.times import zone

        offset = now.astimezone(zone(timezone)).utcoffset()
        assert offset is not None
        offsets = {offset}
    lines: dict[str, set[timedelta]] = {}
    for offset in sorted(offsets):
        for shifted in _shifted(times, offset, name):
            lines.setdefault(as_cron(shifted), set()).add(offset)
    return lines


def _shifted(times: Times, offset: timedelta, name: str) -> Iterator[Times]:
    if not times.plain:
        as_cron(times)
    found: dict[int, dict[int, set[int]]] = {}
    for hour in times.hours:
        for minute in times.minutes:
            days, rest = divmod(60 * hour + minute - round(offset.total_seconds() / 60), 1440)
            found.setdefault(days, {}).setdefault(rest % 60, set()).add(rest // 60)
    for days, hours_of in found.items():
        if days and not (times.any_day and len(times.months) == 12):
            raise ScheduleError(
                f"{name}: in UTC it is due on the day {'before' if days < 0 else 'after'}, and cron has no words for "
                "that with days of the month or months: choose another time, or the time zone UTC"
            )
        weekdays = frozenset((day + days) % 7 for day in times.weekdays)
        for hours in {frozenset(one) for one in hours_of.values()}:
            minutes = frozenset(minute for minute, one in hours_of.items() if one == hours)
            yield Times(minutes, hours, times.days, times.months, weekdays, frozenset(), times.both)


def _repository(notebook: Path) -> Path:
    found = next((folder for folder in notebook.parents if (folder / ".git").exists()), None)
    if found is None:
        raise ScheduleError(f"{notebook} is in no git repository: GitHub has only what is in one")
    return found


def _secrets(schedule: Schedule, project: Path) -> list[str]:
    """Return the variables that the project names as secrets."""
    named = texts_in(schedule.notify)
    for name in ("secrets", "notify", "smtp"):
        try:
            setting = find_setting(project, name, harmless=True)
        except MlwidgetsError:
            continue
        if setting is not None:
            found = texts_in(setting.value)
            named += [f"${text}" for text in found] if name == "secrets" else found
    return sorted({variable for text in named if (variable := variable_of(text))})


def _offset(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


def _scalar(value: Any) -> str:
    """Return a text as YAML in which GitHub finds no expression."""
    text = value.replace("${{", "${{ '${{' }}") if isinstance(value, str) else value
    return json.dumps(text, ensure_ascii=False)
