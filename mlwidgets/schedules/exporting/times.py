"""A schedule's times as other systems write them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim

from mlwidgets.errors import ScheduleError
from mlwidgets.schedules.times import zone

_FULL = {"minutes": range(60), "hours": range(24), "days": range(1, 32), "months": range(1, 13), "weekdays": range(7)}
_YEARS = 12
"""Years ahead whose changes of the clock are known well enough."""
DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


@dataclass(frozen=True)
class Times:
    """When a cron expression is due, field by field.

    Parameters
    ----------
    days
        Of the month; below zero what cronsim calls its last.
    weekdays
        Sunday is 0.
    special
        Weekdays that are the nth (or last, below zero) of the month.
    both
        A day has to be both, one of the month and one of the week; else either does.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    special: frozenset[tuple[int, int]]
    both: bool

    @property
    def any_day(self) -> bool:
        """Whether the day of the month is left open."""
        return self.days == set(_FULL["days"])

    @property
    def any_weekday(self) -> bool:
        """Whether the day of the week is left open."""
        return self.weekdays == set(_FULL["weekdays"])

    @property
    def plain(self) -> bool:
        """Whether every cron understands its days alike: no last and no nth ones, and not both kinds at once."""
        restricted = not self.any_day and not self.any_weekday
        return not self.special and min(self.days) > 0 and not (restricted and self.both)


def read_times(cron: str) -> Times:
    """Return what a cron expression says, which was checked before."""
    found = CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))
    plain = frozenset(day % 7 for day in found.weekdays if isinstance(day, int))
    special = frozenset((day[0] % 7, day[1]) for day in found.weekdays if isinstance(day, tuple))
    minutes, hours, days, months = map(frozenset, (found.minutes, found.hours, found.days, found.months))
    return Times(minutes, hours, days, months, plain, special, found.day_and)


def as_cron(times: Times) -> str:
    """Return five fields that every cron reads alike.

    Raises
    ------
    ScheduleError
        If there are none.
    """
    if not times.plain:
        raise ScheduleError(
            "its days (last, nth, or of the month and of the week at once) are more than other crons understand"
        )
    return " ".join(
        "*" if set(values) == set(_FULL[name]) else ",".join(_ranges(values, "-"))
        for name, values in _fields(times).items()
    )


def _fields(times: Times) -> dict[str, frozenset[int]]:
    return {name: getattr(times, name) for name in _FULL}


def _ranges(values: Collection[int], between: str, width: int = 0) -> Iterator[str]:
    """Yield numbers, and ranges of three and more, in order."""
    rest = sorted(values)
    while rest:
        last = next((i for i in range(len(rest) - 1) if rest[i + 1] != rest[i] + 1), len(rest) - 1)
        if last < 2:
            yield f"{rest.pop(0):0{width}}"
        else:
            yield f"{rest[0]:0{width}}{between}{rest[last]:0{width}}"
            del rest[: last + 1]


def as_calendar(times: Times, timezone: str) -> list[str]:
    """Return systemd's calendar events, any of which is enough (systemd.time(7)).

    Raises
    ------
    ScheduleError
        If systemd has no words for its days.
    """
    if any(day < 0 and day != CronSim.LAST for day in times.days):
        raise ScheduleError("systemd has no words for the last working day of a month")
    months = "*" if len(times.months) == 12 else ",".join(_ranges(times.months, "..", 2))
    clock = f"{_clock(times.hours, 24)}:{_clock(times.minutes, 60)}:00 {timezone}"
    weeks = list(_weekdays(times))
    if times.any_day:
        dates = weeks
    elif times.any_weekday:
        dates = [("", day) for day in _days(times)]
    elif not times.both:
        dates = [("", day) for day in _days(times)] + weeks
    elif times.special:
        raise ScheduleError("systemd has no words for days of the month that are the nth of their kind, too")
    else:
        dates = [(week, day) for week, _ in weeks for day in _days(times)]
    return [f"{week} *-{months}{day} {clock}".strip() for week, day in dates]


def _clock(values: frozenset[int], most: int) -> str:
    return "*" if len(values) == most else ",".join(_ranges(values, "..", 2))


def _days(times: Times) -> Iterator[str]:
    if plain := [day for day in times.days if day > 0]:
        yield f"-{','.join(_ranges(plain, '..', 2))}"
    if CronSim.LAST in times.days:
        yield "~01"


def _weekdays(times: Times) -> Iterator[tuple[str, str]]:
    """Yield days of the week, each with the days of the month on which it counts."""
    if times.any_weekday:
        yield "", "-*"
    elif times.weekdays:
        yield ",".join(DAYS[day] for day in sorted(times.weekdays)), "-*"
    for day, number in sorted(times.special):
        first = 7 * number - 6
        yield DAYS[day], "~07/1" if number < 0 else f"-{first:02}..{min(31, first + 6):02}"


def after_gaps(times: Times, timezone: str, now: datetime) -> list[str]:
    """Return as five fields when what falls into an hour that the clock leaps over is due, every day.

    Other systems leave such times out; a tick that finds nothing due does nothing.
    """
    found = set()
    for before, after in _gaps(timezone, now):
        moment = before
        while moment < after:
            if moment.hour in times.hours and moment.minute in times.minutes:
                found.add(f"{after.minute} {after.hour} * * *")
                break
            moment += timedelta(minutes=1)
    return sorted(found)


def _gaps(timezone: str, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield what the clock shows before and after each leap forward in the years to come."""
    for moment, before, after in changes(timezone, now):
        if after > before:
            yield (moment + before).replace(tzinfo=None), (moment + after).replace(tzinfo=None)


def changes(timezone: str, now: datetime) -> Iterator[tuple[datetime, timedelta, timedelta]]:
    """Yield when the clock changes in the years to come, and its distance from UTC before and after."""
    place = zone(timezone)

    def offset(moment: datetime) -> timedelta:
        found = moment.astimezone(place).utcoffset()
        assert found is not None
        return found

    moment = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    for _ in range(366 * _YEARS):
        following = moment + timedelta(days=1)
        if offset(moment) != offset(following):
            low, high = moment, following
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) / 2
                middle = middle.replace(second=0, microsecond=0)
                if middle in {low, high}:
                    break
                low, high = (middle, high) if offset(middle) == offset(moment) else (low, middle)
            yield high, offset(moment), offset(following)
        moment = following
