"""A cron expression in words, as a person would say it."""

from __future__ import annotations

import calendar
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime

from cronsim import CronSim

from mlwidgets.errors import ScheduleError
from mlwidgets.schedules.times import zone

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_NTH = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", CronSim.LAST: "last"}
_MOST_TIMES = 6
_HOURS, _MINUTES = 24, 60


def words(cron: str, timezone: str = "") -> str:
    """Return when an expression is due: ``at 07:00 from Monday to Friday, Europe/Berlin``.

    Parameters
    ----------
    cron
        As from `mlwidgets.schedules.times.check_cron`.
    timezone
        Is said as it is; nothing of it if empty.
    """
    parsed = CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))
    when = _times(sorted(parsed.minutes), sorted(parsed.hours))
    days = _days(parsed)
    said = " ".join(filter(None, [when, days]))
    return f"{said}, {timezone}" if timezone else said


def _times(minutes: Sequence[int], hours: Sequence[int]) -> str:
    every_hour = len(hours) == _HOURS
    if len(minutes) * len(hours) <= _MOST_TIMES and not every_hour:
        # "0 9-11 * * *" is said with its times, too.
        return f"at {_listed([f'{hour:02}:{minute:02}' for hour in hours for minute in minutes])}"
    step = _step(minutes, _MINUTES)
    if len(minutes) == 1:
        return _one_in_hours(minutes[0], hours)
    within = "" if every_hour else f" {_hours(hours)}"
    if len(minutes) == _MINUTES:
        return f"every minute{within}"
    if step and minutes[0] == 0:
        return f"every {step} minutes{within}"
    marks = _listed([str(minute) for minute in minutes])
    return f"at {marks} minutes past {'every hour' if every_hour else 'the hour'}{within}"


def _one_in_hours(minute: int, hours: Sequence[int]) -> str:
    """Say one minute of more hours than can be listed as times."""
    past = f"{minute} minute{'' if minute == 1 else 's'} past"
    if len(hours) == _HOURS:
        return "every hour" if minute == 0 else f"{past} every hour"
    step = _step(hours, _HOURS)
    first, last = f"{hours[0]:02}:{minute:02}", f"{hours[-1]:02}:{minute:02}"
    if step and hours[0] < step:
        return f"every {step} hours from {first}" if minute or hours[0] else f"every {step} hours"
    if hours[-1] - hours[0] == len(hours) - 1:
        return f"every hour from {first} to {last}"
    return f"at {_listed([f'{hour:02}:{minute:02}' for hour in hours])}"


def _hours(hours: Sequence[int]) -> str:
    """Say during which hours something goes on."""
    if hours[-1] - hours[0] == len(hours) - 1:
        return f"from {hours[0]:02}:00 to {hours[-1]:02}:59"
    return f"in the hours from {_listed([f'{hour:02}:00' for hour in hours])}"


def _step(values: Sequence[int], size: int) -> int:
    """Return the distance between values that go round evenly, 0 where they do not."""
    gaps = {later - earlier for earlier, later in itertools.pairwise(values)}
    step = gaps.pop() if len(gaps) == 1 else 0
    return step if step > 1 and size % step == 0 and len(values) == size // step else 0


def _days(parsed: CronSim) -> str:
    month_days, week_days = _of_month(parsed), _of_week(parsed)
    months = _months(sorted(parsed.months))
    if month_days and week_days and parsed.day_and:
        return f"{month_days} {months or 'of each month'} where that is {_plain_week(parsed)}"
    if month_days and week_days:
        # With neither field beginning with a star either is enough.
        return f"{month_days} of each month and {week_days}{f', {months}' if months else ''}"
    if month_days:
        return _date(parsed) or f"{month_days} {months or 'of each month'}"
    if week_days:
        counted = any(isinstance(day, tuple) for day in parsed.weekdays)
        return f"{week_days} {months or ('of each month' if counted else '')}".strip()
    return " ".join(filter(None, ["every day" if _is_at(parsed) else "", months]))


def _is_at(parsed: CronSim) -> bool:
    """Whether it is due at times of the day, which are said with "every day"."""
    return len(parsed.hours) < _HOURS and (len(parsed.minutes) * len(parsed.hours) <= _MOST_TIMES)


def _of_month(parsed: CronSim) -> str:
    days = parsed.days
    if days == set(range(1, 32)):
        return ""
    numbers = sorted(day for day in days if day > 0)
    said = [_ordinal(day) for day in numbers]
    if len(numbers) > _MOST_TIMES:
        if numbers[-1] - numbers[0] == len(numbers) - 1:
            said = [f"{_ordinal(numbers[0])} to the {_ordinal(numbers[-1])}"]
        elif numbers == list(range(1, 32, 2)):
            said = ["odd days"]
        elif numbers == list(range(2, 31, 2)):
            said = ["even days"]
    if CronSim.LAST in days:
        said.append("last day")
    if CronSim.LAST_WEEKDAY in days:
        said.append("last weekday")
    if said in (["odd days"], ["even days"]):
        return f"on {said[0]}"
    return f"on the {_listed(said)}"


def _of_week(parsed: CronSim) -> str:
    found = _week(parsed)
    if found is None:
        return ""
    numbers, nth = found
    said = []
    if numbers:
        first, last = numbers[0], numbers[-1]
        names = [_DAYS[day % 7] for day in numbers]
        if len(numbers) > 2 and last - first == len(numbers) - 1:
            said.append(f"from {names[0]} to {names[-1]}")
        else:
            said.append(f"on {_listed([f'{name}s' for name in names] if len(names) == 1 else names)}")
    if nth:
        said.append(f"on the {_listed([f'{_NTH[place]} {_DAYS[day % 7]}' for day, place in nth])}")
    return " and ".join(said)


def _plain_week(parsed: CronSim) -> str:
    numbers, nth = _week(parsed) or ([], [])
    said = [f"a {_DAYS[day % 7]}" for day in numbers] + [f"the {_NTH[place]} {_DAYS[day % 7]}" for day, place in nth]
    return _listed(said, "or")


def _week(parsed: CronSim) -> tuple[list[int], list[tuple[int, int]]] | None:
    """Return days of the week, Monday first, and which of the month; None where it is any."""
    numbers = sorted({7 if day in {0, 7} else day for day in parsed.weekdays if isinstance(day, int)})
    if len(numbers) == len(_DAYS):
        return None
    nth = sorted(
        ((7 if day[0] in {0, 7} else day[0], day[1]) for day in parsed.weekdays if isinstance(day, tuple)),
        key=lambda one: (one[1] if one[1] > 0 else 9, one[0]),
    )
    return numbers, nth


def _months(months: Sequence[int]) -> str:
    names = [calendar.month_name[month] for month in months]
    if len(months) == len(calendar.month_name) - 1:
        return ""
    if len(months) > 2 and months[-1] - months[0] == len(months) - 1:
        return f"from {names[0]} to {names[-1]}"
    return f"in {_listed(names)}"


def _date(parsed: CronSim) -> str:
    """Return a day of one month as a date."""
    if len(parsed.days) == len(parsed.months) == 1 and min(parsed.days) > 0:
        return f"on {min(parsed.days)} {calendar.month_name[min(parsed.months)]}"
    return ""


def _ordinal(number: int) -> str:
    ending = "th" if number in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _listed(texts: Sequence[str], last: str = "and") -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {last} {texts[-1]}"


def moment(at: float, timezone: str) -> str:
    """Return a time as a schedule's zone has it: ``Mon 23 Nov 2026 07:00 CET``."""
    try:
        there = datetime.fromtimestamp(at, zone(timezone))
    except (ScheduleError, ValueError, OverflowError, OSError):
        return f"{at:.0f}"
    day, month = calendar.day_abbr[there.weekday()], calendar.month_abbr[there.month]
    return f"{day} {there.day} {month} {there.year} {there:%H:%M} {there:%Z}"


def lasted(seconds: float) -> str:
    """Return a duration in words, in its two largest units: ``3 days 2 hours``."""
    left = max(0, round(seconds / 60))
    said = []
    for unit, size in (("day", 24 * 60), ("hour", 60), ("minute", 1)):
        count, left = divmod(left, size)
        if count:
            said.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(said[:2]) or "less than a minute"
